//! What is asked of a loop by who may have interrupted somebody in it: a signal handler of the program's.
//!
//! libevent stores a flag there, and so is this one. A handler that finds the state of its base borrowed,
//! by the thread that it interrupted, leaves its wish, and it is granted when the state is given back.

use std::sync::atomic::{AtomicU8, Ordering};

/// What may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Wish {
    /// [`event_base_loopbreak`](crate::event_base_loopbreak)
    Break = 1,
    /// [`event_base_loopcontinue`](crate::event_base_loopcontinue)
    Continue = 2,
    /// [`event_base_loopexit`](crate::event_base_loopexit), without a time.
    Exit = 4,
}

/// The wishes that were not granted yet. No order of memory is asked for: who asks and who grants are one
/// thread, or have the base's lock.
#[derive(Debug, Default)]
pub(crate) struct Wishes(AtomicU8);

/// Wishes that were taken to be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wished(u8);

/// Something was wished for since the wait was begun: it is not to block. It stays when the wish is
/// granted.
const HURRY: u8 = 0x80;

impl Wishes {
    pub(crate) const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    pub(crate) fn ask(&self, wish: Wish) {
        self.0.fetch_or(wish as u8 | HURRY, Ordering::Relaxed);
    }

    /// Whether there is one to be granted.
    #[inline]
    pub(crate) fn are_there(&self) -> bool {
        self.0.load(Ordering::Relaxed) & !HURRY != 0
    }

    pub(crate) fn take(&self) -> Wished {
        Wished(self.0.fetch_and(HURRY, Ordering::Relaxed) & !HURRY)
    }

    /// A wait begins. False if it must not block.
    #[inline]
    pub(crate) fn begin_wait(&self) -> bool {
        if self.0.load(Ordering::Relaxed) & HURRY != 0 {
            self.0.fetch_and(!HURRY, Ordering::Relaxed);
        }
        // After that: what is wished for in between is seen by one of the two.
        !self.are_there()
    }

    /// Whether nothing was wished for since the wait was begun.
    #[inline]
    pub(crate) fn may_block(&self) -> bool {
        self.0.load(Ordering::Relaxed) & HURRY == 0
    }
}

impl Wished {
    pub(crate) const fn has(self, wish: Wish) -> bool {
        self.0 & wish as u8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wish_is_granted_once() {
        let wishes = Wishes::new();
        assert!(!wishes.are_there());
        wishes.ask(Wish::Break);
        wishes.ask(Wish::Exit);
        assert!(wishes.are_there());
        let wished = wishes.take();
        let has = [Wish::Break, Wish::Continue, Wish::Exit].map(|wish| wished.has(wish));
        assert_eq!(has, [true, false, true]);
        assert!(!wishes.are_there());
    }

    #[test]
    fn wait_does_not_block_for_a_wish_though_it_was_granted_in_the_meantime() {
        let wishes = Wishes::new();
        assert!(wishes.begin_wait() && wishes.may_block());
        wishes.ask(Wish::Continue);
        _ = wishes.take();
        assert!(!wishes.may_block());
        // The next one may.
        assert!(wishes.begin_wait() && wishes.may_block());
        wishes.ask(Wish::Break);
        assert!(!wishes.begin_wait());
    }
}
