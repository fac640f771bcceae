//! Deadlines by index: heap and lanes together, in one order.
//!
//! The one idea: a timer's true key (deadline, sequence) is kept by its index, and the heap holds keys
//! that may be too early, never too late. So moving a deadline later writes the key only, and so does
//! letting the next timer of a lane stand in for the head that left. A removed timer leaves its entry
//! behind, for the next of its index to take over: mostly that is due later. A timer whose place in the
//! heap is too early comes up as the first too soon; only then is it put back to where it belongs, or
//! goes.

mod check;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;
use core::ops::ControlFlow::{self, Break, Continue};
use core::time::Duration;

use crate::entry::Key;
use crate::heap::Heap;
use crate::lane::{GONE, LaneId, Lanes, Link, NOT_ARMED, Timer};
use crate::shrink::{FLOOR, shrink_if_sparse};
use crate::slots::NONE;

/// A set of timers that are known by indices of the caller's, in order of deadline.
///
/// [`Timers`](crate::Timers) without handles and values, for who has a table of the timers' owners
/// already: the timer of the owner at index *i* is *i*. There is one timer for each index below
/// [`u32::MAX`], armed or not; about stale handles the caller has to think.
///
/// Times and order are those of [`Timers`](crate::Timers).
///
/// An index takes 16 bytes, up to the highest that was ever armed, and 12 more up to the highest that was
/// ever in a lane. Outside lanes an armed timer takes an entry of 16 bytes in the heap. One that has
/// gone may leave its entry there, but such entries are never more than three quarters of all, or 64.
///
/// # Examples
///
/// ```
/// use evloop_timers::Deadlines;
///
/// let connections = ["a", "b", "c"];
/// let mut idle = Deadlines::new();
/// for connection in 0..3 {
///     idle.set(connection, 60);
/// }
/// idle.set(1, 90); // there was a byte
/// idle.remove(2); // it was closed
///
/// assert_eq!(idle.peek_due(59), None);
/// assert_eq!(idle.peek_due(60), Some((0, 60)));
/// idle.remove(0);
/// assert_eq!(idle.peek(), Some((1, 90)));
/// # let _ = connections;
/// ```
///
/// # Compared with libevent
///
/// `min_heap_t`, whose elements are events.
pub struct Deadlines {
    /// By index.
    timers: Vec<Timer>,
    /// The timers outside lanes, the head of each lane, and what has gone and left its entry.
    heap: Heap,
    lanes: Lanes,
    /// How many are armed.
    len: usize,
    /// Entries in the heap of timers that are not armed.
    dead: usize,
    /// What the next arming draws.
    sequence: u32,
}

impl Deadlines {
    /// No timers. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            timers: Vec::new(),
            heap: Heap::new(),
            lanes: Lanes::new(),
            len: 0,
            dead: 0,
            sequence: 0,
        }
    }

    /// Makes room for a timer of each index below `indices`, outside lanes: to arm them allocates nothing,
    /// unless timers that went meanwhile have given room back.
    pub fn reserve(&mut self, indices: usize) {
        self.timers
            .reserve_exact(indices.saturating_sub(self.timers.len()));
        self.heap.reserve(indices);
    }

    /// How many timers are armed.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is armed.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many lanes there are.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Arms a timer, anew if it is armed: it is due at `deadline_ns`, behind all that were armed for the
    /// same time before. If it was in a lane it leaves it.
    ///
    /// Costs `O(1)` when the deadline becomes later: the heap learns of it only when the old deadline
    /// comes up as the first. The same where the timer was removed lately, from a deadline that was not
    /// later. Else `O(log n)`, and `O(1)` where deadlines mostly rise. Allocates only when the table of
    /// timers or the heap is full. (And once in four billion armings, when all sequence numbers have been
    /// given out and are drawn anew: `O(n log n)`.)
    ///
    /// # Panics
    ///
    /// If the index is [`u32::MAX`].
    #[inline]
    pub fn set(&mut self, index: u32, deadline_ns: u64) {
        let sequence = self.sequence;
        if sequence != GONE
            && let Some(timer) = self.timers.get_mut(index as usize)
            && self.lanes.of(index).is_none()
        {
            if deadline_ns >= timer.deadline_ns && timer.sequence != NOT_ARMED {
                // A place that was not too late for the key before is not too late for a later one.
                let comes_back = usize::from(timer.sequence == GONE);
                timer.deadline_ns = deadline_ns;
                timer.sequence = sequence;
                self.sequence += 1;
                self.len += comes_back;
                self.dead -= comes_back;
                return;
            }
            self.set_placed(index, deadline_ns);
            return;
        }
        self.set_anew(index, deadline_ns);
    }

    /// Where it has no place in the heap, or needs a better one.
    // Not inlined, nor what follows, so that the short way stays short.
    #[inline(never)]
    fn set_placed(&mut self, index: u32, deadline_ns: u64) {
        let key = Key {
            deadline_ns,
            sequence: self.sequence,
        };
        self.sequence += 1;
        let timer = core::mem::replace(&mut self.timers[index as usize], Timer::new(key));
        if timer.sequence == NOT_ARMED {
            self.len += 1;
            self.heap.insert(index, key);
            return;
        }
        let comes_back = usize::from(timer.sequence == GONE);
        self.len += comes_back;
        self.dead -= comes_back;
        self.heap.bring_forward(index, key);
    }

    /// Where it is in a lane, or there is no room for it, or no sequence number.
    #[inline(never)]
    fn set_anew(&mut self, index: u32, deadline_ns: u64) {
        self.make_room(index);
        let key = self.draw(deadline_ns);
        let is_placed = self.enter(index);
        self.timers[index as usize] = Timer::new(key);
        self.place(index, key, is_placed);
    }

    /// Takes a timer out; when it would have been due, or `None` if it was not armed.
    ///
    /// Costs `O(1)` on average: a timer leaves its entry in the heap. Such an entry goes when it comes up as
    /// the first, or with all others in one sweep once they are more than three quarters.
    // Always inlined: the loop calls it in few places, and to delete a timer there takes 20 instructions less.
    #[inline(always)]
    pub fn remove(&mut self, index: u32) -> Option<u64> {
        self.take(index, Heap::remove_if_first_of_run)
    }

    /// Takes out a timer that is due: as [`Deadlines::remove`], but where it comes first in the heap its entry
    /// goes with it, in `O(log n)`. So what [`Deadlines::peek_due`] has named leaves nothing for its next call.
    #[inline]
    pub fn remove_due(&mut self, index: u32) -> Option<u64> {
        self.take(index, Heap::remove_if_first)
    }

    /// Takes a timer out. Its entry in the heap stays there, unless `removed` has taken it out.
    #[inline(always)]
    fn take(&mut self, index: u32, removed: fn(&mut Heap, u32) -> bool) -> Option<u64> {
        let timer = self.timers.get_mut(index as usize)?;
        if !timer.is_armed() {
            return None;
        }
        let deadline_ns = timer.deadline_ns;
        timer.sequence = GONE;
        self.len -= 1;
        if let Some(lane) = self.lanes.of(index)
            && !self.take_from_lane(index, lane)
        {
            return Some(deadline_ns);
        }
        if removed(&mut self.heap, index) {
            self.timers[index as usize] = Timer::NONE;
        } else {
            self.dead += 1;
        }
        self.sweep_if_most_are_dead();
        Some(deadline_ns)
    }

    /// When a timer is due, in nanoseconds; `None` if it is not armed. Costs `O(1)`.
    #[inline]
    #[must_use]
    pub fn get(&self, index: u32) -> Option<u64> {
        let timer = self.timers.get(index as usize)?;
        timer.is_armed().then_some(timer.deadline_ns)
    }

    /// The timer that is due first, with its deadline; `None` if there is none.
    ///
    /// Exact, and at the cost of [`Timers::peek`](crate::Timers::peek).
    pub fn peek(&mut self) -> Option<(u32, u64)> {
        loop {
            if let Break(first) = self.settle_first(u64::MAX) {
                return first;
            }
        }
    }

    /// The timer that is due first, if it is due by `now_ns`, with its deadline.
    ///
    /// Costs `O(1)`, and `O(log n)` for each timer that was moved later or removed and whose old deadline
    /// has come up by `now_ns`, unless these are many: what was moved and is not due stays where it is.
    #[inline]
    pub fn peek_due(&mut self, now_ns: u64) -> Option<(u32, u64)> {
        loop {
            let (timers, dead) = (&mut self.timers, &mut self.dead);
            let key = |index| timers[index as usize].settled(dead);
            self.heap.gather(now_ns, key);
            if let Break(due) = self.settle_first(now_ns) {
                if due.is_none() {
                    self.heap.rest();
                }
                return due;
            }
        }
    }

    /// A timer that comes up some 30 after the first, where [`Deadlines::peek_due`] has found that many are due
    /// together; else `None`. Costs `O(1)`.
    ///
    /// A hint, for an owner whose memory takes a while to come near: the timer may have been moved or removed
    /// meanwhile.
    #[inline]
    #[must_use]
    pub fn upcoming(&self) -> Option<u32> {
        self.heap.upcoming()
    }

    /// What is due first, if its place in the heap says that it may be due by `until_ns`; or sets that place
    /// right, where it is too early.
    #[inline]
    fn settle_first(&mut self, until_ns: u64) -> ControlFlow<Option<(u32, u64)>> {
        // No place is later than its timer.
        let first = self.heap.first();
        let Some((key, index)) = first.filter(|(key, _)| key.deadline_ns <= until_ns) else {
            return Break(None);
        };
        let timer = &self.timers[index as usize];
        let due = timer.key();
        if due == key {
            return Break(Some((index, key.deadline_ns)));
        }
        if timer.is_armed() {
            self.heap.put_back_first(index, due);
        } else {
            self.settle_dead();
        }
        Continue(())
    }

    /// When to look again: see [`Timers::look_again_ns`](crate::Timers::look_again_ns), also
    /// for what it costs.
    #[inline]
    #[must_use]
    pub fn look_again_ns(&mut self) -> Option<u64> {
        self.settle_dead();
        self.heap.first().map(|(key, _)| key.deadline_ns)
    }

    /// The lane of a duration: see [`Timers::lane`](crate::Timers::lane).
    pub fn lane(&mut self, duration: Duration) -> LaneId {
        self.lanes.get_or_insert(duration)
    }

    /// Arms a timer, anew if it is armed, to be due when the duration of `lane` has passed from `now_ns`.
    ///
    /// It makes no difference whether it was in this lane, in another, or in none. The deadline saturates
    /// at [`u64::MAX`]. Cost and panics are those of
    /// [`Timers::rearm_in_lane`](crate::Timers::rearm_in_lane).
    ///
    /// # Panics
    ///
    /// If the index is [`u32::MAX`]. If `lane` comes from other timers, and these have fewer lanes; if
    /// they have as many, it stands for another duration.
    pub fn set_in_lane(&mut self, index: u32, lane: LaneId, now_ns: u64) {
        let deadline_ns = self.lanes.deadline_ns(lane, now_ns);
        self.make_room(index);
        let key = self.draw(deadline_ns);
        let is_placed = self.enter(index);
        self.timers[index as usize] = Timer::new(key);
        // A timer that belongs far ahead in the lane stays out of it, with a place of its own in the heap.
        let link = self.lanes.insert(lane, &self.timers, index);
        let Link { prev, next, .. } = link.unwrap_or(Link::NONE);
        if prev == NONE && next == NONE {
            self.place(index, key, is_placed);
            return;
        }
        if is_placed {
            self.heap.remove(index);
            self.sweep_if_most_are_dead();
        }
        if prev == NONE {
            // Time went back, and this timer is due before the head.
            self.heap.hand_over(next, index);
            self.heap.bring_forward(index, key);
        }
    }

    /// Forgets the indices from `indices` on, none of which is armed.
    pub(crate) fn forget_from(&mut self, indices: usize) {
        for index in (0..).take(self.timers.len()).skip(indices) {
            if self.heap.contains(index) {
                self.heap.remove(index);
                self.dead -= 1;
            }
        }
        self.timers.truncate(indices);
        shrink_if_sparse(&mut self.timers, 2);
        self.heap.forget_from(indices);
        self.lanes.forget_from(indices);
    }

    /// Makes room in the tables for an index that is new.
    #[inline]
    fn make_room(&mut self, index: u32) {
        let indices = index as usize + 1;
        if self.timers.len() < indices {
            assert!(index != NONE, "the last index stands for none");
            self.timers.resize(indices, Timer::NONE);
            self.heap.make_room(indices);
        }
    }

    /// The key of what is armed now.
    #[inline]
    fn draw(&mut self, deadline_ns: u64) -> Key {
        if self.sequence == GONE {
            self.draw_anew();
        }
        let sequence = self.sequence;
        self.sequence += 1;
        Key {
            deadline_ns,
            sequence,
        }
    }

    /// All sequence numbers have been drawn: those that are armed draw again, in the same order.
    #[cold]
    fn draw_anew(&mut self) {
        let mut armed: Vec<(u32, &mut Timer)> = (0..)
            .zip(&mut self.timers)
            .filter(|(_, timer)| timer.is_armed())
            .collect();
        armed.sort_unstable_by_key(|(_, timer)| timer.sequence);
        self.sequence = 0;
        for (_, timer) in armed {
            timer.sequence = self.sequence;
            self.sequence += 1;
        }
        self.sweep();
    }

    /// Takes a timer that is not armed any more out of its lane. Whether it has a place in the heap after
    /// that.
    fn take_from_lane(&mut self, index: u32, lane: LaneId) -> bool {
        let is_placed = self.leave_lane(index, lane);
        if !is_placed {
            self.timers[index as usize] = Timer::NONE;
        }
        is_placed
    }

    /// Counts a timer that is to be armed, and takes it out of its lane if it is in one. Whether it has a
    /// place in the heap.
    #[inline]
    fn enter(&mut self, index: u32) -> bool {
        let timer = self.timers[index as usize];
        match self.lanes.of(index) {
            Some(lane) => self.leave_lane(index, lane),
            None if timer.is_armed() => true,
            None => {
                self.len += 1;
                let comes_back = timer.sequence == GONE;
                self.dead -= usize::from(comes_back);
                comes_back
            }
        }
    }

    /// Takes a timer out of its lane. Whether it has a place in the heap after that.
    ///
    /// The place of a head goes to the timer behind it, for which it is too early.
    fn leave_lane(&mut self, index: u32, lane: LaneId) -> bool {
        let Link { prev, next, .. } = self.lanes.remove(lane, index);
        if prev == NONE && next != NONE {
            self.heap.hand_over(index, next);
        }
        prev == NONE && next == NONE
    }

    /// Sees to it that a timer has a place in the heap, and one that is not too late for its key.
    #[inline]
    fn place(&mut self, index: u32, key: Key, is_placed: bool) {
        if is_placed {
            self.heap.bring_forward(index, key);
        } else {
            self.heap.insert(index, key);
        }
    }

    /// Sees to it that what comes first in the heap is armed.
    #[inline]
    fn settle_dead(&mut self) {
        if self.dead != 0 {
            self.settle_some_dead();
        }
    }

    fn settle_some_dead(&mut self) {
        while self.dead != 0
            && let Some((_, index)) = self.heap.first()
            && !self.timers[index as usize].is_armed()
        {
            self.heap.remove(index);
            self.timers[index as usize] = Timer::NONE;
            self.dead -= 1;
        }
    }

    /// Sees to it that what is not armed is no more than three quarters of the heap.
    #[inline]
    fn sweep_if_most_are_dead(&mut self) {
        if self.dead > self.heap.len() / 4 * 3 && (self.heap.len() > FLOOR || self.len == 0) {
            self.sweep();
        }
    }

    /// Sets the heap right in one go: all that is in it is armed then, and stands under its own key.
    fn sweep(&mut self) {
        let Self { timers, dead, .. } = self;
        self.heap
            .rebuild(|index| timers[index as usize].settled(dead));
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Deadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadlines")
            .field("len", &self.len())
            .field("lanes", &self.lanes())
            .finish_non_exhaustive()
    }
}
