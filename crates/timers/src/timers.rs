//! The timers: deadlines by slot, and what lives in the slots.
//!
//! The slot table gives out handles and keeps the values, [`Deadlines`] keep the order: a timer's index
//! there is its slot.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::deadlines::Deadlines;
use crate::lane::LaneId;
use crate::slots::{Slots, ensure};
use crate::timer_id::TimerId;

/// A set of timers, each a deadline with a value, in order of deadline.
///
/// Times are nanoseconds, all counted from one origin that the caller chooses; every `u64` is a valid
/// deadline. The timers never look at a clock: what time it is, the caller says.
///
/// Timers come out by rising deadline, and among equal deadlines in the order in which they were armed.
/// Inserting arms, and so does every re-arming, even to the deadline that was set before. It makes no
/// difference to the order which timers are in lanes.
///
/// There is room for 2³² − 1 timers at a time.
///
/// # Examples
///
/// ```
/// use evloop_timers::Timers;
///
/// let mut timers = Timers::new();
/// let tick = timers.insert(10, "tick");
/// timers.insert(20, "first");
/// timers.insert(20, "second");
///
/// timers.rearm(tick, 20); // later, and behind the others now
///
/// assert_eq!(timers.pop_due(19), None);
/// assert_eq!(timers.pop_due(20), Some((20, "first")));
/// assert_eq!(timers.pop_due(20), Some((20, "second")));
/// assert_eq!(timers.pop_due(20), Some((20, "tick")));
/// ```
///
/// # Compared with libevent
///
/// `minheap-internal.h` and the common timeouts of `event.c`. There the order among equal deadlines is
/// that of the heap; here it is the order of arming.
pub struct Timers<T> {
    slots: Slots<T>,
    /// By slot.
    deadlines: Deadlines,
}

impl<T> Timers<T> {
    /// No timers. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: Slots::new(),
            deadlines: Deadlines::new(),
        }
    }

    /// How many timers there are.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no timers.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many timers fit into the memory that is held now.
    ///
    /// It doubles when it must, and is given back after a burst: once a quarter or less is used, the
    /// table of timers shrinks to room for twice what it holds as far as its high end is free, and the
    /// heap from an eighth to four times, as most of it may be left by timers that have gone. A timer
    /// stays where it is while it lives, so one that was put in at the height of the burst can keep the
    /// table long until it goes; new ones are put low. Room for fewer than 256 timers may be kept for
    /// good.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Adds a timer that is due at `deadline_ns`.
    ///
    /// Costs `O(log n)`, and `O(1)` where deadlines mostly rise. Allocates only when the
    /// table of timers or the heap is full.
    ///
    /// # Panics
    ///
    /// If there are 2³² − 1 timers already.
    ///
    /// # Compared with libevent
    ///
    /// `event_add` with a timeout.
    #[inline]
    pub fn insert(&mut self, deadline_ns: u64, value: T) -> TimerId {
        let id = self.slots.insert(value);
        self.deadlines.set(id.slot, deadline_ns);
        id
    }

    /// Takes a timer out, and gives its value back; `None` if it has gone already.
    ///
    /// Costs `O(1)` on average: a timer leaves its entry in the heap. Such an entry goes when it comes up as
    /// the first, or with all others in one sweep once they are more than three quarters.
    ///
    /// # Compared with libevent
    ///
    /// `event_remove_timer`, and `event_del` of a timer.
    #[inline]
    pub fn remove(&mut self, id: TimerId) -> Option<T> {
        if !self.slots.contains(id) {
            return None;
        }
        self.deadlines.remove(id.slot);
        Some(self.give_back(id.slot))
    }

    /// Moves a timer to another deadline; false if it has gone already.
    ///
    /// The handle stays good. A timer that was in a lane leaves it.
    ///
    /// Costs `O(1)` when the deadline becomes later: the heap learns of it only when the old deadline
    /// comes up as the first. `O(log n)` when it becomes earlier, or when the timer was in a lane.
    /// Allocates nothing, unless the timer was in a lane and the heap is full. (But see
    /// [`Deadlines::set`].)
    ///
    /// # Examples
    ///
    /// A timer that repeats is re-armed where it stands:
    ///
    /// ```
    /// # use evloop_timers::Timers;
    /// let mut timers = Timers::new();
    /// timers.insert(10, "every 10 ns");
    ///
    /// let mut ticks = Vec::new();
    /// while let Some((id, deadline_ns, _)) = timers.peek()
    ///     && deadline_ns <= 35
    /// {
    ///     ticks.push(deadline_ns);
    ///     timers.rearm(id, deadline_ns + 10);
    /// }
    /// assert_eq!(ticks, [10, 20, 30]);
    /// ```
    ///
    /// # Compared with libevent
    ///
    /// `event_add` of a pending event, which moves it in the heap at once.
    #[inline]
    pub fn rearm(&mut self, id: TimerId, deadline_ns: u64) -> bool {
        let is_there = self.slots.contains(id);
        if is_there {
            self.deadlines.set(id.slot, deadline_ns);
        }
        is_there
    }

    /// When a timer is due, in nanoseconds; `None` if it has gone. Costs `O(1)`.
    #[inline]
    #[must_use]
    pub fn deadline(&self, id: TimerId) -> Option<u64> {
        let deadline_ns = self.deadlines.get(id.slot)?;
        self.slots.contains(id).then_some(deadline_ns)
    }

    /// A timer's value; `None` if it has gone. Costs `O(1)`.
    #[inline]
    #[must_use]
    pub fn get(&self, id: TimerId) -> Option<&T> {
        self.slots.get(id)
    }

    /// The timer that is due first, with its deadline and value; `None` if there is none.
    ///
    /// Exact, whatever has been re-armed: an event loop may sleep until this deadline.
    ///
    /// Costs `O(1)`, and `O(log n)` for each timer that was moved later and whose old deadline now
    /// comes up.
    pub fn peek(&mut self) -> Option<(TimerId, u64, &T)> {
        let (slot, deadline_ns) = self.deadlines.peek()?;
        let (id, value) = self.slots.taken(slot);
        Some((id, deadline_ns, value))
    }

    /// The timer that is due first, if it is due by `now_ns`, with its deadline and value.
    ///
    /// Costs `O(1)`, and `O(log n)` for each timer that was moved later and whose old deadline has
    /// come up by `now_ns`: what was moved and is not due stays where it is.
    #[inline]
    pub fn peek_due(&mut self, now_ns: u64) -> Option<(TimerId, u64, &T)> {
        let (slot, deadline_ns) = self.deadlines.peek_due(now_ns)?;
        let (id, value) = self.slots.taken(slot);
        Some((id, deadline_ns, value))
    }

    /// When to look again, in nanoseconds: no timer is due before; `None` if there is none.
    ///
    /// Sooner than the first deadline only if a timer was moved later, or another has taken the place of
    /// one that was removed: the old deadline counts until it has come up. So an event loop that sleeps
    /// until then may find nothing due, once for each such timer, but pays nothing for timers that are
    /// moved again and again. Where that once is too often, [`Timers::peek`] is exact.
    ///
    /// Costs `O(1)`, and `O(log n)` for each timer that was removed while it was the first.
    #[inline]
    #[must_use]
    pub fn look_again_ns(&mut self) -> Option<u64> {
        self.deadlines.look_again_ns()
    }

    /// Takes out the timer that is due first, if it is due by `now_ns`; gives its deadline and value.
    ///
    /// Never early: the deadline is not after `now_ns`. To expire all that is due, call it until it
    /// gives `None`; a timer that is armed in between and due by `now_ns` takes its turn among them.
    ///
    /// Costs `O(log n)`, and `O(1)` when nothing is due; beyond that the same as [`Timers::peek`].
    pub fn pop_due(&mut self, now_ns: u64) -> Option<(u64, T)> {
        let (slot, deadline_ns) = self.deadlines.peek_due(now_ns)?;
        self.deadlines.remove_due(slot);
        Some((deadline_ns, self.give_back(slot)))
    }

    /// The lane of a duration: made when it is first asked for, the same ever after.
    ///
    /// A lane is for a duration that many timers have in common. It stays for as long as the timers
    /// do, so do not make one for each of ever new durations. A duration of more than [`u64::MAX`]
    /// nanoseconds counts as that.
    ///
    /// Costs `O(log l)` in the number of lanes; keep the handle.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_init_common_timeout`, which allows 256 durations.
    pub fn lane(&mut self, duration: Duration) -> LaneId {
        self.deadlines.lane(duration)
    }

    /// Adds a timer that is due when the duration of `lane` has passed from `now_ns`.
    ///
    /// The deadline saturates at [`u64::MAX`].
    ///
    /// Costs `O(1)` while `now_ns` does not go back, and `O(log n)` if the lane was empty. `O(log n)` too for a
    /// timer whose `now_ns` lies before that of many others in the lane: it stays outside, in the heap.
    /// Allocates only when the table of timers or the heap is full.
    ///
    /// # Panics
    ///
    /// If there are 2³² − 1 timers already. If `lane` comes from other timers, and these have fewer
    /// lanes; if they have as many, it stands for another duration.
    pub fn insert_in_lane(&mut self, lane: LaneId, now_ns: u64, value: T) -> TimerId {
        let id = self.slots.insert(value);
        self.deadlines.set_in_lane(id.slot, lane, now_ns);
        id
    }

    /// Moves a timer into a lane, to the deadline when the duration of `lane` has passed from `now_ns`;
    /// false if it has gone already.
    ///
    /// The handle stays good. It makes no difference whether the timer was in this lane, in another,
    /// or in none. The deadline saturates at [`u64::MAX`].
    ///
    /// Costs the same as [`Timers::insert_in_lane`], and `O(log n)` if the timer was in no lane or alone
    /// in another. Allocates nothing, unless it comes into the heap and that is full.
    ///
    /// # Panics
    ///
    /// As [`Timers::insert_in_lane`], if `lane` comes from other timers.
    pub fn rearm_in_lane(&mut self, id: TimerId, lane: LaneId, now_ns: u64) -> bool {
        let is_there = self.slots.contains(id);
        if is_there {
            self.deadlines.set_in_lane(id.slot, lane, now_ns);
        }
        is_there
    }

    /// Checks that slots, heap and lanes agree with each other: cheap enough for a program that checks
    /// itself now and then. Costs `O(n)`; allocates nothing unless something is wrong.
    ///
    /// # Errors
    ///
    /// What does not hold, in words for who mends it. It is a defect of this crate.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_assert_ok_nolock_`, which is internal there and aborts the program.
    pub fn verify(&self) -> Result<(), String> {
        self.slots.verify()?;
        self.deadlines.verify()?;
        for (slot, _) in self.slots.iter() {
            ensure(self.deadlines.get(slot).is_some(), || {
                format!("slot {slot} is taken, and its timer not armed")
            })?;
        }
        ensure(self.deadlines.len() == self.slots.len(), || {
            "a timer is armed whose slot is free".into()
        })
    }

    /// Panics where [`Timers::verify`] finds something wrong. For tests.
    ///
    /// # Panics
    ///
    /// As said.
    pub fn check_invariants(&self) {
        if let Err(broken) = self.verify() {
            panic!("{broken}");
        }
    }

    /// Frees the slot of a timer that was taken out.
    #[inline]
    fn give_back(&mut self, slot: u32) -> T {
        let value = self.slots.remove(slot);
        if self.slots.is_sparse() {
            self.trim();
        }
        value
    }

    #[cold]
    fn trim(&mut self) {
        self.slots.trim();
        self.deadlines.forget_from(self.slots.slots());
    }
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Timers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("len", &self.len())
            .field("lanes", &self.deadlines.lanes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_and_deadlines_that_contradict_each_other_are_found() {
        type Fault = (&'static str, fn(&mut Timers<()>));
        let faults: [Fault; 2] = [
            ("slot 1 is taken, and its timer not armed", |t| {
                t.deadlines.remove(1);
            }),
            ("a timer is armed whose slot is free", |t| {
                t.slots.remove(1);
            }),
        ];
        for (expected, break_it) in faults {
            let mut timers = Timers::new();
            for deadline_ns in 0..3 {
                timers.insert(deadline_ns, ());
            }
            assert_eq!(timers.verify(), Ok(()));
            break_it(&mut timers);
            assert_eq!(timers.verify(), Err(expected.into()));
        }
    }
}
