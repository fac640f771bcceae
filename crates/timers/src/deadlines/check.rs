//! What always holds between the table of timers, heap and lanes.
//!
//! The check follows no link that may be broken without looking first, and no list further than there
//! are timers: whatever is wrong, it comes to an end and says so.

use alloc::format;
use alloc::string::String;

use super::Deadlines;
use crate::lane::GONE;
use crate::shrink::FLOOR;
use crate::slots::ensure;

impl Deadlines {
    /// Checks that heap, lanes and the table of timers agree with each other: see
    /// [`Timers::verify`](crate::Timers::verify). Costs `O(n)`.
    ///
    /// # Errors
    ///
    /// What does not hold, in words for who mends it. It is a defect of this crate.
    pub fn verify(&self) -> Result<(), String> {
        self.heap.verify()?;
        let mut linked = 0;
        self.lanes.verify(&self.timers, |index, is_head| {
            linked += 1;
            ensure(self.heap.key(index).is_some() == is_head, || {
                format!(
                    "timer {index} is the head of its lane or has a place in the heap, not both"
                )
            })
        })?;
        let (mut placed, mut dead, mut armed, mut in_lanes) = (0, 0, 0, 0);
        for (index, timer) in (0..).zip(&self.timers) {
            let place = self.heap.key(index);
            let is_in_lane = self.lanes.of(index).is_some();
            placed += usize::from(place.is_some());
            if !timer.is_armed() {
                dead += usize::from(place.is_some());
                let is_known = place.is_some() == (timer.sequence == GONE);
                let is_early = place.is_none_or(|key| key.deadline_ns <= timer.deadline_ns);
                ensure(is_known && is_early && !is_in_lane, || {
                    format!("timer {index} has gone, and what it has left is not known")
                })?;
                continue;
            }
            armed += 1;
            in_lanes += usize::from(is_in_lane);
            ensure(timer.sequence < self.sequence, || {
                format!("timer {index} has a number that was not drawn")
            })?;
            ensure(place.is_some() || is_in_lane, || {
                format!("timer {index} has no place")
            })?;
            ensure(place.is_none_or(|key| key <= timer.key()), || {
                format!("timer {index} is placed too late")
            })?;
        }
        for (what, found, counted) in [
            ("timers are armed", armed, self.len),
            ("timers that are not armed have a place", dead, self.dead),
            ("timers have a place", placed, self.heap.len()),
            ("timers in lanes are linked", linked, in_lanes),
        ] {
            ensure(found == counted, || {
                format!("{found} {what}, {counted} are counted")
            })?;
        }
        let is_swept = self.dead * 4 <= self.heap.len() * 3;
        let are_few = self.dead <= FLOOR && self.len > 0;
        ensure(is_swept || are_few, || {
            format!("{} timers that have gone were not swept", self.dead)
        })
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::lane::{Link, Timer};
    use crate::slots::NONE;

    /// Timers 0 to 2 are outside of lanes, 3 to 5 in one, 6 has gone and left its entry.
    fn sound() -> Deadlines {
        let mut timers = Deadlines::new();
        let lane = timers.lane(Duration::from_nanos(100));
        for (index, deadline_ns) in (0..).zip([30, 10, 20]) {
            timers.set(index, deadline_ns);
        }
        for (index, now_ns) in (3..).zip(0..3) {
            timers.set_in_lane(index, lane, now_ns);
        }
        timers.set(6, 50);
        timers.remove(6);
        timers
    }

    /// It is said to be in the lane of timer 3.
    fn put_in_lane(timers: &mut Deadlines, index: usize) {
        let links = &mut timers.lanes.links;
        let lane = links[3].lane;
        let none = Link {
            lane: None,
            ..links[3]
        };
        links.resize(7, none);
        links[index].lane = lane;
    }

    #[test]
    fn whatever_is_wrong_is_said() {
        type Fault = (&'static str, fn(&mut Deadlines));
        let faults: [Fault; 19] = [
            ("timer 1 has no place", |t| t.heap.remove(1)),
            ("timer 2 is placed too late", |t| {
                t.timers[2].deadline_ns = 19;
            }),
            ("5 timers are armed, 6 are counted", |t| {
                t.timers[0].sequence = GONE;
            }),
            ("1 timers that are not armed have a place, 0", |t| {
                t.dead = 0;
            }),
            ("1 timers that have gone were not swept", |t| {
                let mut timers = Deadlines::new();
                (0..2).for_each(|index| timers.set(index, 10));
                timers.timers[0] = Timer::NONE;
                timers.heap.remove(0);
                timers.timers[1].sequence = GONE;
                (timers.len, timers.dead) = (0, 1);
                *t = timers;
            }),
            ("what it has left", |t| t.heap.remove(6)),
            ("what it has left", |t| t.timers[6] = Timer::NONE),
            ("what it has left", |t| t.timers[6].deadline_ns = 49),
            ("what it has left", |t| put_in_lane(t, 6)),
            ("4 timers have a place, 5", |t| {
                t.dead = 0;
                t.timers.pop();
            }),
            ("not drawn", |t| t.sequence = 4),
            ("timer 4 is too late", |t| t.timers[3].deadline_ns = 102),
            ("timer 3 does not know the one before", |t| {
                t.lanes.links[4].next = 3;
            }),
            ("timer 5 does not know the one before", |t| {
                t.lanes.links[5].prev = 3;
            }),
            ("does not end at its tail", |t| t.lanes.links[4].next = NONE),
            ("timer 4 is in LaneId(1), and does not know", |t| {
                t.lanes.links[4].lane = None;
            }),
            ("timer 9 is in LaneId(1), and not armed", |t| {
                t.lanes.links[5].next = 9;
            }),
            ("timer 6 is in LaneId(1), and not armed", |t| {
                t.lanes.links[5].next = 6;
            }),
            ("3 timers in lanes are linked, 4 are counted", |t| {
                put_in_lane(t, 2);
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
