//! What a loop counts while it runs: how often, how late, and how many at most.
//!
//! Counting is always on: it is an addition or two where something happens. Only the time that
//! callbacks take is not measured here, since the core has no clock; a front that measures it says so
//! by [`Core::measured`].

use core::time::Duration;

use bitflags::bitflags;
use evloop_changelist::Ready;

use crate::Core;
use crate::slab::EventId;

/// Counts since the loop was made. They never go back.
///
/// What a rate is wanted of is asked for twice, and subtracted.
///
/// # Compared with libevent
///
/// There is nothing of the kind there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Turns begun.
    pub turns: u64,
    /// Of these, those that the [`Limits`](crate::Limits) ended, with something still active.
    pub throttled_turns: u64,
    /// Waits asked of the front: one with the look before it is one.
    pub waits: u64,
    /// Of these, those that reported nothing: the timeout had passed, there was none to wait for, or
    /// the wait was interrupted.
    pub empty_waits: u64,
    /// Waits before which a look found nothing, so that they were two system calls for one.
    pub vain_looks: u64,
    /// Wakeups taken: another thread or a signal's handler had asked for the loop. Any number of them
    /// while a callback runs is one.
    pub wakeups: u64,
    /// Callbacks run, internal ones not counted.
    pub callbacks: u64,
    /// Of these, with readiness of a file descriptor among the reasons.
    pub io_callbacks: u64,
    /// Of these, with an expired timeout among the reasons.
    pub timer_callbacks: u64,
    /// Of these, with a signal among the reasons.
    pub signal_callbacks: u64,
    /// How often the [quota](crate::Limits::quota) let something go ahead of what is more urgent.
    pub yields: u64,
    /// Timeouts that were found expired more than [`LATE`] after their deadline.
    pub late_timers: u64,
    /// Deliveries of signals.
    pub signals: u64,
    /// Edits of interest in a file descriptor that the kernel holds, recorded to go with the next
    /// wait. Each is in the end coalesced, told or skipped.
    ///
    /// A first registration is made at once and not recorded. Where the loop owns the source, an
    /// edit after which the kernel holds what is wanted is none, nor is a last delete that stays in
    /// the kernel, unless there is something to be told of the file descriptor already.
    pub changes_recorded: u64,
    /// Of these, those merged into a change of the same file descriptor that was there already:
    /// what was recorded, less what was told and skipped and what is still to be.
    pub changes_coalesced: u64,
    /// Changes that the kernel was told when a wait began.
    pub changes_told: u64,
    /// Changes that the kernel need not be told: they came to nothing, or their file descriptor
    /// was given up first.
    pub changes_skipped: u64,
    /// Reports of file descriptors that were given up before.
    pub ghosts: u64,
    /// Reports that no event asked for, after which the kernel was told to forget.
    pub quenched: u64,
}

/// How late a timeout may expire before it counts among [`Stats::late_timers`]: 1 ms, to which a wait
/// is rounded where the kernel cannot be told less. What is later than that was kept waiting by
/// callbacks, by other programs, or by a suspended machine.
pub const LATE: Duration = Duration::from_millis(1);

pub(crate) const LATE_NS: u64 = 1_000_000;

/// High-water marks: the most there was at a time since the loop was made, or since
/// [`Core::reset_peaks`].
///
/// # Compared with libevent
///
/// `event_base_get_max_events`, which gives the sum of those that it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peaks {
    /// Pending events; internal ones and watchers are not counted.
    pub pending: usize,
    /// Active events. What was activated for the next turn does not count before that.
    pub active: usize,
    /// Timeouts that ran.
    pub timers: usize,
    /// File descriptors that the kernel held.
    pub fds: usize,
    /// The longest time from a deadline to when the timeout was found expired.
    pub lateness: Duration,
}

bitflags! {
    /// Which of the [`Peaks`] are meant.
    ///
    /// # Compared with libevent
    ///
    /// `EVENT_BASE_COUNT_ADDED` and its like.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Peak: u8 {
        /// [`Peaks::pending`].
        const PENDING = 1;
        /// [`Peaks::active`].
        const ACTIVE = 2;
        /// [`Peaks::timers`].
        const TIMERS = 4;
        /// [`Peaks::fds`].
        const FDS = 8;
        /// [`Peaks::lateness`].
        const LATENESS = 16;
    }
}

/// The high-water marks that no other part of the core keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Most {
    pub(crate) pending: usize,
    pub(crate) timers: usize,
    pub(crate) late_ns: u64,
}

/// How long the callbacks of an event took in all, and the longest of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) spent_ns: u64,
    pub(crate) longest_ns: u64,
}

/// Callbacks run, internal ones not counted, and for what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ran {
    pub(crate) callbacks: u64,
    /// Without readiness of a file descriptor among the reasons.
    other: u64,
    timer: u64,
    signal: u64,
}

const _: () = assert!(IO.bits() < Ready::TIMEOUT.bits() && IO.bits() < Ready::SIGNAL.bits());

impl Ran {
    /// Counts a callback that runs for this.
    #[inline]
    pub(crate) fn count(&mut self, ready: Ready) {
        self.callbacks += 1;
        // Mostly it is readiness of a file descriptor, and nothing else: the low bits, and one at least.
        if !(1..=IO.bits()).contains(&ready.bits()) {
            self.count_other(ready);
        }
    }

    fn count_other(&mut self, ready: Ready) {
        self.other += u64::from(!ready.intersects(IO));
        self.timer += u64::from(ready.contains(Ready::TIMEOUT));
        self.signal += u64::from(ready.contains(Ready::SIGNAL));
    }

    /// The callback that was counted last for this was of an internal event, and does not count.
    pub(crate) fn take_back(&mut self, ready: Ready) {
        self.callbacks -= 1;
        self.other -= u64::from(!ready.intersects(IO));
        self.timer -= u64::from(ready.contains(Ready::TIMEOUT));
        self.signal -= u64::from(ready.contains(Ready::SIGNAL));
    }
}

/// What a file descriptor reports.
const IO: Ready = Ready::READ
    .union(Ready::WRITE)
    .union(Ready::CLOSED)
    .union(Ready::ALWAYS);

impl<T> Core<T> {
    /// The counters. `O(1)`.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        let mut stats = self.stats;
        stats.callbacks = self.ran.callbacks;
        stats.io_callbacks = self.ran.callbacks - self.ran.other;
        stats.timer_callbacks = self.ran.timer;
        stats.signal_callbacks = self.ran.signal;
        stats.changes_recorded = self.fds.recorded;
        stats.changes_told = self.fds.told;
        stats.changes_skipped = self.fds.skipped;
        stats.changes_coalesced = self.fds.coalesced();
        stats
    }

    /// The high-water marks. `O(1)`.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_get_max_events`.
    #[must_use]
    pub const fn peaks(&self) -> Peaks {
        Peaks {
            pending: self.most.pending,
            active: self.active.most(),
            timers: self.most.timers,
            fds: self.fds.most_held(),
            lateness: Duration::from_nanos(self.most.late_ns),
        }
    }

    /// Begins anew with these high-water marks: each is what there is now, and the lateness nothing.
    /// The others stay. `O(1)`.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_get_max_events` with `clear`. There a mark becomes 0, and is too low until something
    /// is added.
    pub fn reset_peaks(&mut self, which: Peak) {
        if which.contains(Peak::PENDING) {
            self.most.pending = self.pending;
        }
        if which.contains(Peak::ACTIVE) {
            self.active.reset_most();
        }
        if which.contains(Peak::TIMERS) {
            self.most.timers = self.timers.len();
        }
        if which.contains(Peak::FDS) {
            self.fds.reset_most_held();
        }
        if which.contains(Peak::LATENESS) {
            self.most.late_ns = 0;
        }
    }

    /// [`Stats::ghosts`] alone.
    #[must_use]
    #[inline]
    pub const fn ghosts(&self) -> u64 {
        self.stats.ghosts
    }

    /// Says that the loop was woken, by another thread or a signal's handler, in the wait that is over or
    /// [between two callbacks](Core::is_dispatching), and goes on with what they have left. Counted in
    /// [`Stats::wakeups`].
    pub const fn woken(&mut self) {
        self.stats.wakeups += 1;
        self.is_woken = true;
    }

    /// Counts a wait that brought the front nothing, for [`Stats::empty_waits`] alone; does nothing if that was
    /// a look before a wait.
    pub const fn count_empty_wait(&mut self) {
        self.stats.empty_waits += !self.is_look as u64;
    }

    /// Says how long an event's callback took, for [`EventInfo`](crate::EventInfo) alone; does nothing
    /// if the event was freed.
    pub fn measured(&mut self, id: EventId, time: Duration) {
        if self.events.get(id).is_none() {
            return;
        }
        let slot = id.slot as usize;
        if self.measured.len() <= slot {
            self.measured.resize(slot + 1, Measured::default());
        }
        let time_ns = crate::timeout::nanoseconds(time);
        let measured = &mut self.measured[slot];
        measured.spent_ns = measured.spent_ns.saturating_add(time_ns);
        measured.longest_ns = measured.longest_ns.max(time_ns);
    }

    /// What was measured of an event, by its slot.
    pub(crate) fn measured_of(&self, slot: u32) -> Measured {
        self.measured
            .get(slot as usize)
            .copied()
            .unwrap_or_default()
    }

    /// A new event is in this slot.
    pub(crate) fn forget_measured(&mut self, slot: u32) {
        if let Some(measured) = self.measured.get_mut(slot as usize) {
            *measured = Measured::default();
        }
    }
}
