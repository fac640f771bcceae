//! One event: what it waits for, how long it stays, and the state it is in.

use core::num::NonZeroU32;
use core::time::Duration;

use bitflags::bitflags;
use evloop_changelist::{Interest, RawFd, Ready, Trigger};
use evloop_signals::Signal;

use crate::slab::{EventId, NONE};
use crate::timeout::nanoseconds;

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
///
/// # Compared with libevent
///
/// The file descriptor, or the signal's number in its place, and the `EV_` flags of an `event`.
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
    /// What an event is, and what is true of it now. The bits are independent.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct State: u16 {
        /// Added, and neither deleted nor run since (or persistent).
        const PENDING = 1;
        /// In an active queue.
        const ACTIVE = 2;
        /// In the later queue.
        const LATER = 4;
        /// A one-shot whose callback runs: not pending any more, but not yet taken off what it
        /// waited for either, because its callback may well add it again.
        const LINGERING = 8;
        /// In the list of its file descriptor.
        const LISTED = 16;
        /// No event: its slot is free.
        const FREE = 32;
        /// [`Spec::persistent`].
        const PERSISTENT = 64;
        /// [`Spec::keep`].
        const KEEP = 128;
        /// [`Spec::each`].
        const EACH = 256;
        /// [`Spec::internal`].
        const INTERNAL = 512;
        /// A loop goes on running for it while it is pending: it is not internal, and no watcher.
        const COUNTS = 2048;
        /// There is more to tell its callback than readiness: [`Event::count`] or [`Event::errno`].
        const NEWS = 1024;
        /// Its timeout runs: the timer of its slot is armed.
        const TIMED = 4096;
        /// It was activated by hand with nothing to be told: it is active also where its readiness is empty.
        const CALLED = 8192;
    }
}

impl State {
    /// In either queue.
    pub(crate) const QUEUED: Self = Self::ACTIVE.union(Self::LATER);
    /// What tells a plain event from others: see [`Event::is_plain`].
    const SORT: Self = Self::PERSISTENT
        .union(Self::TIMED)
        .union(Self::NEWS)
        .union(Self::INTERNAL);
    /// On what it waits for.
    pub(crate) const ON: Self = Self::PENDING.union(Self::LINGERING);

    fn of(spec: &Spec) -> Self {
        let mut state = Self::empty();
        state.set(Self::PERSISTENT, spec.persistent);
        state.set(Self::KEEP, spec.keep);
        state.set(Self::EACH, spec.each);
        state.set(Self::INTERNAL, spec.internal);
        let watches = matches!(spec.kind, Kind::Prepare | Kind::Check);
        state.set(Self::COUNTS, !spec.internal && !watches);
        state
    }
}

/// An event in its slot: a cache line, if the payload is a pointer or two.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Event<T> {
    /// Which use of its slot it is, as in its handle; of a free slot, which it will be.
    pub(crate) generation: NonZeroU32,
    pub(crate) state: State,
    /// Why it is active: what its callback will be told.
    pub(crate) ready: Ready,
    pub(crate) priority: Priority,
    /// Its neighbours in the queue it is in. (Of the first in a queue `prev` means nothing, of the
    /// last `next` is `NONE`.) Of a free slot, `next` is the next one.
    pub(crate) prev: u32,
    pub(crate) next: u32,
    pub(crate) kind: Kind,
    /// Of an event for a file descriptor: what follows it in the list there, and the errno with which the
    /// kernel refused interest, or 0. Of one for a signal: the two halves of the number of deliveries since
    /// its callback ran. Of another: nothing.
    own: [u32; 2],
    /// Its timeout, or [`NO_TIMEOUT`].
    timeout_ns: u64,
    /// How often its callback was run.
    pub(crate) runs: u64,
    /// The front's. A free slot has none.
    pub(crate) payload: Option<T>,
}

impl<T> Event<T> {
    pub(crate) fn new(generation: NonZeroU32, spec: Spec, payload: T) -> Self {
        Self {
            generation,
            state: State::of(&spec),
            ready: Ready::empty(),
            priority: spec.priority,
            prev: NONE,
            next: NONE,
            kind: spec.kind,
            own: match spec.kind {
                Kind::Io { .. } => [NONE, 0],
                _ => [0, 0],
            },
            timeout_ns: encoded(spec.timeout),
            runs: 0,
            payload: Some(payload),
        }
    }

    /// The handle of the event, which is in this slot.
    #[inline]
    pub(crate) const fn id(&self, slot: u32) -> EventId {
        EventId {
            slot,
            generation: self.generation,
        }
    }

    /// A clone of its payload.
    #[inline]
    pub(crate) fn shared_payload(&self) -> T
    where
        T: Clone,
    {
        let payload = self.payload.clone();
        payload.expect("an event that is not freed has one")
    }

    /// Its timeout in nanoseconds, whether it runs or not.
    #[inline]
    pub(crate) const fn timeout_ns(&self) -> Option<u64> {
        match self.timeout_ns {
            NO_TIMEOUT => None,
            timeout_ns => Some(timeout_ns),
        }
    }

    pub(crate) fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout_ns = encoded(timeout);
    }

    /// What it is told of what was reported for the file descriptor in whose list it is.
    #[inline]
    pub(crate) const fn told_of(&self, ready: Ready) -> Ready {
        match self.kind {
            Kind::Io { interest, .. } => ready.for_interest(interest),
            _ => Ready::empty(),
        }
    }

    /// The readiness it asks for; empty where it is not for a file descriptor.
    #[inline]
    pub(crate) const fn interest(&self) -> Interest {
        match self.kind {
            Kind::Io { interest, .. } | Kind::Always(interest) => interest,
            Kind::Signal(_) | Kind::Plain | Kind::Prepare | Kind::Check => Interest::empty(),
        }
    }

    /// What follows it in the list of its file descriptor.
    #[inline]
    pub(crate) const fn next_on_fd(&self) -> u32 {
        self.own[0]
    }

    #[inline]
    pub(crate) const fn set_next_on_fd(&mut self, slot: u32) {
        self.own[0] = slot;
    }

    /// Takes note of why the kernel refused interest in its file descriptor.
    pub(crate) const fn set_errno(&mut self, errno: i32) {
        self.own[1] = errno.cast_unsigned();
    }

    /// Why the kernel refused interest in its file descriptor, or 0. Tells it once.
    pub(crate) fn take_errno(&mut self) -> i32 {
        if self.is_io() {
            core::mem::take(&mut self.own[1]).cast_signed()
        } else {
            0
        }
    }

    /// Deliveries of its signal since its callback ran.
    pub(crate) const fn count(&self) -> u64 {
        match (self.kind, self.own) {
            (Kind::Signal(_), [low, high]) => (high as u64) << 32 | low as u64,
            _ => 0,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves are taken apart on purpose"
    )]
    pub(crate) const fn set_count(&mut self, count: u64) {
        if let Kind::Signal(_) = self.kind {
            self.own = [count as u32, (count >> 32) as u32];
        }
    }

    /// It is activated by hand, and is to be told this.
    pub(crate) fn note_called(&mut self, ready: Ready) {
        if ready.is_empty() {
            self.state.insert(State::CALLED);
        }
    }

    /// Forgets for what it is active.
    pub(crate) fn forget_news(&mut self) {
        self.ready = Ready::empty();
        self.state.remove(State::NEWS.union(State::CALLED));
        self.set_count(0);
        self.take_errno();
    }

    /// Whether nothing is to be done when its callback is about to run, but to run it: it is persistent,
    /// has no timeout that runs and no news, and counts.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.state.intersection(State::SORT) == State::PERSISTENT
    }

    /// Whether there is nothing to delete: it is a one-shot whose callback runs, for a file that stays open
    /// or for none. It is pending no more, and is taken off what it waited for when its callback is over,
    /// unless that adds it again.
    #[inline]
    pub(crate) fn only_lingers(&self) -> bool {
        let lingering_or_queued = State::LINGERING.union(State::QUEUED);
        let stays_open = match self.kind {
            Kind::Io { ownership, .. } => ownership == Ownership::Owned,
            kind => kind == Kind::Plain,
        };
        stays_open && self.state.intersection(lingering_or_queued) == State::LINGERING
    }

    /// Whether nothing is to be taken away where its callback is over, and was not added again: it is a timer
    /// that has expired, or waits for nothing, and is kept.
    #[inline]
    pub(crate) fn is_kept_as_it_is(&self) -> bool {
        let kept_or_timed = State::KEEP.union(State::TIMED);
        self.kind == Kind::Plain && self.state.intersection(kept_or_timed) == State::KEEP
    }

    /// Whether a loop goes on running for it while it is pending.
    #[inline]
    pub(crate) const fn counts(&self) -> bool {
        self.state.contains(State::COUNTS)
    }

    pub(crate) const fn is_io(&self) -> bool {
        matches!(self.kind, Kind::Io { .. })
    }

    /// Whether it is on what it waits for.
    pub(crate) const fn is_on(&self) -> bool {
        self.state.intersects(State::ON)
    }

    pub(crate) const fn is_watcher(&self) -> bool {
        matches!(self.kind, Kind::Prepare | Kind::Check)
    }

    /// Whether its slot is to be freed when its callback is over.
    pub(crate) const fn is_over(&self) -> bool {
        !self.state.intersects(
            State::PERSISTENT
                .union(State::KEEP)
                .union(State::PENDING)
                .union(State::QUEUED),
        )
    }
}

// What the documentation of the crate says.
const _: () = assert!(size_of::<Event<&str>>() == 64);

/// In [`Event::timeout_ns`]: none. A timeout of 584 years is a nanosecond shorter.
const NO_TIMEOUT: u64 = u64::MAX;

#[inline]
fn encoded(timeout: Option<Duration>) -> u64 {
    timeout.map_or(NO_TIMEOUT, |timeout| {
        nanoseconds(timeout).min(NO_TIMEOUT - 1)
    })
}
