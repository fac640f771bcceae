//! The timers: heap and lanes together, in one order.
//!
//! The one idea: a timer's true key (deadline, sequence) is kept in its slot, and the heap holds keys
//! that may be too early, never too late. So moving a deadline later writes to the slot only, and so
//! does letting the next timer of a lane stand in for the head that left. A timer whose place in the
//! heap is too early comes up as the first too soon; only then is it put back to where it belongs.

mod check;
#[cfg(test)]
mod tests;

use core::fmt;
use core::time::Duration;

use crate::heap::{Heap, Key};
use crate::lane::{LaneId, Lanes, Timer};
use crate::slots::{NONE, Slots};
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
    slots: Slots<Timer<T>>,
    /// The timers outside lanes, and the head of each lane.
    heap: Heap,
    lanes: Lanes,
    /// What the next arming draws.
    sequence: u64,
}

impl<T> Timers<T> {
    /// No timers. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: Slots::new(),
            heap: Heap::new(),
            lanes: Lanes::new(),
            sequence: 0,
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
    /// heap shrinks to room for twice what it holds, and so does the table of timers as far as its
    /// high end is free. A timer stays where it is while it lives, so one that was put in at the height
    /// of the burst can keep the table long until it goes; new ones are put low. Room for fewer
    /// than 256 timers may be kept for good.
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
        let key = self.draw(deadline_ns);
        let id = self.slots.insert(Timer::new(key, value));
        self.heap.insert(id.slot, key);
        id
    }

    /// Takes a timer out, and gives its value back; `None` if it has gone already.
    ///
    /// Costs `O(log n)`, and `O(1)` for a timer in a lane with others.
    ///
    /// # Compared with libevent
    ///
    /// `event_remove_timer`, and `event_del` of a timer.
    #[inline]
    pub fn remove(&mut self, id: TimerId) -> Option<T> {
        self.slots.contains(id).then(|| self.take(id.slot).value)
    }

    /// Moves a timer to another deadline; false if it has gone already.
    ///
    /// The handle stays good. A timer that was in a lane leaves it.
    ///
    /// Costs `O(1)` when the deadline becomes later: the heap learns of it only when the old deadline
    /// comes up as the first. `O(log n)` when it becomes earlier, or when the timer was in a lane.
    /// Allocates nothing, unless the timer was in a lane and the heap is full.
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
        let sequence = self.sequence;
        if let Some(timer) = self.slots.get_mut(id)
            && timer.lane.is_none()
            && deadline_ns >= timer.key.deadline_ns
        {
            // A place that was not too late for the key before is not too late for a later one.
            timer.key = Key {
                deadline_ns,
                sequence,
            };
            self.sequence += 1;
            return true;
        }
        self.rearm_placed(id, deadline_ns)
    }

    /// Where a place in the heap has to be seen to.
    fn rearm_placed(&mut self, id: TimerId, deadline_ns: u64) -> bool {
        if !self.slots.contains(id) {
            return false;
        }
        let key = self.draw(deadline_ns);
        let placed = self.leave_lane(id.slot);
        self.slots[id.slot].key = key;
        self.place(id.slot, key, placed);
        true
    }

    /// When a timer is due, in nanoseconds; `None` if it has gone. Costs `O(1)`.
    #[inline]
    #[must_use]
    pub fn deadline(&self, id: TimerId) -> Option<u64> {
        self.slots.get(id).map(|timer| timer.key.deadline_ns)
    }

    /// A timer's value; `None` if it has gone. Costs `O(1)`.
    #[inline]
    #[must_use]
    pub fn get(&self, id: TimerId) -> Option<&T> {
        self.slots.get(id).map(|timer| &timer.value)
    }

    /// The timer that is due first, with its deadline and value; `None` if there is none.
    ///
    /// Exact, whatever has been re-armed: an event loop may sleep until this deadline.
    ///
    /// Costs `O(1)`, and `O(log n)` for each timer that was moved later and whose old deadline now
    /// comes up.
    pub fn peek(&mut self) -> Option<(TimerId, u64, &T)> {
        self.peek_due(u64::MAX)
    }

    /// The timer that is due first, if it is due by `now_ns`, with its deadline and value.
    ///
    /// Costs `O(1)`, and `O(log n)` for each timer that was moved later and whose old deadline has
    /// come up by `now_ns`: what was moved and is not due stays where it is.
    #[inline]
    pub fn peek_due(&mut self, now_ns: u64) -> Option<(TimerId, u64, &T)> {
        let slot = self.first_due(now_ns)?;
        let timer = &self.slots[slot];
        Some((self.slots.id(slot), timer.key.deadline_ns, &timer.value))
    }

    /// When to look again, in nanoseconds: no timer is due before; `None` if there is none.
    ///
    /// Sooner than the first deadline only if a timer was moved later: its old deadline counts until
    /// it has come up. So an event loop that sleeps until then may find nothing due, once for each
    /// such timer, but pays nothing for timers that are moved again and again. Where that once is too
    /// often, [`Timers::peek`] is exact.
    ///
    /// Costs `O(1)`.
    #[inline]
    #[must_use]
    pub fn look_again_ns(&self) -> Option<u64> {
        self.heap.first().map(|(key, _)| key.deadline_ns)
    }

    /// Takes out the timer that is due first, if it is due by `now_ns`; gives its deadline and value.
    ///
    /// Never early: the deadline is not after `now_ns`. To expire all that is due, call it until it
    /// gives `None`; a timer that is armed in between and due by `now_ns` takes its turn among them.
    ///
    /// Costs `O(log n)`, and `O(1)` when nothing is due; beyond that the same as [`Timers::peek`].
    pub fn pop_due(&mut self, now_ns: u64) -> Option<(u64, T)> {
        let slot = self.first_due(now_ns)?;
        let timer = self.take(slot);
        Some((timer.key.deadline_ns, timer.value))
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
        self.lanes.get_or_insert(duration)
    }

    /// Adds a timer that is due when the duration of `lane` has passed from `now_ns`.
    ///
    /// The deadline saturates at [`u64::MAX`].
    ///
    /// Costs `O(1)` while `now_ns` does not go back, and `O(log n)` if the lane was empty. A timer whose
    /// `now_ns` lies before that of others in the lane is put where it belongs by a search from the
    /// tail: `O(k)` for `k` such others. Allocates only when the table of timers or the heap is
    /// full.
    ///
    /// # Panics
    ///
    /// If there are 2³² − 1 timers already. If `lane` comes from other timers, and these have fewer
    /// lanes; if they have as many, it stands for another duration.
    pub fn insert_in_lane(&mut self, lane: LaneId, now_ns: u64, value: T) -> TimerId {
        let key = self.draw(self.lanes[lane].deadline_ns(now_ns));
        let id = self.slots.insert(Timer::new(key, value));
        self.enter_lane(id.slot, lane, false);
        id
    }

    /// Moves a timer into a lane, to the deadline when the duration of `lane` has passed from `now_ns`;
    /// false if it has gone already.
    ///
    /// The handle stays good. It makes no difference whether the timer was in this lane, in another,
    /// or in none. The deadline saturates at [`u64::MAX`].
    ///
    /// Costs the same as [`Timers::insert_in_lane`], and `O(log n)` if the timer was in no lane or alone
    /// in another. Allocates nothing, unless it moves to an empty lane and the heap is full.
    ///
    /// # Panics
    ///
    /// As [`Timers::insert_in_lane`], if `lane` comes from other timers.
    pub fn rearm_in_lane(&mut self, id: TimerId, lane: LaneId, now_ns: u64) -> bool {
        if !self.slots.contains(id) {
            return false;
        }
        let key = self.draw(self.lanes[lane].deadline_ns(now_ns));
        let placed = self.leave_lane(id.slot);
        self.slots[id.slot].key = key;
        self.enter_lane(id.slot, lane, placed);
        true
    }

    /// The key of what is armed now. (2⁶⁴ armings at one a nanosecond take 584 years.)
    const fn draw(&mut self, deadline_ns: u64) -> Key {
        let key = Key {
            deadline_ns,
            sequence: self.sequence,
        };
        self.sequence += 1;
        key
    }

    /// The slot of the timer that is due first, if it is due by `now_ns`.
    ///
    /// Puts back what came up too soon. No place is later than its timer, so if the first is not due,
    /// nothing is.
    fn first_due(&mut self, now_ns: u64) -> Option<u32> {
        loop {
            let (key, slot) = self.heap.first()?;
            if key.deadline_ns > now_ns {
                return None;
            }
            let due = self.slots[slot].key;
            if due == key {
                return Some(slot);
            }
            self.heap.put_back_first(due);
        }
    }

    /// Takes a timer out of its lane, the heap and its slot.
    #[inline]
    fn take(&mut self, slot: u32) -> Timer<T> {
        if self.leave_lane(slot) {
            self.heap.remove(slot);
        }
        let timer = self.slots.remove(slot);
        if self.slots.is_sparse() {
            self.slots.trim();
            self.heap.forget_from(self.slots.slots());
        }
        timer
    }

    /// Takes a timer out of its lane, if it is in one. Whether it has a place in the heap after that.
    ///
    /// The place of a head goes to the timer behind it, for which it is too early.
    #[inline]
    fn leave_lane(&mut self, slot: u32) -> bool {
        let timer = &mut self.slots[slot];
        let Some(lane) = timer.lane.take() else {
            return true;
        };
        let (prev, next) = (timer.prev, timer.next);
        self.lanes[lane].unlink(&mut self.slots, slot);
        if prev == NONE && next != NONE {
            self.heap.hand_over(slot, next);
        }
        prev == NONE && next == NONE
    }

    /// Puts a timer with its new key into a lane; `placed` says whether it has a place in the heap.
    fn enter_lane(&mut self, slot: u32, lane: LaneId, placed: bool) {
        self.lanes[lane].link(&mut self.slots, slot);
        let timer = &mut self.slots[slot];
        timer.lane = Some(lane);
        let (key, prev, next) = (timer.key, timer.prev, timer.next);
        if prev == NONE && next == NONE {
            self.place(slot, key, placed);
            return;
        }
        if placed {
            self.heap.remove(slot);
        }
        if prev == NONE {
            // Time went back, and this timer is due before the head.
            self.heap.hand_over(next, slot);
            self.heap.bring_forward(slot, key);
        }
    }

    /// Sees to it that a timer has a place in the heap, and one that is not too late for its key.
    fn place(&mut self, slot: u32, key: Key, placed: bool) {
        if placed {
            self.heap.bring_forward(slot, key);
        } else {
            self.heap.insert(slot, key);
        }
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
            .field("lanes", &self.lanes.len())
            .finish_non_exhaustive()
    }
}
