//! A 4-ary min-heap of keys, each with the index of the timer that it stands for.
//!
//! An entry is 16 bytes: the key, and the index beside it, so a sift compares neighbours in memory and
//! follows no pointer, and four children fill a cache line. Where the entry of an index is, is kept
//! apart, 4 bytes each. The heap knows nothing of what the indices mean. In particular the owner may
//! let an entry stand under a key that has become too early, also when its timer has gone, and set it
//! right when it comes up as the first.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::shrink::shrink_if_sparse;
use crate::slots::{NONE, ensure};

/// Four children lie in one cache line or two, and the heap is half as deep as a binary one.
const ARITY: usize = 4;

/// What timers are ordered by. No two that are armed are equal: a sequence number is drawn once, until
/// all are drawn anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) deadline_ns: u64,
    pub(crate) sequence: u32,
}

/// A key with the index of its timer. Compared as one number, without a branch; no two are equal.
#[derive(Clone, Copy)]
struct Entry {
    deadline_ns: u64,
    /// The sequence number above, the index below.
    tie: u64,
}

// What the documentation of the crate says.
const _: () = assert!(size_of::<Entry>() == 16);

impl Entry {
    #[inline]
    const fn new(key: Key, index: u32) -> Self {
        Self {
            deadline_ns: key.deadline_ns,
            tie: (key.sequence as u64) << 32 | index as u64,
        }
    }

    #[inline]
    const fn key(self) -> Key {
        Key {
            deadline_ns: self.deadline_ns,
            sequence: (self.tie >> 32) as u32,
        }
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lower half is the index"
    )]
    const fn index(self) -> u32 {
        self.tie as u32
    }

    #[inline]
    const fn is_before(self, other: Self) -> bool {
        self.number() < other.number()
    }

    #[inline]
    const fn number(self) -> u128 {
        (self.deadline_ns as u128) << 64 | self.tie as u128
    }
}

pub(crate) struct Heap {
    /// The parent of the entry at `i` is at `(i - 1) / ARITY`.
    entries: Vec<Entry>,
    /// By index: the place of its entry, or `NONE`.
    places: Vec<u32>,
}

impl Heap {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            places: Vec::new(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<(Key, u32)> {
        self.entries
            .first()
            .map(|entry| (entry.key(), entry.index()))
    }

    #[inline]
    pub(crate) fn is_first(&self, index: u32) -> bool {
        self.places[index as usize] == 0
    }

    /// Whether an index has an entry.
    #[inline]
    pub(crate) fn contains(&self, index: u32) -> bool {
        self.places[index as usize] != NONE
    }

    /// The key under which an index stands in the heap, if it does.
    pub(crate) fn key(&self, index: u32) -> Option<Key> {
        let place = *self.places.get(index as usize)?;
        self.entries.get(place as usize).map(|entry| entry.key())
    }

    /// Makes room for the indices below `indices`, where there was room for fewer.
    pub(crate) fn make_room(&mut self, indices: usize) {
        self.places.resize(indices, NONE);
    }

    /// Adds an index that has no entry.
    #[inline]
    pub(crate) fn insert(&mut self, index: u32, key: Key) {
        let entry = Entry::new(key, index);
        self.entries.push(entry);
        self.sift_up(self.entries.len() - 1, entry);
    }

    /// Takes out the entry of an index that has one.
    pub(crate) fn remove(&mut self, index: u32) {
        let hole = self.place(index);
        self.places[index as usize] = NONE;
        if let Some(last) = self.entries.pop()
            && hole < self.entries.len()
        {
            let hole = self.sift_hole_down(hole);
            self.sift_up(hole, last);
        }
        self.shrink();
    }

    /// Brings an entry forward if it stands under a later key; lets it stand under an earlier one.
    pub(crate) fn bring_forward(&mut self, index: u32, key: Key) {
        let place = self.place(index);
        let entry = Entry::new(key, index);
        if entry.is_before(self.entries[place]) {
            self.sift_up(place, entry);
        }
    }

    /// Puts the first entry back to where a later key belongs.
    pub(crate) fn put_back_first(&mut self, key: Key) {
        if let Some(first) = self.entries.first() {
            let entry = Entry::new(key, first.index());
            self.sift_down(0, entry);
        }
    }

    /// Lets one index stand in the place and under the key of another.
    pub(crate) fn hand_over(&mut self, from: u32, to: u32) {
        let place = self.place(from);
        self.places[from as usize] = NONE;
        let key = self.entries[place].key();
        self.put(place, Entry::new(key, to));
    }

    /// Takes out every entry whose index has no key, and lets the others stand under theirs. `O(n)`.
    pub(crate) fn rebuild(&mut self, key: impl Fn(u32) -> Option<Key>) {
        let places = &mut self.places;
        self.entries.retain_mut(|entry| {
            let index = entry.index();
            places[index as usize] = NONE;
            let key = key(index);
            if let Some(key) = key {
                *entry = Entry::new(key, index);
            }
            key.is_some()
        });
        for (place, entry) in (0..).zip(&self.entries) {
            self.places[entry.index() as usize] = place;
        }
        // From the last that has children: below each there is a heap already.
        for parent in (0..self.entries.len().div_ceil(ARITY)).rev() {
            self.sift_down(parent, self.entries[parent]);
        }
        self.shrink();
    }

    /// Forgets the indices from `indices` on.
    pub(crate) fn forget_from(&mut self, indices: usize) {
        self.places.truncate(indices);
        shrink_if_sparse(&mut self.places, 2);
    }

    /// Entries of timers that have gone make up half at most, and go in one sweep, so there is to be room
    /// for as many again.
    fn shrink(&mut self) {
        shrink_if_sparse(&mut self.entries, 4);
    }

    fn place(&self, index: u32) -> usize {
        self.places[index as usize] as usize
    }

    /// Moves the entry up from `hole` to where it belongs.
    #[inline]
    fn sift_up(&mut self, mut hole: usize, entry: Entry) {
        while hole > 0 {
            let parent = (hole - 1) / ARITY;
            if self.entries[parent].is_before(entry) {
                break;
            }
            self.put(hole, self.entries[parent]);
            hole = parent;
        }
        self.put(hole, entry);
    }

    /// Moves the entry down from `hole` to where it belongs.
    fn sift_down(&mut self, mut hole: usize, entry: Entry) {
        while let Some(child) = self.least_child(hole)
            && self.entries[child].is_before(entry)
        {
            self.put(hole, self.entries[child]);
            hole = child;
        }
        self.put(hole, entry);
    }

    /// Moves the hole down to where it has no children; where it is then.
    ///
    /// What fills it comes from the end, and mostly belongs near there: to find its place from below takes
    /// fewer comparisons than from above, and none whose outcome is hard to foresee.
    fn sift_hole_down(&mut self, mut hole: usize) -> usize {
        while let Some(child) = self.least_child(hole) {
            self.put(hole, self.entries[child]);
            hole = child;
        }
        hole
    }

    /// The place of the earliest child of the entry at `parent`.
    #[inline]
    fn least_child(&self, parent: usize) -> Option<usize> {
        let first = parent * ARITY + 1;
        let children = self.entries.get(first..)?;
        if let Some([a, b, c, d]) = children.first_chunk() {
            // Two pairs, then their winners: no comparison waits for the one before it.
            let (ab, ab_at) = if b.is_before(*a) { (b, 1) } else { (a, 0) };
            let (cd, cd_at) = if d.is_before(*c) { (d, 3) } else { (c, 2) };
            return Some(first + if cd.is_before(*ab) { cd_at } else { ab_at });
        }
        (first..self.entries.len()).min_by_key(|&child| self.entries[child].number())
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "no more entries than indices, fewer than NONE"
    )]
    fn put(&mut self, place: usize, entry: Entry) {
        self.entries[place] = entry;
        self.places[entry.index() as usize] = place as u32;
    }

    /// Says what is wrong unless no parent is later than its child, and indices and places agree.
    pub(crate) fn verify(&self) -> Result<(), String> {
        for (place, entry) in self.entries.iter().enumerate() {
            let index = entry.index();
            let known = self.places.get(index as usize);
            ensure(known.is_some_and(|&at| at as usize == place), || {
                format!("timer {index} does not know its place")
            })?;
            let parent = self.entries[place.saturating_sub(1) / ARITY];
            ensure(!entry.is_before(parent), || {
                format!("timer {index} stands below a later one")
            })?;
        }
        let is_placed = |place: &&u32| **place != NONE;
        let known = self.places.iter().filter(is_placed).count();
        ensure(known == self.entries.len(), || {
            "a timer outside of the heap has a place".into()
        })
    }
}
