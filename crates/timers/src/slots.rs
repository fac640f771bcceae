//! The slot table: where timers live, under handles that are never given out twice.
//!
//! A slot that is freed gets the next generation, so the handle of what lived there before no longer
//! fits. Free slots form a list through the slots themselves, low ones in front and high ones at the
//! back: new contents gather at the low end, and after a burst the high end can be cut off. A slot that
//! comes back later starts at a generation which no slot that was cut off has reached.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::num::NonZeroU32;

use crate::shrink::{FLOOR, shrink_if_sparse};
use crate::timer_id::TimerId;

/// No slot: the end of a list.
pub(crate) const NONE: u32 = u32::MAX;

/// A slot past this generation is never cut off: all that come back later would start as worn.
const HALF_WORN: u32 = u32::MAX / 2;

pub(crate) struct Slots<C> {
    slots: Vec<Slot<C>>,
    live: usize,
    first_free: u32,
    last_free: u32,
    /// The generation at which new slots start.
    fresh: NonZeroU32,
}

enum Slot<C> {
    Live(NonZeroU32, C),
    Free(Free),
    /// Every generation has been given out.
    Retired,
}

/// A slot on the free list.
#[derive(Clone, Copy)]
struct Free {
    /// Of what will live here next.
    generation: NonZeroU32,
    prev: u32,
    next: u32,
}

impl<C> Slots<C> {
    pub(crate) const fn new() -> Self {
        let fresh = NonZeroU32::MIN;
        Self {
            slots: Vec::new(),
            live: 0,
            first_free: NONE,
            last_free: NONE,
            fresh,
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

    // Always inlined, as is `remove`: otherwise contents travel over the stack and take twice as long.
    #[inline(always)]
    pub(crate) fn insert(&mut self, content: C) -> TimerId {
        let id = match self.first_free {
            NONE => {
                let id = TimerId {
                    slot: last_slot(self.slots.len() + 1),
                    generation: self.fresh,
                };
                self.slots.push(Slot::Live(id.generation, content));
                id
            }
            slot => {
                let generation = self.unlink(slot).generation;
                self.slots[slot as usize] = Slot::Live(generation, content);
                TimerId { slot, generation }
            }
        };
        self.live += 1;
        id
    }

    /// Frees a slot that is taken.
    #[inline(always)]
    pub(crate) fn remove(&mut self, slot: u32) -> C {
        let removed = mem::replace(&mut self.slots[slot as usize], Slot::Retired);
        let Slot::Live(generation, content) = removed else {
            not_taken(slot)
        };
        if let Some(generation) = generation.checked_add(1) {
            self.link(slot, generation);
        }
        self.live -= 1;
        content
    }

    /// Whether so few slots are taken that the table is worth trimming.
    pub(crate) const fn is_sparse(&self) -> bool {
        self.slots.len() > FLOOR && self.live < self.slots.len() / 4
    }

    /// Cuts off free slots at the high end, down to twice of what is taken, and gives memory back.
    #[cold]
    pub(crate) fn trim(&mut self) {
        let keep = FLOOR.max(self.live * 2);
        while self.slots.len() > keep
            && let Some(&Slot::Free(Free { generation, .. })) = self.slots.last()
            && generation.get() <= HALF_WORN
        {
            self.fresh = self.fresh.max(generation);
            self.unlink(last_slot(self.slots.len()));
            self.slots.pop();
        }
        shrink_if_sparse(&mut self.slots, 2);
    }

    /// Whether the handle's content is still there.
    pub(crate) fn contains(&self, id: TimerId) -> bool {
        self.get(id).is_some()
    }

    #[inline]
    pub(crate) fn get(&self, id: TimerId) -> Option<&C> {
        match self.slots.get(id.slot as usize) {
            Some(Slot::Live(generation, content)) if *generation == id.generation => Some(content),
            _ => None,
        }
    }

    /// What lives in a slot that is taken, with its handle.
    #[inline]
    pub(crate) fn taken(&self, slot: u32) -> (TimerId, &C) {
        match &self.slots[slot as usize] {
            &Slot::Live(generation, ref content) => (TimerId { slot, generation }, content),
            _ => not_taken(slot),
        }
    }

    /// Every slot that is taken, with its content, by rising number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &C)> {
        (0..)
            .zip(&self.slots)
            .filter_map(|(number, slot)| match slot {
                Slot::Live(_, content) => Some((number, content)),
                _ => None,
            })
    }

    /// Puts a slot on the free list: at the back if it lies in the upper half of the table.
    #[inline]
    fn link(&mut self, slot: u32, generation: NonZeroU32) {
        let is_high = slot as usize >= self.slots.len() / 2;
        let (prev, next) = if is_high {
            (self.last_free, NONE)
        } else {
            (NONE, self.first_free)
        };
        self.slots[slot as usize] = Slot::Free(Free {
            generation,
            prev,
            next,
        });
        self.set_next(prev, slot);
        self.set_prev(next, slot);
    }

    /// Takes a slot off the free list.
    #[inline]
    fn unlink(&mut self, slot: u32) -> Free {
        let free = *self.free(slot);
        self.set_next(free.prev, free.next);
        self.set_prev(free.next, free.prev);
        free
    }

    /// Sets what follows a free slot; `NONE` stands for the list before its first one.
    #[inline]
    fn set_next(&mut self, slot: u32, next: u32) {
        match slot {
            NONE => self.first_free = next,
            slot => self.free(slot).next = next,
        }
    }

    /// Sets what a free slot follows; `NONE` stands for the list behind its last one.
    #[inline]
    fn set_prev(&mut self, slot: u32, prev: u32) {
        match slot {
            NONE => self.last_free = prev,
            slot => self.free(slot).prev = prev,
        }
    }

    #[inline]
    fn free(&mut self, slot: u32) -> &mut Free {
        match &mut self.slots[slot as usize] {
            Slot::Free(free) => free,
            _ => unreachable!("slot {slot} is free"),
        }
    }

    /// Says what is wrong unless the counts are right and the free list has each free slot once.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let live = self.iter().count();
        ensure(live == self.live, || {
            format!("{live} slots are taken, {} are counted", self.live)
        })?;
        let is_free = |slot: &&Slot<C>| matches!(slot, Slot::Free(_));
        let free = self.slots.iter().filter(is_free).count();
        let (mut before, mut slot, mut listed) = (NONE, self.first_free, 0);
        // A list that comes round is found by its length.
        while slot != NONE && listed <= free {
            let Some(Slot::Free(link)) = self.slots.get(slot as usize) else {
                return Err(format!("slot {slot} is on the free list, but not free"));
            };
            ensure(link.prev == before, || {
                format!("slot {slot} does not know the one before it on the free list")
            })?;
            (before, slot, listed) = (slot, link.next, listed + 1);
        }
        ensure(listed == free, || {
            format!("{free} slots are free, the list of them is of another length")
        })?;
        ensure(before == self.last_free, || {
            "the free list does not end with its last slot".into()
        })
    }
}

/// The number of the last of so many slots, of which there is one at least.
fn last_slot(slots: usize) -> u32 {
    match u32::try_from(slots - 1) {
        Ok(slot) if slot != NONE => slot,
        _ => panic!("there is no room for more than {NONE} timers"),
    }
}

#[cold]
fn not_taken(slot: u32) -> ! {
    unreachable!("deadlines and checked handles name taken slots only, not slot {slot}")
}

/// An error in words, unless `holds`.
pub(crate) fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one slot the generation that comes after so many uses.
    fn wear<C>(slots: &mut Slots<C>, slot: u32, generation: u32) {
        slots.free(slot).generation = NonZeroU32::new(generation).unwrap();
    }

    #[test]
    fn a_worn_out_slot_is_never_used_again() {
        let mut slots = Slots::new();
        let first = slots.insert('a');
        slots.remove(first.slot);
        wear(&mut slots, 0, u32::MAX);

        let last = slots.insert('b');
        assert_eq!((last.slot, last.generation), (0, NonZeroU32::MAX));
        slots.remove(last.slot);
        assert_eq!(slots.verify(), Ok(()));

        let next = slots.insert('c');
        assert_eq!((next.slot, next.generation), (1, NonZeroU32::MIN));
        assert_eq!((slots.get(first), slots.get(last)), (None, None));
        assert_eq!(slots.verify(), Ok(()));
    }

    #[test]
    fn slots_that_come_back_are_of_a_later_generation() {
        let mut slots = Slots::new();
        let first: Vec<TimerId> = (0..1000).map(|n| slots.insert(n)).collect();
        for id in &first {
            slots.remove(id.slot);
        }
        wear(&mut slots, 500, 77);
        slots.trim();
        assert_eq!(slots.slots(), FLOOR);
        assert_eq!(slots.verify(), Ok(()));

        let second: Vec<TimerId> = (0..1000).map(|n| slots.insert(n)).collect();
        assert!(second[FLOOR..].iter().all(|id| id.generation.get() == 77));
        assert!(first.iter().all(|&id| !slots.contains(id)));
        assert_eq!(slots.verify(), Ok(()));
    }

    #[test]
    fn a_slot_past_half_its_generations_is_kept() {
        let mut slots = Slots::new();
        for n in 0..1000 {
            slots.insert(n);
        }
        for n in 0..1000 {
            slots.remove(n);
        }
        wear(&mut slots, 600, HALF_WORN + 1);
        slots.trim();
        assert_eq!(slots.slots(), 601);
        assert_eq!(slots.fresh, NonZeroU32::MIN.saturating_add(1));
        assert_eq!(slots.verify(), Ok(()));
    }

    #[test]
    fn low_slots_are_used_first() {
        let mut slots = Slots::new();
        for n in 0..100 {
            slots.insert(n);
        }
        for n in [80, 20, 90, 10] {
            slots.remove(n);
        }
        assert_eq!([(); 4].map(|()| slots.insert(0).slot), [10, 20, 80, 90]);
    }
}
