//! The slot table: where timers live, under handles that are never given out twice.
//!
//! A slot that is freed gets the next generation, so the handle of what lived there before no longer
//! fits. Free slots form a list through the slots themselves, low ones in front and high ones at the
//! back: new contents gather at the low end, and after a burst the high end can be cut off. A new slot
//! starts at a generation which no slot that was cut off has reached.

use alloc::vec::Vec;
use core::mem;
use core::num::NonZeroU32;
use core::ops::{Index, IndexMut};

use crate::shrink::{FLOOR, shrink_if_sparse};
use crate::timer_id::TimerId;

/// No slot: the end of a list.
pub(crate) const NONE: u32 = u32::MAX;

/// A slot that has been used more often is never cut off: its successor would start half worn out.
const HALF_WORN: u32 = u32::MAX / 2;

pub(crate) struct Slots<C> {
    slots: Vec<Slot<C>>,
    live: usize,
    first_free: u32,
    last_free: u32,
    /// Where a new slot's generations start.
    fresh: NonZeroU32,
}

struct Slot<C> {
    /// Of what lives here now, or of what will next.
    generation: NonZeroU32,
    content: Content<C>,
}

enum Content<C> {
    Live(C),
    Free {
        prev: u32,
        next: u32,
    },
    /// Every generation has been given out.
    Retired,
}

impl<C> Slots<C> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            live: 0,
            first_free: NONE,
            last_free: NONE,
            fresh: NonZeroU32::MIN,
        }
    }

    /// How many slots are taken.
    pub(crate) const fn len(&self) -> usize {
        self.live
    }

    /// How many slots there are, taken or not.
    pub(crate) const fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    pub(crate) fn insert(&mut self, content: C) -> TimerId {
        self.live += 1;
        let slot = self.first_free;
        if slot == NONE {
            return self.push(content);
        }
        self.unlink(slot);
        let place = &mut self.slots[slot as usize];
        place.content = Content::Live(content);
        TimerId {
            slot,
            generation: place.generation,
        }
    }

    /// Frees a slot that is taken.
    pub(crate) fn remove(&mut self, slot: u32) -> C {
        let place = &mut self.slots[slot as usize];
        let Content::Live(content) = mem::replace(&mut place.content, Content::Retired) else {
            unreachable!("slot {slot} is freed while taken only")
        };
        if let Some(next) = place.generation.checked_add(1) {
            place.generation = next;
            self.link(slot);
        }
        self.live -= 1;
        content
    }

    /// Cuts off free slots at the high end once most are free, and gives their memory back.
    pub(crate) fn trim(&mut self) {
        if self.slots.len() <= FLOOR || self.live >= self.slots.len() / 4 {
            return;
        }
        let keep = FLOOR.max(self.live * 2);
        while self.slots.len() > keep {
            let slot = last_slot(self.slots.len());
            let last = &self.slots[slot as usize];
            if !matches!(last.content, Content::Free { .. }) || last.generation.get() > HALF_WORN {
                break;
            }
            self.fresh = self.fresh.max(last.generation);
            self.unlink(slot);
            self.slots.pop();
        }
        shrink_if_sparse(&mut self.slots);
    }

    /// Whether the handle's content is still there.
    pub(crate) fn contains(&self, id: TimerId) -> bool {
        self.get(id).is_some()
    }

    pub(crate) fn get(&self, id: TimerId) -> Option<&C> {
        match self.slots.get(id.slot as usize) {
            Some(Slot {
                generation,
                content: Content::Live(content),
            }) if *generation == id.generation => Some(content),
            _ => None,
        }
    }

    /// The handle of what lives in a slot.
    pub(crate) fn id(&self, slot: u32) -> TimerId {
        TimerId {
            slot,
            generation: self.slots[slot as usize].generation,
        }
    }

    /// Every slot that is taken, with its content, by rising number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &C)> {
        (0..)
            .zip(&self.slots)
            .filter_map(|(slot, place)| match &place.content {
                Content::Live(content) => Some((slot, content)),
                Content::Free { .. } | Content::Retired => None,
            })
    }

    fn push(&mut self, content: C) -> TimerId {
        let slot = last_slot(self.slots.len() + 1);
        self.slots.push(Slot {
            generation: self.fresh,
            content: Content::Live(content),
        });
        TimerId {
            slot,
            generation: self.fresh,
        }
    }

    /// Puts a slot on the free list: at the back if it lies in the upper half of the table.
    fn link(&mut self, slot: u32) {
        let (prev, next) = if slot as usize >= self.slots.len() / 2 {
            (self.last_free, NONE)
        } else {
            (NONE, self.first_free)
        };
        self.slots[slot as usize].content = Content::Free { prev, next };
        self.join(prev, slot);
        self.join(slot, next);
    }

    /// Takes a free slot off the free list.
    fn unlink(&mut self, slot: u32) {
        let Content::Free { prev, next } = self.slots[slot as usize].content else {
            unreachable!("slot {slot} is on the free list")
        };
        self.join(prev, next);
    }

    /// Makes two free slots neighbours; none on a side stands for that end of the list.
    fn join(&mut self, before: u32, after: u32) {
        match self
            .slots
            .get_mut(before as usize)
            .map(|slot| &mut slot.content)
        {
            Some(Content::Free { next, .. }) => *next = after,
            _ => self.first_free = after,
        }
        match self
            .slots
            .get_mut(after as usize)
            .map(|slot| &mut slot.content)
        {
            Some(Content::Free { prev, .. }) => *prev = before,
            _ => self.last_free = before,
        }
    }

    /// Panics unless counts, generations and the free list agree.
    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.iter().count(), self.live, "live slots are counted");
        let mut free = 0;
        let (mut before, mut slot) = (NONE, self.first_free);
        while slot != NONE {
            let Content::Free { prev, next } = self.slots[slot as usize].content else {
                panic!("slot {slot} is on the free list but not free")
            };
            assert_eq!(prev, before, "slot {slot} knows the free slot before it");
            free += 1;
            (before, slot) = (slot, next);
        }
        assert_eq!(
            before, self.last_free,
            "the free list ends at its last slot"
        );
        let listed = |slot: &&Slot<C>| matches!(slot.content, Content::Free { .. });
        assert_eq!(
            self.slots.iter().filter(listed).count(),
            free,
            "each free slot is listed"
        );
        for slot in &self.slots {
            let retired = matches!(slot.content, Content::Retired);
            assert!(
                !retired || slot.generation == NonZeroU32::MAX,
                "retired when worn out only"
            );
        }
    }
}

impl<C> Index<u32> for Slots<C> {
    type Output = C;

    fn index(&self, slot: u32) -> &C {
        match &self.slots[slot as usize].content {
            Content::Live(content) => content,
            Content::Free { .. } | Content::Retired => unreachable!("slot {slot} is taken"),
        }
    }
}

impl<C> IndexMut<u32> for Slots<C> {
    fn index_mut(&mut self, slot: u32) -> &mut C {
        match &mut self.slots[slot as usize].content {
            Content::Live(content) => content,
            Content::Free { .. } | Content::Retired => unreachable!("slot {slot} is taken"),
        }
    }
}

/// The number of the last of so many slots, which are not none.
fn last_slot(slots: usize) -> u32 {
    match u32::try_from(slots - 1) {
        Ok(slot) if slot != NONE => slot,
        _ => panic!("no more than {NONE} timers"),
    }
}
