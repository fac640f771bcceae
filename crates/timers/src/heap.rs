//! An indexed 4-ary min-heap of slots.
//!
//! Each entry holds its key beside its slot, so a sift compares neighbours in memory and follows no
//! pointer; a table by slot says where a slot's entry is, so any entry is found in `O(1)`. The heap
//! knows nothing of what the slots mean. In particular the owner may let an entry stand under a key
//! that has become too early, and set it right when it comes up as the first.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::shrink::shrink_if_sparse;
use crate::slots::{NONE, ensure};

/// Four children lie in two cache lines, and the heap is half as deep as a binary one.
const ARITY: usize = 4;

/// What timers are ordered by. No two keys are equal: a sequence number is drawn once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) deadline_ns: u64,
    pub(crate) sequence: u64,
}

impl Key {
    /// The key as one number, which is compared without a branch.
    fn number(self) -> u128 {
        u128::from(self.deadline_ns) << 64 | u128::from(self.sequence)
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number().cmp(&other.number())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
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

    /// How many entries and positions there is room for, in all.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.entries.capacity() + self.positions.capacity()
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
    #[inline]
    pub(crate) fn insert(&mut self, slot: u32, key: Key) {
        self.make_room(slot);
        let entry = Entry { key, slot };
        self.entries.push(entry);
        self.sift_up(self.entries.len() - 1, entry);
    }

    /// Takes out a slot that is in the heap.
    #[inline]
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
            let slot = first.slot;
            self.sift_down(0, Entry { key, slot });
        }
    }

    /// Lets one slot stand in the place and under the key of another.
    pub(crate) fn hand_over(&mut self, from: u32, to: u32) {
        let position = self.position(from);
        self.make_room(to);
        self.positions[from as usize] = NONE;
        let key = self.entries[position].key;
        self.place(position, Entry { key, slot: to });
    }

    /// Forgets the slots from `slots` on, none of which is in the heap.
    pub(crate) fn forget_from(&mut self, slots: usize) {
        self.positions.truncate(slots);
        shrink_if_sparse(&mut self.positions);
    }

    /// Makes room in the table of positions for a slot that is new.
    #[inline]
    fn make_room(&mut self, slot: u32) {
        if self.positions.len() <= slot as usize {
            self.positions.resize(slot as usize + 1, NONE);
        }
    }

    fn position(&self, slot: u32) -> usize {
        self.positions[slot as usize] as usize
    }

    /// Moves the entry up from `hole` to where it belongs.
    #[inline]
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

    /// The index of the earliest child of the entry at `parent`.
    fn least_child(&self, parent: usize) -> Option<usize> {
        let first = parent * ARITY + 1;
        let children = self.entries.get(first..)?;
        if let Some([a, b, c, d]) = children.first_chunk() {
            // Two pairs, then their winners: no comparison waits for the one before it.
            let (ab, ab_at) = if b.key < a.key { (b, 1) } else { (a, 0) };
            let (cd, cd_at) = if d.key < c.key { (d, 3) } else { (c, 2) };
            return Some(first + if cd.key < ab.key { cd_at } else { ab_at });
        }
        (first..self.entries.len()).min_by_key(|&child| self.entries[child].key)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "no more entries than slots, fewer than NONE"
    )]
    fn place(&mut self, position: usize, entry: Entry) {
        self.entries[position] = entry;
        self.positions[entry.slot as usize] = position as u32;
    }

    /// Says what is wrong unless no parent is later than its child, and slots and positions agree.
    pub(crate) fn verify(&self) -> Result<(), String> {
        for (position, entry) in self.entries.iter().enumerate() {
            let slot = entry.slot;
            let known = self.positions.get(slot as usize);
            ensure(known.is_some_and(|&at| at as usize == position), || {
                format!("slot {slot} does not know its place")
            })?;
            let parent = self.entries[position.saturating_sub(1) / ARITY];
            ensure(parent.key <= entry.key, || {
                format!("slot {slot} stands below a later one")
            })?;
        }
        let in_heap = |position: &&u32| **position != NONE;
        let known = self.positions.iter().filter(in_heap).count();
        ensure(known == self.entries.len(), || {
            "a slot outside of the heap has a place".into()
        })
    }
}
