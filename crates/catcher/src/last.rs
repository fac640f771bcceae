//! A few words that handlers replace as a whole, and that a loop reads as a whole, while nobody
//! waits for anybody.
//!
//! `version` is even while the words stand, and odd while a handler writes them; each change of it
//! goes up by one. A handler makes it odd to write, and if another one has done so in another
//! thread, it gives way: of two that run at the same time either may count as the last. A reader
//! takes the words between two looks at the version, and believes them if both looks saw the same
//! even one.
//!
//! # The memory orders
//!
//! They are as weak as this allows; with any weaker one the tests under loom fail.
//!
//! - Writers come one after the other. A claim acquires the version that it replaces, which the
//!   writer before has released when it was done. So the words of the later one replace those of
//!   the earlier one.
//! - What is read is at least as new as the version that was seen first: that look acquires what
//!   was published with it.
//! - What is read is not newer than the version that was seen first, or the reader notices. Each
//!   word is stored with release, behind the claim of its writer, and read with acquire. So who has
//!   read a word of a later writer sees, at its second look, no version older than the claim of that
//!   one.

use crate::sync::{AtomicU64, Ordering};

/// What a [`Last`] holds.
pub(crate) type Words = [u64; 3];

#[derive(Debug)]
pub(crate) struct Last {
    version: AtomicU64,
    words: [AtomicU64; 3],
}

/// Leave to write the words, until it is given back by [`Last::publish`].
#[derive(Debug)]
#[must_use]
pub(crate) struct Turn {
    /// The version meanwhile: odd.
    version: u64,
}

impl Last {
    pub(crate) fn new() -> Self {
        Self {
            version: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Replaces the words; or does nothing, if another handler is about to replace them.
    ///
    /// Async-signal-safe, and wait-free.
    pub(crate) fn store(&self, words: Words) {
        if let Some(turn) = self.claim() {
            self.publish(turn, words);
        }
    }

    /// None: it is another handler's turn.
    pub(crate) fn claim(&self) -> Option<Turn> {
        let before = self.version.load(Ordering::Relaxed);
        if before % 2 == 1 {
            return None;
        }
        let version = before + 1;
        self.version
            .compare_exchange(before, version, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| Turn { version })
    }

    pub(crate) fn publish(&self, turn: Turn, words: Words) {
        for (word, value) in self.words.iter().zip(words) {
            word.store(value, Ordering::Release);
        }
        self.version.store(turn.version + 1, Ordering::Release);
    }

    /// What was published last. None: a handler is about to replace it, or has done so meanwhile.
    #[inline]
    pub(crate) fn load(&self) -> Option<Words> {
        let version = self.version.load(Ordering::Acquire);
        if version % 2 == 1 {
            return None;
        }
        let words = self
            .words
            .each_ref()
            .map(|word| word.load(Ordering::Acquire));
        (self.version.load(Ordering::Relaxed) == version).then_some(words)
    }

    /// Takes the turn from a handler, and says whether there was one: for a forked child, in which
    /// the thread that it ran in does not exist. What the words are then means nothing.
    pub(crate) fn forget_turn(&self) -> bool {
        let version = self.version.load(Ordering::Relaxed);
        let is_odd = version % 2 == 1;
        if is_odd {
            self.version.store(version + 1, Ordering::Relaxed);
        }
        is_odd
    }
}

#[cfg(all(test, loom))]
mod interleavings;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_was_stored_last_is_loaded() {
        let last = Last::new();
        for value in 1..4 {
            last.store([value, 0, u64::MAX]);
            assert_eq!(last.load(), Some([value, 0, u64::MAX]));
        }
    }

    #[test]
    fn who_comes_while_another_one_writes_gives_way() {
        let last = Last::new();
        last.store([1; 3]);
        let turn = last.claim().unwrap();
        last.store([2; 3]);
        assert_eq!(last.load(), None);
        last.publish(turn, [3; 3]);
        assert_eq!(last.load(), Some([3; 3]));
        last.store([4; 3]);
        assert_eq!(last.load(), Some([4; 3]));
    }

    /// As it stands in a child that was forked off while a handler was at work.
    #[test]
    fn a_turn_that_is_forgotten_can_be_claimed_again() {
        let last = Last::new();
        assert!(!last.forget_turn());
        let _turn = last.claim().unwrap();
        assert!(last.forget_turn());
        last.store([5; 3]);
        assert_eq!(last.load(), Some([5; 3]));
    }

    /// Each writer stores words that belong together, and that get greater with time.
    #[test]
    fn words_of_two_writers_are_never_mixed_and_never_go_back() {
        const ROUNDS: u64 = 20_000;
        let last = Last::new();
        let words = |writer: u64, round: u64| [round, 2 * round + writer, !round];
        thread::scope(|scope| {
            let last = &last;
            let writers = [0, 1].map(|writer| {
                scope.spawn(move || (0..ROUNDS).for_each(|round| last.store(words(writer, round))))
            });
            let mut newest = [0; 2];
            let mut look = || {
                let [round, sum, complement] = last.load()?;
                if complement != 0 {
                    let writer = sum % 2;
                    assert_eq!([round, sum, complement], words(writer, round));
                    let newest = &mut newest[usize::from(writer == 1)];
                    assert!(*newest <= round, "it was newer before");
                    *newest = round;
                }
                Some(())
            };
            while !writers.iter().all(|writer| writer.is_finished()) {
                look();
            }
            assert_eq!(look(), Some(()), "nobody is about to write");
        });
    }
}
