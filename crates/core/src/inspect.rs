//! Looking at a loop: its events one by one, its counters, and whether all is in order.

use core::time::Duration;

use evloop_changelist::{Interest, RawFd, Ready, Token, Trigger};

use crate::Core;
use crate::event::{Event, Kind, Priority, State};
use crate::slab::EventId;

/// What can be told of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventInfo {
    /// Its handle.
    pub id: EventId,
    /// What it waits for.
    pub kind: Kind,
    /// How urgent it is.
    pub priority: Priority,
    /// Whether it stays pending when it runs.
    pub persistent: bool,
    /// Whether it belongs to the loop itself.
    pub internal: bool,
    /// Whether it was added, and neither deleted nor run since.
    pub pending: bool,
    /// What it is active for, if it is active.
    pub active: Option<Ready>,
    /// Its timeout, whether it runs or not.
    pub timeout: Option<Duration>,
    /// When its timeout expires, in nanoseconds of the loop's clock, if it runs.
    pub deadline_ns: Option<u64>,
}

/// Counts since the loop was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Turns begun.
    pub turns: u64,
    /// Waits asked of the front.
    pub waits: u64,
    /// Callbacks run, internal ones not counted.
    pub callbacks: u64,
    /// Of these, with readiness of a file descriptor among the reasons.
    pub io_callbacks: u64,
    /// Of these, with an expired timeout among the reasons.
    pub timer_callbacks: u64,
    /// Of these, with a signal among the reasons.
    pub signal_callbacks: u64,
    /// Deliveries of signals.
    pub signals: u64,
    /// Changes of interest that the kernel was told when a wait began.
    pub changes_told: u64,
    /// Changes of interest that came to nothing and were not told.
    pub changes_skipped: u64,
    /// Reports of file descriptors that were given up before.
    pub ghosts: u64,
    /// Reports that no event asked for, after which the kernel was told to forget.
    pub quenched: u64,
}

impl Stats {
    pub(crate) fn count(&mut self, ready: Ready, internal: bool) {
        if internal {
            return;
        }
        const IO: Ready = Ready::READ
            .union(Ready::WRITE)
            .union(Ready::CLOSED)
            .union(Ready::ALWAYS);
        self.callbacks += 1;
        self.io_callbacks += u64::from(ready.intersects(IO));
        self.timer_callbacks += u64::from(ready.contains(Ready::TIMEOUT));
        self.signal_callbacks += u64::from(ready.contains(Ready::SIGNAL));
    }
}

impl<T> Core<T> {
    /// What can be told of an event; `None` if it was freed. `O(1)`.
    ///
    /// # Compared with libevent
    ///
    /// `event_pending`, `event_get_assignment` and the getters.
    #[must_use]
    pub fn info(&self, id: EventId) -> Option<EventInfo> {
        self.events.get(id).map(|event| self.describe(id, event))
    }

    /// All events that have not been freed, in no order that means anything.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_foreach_event`, which does not see events that are neither pending nor active.
    pub fn iter(&self) -> impl Iterator<Item = EventInfo> {
        self.events
            .iter()
            .map(|(id, event)| self.describe(id, event))
    }

    /// The payload of an event; `None` if it was freed or the payload is away.
    #[must_use]
    pub fn payload(&self, id: EventId) -> Option<&T> {
        self.events.get(id)?.payload.as_ref()
    }

    /// How many events have not been freed.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.events.len()
    }

    /// How many timeouts run.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.timers.len()
    }

    /// When the next timeout expires, in nanoseconds of the loop's clock.
    #[must_use]
    pub fn next_deadline_ns(&mut self) -> Option<u64> {
        self.timers.peek().map(|(_, deadline_ns, _)| deadline_ns)
    }

    /// The counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        let mut stats = self.stats;
        stats.changes_told = self.fds.told;
        stats.changes_skipped = self.fds.skipped;
        stats
    }

    /// What the kernel holds, as far as the loop told it: what a look into the kernel has to show
    /// when no change is outstanding.
    pub fn held(&self) -> impl Iterator<Item = (RawFd, Interest, Trigger, Token)> {
        self.fds.held()
    }

    /// Panics unless everything that the loop records agrees with everything else. For tests;
    /// `O(n)` in all that there is.
    ///
    /// # Panics
    ///
    /// If there is a defect in this crate.
    pub fn check_invariants(&self) {
        self.timers.check_invariants();
        self.signals.check_invariants();
        self.fds.check_invariants(&self.events);
        self.active.check_invariants(&self.events);
        let mut pending = 0;
        let mut timers = 0;
        for (id, event) in self.events.iter() {
            let is_pending = event.state.contains(State::PENDING);
            let is_on = is_pending || event.state.contains(State::LINGERING);
            pending += usize::from(is_pending && event.counts());
            let watches = self.prepare.contains(id.slot) || self.check.contains(id.slot);
            assert_eq!(watches, is_on && event.is_watcher(), "{id:?} as a watcher");
            timers += usize::from(event.timer.is_some());
            assert!(
                is_on || event.timer.is_none(),
                "{id:?} has a timer and is not pending"
            );
            if let Some(timer) = event.timer {
                assert_eq!(self.timers.get(timer), Some(&id.slot), "timer of {id:?}");
            }
            if let Kind::Signal(signal) = event.spec.kind {
                assert_eq!(self.signals.events(signal).contains(&id.slot), is_on);
            }
            if !event.state.intersects(State::QUEUED) {
                assert!(
                    event.ready.is_empty() && event.count == 0,
                    "{id:?} has unsaid news"
                );
            }
            assert_eq!(
                event.state.contains(State::RUNNING),
                self.running == Some(id)
            );
        }
        assert_eq!(pending, self.pending);
        assert_eq!(timers, self.timers.len());
    }

    fn describe(&self, id: EventId, event: &Event<T>) -> EventInfo {
        EventInfo {
            id,
            kind: event.spec.kind,
            priority: event.spec.priority,
            persistent: event.spec.persistent,
            internal: event.spec.internal,
            pending: event.state.contains(State::PENDING),
            active: event.state.intersects(State::QUEUED).then_some(event.ready),
            timeout: event.spec.timeout,
            deadline_ns: event
                .timer
                .filter(|_| event.state.contains(State::PENDING))
                .and_then(|timer| self.timers.deadline(timer)),
        }
    }
}
