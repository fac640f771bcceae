//! Looking at a loop's events, one by one or all.

use core::time::Duration;

use evloop_changelist::{Interest, RawFd, Ready, Token, Trigger};

use crate::Core;
use crate::event::{Event, Kind, Priority, State};
use crate::slab::EventId;

/// What can be told of one event.
///
/// # Compared with libevent
///
/// What `event_get_assignment` and `event_pending` tell.
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
    /// How often its callback has been run, one that runs now counted.
    pub runs: u64,
    /// How long its callbacks took in all, as far as the front measured it.
    pub callback_time: Duration,
    /// How long the longest of them took.
    pub longest_callback: Duration,
}

/// Whether an event is there, and how: the part of its [`EventInfo`] that a front asks for at each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Whether it was added, and neither deleted nor run since.
    pub pending: bool,
    /// Whether it stays pending when it runs.
    pub persistent: bool,
    /// What it is active for, if it is active.
    pub active: Option<Ready>,
}

impl<T> Core<T> {
    /// Whether an event is pending, and whether it is active; `None` if it was freed. `O(1)`.
    #[inline]
    #[must_use]
    pub fn standing(&self, id: EventId) -> Option<Standing> {
        self.events.get(id).map(|event| Standing {
            pending: event.state.contains(State::PENDING),
            persistent: event.state.contains(State::PERSISTENT),
            active: event.state.intersects(State::QUEUED).then_some(event.ready),
        })
    }

    /// What an event waits for; `None` if it was freed. `O(1)`.
    #[inline]
    #[must_use]
    pub fn kind(&self, id: EventId) -> Option<Kind> {
        self.events.get(id).map(|event| event.kind)
    }

    /// An event's timeout, whether it runs or not; `None` if it has none or was freed. `O(1)`.
    #[inline]
    #[must_use]
    pub fn timeout_of(&self, id: EventId) -> Option<Duration> {
        self.events.get(id)?.timeout_ns().map(Duration::from_nanos)
    }

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

    /// The payload of an event; `None` if it was freed.
    #[must_use]
    pub fn payload(&self, id: EventId) -> Option<&T> {
        self.events.get(id)?.payload.as_ref()
    }

    /// The payload of an event, to change it; `None` if it was freed. A callback that runs has a clone of
    /// what it was.
    pub fn payload_mut(&mut self, id: EventId) -> Option<&mut T> {
        self.events.get_mut(id)?.payload.as_mut()
    }

    /// The payload of an active event that runs soon; `None` if none is known. `O(1)`.
    ///
    /// Mostly of the next, and of one some callbacks ahead where many timeouts were due together; but a quota, a limit
    /// or what a callback does may let others go ahead. For a front whose payloads are pointers: it can ask for their
    /// memory while a callback runs.
    #[inline]
    #[must_use]
    pub fn upcoming(&self) -> Option<&T> {
        let event = self.events.at_or_none(self.active.upcoming())?;
        event.payload.as_ref()
    }

    /// How many events have not been freed.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.events.len()
    }

    /// How many events are active, those that were activated for the next turn among them. `O(1)`,
    /// and `O(n)` in the latter.
    #[must_use]
    pub fn active(&self) -> usize {
        self.active.len() + self.active.later(&self.events)
    }

    /// How many timeouts run.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.timers.len()
    }

    /// When the next timeout expires, in nanoseconds of the loop's clock.
    #[must_use]
    pub fn next_deadline_ns(&mut self) -> Option<u64> {
        self.timers.peek().map(|(_, deadline_ns)| deadline_ns)
    }

    /// What the kernel holds, as far as the loop told it: what a look into the kernel has to show
    /// when no change is outstanding.
    pub fn held(&self) -> impl Iterator<Item = (RawFd, Interest, Trigger, Token)> {
        self.fds.held()
    }

    fn describe(&self, id: EventId, event: &Event<T>) -> EventInfo {
        let measured = self.measured_of(id.slot);
        EventInfo {
            id,
            kind: event.kind,
            priority: event.priority,
            persistent: event.state.contains(State::PERSISTENT),
            internal: event.state.contains(State::INTERNAL),
            pending: event.state.contains(State::PENDING),
            active: event.state.intersects(State::QUEUED).then_some(event.ready),
            timeout: event.timeout_ns().map(Duration::from_nanos),
            deadline_ns: event
                .state
                .contains(State::PENDING | State::TIMED)
                .then(|| self.timers.get(id.slot))
                .flatten(),
            runs: event.runs,
            callback_time: Duration::from_nanos(measured.spent_ns),
            longest_callback: Duration::from_nanos(measured.longest_ns),
        }
    }
}
