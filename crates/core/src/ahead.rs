//! In which order the timeouts that are due together run, once more and as an array: a hint.
//!
//! A queue is a list through the events, so who looks far ahead in it has to wait for each event on the
//! way. Where thousands have become active together, in no order of memory, that takes longer than to
//! run them. Nothing rests upon what is in here: an event may have been deleted meanwhile, or others run
//! before it.

use alloc::vec::Vec;

/// So far ahead an event is asked for, and what its payload points to, which only the event knows.
const EVENT: usize = 16;
const PAYLOAD: usize = 8;

#[derive(Debug)]
pub(crate) struct Ahead {
    slots: Vec<u32>,
    /// How many of them have not run, if nothing else has.
    left: usize,
}

impl Ahead {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            left: 0,
        }
    }

    /// Begins anew. Gives room back that is more than four times what was needed the last time.
    #[inline]
    pub(crate) fn begin(&mut self) {
        if !self.slots.is_empty() {
            self.clear();
        }
    }

    #[cold]
    fn clear(&mut self) {
        self.slots.shrink_to(4 * self.slots.len());
        self.slots.clear();
        self.left = 0;
    }

    pub(crate) fn push(&mut self, slot: u32) {
        self.slots.push(slot);
        self.left += 1;
    }

    /// An event runs. Which one is to be asked for: `otherwise` where nothing is known.
    #[inline]
    pub(crate) fn advance(&mut self, otherwise: u32) -> u32 {
        if self.left == 0 {
            return otherwise;
        }
        self.left -= 1;
        self.get(EVENT - 1, otherwise)
    }

    /// The event whose payload is to be asked for: `otherwise` where nothing is known.
    #[inline]
    pub(crate) fn payload(&self, otherwise: u32) -> u32 {
        if self.left == 0 {
            return otherwise;
        }
        self.get(PAYLOAD, otherwise)
    }

    /// What is so many behind the next. Not inlined, as there mostly is nothing.
    #[cold]
    fn get(&self, behind: usize, otherwise: u32) -> u32 {
        let next = self.slots.len() - self.left;
        self.slots.get(next + behind).copied().unwrap_or(otherwise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_asked_for_in_order_and_their_payloads_some_later() {
        let mut ahead = Ahead::new();
        assert_eq!((ahead.payload(1), ahead.advance(2)), (1, 2));
        for round in 0..2 {
            ahead.begin();
            (100..120 + round).for_each(|slot| ahead.push(slot));
            let mut asked = Vec::new();
            for _ in 0..30 {
                asked.push((ahead.payload(1), ahead.advance(2)));
            }
            let payloads = (108..120 + round).chain(core::iter::repeat(1));
            let events = (116..120 + round).chain(core::iter::repeat(2));
            assert!(payloads.zip(events).take(30).eq(asked));
        }
    }

    #[test]
    fn room_is_given_back_when_much_less_was_needed() {
        let mut ahead = Ahead::new();
        let mut used = |slots| {
            ahead.begin();
            (0..slots).for_each(|slot| ahead.push(slot));
            ahead.slots.capacity()
        };
        let much = used(1000);
        assert_eq!(used(300), much);
        assert_eq!(used(10), much, "the last time it was 300");
        assert!(used(10) <= 40);
    }
}
