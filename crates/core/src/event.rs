//! One event: what it waits for, how long it stays, and the state it is in.

use core::time::Duration;

use bitflags::bitflags;
use evloop_changelist::{Interest, RawFd, Ready, Trigger};
use evloop_signals::Signal;
use evloop_timers::TimerId;

use crate::slab::NONE;

/// How urgent an event is: 0 is the most urgent, 255 the least.
///
/// Of the events that are active, those of the most urgent level run; the others stay queued until
/// that level is empty.
///
/// # Compared with libevent
///
/// `event_priority_set`. All 256 levels are always there, so there is no
/// `event_base_priority_init` to call first and no level out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8);

impl Priority {
    /// Runs before everything else.
    pub const MOST_URGENT: Self = Self(0);
    /// What an event has unless it is told otherwise: the middle.
    pub const NORMAL: Self = Self(128);
    /// Runs when nothing else is active.
    pub const LEAST_URGENT: Self = Self(255);
}

impl Default for Priority {
    fn default() -> Self {
        Self::NORMAL
    }
}

/// What an event waits for, apart from its timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Readiness of a file descriptor.
    Io {
        /// The file descriptor.
        fd: RawFd,
        /// The readiness asked for. Empty: none, the event is paused.
        interest: Interest,
        /// When it is reported again.
        trigger: Trigger,
        /// Whether the front holds the file open for as long as the event lives.
        ownership: Ownership,
    },
    /// A signal.
    Signal(Signal),
    /// Nothing but its timeout, and activation by hand.
    Plain,
    /// Nothing: it is always ready to read, to write or both, whatever is asked for. A regular file
    /// is. While it is pending no wait blocks.
    Always(Interest),
    /// The moment before each wait. Keeps no loop running.
    Prepare,
    /// The moment after each wait, when what it brought is known. Keeps no loop running.
    Check,
}

/// Who decides when an event's file is closed.
///
/// Where the front does, it is known that the file descriptor means the same file for as long as
/// the event lives, and a change of interest that comes to nothing need not be told to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The front: the file stays open until the event was removed.
    Owned,
    /// Somebody else: it may be closed, and its number used again, at any time.
    Borrowed,
}

/// What an event is, when it is made. See [`Core::insert`](crate::Core::insert).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// What it waits for.
    pub kind: Kind,
    /// It stays pending when it runs. Otherwise it is one-shot: not pending any more when its
    /// callback is called.
    pub persistent: bool,
    /// A one-shot event that was not added again is not freed after its callback.
    pub keep: bool,
    /// Its callback runs once for each delivery of its signal, not once for all that came. When it
    /// runs for one it queues up again for the others, also if it is one-shot.
    pub each: bool,
    /// It keeps no loop running, and does not count.
    pub internal: bool,
    /// How urgent it is.
    pub priority: Priority,
    /// It becomes active when this time has passed since it was added (and, if it is persistent,
    /// again and again).
    pub timeout: Option<Duration>,
}

impl Spec {
    /// A one-shot event without a timeout.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            persistent: false,
            keep: false,
            each: false,
            internal: false,
            priority: Priority::NORMAL,
            timeout: None,
        }
    }
}

bitflags! {
    /// What is true of an event now. The bits are independent.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct State: u8 {
        /// Added, and neither deleted nor run since (or persistent).
        const PENDING = 1;
        /// In an active queue.
        const ACTIVE = 2;
        /// In the later queue.
        const LATER = 4;
        /// Its callback runs.
        const RUNNING = 8;
        /// A one-shot whose callback runs: not pending any more, but not yet taken off what it
        /// waited for either, because its callback may well add it again.
        const LINGERING = 16;
    }
}

impl State {
    /// In either queue.
    pub(crate) const QUEUED: Self = Self::ACTIVE.union(Self::LATER);
}

/// An event in its slot.
#[derive(Debug)]
pub(crate) struct Event<T> {
    pub(crate) spec: Spec,
    pub(crate) state: State,
    /// Why it is active: what its callback will be told.
    pub(crate) ready: Ready,
    /// Deliveries of its signal since its callback ran.
    pub(crate) count: u64,
    /// Why the kernel refused interest in its file descriptor, or 0.
    pub(crate) errno: i32,
    /// Its neighbours in the queue it is in.
    pub(crate) prev: u32,
    pub(crate) next: u32,
    pub(crate) timer: Option<TimerId>,
    /// How often its callback was run; and how long that took, as far as it was measured.
    pub(crate) runs: u64,
    pub(crate) spent_ns: u64,
    pub(crate) longest_ns: u64,
    /// The front's; away while the front runs the callback.
    pub(crate) payload: Option<T>,
}

impl<T> Event<T> {
    pub(crate) const fn new(spec: Spec, payload: T) -> Self {
        Self {
            spec,
            state: State::empty(),
            ready: Ready::empty(),
            count: 0,
            errno: 0,
            prev: NONE,
            next: NONE,
            timer: None,
            runs: 0,
            spent_ns: 0,
            longest_ns: 0,
            payload: Some(payload),
        }
    }

    /// The readiness it asks for; empty where it is not for a file descriptor.
    pub(crate) const fn interest(&self) -> Interest {
        match self.spec.kind {
            Kind::Io { interest, .. } | Kind::Always(interest) => interest,
            Kind::Signal(_) | Kind::Plain | Kind::Prepare | Kind::Check => Interest::empty(),
        }
    }

    /// Whether a loop goes on running for it while it is pending.
    pub(crate) const fn counts(&self) -> bool {
        !self.spec.internal && !self.is_watcher()
    }

    pub(crate) const fn is_io(&self) -> bool {
        matches!(self.spec.kind, Kind::Io { .. })
    }

    /// Whether it is on what it waits for.
    pub(crate) const fn is_on(&self) -> bool {
        self.state
            .intersects(State::PENDING.union(State::LINGERING))
    }

    pub(crate) const fn is_watcher(&self) -> bool {
        matches!(self.spec.kind, Kind::Prepare | Kind::Check)
    }

    /// Whether its slot is to be freed when its callback is over.
    pub(crate) const fn is_over(&self) -> bool {
        !self.spec.persistent
            && !self.spec.keep
            && !self.state.intersects(State::PENDING.union(State::QUEUED))
    }
}
