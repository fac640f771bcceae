//! A run: entries that were due together, taken out of the heap in one go and sorted.
//!
//! To take the first out of a heap costs a way down through all of its levels, and most of what lies
//! on the way is not in the cache. Where much is due at a time it is cheaper to sort it once. What has
//! been sorted only ever leaves: from the end, where the first is, or from anywhere, where it leaves a gap.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::entry::Entry;
use crate::slots::{NONE, ensure};

/// So far ahead memory is asked for in time. Fewer steps are over before it is there, if little else is done in them.
const AHEAD: usize = 32;

pub(crate) struct Run {
    /// The first is the last. An entry without an index is a gap; the last is none.
    entries: Vec<Entry>,
    /// How many are no gaps.
    len: usize,
}

impl Run {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            len: 0,
        }
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<Entry> {
        self.entries.last().copied()
    }

    /// The index that is [`AHEAD`] behind the first, unless there is a gap.
    #[inline]
    pub(crate) fn upcoming(&self) -> Option<u32> {
        let position = self.entries.len().checked_sub(AHEAD + 1)?;
        let index = self.entries.get(position)?.index();
        (index != NONE).then_some(index)
    }

    /// The entry at a position, if it is that of an index.
    #[inline]
    pub(crate) fn get(&self, position: usize, index: u32) -> Option<Entry> {
        let entry = self.entries.get(position).copied();
        entry.filter(|entry| entry.index() == index)
    }

    /// Adds an entry, to be sorted in.
    #[inline]
    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        self.len += 1;
    }

    /// Sorts what was added, which is all there is; each entry and its position.
    pub(crate) fn sort(&mut self) -> impl Iterator<Item = (usize, Entry)> {
        self.entries
            .sort_unstable_by_key(|entry| Reverse(entry.number()));
        self.entries.iter().copied().enumerate()
    }

    /// Lets one index stand in the place of another, at its position.
    pub(crate) fn hand_over(&mut self, position: usize, to: u32) {
        let entry = &mut self.entries[position];
        *entry = Entry::new(entry.key(), to);
    }

    /// Takes the entry at a position out.
    pub(crate) fn remove(&mut self, position: usize) {
        self.hand_over(position, NONE);
        self.len -= 1;
        self.close_gaps();
    }

    /// Takes the first out.
    #[inline]
    pub(crate) fn remove_first(&mut self) {
        self.len -= usize::from(self.entries.pop().is_some());
        self.close_gaps();
    }

    /// Sees to it that there is no gap at the end.
    #[inline]
    fn close_gaps(&mut self) {
        while self.first().is_some_and(|entry| entry.index() == NONE) {
            self.entries.pop();
        }
    }

    /// Gives memory back, if there is room for more than `entries`, and none is there.
    pub(crate) fn shrink_to(&mut self, entries: usize) {
        self.entries.shrink_to(entries);
    }

    /// Takes all out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Entry> {
        self.len = 0;
        let entries = self.entries.drain(..);
        entries.filter(|entry| entry.index() != NONE)
    }

    /// Says what is wrong unless it is sorted, counted and ends with no gap, and each position is known.
    pub(crate) fn verify(&self, is_known: impl Fn(u32, usize) -> bool) -> Result<(), String> {
        let is_sorted = self.entries.is_sorted_by_key(|entry| Reverse(entry.key()));
        ensure(is_sorted, || "what is due together is not sorted".into())?;
        let mut len = 0;
        for (position, entry) in self.entries.iter().enumerate() {
            let index = entry.index();
            len += usize::from(index != NONE);
            ensure(index == NONE || is_known(index, position), || {
                format!("timer {index} does not know its place among what is due")
            })?;
        }
        let first = self.first();
        ensure(first.is_none_or(|entry| entry.index() != NONE), || {
            "what is due together begins with a gap".into()
        })?;
        ensure(len == self.len, || {
            format!("{len} timers are due together, {} are counted", self.len)
        })
    }
}

/// The place of an entry that is at this position of the run. They count from the end of all numbers, so
/// one is told from a place in the heap by what stands there.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "no more entries than indices, fewer than NONE"
)]
pub(crate) const fn run_place(position: usize) -> u32 {
    NONE - 1 - position as u32
}

/// The position that a place in the run stands for. Of another place, or of none, some number.
#[inline]
pub(crate) const fn run_position(place: u32) -> usize {
    (NONE - 1).wrapping_sub(place) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Key;

    fn entry(deadline_ns: u64, index: u32) -> Entry {
        let key = Key {
            deadline_ns,
            sequence: 0,
        };
        Entry::new(key, index)
    }

    fn sound() -> Run {
        let mut run = Run::new();
        for (deadline_ns, index) in [(20, 1), (10, 0), (30, 2)] {
            run.push(entry(deadline_ns, index));
        }
        assert_eq!(run.sort().count(), 3);
        run
    }

    /// Index 2 is at position 0, and so on.
    fn verified(run: &Run) -> Result<(), String> {
        run.verify(|index, position| index as usize + position == 2)
    }

    fn first(run: &Run) -> Option<u32> {
        run.first().map(Entry::index)
    }

    #[test]
    fn a_gap_is_passed_over() {
        let mut run = sound();
        run.remove(1);
        assert_eq!(verified(&run), Ok(()));
        assert!(run.get(1, 1).is_none());
        run.remove_first();
        assert_eq!((first(&run), run.len()), (Some(2), 1));
        assert_eq!(verified(&run), Ok(()));

        let mut run = sound();
        run.remove(0);
        let left: Vec<u32> = run.drain().map(Entry::index).collect();
        assert_eq!((left, run.len()), (Vec::from([1, 0]), 0));
    }

    #[test]
    fn whatever_is_wrong_is_said() {
        type Fault = (&'static str, fn(&mut Run));
        let faults: [Fault; 4] = [
            ("is not sorted", |run| run.entries.swap(0, 1)),
            ("timer 3 does not know its place", |run| run.hand_over(1, 3)),
            ("begins with a gap", |run| run.hand_over(2, NONE)),
            ("3 timers are due together, 2 are counted", |run| {
                run.len = 2;
            }),
        ];
        assert_eq!(verified(&sound()), Ok(()));
        for (expected, break_it) in faults {
            let mut run = sound();
            break_it(&mut run);
            let broken = verified(&run).unwrap_err();
            assert!(broken.contains(expected), "{broken}, not: {expected}");
        }
    }
}
