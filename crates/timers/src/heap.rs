//! A 4-ary min-heap of keys, each with the index of the timer that it stands for.
//!
//! An entry is 16 bytes: the key, and the index beside it, so a sift compares neighbours in memory and
//! follows no pointer. The four children of one parent are as long as a cache line, though they may lie
//! across two, and what is not there yet is later than all. Where the entry of an index is, is kept
//! apart, 4 bytes each.
//!
//! The heap knows nothing of what the indices mean. In particular the owner may let an entry stand under
//! a key that has become too early, also when its timer has gone, and set it right when it comes up as
//! the first.
//!
//! Where many entries are due at a time they are taken out together, and sorted: see [`Run`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::entry::{Entry, Key};
use crate::run::{Run, run_place, run_position};
use crate::shrink::shrink_if_sparse;
use crate::slots::{NONE, ensure};

/// Four children are as long as a cache line, and the heap is half as deep as a binary one.
const ARITY: usize = 4;

/// The place of the entry that comes first. The places before it are empty, so that siblings begin at
/// a multiple of four.
const FIRST: usize = ARITY - 1;

// What the documentation of the crate says.
const _: () = assert!(size_of::<[Entry; ARITY]>() == 64);

pub(crate) struct Heap {
    /// Whole groups of siblings, filled up with empty entries. The children of the entry at place `p` are
    /// group `p - 2`.
    entries: Vec<Entry>,
    /// How many entries are in there.
    len: usize,
    /// By index: the place of its entry, or `NONE`. Of an entry in the run, the [place](run_place) that
    /// stands for its position there.
    places: Vec<u32>,
    run: Run,
    /// How many entries were taken from the first place, one by one, since the last [`Heap::rest`] or
    /// [`Heap::gather`].
    taken: usize,
}

/// Fewer that are due are not worth a run.
const FEW: usize = 32;

/// So many entries at the most stand for all of them: see [`Heap::is_much_due`].
const SAMPLE: usize = 64;

impl Heap {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            len: 0,
            places: Vec::new(),
            run: Run::new(),
            taken: 0,
        }
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len + self.run.len()
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<(Key, u32)> {
        let first = self.first_of_run().or_else(|| self.first_of_entries())?;
        Some((first.key(), first.index()))
    }

    #[inline]
    fn first_of_entries(&self) -> Option<Entry> {
        let first = *self.entries.get(FIRST)?;
        (self.len != 0).then_some(first)
    }

    /// What comes first, if it is in the run.
    #[inline]
    fn first_of_run(&self) -> Option<Entry> {
        let first = self.run.first()?;
        let is_first = |of_entries| first.is_before(of_entries);
        self.first_of_entries()
            .is_none_or(is_first)
            .then_some(first)
    }

    /// Whether an index has an entry.
    #[inline]
    pub(crate) fn contains(&self, index: u32) -> bool {
        self.places[index as usize] != NONE
    }

    /// How many entries are in the run, and how many were taken one by one.
    #[cfg(test)]
    pub(crate) const fn gathered(&self) -> (usize, usize) {
        (self.run.len(), self.taken)
    }

    /// The key under which an index stands in the heap, if it does.
    pub(crate) fn key(&self, index: u32) -> Option<Key> {
        let place = *self.places.get(index as usize)?;
        (place != NONE).then(|| match self.in_run(index) {
            Some((_, entry)) => entry.key(),
            None => self.entry(place as usize).key(),
        })
    }

    /// Makes room for the indices below `indices`, where there was room for fewer.
    pub(crate) fn make_room(&mut self, indices: usize) {
        self.places.resize(indices, NONE);
    }

    /// Makes room for the entry of each index below `indices`.
    pub(crate) fn reserve(&mut self, indices: usize) {
        let entries = (FIRST + indices).next_multiple_of(ARITY);
        self.places
            .reserve_exact(indices.saturating_sub(self.places.len()));
        self.entries
            .reserve_exact(entries.saturating_sub(self.entries.len()));
    }

    /// Adds an index that has no entry.
    // Always inlined, and so is the way up: to start a timer takes 25 instructions less.
    #[inline(always)]
    pub(crate) fn insert(&mut self, index: u32, key: Key) {
        let place = FIRST + self.len;
        if place >= self.entries.len() {
            self.entries.extend([Entry::EMPTY; ARITY]);
        }
        self.len += 1;
        self.sift_up(place, Entry::new(key, index));
    }

    /// An index that comes up soon, if what comes up is in the run.
    #[inline]
    pub(crate) fn upcoming(&self) -> Option<u32> {
        self.run.upcoming()
    }

    /// Takes out the entry of an index, if that is the first of the run. Whether it is.
    #[inline]
    pub(crate) fn remove_if_first_of_run(&mut self, index: u32) -> bool {
        let of_run = self.run.first();
        let is_first = of_run.is_some_and(|first| first.index() == index);
        if is_first {
            self.places[index as usize] = NONE;
            self.run.remove_first();
            self.leave_run();
        }
        is_first
    }

    /// Takes out the entry of an index, if it comes first in the run, or before all that are not in the run.
    /// Whether it does.
    // Always inlined: for each timer that expires.
    #[inline(always)]
    pub(crate) fn remove_if_first(&mut self, index: u32) -> bool {
        if self.remove_if_first_of_run(index) {
            return true;
        }
        let of_entries = self.first_of_entries();
        let is_first = of_entries.is_some_and(|first| first.index() == index);
        if is_first {
            self.remove_from(FIRST, index);
        }
        is_first
    }

    /// Takes out the entry of an index that has one.
    pub(crate) fn remove(&mut self, index: u32) {
        if self.run.len() != 0 && self.remove_from_run(index) {
            return;
        }
        self.remove_from(self.place(index), index);
    }

    /// Takes out the entry of an index, which is at this place, and fills the hole.
    #[inline(never)]
    fn remove_from(&mut self, hole: usize, index: u32) {
        self.taken += usize::from(hole == FIRST);
        self.places[index as usize] = NONE;
        self.len -= 1;
        let end = FIRST + self.len;
        let last = core::mem::replace(&mut self.entries[end], Entry::EMPTY);
        if end.is_multiple_of(ARITY) {
            self.entries.truncate(end);
            self.shrink();
        }
        if hole == end {
            return;
        }
        if hole != FIRST && last.is_before(self.entry(parent_of(hole))) {
            self.sift_up(hole, last);
        } else {
            self.sift_down(hole, last);
        }
    }

    /// Takes out the entry of an index, if it is in the run.
    fn remove_from_run(&mut self, index: u32) -> bool {
        let in_run = self.in_run(index);
        if let Some((position, _)) = in_run {
            self.places[index as usize] = NONE;
            self.take_from_run(position);
        }
        in_run.is_some()
    }

    /// As [`Heap::bring_forward`], if the entry is in the run.
    fn bring_out_of_run(&mut self, index: u32, key: Key) -> bool {
        let in_run = self.in_run(index);
        if let Some((position, entry)) = in_run
            && Entry::new(key, index).is_before(entry)
        {
            self.insert(index, key);
            self.take_from_run(position);
        }
        in_run.is_some()
    }

    /// Brings an entry forward if it stands under a later key; lets it stand under an earlier one.
    pub(crate) fn bring_forward(&mut self, index: u32, key: Key) {
        if self.run.len() != 0 && self.bring_out_of_run(index, key) {
            return;
        }
        let place = self.place(index);
        let entry = Entry::new(key, index);
        if entry.is_before(self.entry(place)) {
            self.sift_up(place, entry);
        }
    }

    /// Puts the first entry, which is that of this index, back to where a later key belongs.
    pub(crate) fn put_back_first(&mut self, index: u32, key: Key) {
        if let Some((position, _)) = self.in_run(index) {
            self.insert(index, key);
            self.take_from_run(position);
        } else {
            self.taken += 1;
            self.sift_down(FIRST, Entry::new(key, index));
        }
    }

    /// Nothing is due any more.
    #[inline]
    pub(crate) const fn rest(&mut self) {
        self.taken = 0;
    }

    /// Where some were taken one by one since the last [`Heap::rest`], and much more seems to be due by `now_ns`,
    /// takes all of that together. To find out costs a small part of what the taking has cost. What is due under
    /// its [key](Heap::rebuild) only later is put back on the way.
    #[inline]
    pub(crate) fn gather(&mut self, now_ns: u64, key: impl FnMut(u32) -> Option<Key>) {
        if self.taken > FEW + self.len / 256 {
            self.gather_due(now_ns, key);
        }
    }

    #[cold]
    fn gather_due(&mut self, now_ns: u64, mut key: impl FnMut(u32) -> Option<Key>) {
        self.taken = 0;
        if self.run.len() != 0 || !self.is_much_due(now_ns) {
            return;
        }
        let mut end = FIRST;
        for place in FIRST..FIRST + self.len {
            let mut entry = self.entry(place);
            let index = entry.index();
            if entry.deadline_ns <= now_ns {
                let Some(key) = key(index) else {
                    self.places[index as usize] = NONE;
                    continue;
                };
                entry = Entry::new(key, index);
            }
            if entry.deadline_ns <= now_ns {
                self.run.push(entry);
            } else {
                self.put(end, entry);
                end += 1;
            }
        }
        self.len = end - FIRST;
        self.cut_off(end);
        self.order();
        for (position, entry) in self.run.sort() {
            self.places[entry.index() as usize] = run_place(position);
        }
    }

    /// Whether of some entries that are spread over the heap more than an eighth are due: of fewer it is cheaper
    /// to take each out than to go through all.
    fn is_much_due(&self, now_ns: u64) -> bool {
        let places = (FIRST..FIRST + self.len).step_by(self.len.div_ceil(SAMPLE).max(1));
        let looked_at = places.len();
        let is_due = |place: &usize| self.entry(*place).deadline_ns <= now_ns;
        places.filter(is_due).count() > looked_at / 8
    }

    #[inline]
    fn take_from_run(&mut self, position: usize) {
        self.run.remove(position);
        self.leave_run();
    }

    /// Gives memory back when the run is through: not before, as what is due may well be put back.
    #[inline]
    fn leave_run(&mut self) {
        if self.run.len() == 0 {
            self.shrink();
            self.run.shrink_to(self.entries.capacity());
        }
    }

    /// Lets one index stand in the place and under the key of another.
    pub(crate) fn hand_over(&mut self, from: u32, to: u32) {
        let place = self.place(from);
        let in_run = self.in_run(from);
        self.places[from as usize] = NONE;
        if let Some((position, _)) = in_run {
            self.places[to as usize] = run_place(position);
            self.run.hand_over(position, to);
            return;
        }
        let key = self.entry(place).key();
        self.put(place, Entry::new(key, to));
    }

    /// Takes out every entry whose index has no key, and lets the others stand under theirs. `O(n)`.
    pub(crate) fn rebuild(&mut self, mut key: impl FnMut(u32) -> Option<Key>) {
        let mut run = core::mem::replace(&mut self.run, Run::new());
        for entry in run.drain() {
            self.insert(entry.index(), entry.key());
        }
        let mut end = FIRST;
        for place in FIRST..FIRST + self.len {
            let index = self.entry(place).index();
            match key(index) {
                Some(key) => {
                    self.put(end, Entry::new(key, index));
                    end += 1;
                }
                None => self.places[index as usize] = NONE,
            }
        }
        self.len = end - FIRST;
        self.cut_off(end);
        self.shrink();
        self.order();
    }

    /// Makes a heap of entries that are in any order.
    fn order(&mut self) {
        // From the last that has children: below each there is a heap already.
        for parent in (FIRST..parent_of(self.entries.len())).rev() {
            self.sift_down(parent, self.entry(parent));
        }
    }

    /// Forgets the indices from `indices` on.
    pub(crate) fn forget_from(&mut self, indices: usize) {
        self.places.truncate(indices);
        shrink_if_sparse(&mut self.places, 2);
    }

    /// Empties the places from `end` on.
    #[inline]
    fn cut_off(&mut self, end: usize) {
        self.entries.truncate(end.next_multiple_of(ARITY));
        for beyond in self.entries.iter_mut().skip(end) {
            *beyond = Entry::EMPTY;
        }
    }

    /// Gives memory back. Entries of timers that have gone make up three quarters at most, and go in one
    /// sweep, so there is to be room for three times as many again.
    #[inline]
    fn shrink(&mut self) {
        shrink_if_sparse(&mut self.entries, 4);
    }

    #[inline]
    fn entry(&self, place: usize) -> Entry {
        self.entries[place]
    }

    fn place(&self, index: u32) -> usize {
        self.places[index as usize] as usize
    }

    /// The entry of an index and its position in the run, if it is there.
    #[inline]
    fn in_run(&self, index: u32) -> Option<(usize, Entry)> {
        if self.run.len() == 0 {
            return None;
        }
        let position = run_position(self.places[index as usize]);
        let entry = self.run.get(position, index)?;
        Some((position, entry))
    }

    /// Moves the entry up from `hole` to where it belongs.
    #[inline(always)]
    fn sift_up(&mut self, mut hole: usize, entry: Entry) {
        while hole > FIRST {
            let parent = parent_of(hole);
            let above = self.entry(parent);
            if above.is_before(entry) {
                break;
            }
            self.put(hole, above);
            hole = parent;
        }
        self.put(hole, entry);
    }

    /// Moves the entry down from `hole` to where it belongs.
    fn sift_down(&mut self, mut hole: usize, entry: Entry) {
        while let Some((child, least)) = self.least_child(hole)
            && least.is_before(entry)
        {
            self.put(hole, least);
            hole = child;
        }
        self.put(hole, entry);
    }

    /// The earliest child of the entry at `parent`, and its place.
    #[inline]
    fn least_child(&self, parent: usize) -> Option<(usize, Entry)> {
        let group = parent - 2;
        let (siblings, _) = self.entries.as_chunks::<ARITY>();
        let &[a, b, c, d] = siblings.get(group)?;
        // Two pairs, then their winners: no comparison waits for the one before it.
        let (ab, ab_at) = if b.is_before(a) { (b, 1) } else { (a, 0) };
        let (cd, cd_at) = if d.is_before(c) { (d, 3) } else { (c, 2) };
        let (least, at) = if cd.is_before(ab) {
            (cd, cd_at)
        } else {
            (ab, ab_at)
        };
        Some((group * ARITY + at, least))
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
        ensure(
            self.len == 0 || self.entries.len() == (FIRST + self.len).next_multiple_of(ARITY),
            || format!("{} entries have {} places", self.len, self.entries.len()),
        )?;
        for place in FIRST..FIRST + self.len {
            let entry = self.entry(place);
            let index = entry.index();
            let known = self.places.get(index as usize);
            ensure(known.is_some_and(|&at| at as usize == place), || {
                format!("timer {index} does not know its place")
            })?;
            let is_first = place == FIRST;
            ensure(
                is_first || self.entry(parent_of(place)).is_before(entry),
                || format!("timer {index} stands below a later one"),
            )?;
        }
        self.run.verify(|index, position| {
            self.places.get(index as usize) == Some(&run_place(position))
        })?;
        let end = self.entries.len();
        let is_empty = |place| self.entry(place).number() == Entry::EMPTY.number();
        ensure((FIRST + self.len..end).all(is_empty), || {
            "there is an entry behind the last one".into()
        })?;
        let is_placed = |place: &&u32| **place != NONE;
        let known = self.places.iter().filter(is_placed).count();
        ensure(known == self.len(), || {
            "a timer outside of the heap has a place".into()
        })
    }
}

/// The place of the entry above that at `place`, which is not the first.
#[inline]
const fn parent_of(place: usize) -> usize {
    place / ARITY + 2
}
