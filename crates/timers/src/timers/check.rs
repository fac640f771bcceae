//! What always holds between slots, heap and lanes.
//!
//! The check follows no link that may be broken without looking first, and no list further than there
//! are slots: whatever is wrong, it comes to an end and says so.

use alloc::format;
use alloc::string::String;

use super::Timers;
use crate::slots::ensure;

impl<T> Timers<T> {
    /// Checks that heap, lanes and slots agree with each other: cheap enough for a program that checks
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
        self.heap.verify()?;
        let mut linked = 0;
        self.lanes.verify(&self.slots, |slot, is_head| {
            linked += 1;
            let is_placed = self.heap.key(slot).is_some();
            ensure(is_placed == is_head, || {
                format!("slot {slot} is the head of its lane or has a place in the heap, not both")
            })
        })?;
        let (mut placed, mut in_lanes) = (0, 0);
        for (slot, timer) in self.slots.iter() {
            let number = timer.key.sequence;
            ensure(number < self.sequence, || {
                format!("slot {slot} has a number that was not drawn")
            })?;
            in_lanes += usize::from(timer.lane.is_some());
            if let Some(key) = self.heap.key(slot) {
                placed += 1;
                ensure(key <= timer.key, || {
                    format!("slot {slot} is placed too late")
                })?;
            } else {
                ensure(timer.lane.is_some(), || format!("slot {slot} has no place"))?;
            }
        }
        ensure(placed == self.heap.len(), || {
            "the heap holds what is not a timer".into()
        })?;
        ensure(in_lanes == linked, || {
            "a timer that is in a lane is not linked".into()
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
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::slots::NONE;

    /// Slots 0 to 2 are outside of lanes, 3 to 5 in one, 6 is free.
    fn sound() -> Timers<()> {
        let mut timers = Timers::new();
        let lane = timers.lane(Duration::from_nanos(100));
        for deadline_ns in [30, 10, 20] {
            timers.insert(deadline_ns, ());
        }
        for now_ns in 0..3 {
            timers.insert_in_lane(lane, now_ns, ());
        }
        let last = timers.insert(50, ());
        timers.remove(last);
        timers
    }

    #[test]
    fn whatever_is_wrong_is_said() {
        type Fault = (&'static str, fn(&mut Timers<()>));
        let faults: [Fault; 10] = [
            ("slot 1 has no place", |t| t.heap.remove(1)),
            ("slot 2 is placed too late", |t| {
                t.slots[2].key.deadline_ns = 19;
            }),
            ("the heap holds what is not a timer", |t| {
                t.slots.remove(0);
            }),
            ("not drawn", |t| t.sequence = 4),
            ("slot 4 is too late", |t| t.slots[3].key.deadline_ns = 102),
            ("slot 3 does not know the timer before it", |t| {
                t.slots[4].next = 3;
            }),
            ("slot 5 does not know the timer before it", |t| {
                t.slots[5].prev = 3;
            }),
            ("does not end at its tail", |t| t.slots[4].next = NONE),
            ("slot 4 is in LaneId(1), and does not know", |t| {
                t.slots[4].lane = None;
            }),
            ("slot 9 is in LaneId(1), and not taken", |t| {
                t.slots[5].next = 9;
            }),
        ];
        assert_eq!(sound().verify(), Ok(()));
        for (expected, break_it) in faults {
            let mut timers = sound();
            break_it(&mut timers);
            let broken = timers.verify().unwrap_err();
            assert!(broken.contains(expected), "{broken}, not: {expected}");
        }
    }
}
