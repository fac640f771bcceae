//! Lanes: timers of one common duration, in a list that is sorted because time does not go back.
//!
//! All timers of a lane run for the same duration, so one that is put in later is due later: it goes
//! to the tail. Only the head can be the earliest, so only the head needs a place in the heap. The links of
//! the lists are kept by index beside the timers, from the first time that one enters a lane.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use crate::entry::Key;
use crate::shrink::shrink_if_sparse;
use crate::slots::{NONE, ensure};

/// The handle of a lane: a queue of timers that run for one duration.
///
/// Made by [`Timers::lane`] or [`Deadlines::lane`], and meaningful to that set alone, for as long as
/// it lives.
///
/// [`Timers::lane`]: crate::Timers::lane
/// [`Deadlines::lane`]: crate::Deadlines::lane
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaneId(NonZeroU32);

/// What is known of a timer by its index: 12 bytes, so it is aligned as half a deadline is.
#[derive(Clone, Copy)]
#[repr(Rust, packed(4))]
pub(crate) struct Timer {
    /// When it is due. Its place in the heap may stand under an earlier key, never under a later one.
    pub(crate) deadline_ns: u64,
    /// The sequence number of its arming, or [`GONE`], or [`NOT_ARMED`].
    pub(crate) sequence: u32,
}

/// A timer without a place in the heap that is not armed has this number.
pub(crate) const NOT_ARMED: u32 = u32::MAX;

/// A timer has this number that is not armed any more, and has left its entry in the heap: under a key
/// that is not later than the deadline that it had. No other has it: all are drawn anew before it comes up.
pub(crate) const GONE: u32 = NOT_ARMED - 1;

// What the documentation of the crate says.
const _: () = assert!(size_of::<Timer>() == 12);

impl Timer {
    /// It has not come, or has gone for good.
    pub(crate) const NONE: Self = Self {
        deadline_ns: u64::MAX,
        sequence: NOT_ARMED,
    };

    #[inline]
    pub(crate) const fn new(key: Key) -> Self {
        Self {
            deadline_ns: key.deadline_ns,
            sequence: key.sequence,
        }
    }

    #[inline]
    pub(crate) const fn is_armed(&self) -> bool {
        self.sequence < GONE
    }

    /// Its key, if it has an entry in the heap; `None` if it has gone, which its entry does as well then.
    pub(crate) const fn settled(&mut self, dead: &mut usize) -> Option<Key> {
        if self.is_armed() {
            return Some(self.key());
        }
        *self = Self::NONE;
        *dead -= 1;
        None
    }

    #[inline]
    pub(crate) const fn key(&self) -> Key {
        Key {
            deadline_ns: self.deadline_ns,
            sequence: self.sequence,
        }
    }
}

/// The neighbours of a timer in its lane, by index; `NONE` where there is none.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    pub(crate) prev: u32,
    pub(crate) next: u32,
    /// The lane it is in. If none, the neighbours mean nothing.
    pub(crate) lane: Option<LaneId>,
}

// What the documentation of the crate says.
const _: () = assert!(size_of::<Link>() == 12);

impl Link {
    /// In no lane.
    pub(crate) const NONE: Self = Self {
        prev: NONE,
        next: NONE,
        lane: None,
    };
}

/// The timers of one duration, by rising key.
struct Lane {
    duration_ns: u64,
    head: u32,
    tail: u32,
}

/// Past so many timers from the tail on a place in a lane is looked for.
const FEW: usize = 8;

/// All lanes, which stay for as long as the timers do.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    by_duration: BTreeMap<u64, LaneId>,
    /// By index, as far as timers were in lanes.
    pub(crate) links: Vec<Link>,
}

impl Lanes {
    pub(crate) const fn new() -> Self {
        Self {
            lanes: Vec::new(),
            by_duration: BTreeMap::new(),
            links: Vec::new(),
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

    /// When a timer that is put into a lane now is due.
    pub(crate) fn deadline_ns(&self, lane: LaneId, now_ns: u64) -> u64 {
        now_ns.saturating_add(self.lanes[lane.index()].duration_ns)
    }

    /// The lane that a timer is in.
    #[inline]
    pub(crate) fn of(&self, index: u32) -> Option<LaneId> {
        self.links.get(index as usize)?.lane
    }

    /// Puts in a timer with the latest sequence number, behind all that are not due after it; between
    /// whom it is then. `None` where it would have to be put before more than [`FEW`]: it is in no lane.
    ///
    /// The search starts at the tail, and ends there unless the caller's time has gone back.
    pub(crate) fn insert(&mut self, lane: LaneId, timers: &[Timer], index: u32) -> Option<Link> {
        if self.links.len() <= index as usize {
            self.links.resize(index as usize + 1, Link::NONE);
        }
        let key = timers[index as usize].key();
        let Lane { head, tail, .. } = self.lanes[lane.index()];
        let (mut prev, mut passed) = (tail, 0);
        while prev != NONE && timers[prev as usize].key() > key {
            if passed == FEW {
                return None;
            }
            prev = self.links[prev as usize].prev;
            passed += 1;
        }
        let next = if prev == NONE {
            head
        } else {
            self.links[prev as usize].next
        };
        self.join(lane, prev, index);
        self.join(lane, index, next);
        let link = &mut self.links[index as usize];
        link.lane = Some(lane);
        Some(*link)
    }

    /// Takes a timer out of its lane; between whom it was.
    pub(crate) fn remove(&mut self, lane: LaneId, index: u32) -> Link {
        let link = core::mem::replace(&mut self.links[index as usize], Link::NONE);
        self.join(lane, link.prev, link.next);
        link
    }

    /// Forgets the indices from `indices` on, which are in no lane.
    pub(crate) fn forget_from(&mut self, indices: usize) {
        self.links.truncate(indices);
        shrink_if_sparse(&mut self.links, 2);
    }

    /// Makes two timers neighbours; `NONE` on a side stands for that end of the lane.
    fn join(&mut self, lane: LaneId, before: u32, after: u32) {
        let lane = &mut self.lanes[lane.index()];
        match before {
            NONE => lane.head = after,
            before => self.links[before as usize].next = after,
        }
        match after {
            NONE => lane.tail = before,
            after => self.links[after as usize].prev = before,
        }
    }

    /// Says what is wrong in a lane; calls `visit` with each timer's index and whether it is a head.
    pub(crate) fn verify(
        &self,
        timers: &[Timer],
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
            self.verify_lane(id, lane, timers, |index| visit(index, index == lane.head))?;
        }
        Ok(())
    }

    /// Says what is wrong unless the lane is sorted, linked both ways, and holds timers of `id` only.
    ///
    /// Calls `visit` with each timer's index, the head first.
    fn verify_lane(
        &self,
        id: LaneId,
        lane: &Lane,
        timers: &[Timer],
        mut visit: impl FnMut(u32) -> Result<(), String>,
    ) -> Result<(), String> {
        let (mut before, mut index) = (NONE, lane.head);
        // Keys rise along the way, so it does not come round.
        let mut last: Option<Key> = None;
        while index != NONE {
            let link = self.links.get(index as usize);
            let timer = timers.get(index as usize).filter(|timer| timer.is_armed());
            let Some((timer, link)) = timer.zip(link) else {
                return Err(format!("timer {index} is in {id:?}, and not armed"));
            };
            ensure(link.lane == Some(id), || {
                format!("timer {index} is in {id:?}, and does not know")
            })?;
            ensure(link.prev == before, || {
                format!("timer {index} does not know the one before it")
            })?;
            ensure(last < Some(timer.key()), || {
                format!("timer {index} is too late in {id:?}")
            })?;
            visit(index)?;
            last = Some(timer.key());
            (before, index) = (index, link.next);
        }
        ensure(before == lane.tail, || {
            format!("{id:?} does not end at its tail")
        })
    }
}

impl LaneId {
    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}
