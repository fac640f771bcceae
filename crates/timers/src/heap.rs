//! An indexed 4-ary min-heap of slots.
//!
//! Each entry holds its key beside its slot, so a sift compares neighbours in memory and follows no
//! pointer; a table by slot says where a slot's entry is, so any entry is found in `O(1)`. The heap
//! knows nothing of what the slots mean. In particular the owner may let an entry stand under a key
//! that has become too early, and set it right when it comes up as the first.

use alloc::vec::Vec;

use crate::shrink::shrink_if_sparse;
use crate::slots::NONE;

/// Four children lie in two cache lines, and the heap is half as deep as a binary one.
const ARITY: usize = 4;

/// What timers are ordered by. No two keys are equal: a sequence number is drawn once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) deadline_ns: u64,
    pub(crate) sequence: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    key: Key,
    slot: u32,
}

pub(crate) struct Heap {
    /// The parent of the entry at `i` is at `(i - 1) / ARITY`.
    entries: Vec<Entry>,
    /// By slot: the index of its entry, or `NONE`.
    positions: Vec<u32>,
}

impl Heap {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            positions: Vec::new(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn first(&self) -> Option<(Key, u32)> {
        self.entries.first().map(|entry| (entry.key, entry.slot))
    }

    /// The key under which a slot stands in the heap, if it does.
    pub(crate) fn key(&self, slot: u32) -> Option<Key> {
        let position = *self.positions.get(slot as usize)?;
        self.entries.get(position as usize).map(|entry| entry.key)
    }

    /// Adds a slot that is not in the heap.
    pub(crate) fn insert(&mut self, slot: u32, key: Key) {
        if self.positions.len() <= slot as usize {
            self.positions.resize(slot as usize + 1, NONE);
        }
        let entry = Entry { key, slot };
        self.entries.push(entry);
        self.sift_up(self.entries.len() - 1, entry);
    }

    /// Takes out a slot that is in the heap.
    pub(crate) fn remove(&mut self, slot: u32) {
        let hole = self.position(slot);
        self.positions[slot as usize] = NONE;
        let removed = self.entries[hole].key;
        if let Some(last) = self.entries.pop()
            && hole < self.entries.len()
        {
            if last.key < removed {
                self.sift_up(hole, last);
            } else {
                self.sift_down(hole, last);
            }
        }
        shrink_if_sparse(&mut self.entries);
    }

    /// Brings a slot forward if it stands under a later key; lets it stand under an earlier one.
    pub(crate) fn bring_forward(&mut self, slot: u32, key: Key) {
        let position = self.position(slot);
        if key < self.entries[position].key {
            self.sift_up(position, Entry { key, slot });
        }
    }

    /// Puts the first slot back to where a later key belongs.
    pub(crate) fn put_back_first(&mut self, key: Key) {
        if let Some(first) = self.entries.first() {
            self.sift_down(
                0,
                Entry {
                    key,
                    slot: first.slot,
                },
            );
        }
    }

    /// Lets one slot stand in the place and under the key of another.
    pub(crate) fn hand_over(&mut self, from: u32, to: u32) {
        let position = self.position(from);
        if self.positions.len() <= to as usize {
            self.positions.resize(to as usize + 1, NONE);
        }
        self.positions[from as usize] = NONE;
        self.place(
            position,
            Entry {
                key: self.entries[position].key,
                slot: to,
            },
        );
    }

    /// Forgets the slots from `slots` on, none of which is in the heap.
    pub(crate) fn forget_from(&mut self, slots: usize) {
        self.positions.truncate(slots);
        shrink_if_sparse(&mut self.positions);
    }

    fn position(&self, slot: u32) -> usize {
        self.positions[slot as usize] as usize
    }

    /// Moves the entry up from `hole` to where it belongs.
    fn sift_up(&mut self, mut hole: usize, entry: Entry) {
        while hole > 0 {
            let parent = (hole - 1) / ARITY;
            if self.entries[parent].key < entry.key {
                break;
            }
            self.place(hole, self.entries[parent]);
            hole = parent;
        }
        self.place(hole, entry);
    }

    /// Moves the entry down from `hole` to where it belongs.
    fn sift_down(&mut self, mut hole: usize, entry: Entry) {
        while let Some(child) = self.least_child(hole)
            && self.entries[child].key < entry.key
        {
            self.place(hole, self.entries[child]);
            hole = child;
        }
        self.place(hole, entry);
    }

    fn least_child(&self, parent: usize) -> Option<usize> {
        let first = parent * ARITY + 1;
        let end = self.entries.len().min(first + ARITY);
        (first..end).min_by_key(|&child| self.entries[child].key)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "no more entries than slots, fewer than NONE"
    )]
    fn place(&mut self, position: usize, entry: Entry) {
        self.entries[position] = entry;
        self.positions[entry.slot as usize] = position as u32;
    }

    /// Panics unless no parent is later than its child, and slots and positions agree.
    pub(crate) fn check_invariants(&self) {
        for (position, entry) in self.entries.iter().enumerate() {
            assert_eq!(
                self.position(entry.slot),
                position,
                "slot {} knows its place",
                entry.slot
            );
            let parent = &self.entries[position.saturating_sub(1) / ARITY];
            assert!(
                parent.key <= entry.key,
                "slot {} stands above an earlier one",
                parent.slot
            );
        }
        let placed = self
            .positions
            .iter()
            .filter(|&&position| position != NONE)
            .count();
        assert_eq!(
            placed,
            self.entries.len(),
            "a slot outside the heap has no position"
        );
    }
}
