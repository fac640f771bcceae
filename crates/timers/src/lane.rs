//! Lanes: timers of one common duration, in a list that is sorted because time does not go back.
//!
//! All timers of a lane run for the same duration, so one that is put in later is due later: it goes
//! to the tail. Only the head can be the earliest, so only the head needs a place in the heap. The list
//! runs through the timers' own slots and allocates nothing.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::ops::{Index, IndexMut};
use core::time::Duration;

use crate::heap::Key;
use crate::slots::{NONE, Slots, ensure};

/// The handle of a lane: a queue of timers that run for one duration.
///
/// Made by [`Timers::lane`], and meaningful to that [`Timers`] alone, for as long as it lives.
///
/// [`Timers`]: crate::Timers
/// [`Timers::lane`]: crate::Timers::lane
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaneId(NonZeroU32);

/// A timer, whether alone in the heap or in a lane.
pub(crate) struct Timer<T> {
    /// When it is due. Its place in the heap may stand under an earlier key, never under a later one.
    pub(crate) key: Key,
    /// The lane it is in.
    pub(crate) lane: Option<LaneId>,
    /// The slot of the timer before it in its lane, or `NONE`.
    pub(crate) prev: u32,
    /// The slot of the timer after it in its lane, or `NONE`.
    pub(crate) next: u32,
    pub(crate) value: T,
}

impl<T> Timer<T> {
    /// A timer in no lane.
    pub(crate) const fn new(key: Key, value: T) -> Self {
        Self {
            key,
            lane: None,
            prev: NONE,
            next: NONE,
            value,
        }
    }
}

/// The timers of one duration, by rising key.
pub(crate) struct Lane {
    duration_ns: u64,
    head: u32,
    tail: u32,
}

impl Lane {
    /// When a timer that is put in now is due.
    pub(crate) const fn deadline_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_add(self.duration_ns)
    }

    /// Puts in a timer with the latest sequence number, behind all that are not due after it.
    ///
    /// The search starts at the tail, and ends there unless the caller's time has gone back.
    pub(crate) fn link<T>(&mut self, slots: &mut Slots<Timer<T>>, slot: u32) {
        let key = slots[slot].key;
        let mut prev = self.tail;
        while prev != NONE && slots[prev].key > key {
            prev = slots[prev].prev;
        }
        let next = if prev == NONE {
            self.head
        } else {
            slots[prev].next
        };
        slots[slot].prev = prev;
        slots[slot].next = next;
        self.join(slots, prev, slot);
        self.join(slots, slot, next);
    }

    /// Takes a timer out.
    pub(crate) fn unlink<T>(&mut self, slots: &mut Slots<Timer<T>>, slot: u32) {
        let Timer { prev, next, .. } = slots[slot];
        self.join(slots, prev, next);
    }

    /// Makes two timers neighbours; `NONE` on a side stands for that end of the lane.
    fn join<T>(&mut self, slots: &mut Slots<Timer<T>>, before: u32, after: u32) {
        if before == NONE {
            self.head = after;
        } else {
            slots[before].next = after;
        }
        if after == NONE {
            self.tail = before;
        } else {
            slots[after].prev = before;
        }
    }

    /// Says what is wrong unless the lane is sorted, linked both ways, and holds timers of `lane`
    /// only.
    ///
    /// Calls `visit` with each timer's slot, the head first.
    pub(crate) fn verify<T>(
        &self,
        slots: &Slots<Timer<T>>,
        lane: LaneId,
        mut visit: impl FnMut(u32) -> Result<(), String>,
    ) -> Result<(), String> {
        let (mut before, mut slot) = (NONE, self.head);
        // Keys rise along the way, so it does not come round.
        let mut last: Option<Key> = None;
        while slot != NONE {
            let Some(timer) = slots.at(slot) else {
                return Err(format!("slot {slot} is in {lane:?}, and not taken"));
            };
            ensure(timer.lane == Some(lane), || {
                format!("slot {slot} is in {lane:?}, and does not know")
            })?;
            ensure(timer.prev == before, || {
                format!("slot {slot} does not know the timer before it")
            })?;
            ensure(last < Some(timer.key), || {
                format!("slot {slot} is too late in {lane:?}")
            })?;
            visit(slot)?;
            last = Some(timer.key);
            (before, slot) = (slot, timer.next);
        }
        ensure(before == self.tail, || {
            format!("{lane:?} does not end at its tail")
        })
    }
}

/// All lanes, which stay for as long as the timers do.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    by_duration: BTreeMap<u64, LaneId>,
}

impl Lanes {
    pub(crate) const fn new() -> Self {
        Self {
            lanes: Vec::new(),
            by_duration: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// The lane of a duration, made when it is first asked for.
    pub(crate) fn get_or_insert(&mut self, duration: Duration) -> LaneId {
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        *self.by_duration.entry(duration_ns).or_insert_with(|| {
            self.lanes.push(Lane {
                duration_ns,
                head: NONE,
                tail: NONE,
            });
            let number = u32::try_from(self.lanes.len())
                .ok()
                .and_then(NonZeroU32::new);
            LaneId(number.expect("each lane has another duration, asked for one by one"))
        })
    }

    /// Says what is wrong in a lane; calls `visit` with each timer's slot and whether it is a head.
    pub(crate) fn verify<T>(
        &self,
        slots: &Slots<Timer<T>>,
        mut visit: impl FnMut(u32, bool) -> Result<(), String>,
    ) -> Result<(), String> {
        ensure(self.by_duration.len() == self.lanes.len(), || {
            "a duration has not one lane".into()
        })?;
        for (&duration_ns, &id) in &self.by_duration {
            let lane = self.lanes.get(id.index());
            let Some(lane) = lane.filter(|lane| lane.duration_ns == duration_ns) else {
                return Err(format!("{id:?} is not of its duration"));
            };
            lane.verify(slots, id, |slot| visit(slot, slot == lane.head))?;
        }
        Ok(())
    }
}

impl Index<LaneId> for Lanes {
    type Output = Lane;

    fn index(&self, lane: LaneId) -> &Lane {
        &self.lanes[lane.index()]
    }
}

impl IndexMut<LaneId> for Lanes {
    fn index_mut(&mut self, lane: LaneId) -> &mut Lane {
        &mut self.lanes[lane.index()]
    }
}

impl LaneId {
    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}
