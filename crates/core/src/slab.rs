//! The generational slab in which events live, and the handle that names one.
//!
//! A slot is used again as soon as its event is freed; the generation in the handle tells the old
//! event from the new one. A slot whose generation would come round is retired, so a handle never
//! reaches a later event, however often a slot is used.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use evloop_prefetch::prefetch;

use crate::event::{Event, Spec, State};
use crate::verify::ensure;

/// Names one event of one loop, for as long as the event lives.
///
/// A handle of an event that was freed names nothing, for ever: it never reaches another event
/// that took its place. Every call that takes a handle says what it does with such a one. To another
/// loop it may name another event.
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
            Some(generation) if is_used(generation) => Some(Self {
                slot: bits as u32,
                generation,
            }),
            _ => None,
        }
    }
}

/// Events named by [`EventId`]. `O(1)` each; a freed slot is used again before a new one is made.
///
/// A slot's generation goes up when it is used and when it is freed: odd while it is used, and even while it is
/// free and holds what is left of its last event. A handle has an odd one, and is good if the slot has the same.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    events: Vec<Event<T>>,
    /// The slot that was freed last, the head of a list through the free slots; or `NONE`.
    free: u32,
    len: usize,
}

/// The generation of a slot that has had all others: even, as it stays free.
const RETIRED: NonZeroU32 = NonZeroU32::new(u32::MAX - 1).unwrap();

/// Whether a slot with this generation has an event. None has that which would follow the last.
const fn is_used(generation: NonZeroU32) -> bool {
    generation.get() % 2 == 1 && generation.get() != u32::MAX
}

/// No slot. A slab never grows that far.
pub(crate) const NONE: u32 = u32::MAX;

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            events: Vec::new(),
            free: NONE,
            len: 0,
        }
    }

    pub(crate) fn reserve(&mut self, events: usize) {
        self.events.reserve_exact(events);
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, spec: Spec, payload: T) -> EventId {
        self.len += 1;
        if self.free == NONE {
            let slot = u32::try_from(self.events.len())
                .ok()
                .filter(|slot| *slot != NONE)
                .expect("4 billion events take more memory than there is");
            let generation = NonZeroU32::MIN;
            self.events.push(Event::new(generation, spec, payload));
            return EventId { slot, generation };
        }
        let slot = self.free;
        let event = &mut self.events[slot as usize];
        self.free = event.next;
        // It was not the last one.
        let generation = event.generation.saturating_add(1);
        *event = Event::new(generation, spec, payload);
        EventId { slot, generation }
    }

    /// Frees an event; its payload, if that was not away.
    pub(crate) fn remove(&mut self, id: EventId) -> Option<T> {
        let free = self.free;
        let event = self.get_mut(id)?;
        let payload = event.payload.take();
        event.state = State::FREE;
        // A slot that has had all generations stays out of the free list, for good.
        event.generation = id.generation.saturating_add(1);
        if event.generation != RETIRED {
            event.next = free;
            self.free = id.slot;
        }
        self.len -= 1;
        payload
    }

    #[inline]
    pub(crate) fn get(&self, id: EventId) -> Option<&Event<T>> {
        let event = self.events.get(id.slot as usize)?;
        (event.generation == id.generation).then_some(event)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: EventId) -> Option<&mut Event<T>> {
        let event = self.events.get_mut(id.slot as usize)?;
        (event.generation == id.generation).then_some(event)
    }

    /// The event in `slot`, if it is in use.
    pub(crate) fn at(&self, slot: u32) -> Option<&Event<T>> {
        let event = self.events.get(slot as usize)?;
        (!event.state.contains(State::FREE)).then_some(event)
    }

    /// The event at a link of a list: none at its end.
    #[inline]
    pub(crate) fn at_or_none(&self, slot: u32) -> Option<&Event<T>> {
        self.events.get(slot as usize)
    }

    /// As [`Slab::at_or_none`], to change it.
    #[inline]
    pub(crate) fn at_or_none_mut(&mut self, slot: u32) -> Option<&mut Event<T>> {
        self.events.get_mut(slot as usize)
    }

    /// Asks for the memory of the event at a link of a list, if it does not end there.
    #[inline]
    pub(crate) fn prefetch(&self, slot: u32) {
        if let Some(event) = self.at_or_none(slot) {
            prefetch(event);
        }
    }

    /// Says what is wrong unless the events are counted, and the free list holds free slots only, each
    /// once.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let used = self.iter().count();
        let agrees =
            |event: &Event<T>| is_used(event.generation) != event.state.contains(State::FREE);
        ensure(self.events.iter().all(agrees), || {
            "a slot is free by its state, and used by its generation, or the other way round".into()
        })?;
        ensure(used == self.len, || {
            format!("{used} events live, {} are counted", self.len)
        })?;
        let free = self.events.len() - used;
        let (mut slot, mut listed) = (self.free, 0);
        while slot != NONE {
            let event = self.events.get(slot as usize);
            let Some(event) = event.filter(|event| event.state.contains(State::FREE)) else {
                return Err(format!("slot {slot} is on the free list, and not free"));
            };
            listed += 1;
            // Retired slots are free and on no list.
            ensure(listed <= free && event.generation != RETIRED, || {
                "the free list comes round, or has a retired slot".into()
            })?;
            slot = event.next;
        }
        Ok(())
    }

    /// The handle of the event in `slot`, which is in use.
    #[cfg(test)]
    pub(crate) fn id_at(&self, slot: u32) -> EventId {
        self.events[slot as usize].id(slot)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (EventId, &Event<T>)> {
        (0..NONE)
            .zip(&self.events)
            .filter(|(_, event)| !event.state.contains(State::FREE))
            .map(|(slot, event)| (event.id(slot), event))
    }
}

/// By slot, for the structures that hold a slot only while its event lives.
impl<T> core::ops::Index<u32> for Slab<T> {
    type Output = Event<T>;

    #[inline]
    fn index(&self, slot: u32) -> &Event<T> {
        &self.events[slot as usize]
    }
}

impl<T> core::ops::IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut Event<T> {
        &mut self.events[slot as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;

    fn insert<T>(slab: &mut Slab<T>, payload: T) -> EventId {
        slab.insert(Spec::new(Kind::Plain), payload)
    }

    fn payload<T: Copy>(slab: &Slab<T>, id: EventId) -> Option<T> {
        slab.get(id)?.payload
    }

    #[test]
    fn freed_handle_names_nothing_even_when_its_slot_is_used_again() {
        let mut slab = Slab::new();
        let old = insert(&mut slab, 'a');
        assert_eq!(slab.remove(old), Some('a'));
        assert_eq!(payload(&slab, old), None);
        let new = insert(&mut slab, 'b');
        assert_eq!(new.slot, old.slot);
        assert_eq!(payload(&slab, old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(payload(&slab, new), Some('b'));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn slot_with_its_last_generation_is_retired() {
        const LAST: NonZeroU32 = NonZeroU32::new(u32::MAX - 2).unwrap();
        let mut slab = Slab::new();
        let first = insert(&mut slab, 1);
        slab.events[0].generation = LAST;
        let last = EventId {
            generation: LAST,
            ..first
        };
        assert_eq!(slab.remove(last), Some(1));
        assert_eq!(insert(&mut slab, 2).slot, 1);
        assert_eq!(payload(&slab, last), None);
        assert_eq!(slab.remove(last), None);
        assert_eq!(slab.verify(), Ok(()));
    }

    #[test]
    fn handle_survives_its_bits() {
        let mut slab = Slab::new();
        let id = insert(&mut slab, ());
        assert_eq!(EventId::from_bits(id.to_bits()), Some(id));
        for nobodys in [7, 2 << 32, (u64::MAX - 1) << 32, u64::MAX] {
            assert_eq!(EventId::from_bits(nobodys), None);
        }
    }

    /// In a loop beside it an event has this slot, and in this one none.
    #[test]
    fn handle_of_another_loop_names_no_free_slot() {
        let [mut here, mut there] = [(); 2].map(|()| {
            let mut slab = Slab::new();
            let first = insert(&mut slab, 'a');
            assert_eq!(slab.remove(first), Some('a'));
            slab
        });
        let theirs = insert(&mut there, 'b');
        assert!(here.get(theirs).is_none() && here.get_mut(theirs).is_none());
        assert_eq!(here.remove(theirs), None);
        assert_eq!(here.verify(), Ok(()));
        assert_ne!(insert(&mut here, 'c'), insert(&mut here, 'd'));
    }

    #[test]
    fn broken_free_list_and_wrong_count_are_found() {
        let faults: [fn(&mut Slab<char>); 6] = [
            |slab| slab.events[0].generation = NonZeroU32::MIN.saturating_add(1),
            |slab| slab.len = 2,
            |slab| slab.free = 0,
            |slab| slab.free = 9,
            |slab| slab.events[1].next = 1,
            |slab| slab.events[1].generation = RETIRED,
        ];
        for break_it in faults {
            let mut slab = Slab::new();
            let _used = insert(&mut slab, 'a');
            let freed = insert(&mut slab, 'b');
            slab.remove(freed);
            assert_eq!(slab.verify(), Ok(()));
            break_it(&mut slab);
            assert!(slab.verify().is_err());
        }
    }
}
