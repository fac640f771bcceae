//! Virtual time: a clock that stands still until somebody moves it, and what happens at its hours.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use evloop_backend::Clock;

use crate::Sim;

/// The clock of a [`Sim`].
///
/// It moves when a wait has nothing to report, to what comes first, and by [`Sim::advance`]; never
/// by itself. It starts at 0.
#[derive(Clone, Debug)]
pub struct SimClock {
    pub(crate) sim: Sim,
}

impl Clock for SimClock {
    /// Nanoseconds since the [`Sim`] was made. Counted in [`Counts::clock_reads`].
    ///
    /// [`Counts::clock_reads`]: crate::Counts::clock_reads
    fn now_ns(&self) -> u64 {
        self.sim.state().counts.clock_reads += 1;
        self.sim.now_ns()
    }
}

/// What the world does at its hour.
pub(crate) type Action = Box<dyn FnOnce(&Sim)>;

/// The time, and what is planned.
#[derive(Default)]
pub(crate) struct Timeline {
    now_ns: u64,
    /// By (time, order of planning).
    plans: BTreeMap<(u64, u64), Action>,
    /// How many plans were ever made.
    planned: u64,
}

impl Timeline {
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    pub(crate) fn plan(&mut self, time_ns: u64, action: Action) {
        self.plans.insert((time_ns, self.planned), action);
        self.planned += 1;
    }

    /// When the next plan is due.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.plans
            .first_key_value()
            .map(|((time_ns, _), _)| *time_ns)
    }

    /// Takes the next plan that is due by `until_ns`, and moves to its hour.
    pub(crate) fn take_due(&mut self, until_ns: u64) -> Option<Action> {
        let next = self
            .plans
            .first_entry()
            .filter(|next| next.key().0 <= until_ns)?;
        let ((time_ns, _), action) = next.remove_entry();
        self.move_to(time_ns);
        Some(action)
    }

    /// Moves to a time, unless it has passed.
    pub(crate) fn move_to(&mut self, time_ns: u64) {
        self.now_ns = self.now_ns.max(time_ns);
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeline")
            .field("now_ns", &self.now_ns)
            .field("plans", &self.plans.keys())
            .field("planned", &self.planned)
            .finish()
    }
}

/// A duration in whole nanoseconds; 584 years stand for any longer one.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
