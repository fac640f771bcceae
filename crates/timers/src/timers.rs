//! The timers: heap and lanes together, in one order.
//!
//! The one idea: a timer's true key (deadline, sequence) is kept in its slot, and the heap holds keys
//! that may be too early, never too late. So moving a deadline later writes to the slot only, and so
//! does letting the next timer of a lane stand in for the head that left. A timer whose place in the
//! heap is too early comes up as the first too soon; only then is it put back to where it belongs.

use core::fmt;
use core::time::Duration;

use crate::heap::{Heap, Key};
use crate::lane::{LaneId, Lanes, Timer};
use crate::slots::{NONE, Slots};
use crate::timer_id::TimerId;

/// A set of timers, each a deadline with a value, in order of deadline.
pub struct Timers<T> {
    slots: Slots<Timer<T>>,
    /// The timers outside lanes, and the head of each lane.
    heap: Heap,
    lanes: Lanes,
    /// What the next insertion or re-arming draws.
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
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no timers.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many timers fit into the memory that is held now.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Adds a timer that is due at `deadline_ns`.
    pub fn insert(&mut self, deadline_ns: u64, value: T) -> TimerId {
        let key = self.draw(deadline_ns);
        let id = self.slots.insert(Timer {
            key,
            lane: None,
            prev: NONE,
            next: NONE,
            value,
        });
        self.heap.insert(id.slot, key);
        id
    }

    /// Takes a timer out, and gives its value back.
    pub fn remove(&mut self, id: TimerId) -> Option<T> {
        self.slots.contains(id).then(|| self.take(id.slot).value)
    }

    /// Moves a timer to another deadline.
    pub fn rearm(&mut self, id: TimerId, deadline_ns: u64) -> bool {
        if !self.slots.contains(id) {
            return false;
        }
        let key = self.draw(deadline_ns);
        let placed = self.leave_lane(id.slot);
        self.slots[id.slot].key = key;
        self.place(id.slot, key, placed);
        true
    }

    /// When a timer is due, in nanoseconds.
    #[must_use]
    pub fn deadline(&self, id: TimerId) -> Option<u64> {
        self.slots.get(id).map(|timer| timer.key.deadline_ns)
    }

    /// A timer's value.
    #[must_use]
    pub fn get(&self, id: TimerId) -> Option<&T> {
        self.slots.get(id).map(|timer| &timer.value)
    }

    /// The timer that is due first.
    pub fn peek(&mut self) -> Option<(TimerId, u64, &T)> {
        let slot = self.first_due(u64::MAX)?;
        let timer = &self.slots[slot];
        Some((self.slots.id(slot), timer.key.deadline_ns, &timer.value))
    }

    /// Takes out the timer that is due first, if it is due by `now_ns`.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<(u64, T)> {
        let slot = self.first_due(now_ns)?;
        let timer = self.take(slot);
        Some((timer.key.deadline_ns, timer.value))
    }

    /// The lane of a duration.
    pub fn lane(&mut self, duration: Duration) -> LaneId {
        self.lanes.get_or_insert(duration)
    }

    /// Adds a timer that is due when the duration of `lane` has passed from `now_ns`.
    pub fn insert_in_lane(&mut self, lane: LaneId, now_ns: u64, value: T) -> TimerId {
        let key = self.draw(self.lanes[lane].deadline_ns(now_ns));
        let id = self.slots.insert(Timer {
            key,
            lane: None,
            prev: NONE,
            next: NONE,
            value,
        });
        self.enter_lane(id.slot, lane, false);
        id
    }

    /// Moves a timer to the deadline when the duration of `lane` has passed from `now_ns`.
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

    /// Checks that heap, lanes and slots agree with each other.
    ///
    /// # Panics
    ///
    /// When they do not.
    pub fn check_invariants(&self) {
        self.slots.check_invariants();
        self.heap.check_invariants();
        let mut in_lanes = 0;
        self.lanes.check_invariants(&self.slots, |slot, is_head| {
            in_lanes += 1;
            assert_eq!(
                self.heap.key(slot).is_some(),
                is_head,
                "the heap holds heads only"
            );
        });
        let mut placed = 0;
        for (slot, timer) in self.slots.iter() {
            assert!(
                timer.key.sequence < self.sequence,
                "sequence numbers are drawn once"
            );
            in_lanes -= usize::from(timer.lane.is_some());
            match self.heap.key(slot) {
                Some(key) => {
                    placed += 1;
                    assert!(
                        key <= timer.key,
                        "the heap holds slot {slot} under a later key"
                    );
                }
                None => assert!(
                    timer.lane.is_some(),
                    "slot {slot} is neither in heap nor lane"
                ),
            }
        }
        assert_eq!(placed, self.heap.len(), "the heap holds timers only");
        assert_eq!(in_lanes, 0, "each timer of a lane is linked once");
    }

    /// The key of what is armed now, for `deadline_ns`.
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
    /// Puts back those that came up too soon on the way. No entry is later than its timer, so when the
    /// first entry is not due nothing is.
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

    /// Takes a timer out of lane, heap and slot.
    fn take(&mut self, slot: u32) -> Timer<T> {
        if self.leave_lane(slot) {
            self.heap.remove(slot);
        }
        let timer = self.slots.remove(slot);
        self.slots.trim();
        self.heap.forget_from(self.slots.slots());
        timer
    }

    /// Takes a timer out of its lane, if it is in one. Whether it has a place in the heap then.
    ///
    /// The timer behind a head takes over its place, which is too early for it and found out later.
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

    /// Puts a timer, whose key is set and which is in no lane, into one.
    fn enter_lane(&mut self, slot: u32, lane: LaneId, placed: bool) {
        self.lanes[lane].link(&mut self.slots, slot);
        let timer = &mut self.slots[slot];
        timer.lane = Some(lane);
        let (key, prev, next) = (timer.key, timer.prev, timer.next);
        if prev == NONE && next == NONE {
            return self.place(slot, key, placed);
        }
        if placed {
            self.heap.remove(slot);
        }
        if prev == NONE {
            self.heap.hand_over(next, slot);
            self.heap.bring_forward(slot, key);
        }
    }

    /// Gives a timer a place in the heap that is not too late for it.
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
