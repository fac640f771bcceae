//! How a run is begun, how it can be ended, and what it says at its end.

use core::time::Duration;

use crate::Core;
use crate::active::Level;
use crate::event::Priority;
use crate::step::Phase;

/// When a run ends by itself. Every run ends when an exit or a break is asked for.
///
/// # Compared with libevent
///
/// The flags of `event_base_loop`. `EVLOOP_NONBLOCK` there goes on for as long as anything is
/// ready; here it is one turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// When no event is pending or active.
    #[default]
    UntilEmpty,
    /// When something has run and nothing is active any more; waits for it.
    Once,
    /// After one look at the kernel, when nothing is active any more; never waits.
    NonBlocking,
    /// Not even when no event is pending or active: it waits for one from elsewhere.
    StayOnEmpty,
}

impl Mode {
    /// Whether the turn runs everything that is active, not the most urgent level alone.
    pub(crate) const fn runs_all_levels(self) -> bool {
        matches!(self, Self::Once | Self::NonBlocking)
    }
}

/// Why a run ended.
///
/// # Compared with libevent
///
/// `event_base_loop` returns 1 for [`Outcome::Empty`] and 0 for the others, which
/// `event_base_got_exit` and `event_base_got_break` tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Outcome {
    /// No event was pending or active.
    Empty,
    /// An exit was asked for: the callbacks of the turn have run.
    Exit,
    /// A break was asked for: the callback that ran then was the last.
    Break,
    /// A run [`Mode::Once`] or [`Mode::NonBlocking`] has done its work.
    Done,
}

/// How long a turn may run callbacks before the kernel is asked again, and how often the less
/// urgent go first. What has not run stays active.
///
/// # Compared with libevent
///
/// `event_config_set_max_dispatch_interval`. It has no quota: there the less urgent can starve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many callbacks in a turn at the most; `None`: as many as there are. 0 counts as 1.
    pub callbacks: Option<u32>,
    /// No further callback when those of this turn took so long; `None`: however long. Costs a
    /// reading of the clock before each callback.
    pub interval: Option<Duration>,
    /// The limits of callbacks and interval are for this priority and the less urgent.
    pub from: Priority,
    /// Keeps the less urgent from starving: after so many callbacks in a row that went ahead of
    /// something less urgent, one that is less urgent goes first; `None`: it waits for as long as
    /// there is something more urgent. 0 counts as 1.
    ///
    /// The priorities that wait take turns, so an event that is first in its queue runs after at
    /// most `n * (quota + 1)` callbacks, where `n` priorities wait. Something urgent waits for one
    /// callback more, at most, and that no sooner than after `quota` others. The quota is for all
    /// priorities, and goes on from turn to turn and from run to run.
    pub quota: Option<u32>,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self {
        callbacks: None,
        interval: None,
        from: Priority::MOST_URGENT,
        quota: None,
    };

    /// Whether there are limits for a priority.
    #[inline]
    pub(crate) fn are_for(&self, priority: Priority) -> bool {
        (self.callbacks.is_some() || self.interval.is_some()) && priority >= self.from
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::NONE
    }
}

/// What was asked of the run. Requests made before a run began count for it; the run that ends by
/// one uses it up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Requests {
    /// Leave at the top of the next turn.
    pub(crate) exit: bool,
    /// Leave after the callback that runs.
    pub(crate) stop: bool,
    /// Look at the kernel again after the callback that runs.
    pub(crate) rescan: bool,
}

impl<T> Core<T> {
    /// Whether a run has begun and is not over.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// Whether a turn is at its callbacks: past its wait, what came of that, and the watchers. What is
    /// activated now runs in this turn still, if it is urgent enough.
    #[must_use]
    pub fn is_dispatching(&self) -> bool {
        self.phase == Phase::Dispatch
    }

    /// How far the turn is: how many callbacks have run since it came to them, but no more than events were
    /// active then. `O(1)`.
    #[must_use]
    pub fn progress(&self) -> usize {
        let (ran_before, active) = self.dispatch_began;
        let ran = self.ran.callbacks - ran_before;
        usize::try_from(ran).map_or(active, |ran| ran.min(active))
    }

    /// Sets the limits of a turn, from the next callback on.
    ///
    /// # Compared with libevent
    ///
    /// `event_config_set_max_dispatch_interval`, once and for all.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.is_limited =
            limits.callbacks.is_some() || limits.interval.is_some() || limits.quota.is_some();
        self.cleared = Level::NEVER;
    }

    /// Ends the run at the top of the next turn; the callbacks of this one run before.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loopexit` without a time.
    pub fn exit(&mut self) {
        self.requests.exit = true;
    }

    /// Ends the run after the callback that runs.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loopbreak`. There, one that comes before the run has begun is lost.
    pub fn break_loop(&mut self) {
        self.requests.stop = true;
        self.cleared = Level::NEVER;
    }

    /// Looks at the kernel again after the callback that runs, before any other.
    /// Nothing in a watcher: the kernel is about to be asked, or was just now.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loopcontinue`.
    pub fn rescan(&mut self) {
        self.requests.rescan = true;
        self.cleared = Level::NEVER;
    }

    /// Whether nothing is pending or active: what ends a run [`Mode::UntilEmpty`]. Internal events
    /// count only while they are active.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pending == 0 && self.active.len() == 0 && self.active.is_later_empty()
    }
}
