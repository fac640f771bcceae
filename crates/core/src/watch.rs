//! Watchers: callbacks before each wait and after it, in the order in which they were added.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::verify::ensure;

/// The events of one kind of watcher, and how far this turn is through them. A watcher that is
/// added meanwhile is for the next turn; one that is taken out, be it the one that runs, makes none
/// be passed over.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    slots: Vec<u32>,
    /// The position of the one to run next.
    next: usize,
    /// The position behind the last to run in this turn.
    end: usize,
}

impl Watchers {
    pub(crate) fn insert(&mut self, slot: u32) {
        if !self.slots.contains(&slot) {
            self.slots.push(slot);
        }
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        if let Some(position) = self.slots.iter().position(|other| *other == slot) {
            self.slots.remove(position);
            self.next -= usize::from(position < self.next);
            self.end -= usize::from(position < self.end);
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Says what is wrong unless each watcher is there once, and the turn is somewhere among them.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let slots = &self.slots;
        for (position, slot) in slots.iter().enumerate() {
            ensure(!slots[..position].contains(slot), || {
                format!("event {slot} watches twice")
            })?;
        }
        ensure(self.next <= self.end && self.end <= slots.len(), || {
            "the turn is past the last watcher".into()
        })
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        self.slots.contains(&slot)
    }

    /// Begins with the first; those that are there now are for this turn.
    pub(crate) const fn rewind(&mut self) {
        self.next = 0;
        self.end = self.slots.len();
    }

    /// The next one to run in this turn.
    #[inline]
    pub(crate) fn advance(&mut self) -> Option<u32> {
        let slot = *self.slots[..self.end].get(self.next)?;
        self.next += 1;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn watcher_that_takes_itself_or_another_out_makes_none_be_passed_over() {
        let mut watchers = Watchers::default();
        for slot in 0..5 {
            watchers.insert(slot);
        }
        watchers.rewind();
        let mut seen = Vec::new();
        while let Some(slot) = watchers.advance() {
            seen.push(slot);
            match slot {
                // One that takes itself out and comes again does not run for ever.
                1 => {
                    watchers.remove(1);
                    watchers.insert(1);
                }
                2 => watchers.remove(0),
                3 => watchers.remove(4),
                _ => {}
            }
        }
        assert_eq!(seen, [0, 1, 2, 3]);
        watchers.rewind();
        assert_eq!(watchers.advance(), Some(2));
    }
    #[test]
    fn watcher_that_is_there_twice_and_a_turn_gone_astray_are_found() {
        let faults: [fn(&mut Watchers); 3] = [
            |watchers| watchers.slots.push(7),
            |watchers| watchers.next = 1,
            |watchers| watchers.end = 2,
        ];
        for break_it in faults {
            let mut watchers = Watchers::default();
            watchers.insert(7);
            assert_eq!(watchers.verify(), Ok(()));
            break_it(&mut watchers);
            assert!(watchers.verify().is_err());
        }
    }
}
