//! The generational slab in which events live, and the handle that names one.
//!
//! A slot is used again as soon as its event is freed; the generation in the handle tells the old
//! event from the new one. A slot whose generation would come round is retired, so a handle never
//! reaches a later event, however often a slot is used.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use crate::verify::ensure;

/// Names one event of one loop, for as long as the event lives.
///
/// A handle of an event that was freed names nothing, for ever: it never reaches another event
/// that took its place. Every call that takes a handle says what it does with such a one. A handle
/// means nothing to another loop.
///
/// # Compared with libevent
///
/// `struct event *`, which may dangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    pub(crate) slot: u32,
    pub(crate) generation: NonZeroU32,
}

impl EventId {
    /// The handle as 64 bits that are never 0, for a front that hands them through foreign code.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation.get() as u64) << 32 | self.slot as u64
    }

    /// The handle that [`EventId::to_bits`] turned into these bits; `None` where no handle has
    /// them.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves are taken apart on purpose"
    )]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU32::new((bits >> 32) as u32) {
            Some(generation) => Some(Self {
                slot: bits as u32,
                generation,
            }),
            None => None,
        }
    }
}

/// Values named by [`EventId`]. `O(1)` each; a freed slot is used again before a new one is made.
#[derive(Debug)]
pub(crate) struct Slab<V> {
    slots: Vec<Slot<V>>,
    /// The slot that was freed last, the head of a list through the free slots; or `NONE`.
    free: u32,
    len: usize,
}

#[derive(Debug)]
struct Slot<V> {
    generation: NonZeroU32,
    content: Content<V>,
}

#[derive(Debug)]
enum Content<V> {
    Used(V),
    /// Free; the next free slot, or `NONE`.
    Free(u32),
}

/// No slot. A slab never grows that far.
pub(crate) const NONE: u32 = u32::MAX;

impl<V> Slab<V> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            len: 0,
        }
    }

    pub(crate) fn reserve(&mut self, values: usize) {
        self.slots.reserve(values);
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, value: V) -> EventId {
        self.len += 1;
        if self.free == NONE {
            let slot = u32::try_from(self.slots.len())
                .ok()
                .filter(|slot| *slot != NONE)
                .expect("4 billion events take more memory than there is");
            let generation = NonZeroU32::MIN;
            self.slots.push(Slot {
                generation,
                content: Content::Used(value),
            });
            return EventId { slot, generation };
        }
        let slot = self.free;
        let entry = &mut self.slots[slot as usize];
        let Content::Free(next) = entry.content else {
            unreachable!("a slot in the free list is free");
        };
        self.free = next;
        entry.content = Content::Used(value);
        EventId {
            slot,
            generation: entry.generation,
        }
    }

    pub(crate) fn remove(&mut self, id: EventId) -> Option<V> {
        let entry = self.slots.get_mut(id.slot as usize)?;
        if entry.generation != id.generation || matches!(entry.content, Content::Free(_)) {
            return None;
        }
        self.len -= 1;
        // A slot whose generation comes round stays out of the free list, for good.
        let next = match entry.generation.checked_add(1) {
            Some(generation) => {
                entry.generation = generation;
                core::mem::replace(&mut self.free, id.slot)
            }
            None => NONE,
        };
        match core::mem::replace(&mut entry.content, Content::Free(next)) {
            Content::Used(value) => Some(value),
            Content::Free(_) => None,
        }
    }

    pub(crate) fn get(&self, id: EventId) -> Option<&V> {
        match self.slots.get(id.slot as usize)? {
            Slot {
                generation,
                content: Content::Used(value),
            } if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, id: EventId) -> Option<&mut V> {
        match self.slots.get_mut(id.slot as usize)? {
            Slot {
                generation,
                content: Content::Used(value),
            } if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    /// The event in `slot`, if it is in use.
    pub(crate) fn at(&self, slot: u32) -> Option<&V> {
        match &self.slots.get(slot as usize)?.content {
            Content::Used(value) => Some(value),
            Content::Free(_) => None,
        }
    }

    /// Says what is wrong unless the events are counted, and the free list holds free slots only, each
    /// once.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let used = self.iter().count();
        ensure(used == self.len, || {
            format!("{used} events live, {} are counted", self.len)
        })?;
        let free = self.slots.len() - used;
        let (mut slot, mut listed) = (self.free, 0);
        while slot != NONE {
            let Some(Content::Free(next)) = self.slots.get(slot as usize).map(|s| &s.content)
            else {
                return Err(format!("slot {slot} is on the free list, and not free"));
            };
            listed += 1;
            // Retired slots are free and on no list.
            ensure(listed <= free, || "the free list comes round".into())?;
            slot = *next;
        }
        Ok(())
    }

    /// The handle of the event in `slot`, which is in use.
    pub(crate) fn id_at(&self, slot: u32) -> EventId {
        let entry = &self.slots[slot as usize];
        debug_assert!(
            matches!(entry.content, Content::Used(_)),
            "slot {slot} is free"
        );
        EventId {
            slot,
            generation: entry.generation,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (EventId, &V)> {
        (0..NONE)
            .zip(&self.slots)
            .filter_map(|(slot, entry)| match &entry.content {
                Content::Used(value) => Some((
                    EventId {
                        slot,
                        generation: entry.generation,
                    },
                    value,
                )),
                Content::Free(_) => None,
            })
    }
}

/// By slot, for the structures that hold a slot only while its event lives.
impl<V> core::ops::Index<u32> for Slab<V> {
    type Output = V;

    fn index(&self, slot: u32) -> &V {
        match &self.slots[slot as usize].content {
            Content::Used(value) => value,
            Content::Free(_) => panic!("slot {slot} is free"),
        }
    }
}

impl<V> core::ops::IndexMut<u32> for Slab<V> {
    fn index_mut(&mut self, slot: u32) -> &mut V {
        match &mut self.slots[slot as usize].content {
            Content::Used(value) => value,
            Content::Free(_) => panic!("slot {slot} is free"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_handle_names_nothing_even_when_its_slot_is_used_again() {
        let mut slab = Slab::new();
        let old = slab.insert('a');
        assert_eq!(slab.remove(old), Some('a'));
        let new = slab.insert('b');
        assert_eq!(new.slot, old.slot);
        assert_eq!(slab.get(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get(new), Some(&'b'));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn slot_with_its_last_generation_is_retired() {
        let mut slab = Slab::new();
        let first = slab.insert(1);
        slab.slots[0].generation = NonZeroU32::MAX;
        let last = EventId {
            generation: NonZeroU32::MAX,
            ..first
        };
        assert_eq!(slab.remove(last), Some(1));
        assert_eq!(slab.insert(2).slot, 1);
        assert_eq!(slab.get(last), None);
        assert_eq!(slab.remove(last), None);
    }

    #[test]
    fn handle_survives_its_bits() {
        let mut slab = Slab::new();
        let id = slab.insert(());
        assert_eq!(EventId::from_bits(id.to_bits()), Some(id));
        assert_eq!(EventId::from_bits(7), None);
    }
    #[test]
    fn broken_free_list_and_wrong_count_are_found() {
        let faults: [fn(&mut Slab<char>); 4] = [
            |slab| slab.len = 2,
            |slab| slab.free = 0,
            |slab| slab.free = 9,
            |slab| slab.slots[1].content = Content::Free(1),
        ];
        for break_it in faults {
            let mut slab = Slab::new();
            let _used = slab.insert('a');
            let freed = slab.insert('b');
            slab.remove(freed);
            assert_eq!(slab.verify(), Ok(()));
            break_it(&mut slab);
            assert!(slab.verify().is_err());
        }
    }
}
