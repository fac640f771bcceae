//! The queues of active events: one for each priority, and the *later* queue.
//!
//! A queue is a list through the events themselves, so an event is taken out of the middle in
//! `O(1)` and nothing is allocated. A set of 256 bits tells which queues are not empty.

use alloc::format;
use alloc::string::String;
use core::iter;

use evloop_changelist::Ready;

use crate::ahead::Ahead;
use crate::event::{Event, Priority, State};
use crate::slab::{NONE, Slab};
use crate::verify::ensure;

/// First in, first out. Of an empty one both ends are [`NONE`].
#[derive(Clone, Copy, Debug)]
struct Queue {
    head: u32,
    tail: u32,
}

impl Queue {
    const EMPTY: Self = Self {
        head: NONE,
        tail: NONE,
    };

    /// Puts an event at the end. Whether the queue was empty.
    #[inline]
    fn push<T>(&mut self, events: &mut Slab<T>, slot: u32) -> bool {
        let event = &mut events[slot];
        event.prev = self.tail;
        event.next = NONE;
        let last = events.at_or_none_mut(self.tail);
        self.tail = slot;
        match last {
            Some(last) => {
                last.next = slot;
                false
            }
            None => {
                self.head = slot;
                true
            }
        }
    }

    #[inline]
    fn unlink<T>(&mut self, events: &mut Slab<T>, slot: u32) {
        let Event { prev, next, .. } = events[slot];
        if self.head == slot {
            self.head = next;
        } else {
            events[prev].next = next;
        }
        if self.tail == slot {
            // Of the first, `prev` means nothing.
            self.tail = if self.head == NONE { NONE } else { prev };
        } else {
            events[next].prev = prev;
        }
    }

    /// Says what is wrong unless its events are linked both ways, in this state, and such as `fits`;
    /// else how many there are.
    fn verify<T>(
        self,
        events: &Slab<T>,
        state: State,
        fits: impl Fn(&Event<T>) -> bool,
    ) -> Result<usize, String> {
        let (mut before, mut slot, mut len) = (NONE, self.head, 0);
        while slot != NONE {
            let event = events.at(slot).ok_or("a freed event is active")?;
            ensure(event.state & State::QUEUED == state && fits(event), || {
                format!("event {slot} is in the wrong queue")
            })?;
            // So it does not come round either: each but the first follows one, and the first none.
            ensure(
                before == NONE || (event.prev == before && slot != self.head),
                || format!("event {slot} does not know the one before it in its queue"),
            )?;
            (before, slot, len) = (slot, event.next, len + 1);
        }
        ensure(self.tail == before, || {
            format!("event {before} is last in its queue, and not its tail")
        })?;
        Ok(len)
    }
}

/// A priority, or none, in a form that is compared at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level(u16);

impl Level {
    /// No priority, and less urgent than each.
    pub(crate) const NONE: Self = Self(256);
    /// No priority, and not even [`Level::NONE`].
    pub(crate) const NEVER: Self = Self(257);

    pub(crate) fn priority(self) -> Option<Priority> {
        u8::try_from(self.0).ok().map(Priority)
    }

    /// The priority of one that is known to be neither [`Level::NONE`] nor [`Level::NEVER`].
    #[inline]
    pub(crate) const fn known_priority(self) -> Priority {
        let [low, _] = self.0.to_le_bytes();
        Priority(low)
    }
}

impl From<Priority> for Level {
    #[inline]
    fn from(priority: Priority) -> Self {
        Self(priority.0.into())
    }
}

/// Active events by priority. Every operation is `O(1)`.
#[derive(Debug)]
pub(crate) struct ActiveQueues {
    queues: [Queue; LEVELS],
    /// Bit `p % 64` of word `p / 64`: the queue of priority `p` is not empty.
    occupied: [u64; LEVELS / 64],
    /// The most urgent level whose queue is not empty.
    most_urgent: Level,
    later: Queue,
    len: usize,
    pub(crate) ahead: Ahead,
    /// The greatest `len` there was when it was [noted](ActiveQueues::note_most).
    most: usize,
}

/// One for each value of a [`Priority`].
const LEVELS: usize = 256;

impl ActiveQueues {
    pub(crate) fn new() -> Self {
        Self {
            queues: [Queue::EMPTY; LEVELS],
            occupied: [0; LEVELS / 64],
            most_urgent: Level::NONE,
            later: Queue::EMPTY,
            len: 0,
            ahead: Ahead::new(),
            most: 0,
        }
    }

    /// How many events are in the queues of the priorities; those in the later queue not counted.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The greatest [`ActiveQueues::len`] since [`ActiveQueues::reset_most`].
    pub(crate) const fn most(&self) -> usize {
        if self.len > self.most {
            self.len
        } else {
            self.most
        }
    }

    /// Notes how many events are active, if it is more than ever. To be called when some have become
    /// active, before one is taken out: not for each report.
    #[inline]
    pub(crate) const fn note_most(&mut self) {
        self.most = self.most();
    }

    pub(crate) const fn reset_most(&mut self) {
        self.most = self.len;
    }

    /// How many events are in the later queue. `O(n)` in them.
    pub(crate) fn later<T>(&self, events: &Slab<T>) -> usize {
        let first = Some(self.later.head).filter(|slot| *slot != NONE);
        iter::successors(first, |slot| {
            Some(events[*slot].next).filter(|next| *next != NONE)
        })
        .count()
    }

    #[inline]
    pub(crate) const fn is_later_empty(&self) -> bool {
        self.later.head == NONE
    }

    /// The most urgent level with an active event.
    #[inline]
    pub(crate) const fn most_urgent(&self) -> Level {
        self.most_urgent
    }

    /// The most urgent priority with an active event, of those that are less urgent than this.
    pub(crate) fn less_urgent_than(&self, priority: Priority) -> Option<Priority> {
        let first = priority.0.checked_add(1)?;
        let (word, bit) = (usize::from(first) / 64, first % 64);
        let rest = self.occupied[word] & (u64::MAX << bit);
        let words = [rest]
            .into_iter()
            .chain(self.occupied[word + 1..].iter().copied());
        let (word, bits) = (word..).zip(words).find(|(_, bits)| *bits != 0)?;
        Some(first_of(word, bits))
    }

    /// Makes an event active for one more reason: puts it at the end of its priority's queue, unless
    /// it is in that already.
    #[inline]
    pub(crate) fn activate<T>(&mut self, events: &mut Slab<T>, slot: u32, ready: Ready) {
        let event = &mut events[slot];
        event.ready |= ready;
        if event.state.intersects(State::QUEUED) {
            if event.state.contains(State::ACTIVE) {
                return;
            }
            self.unlink(events, slot);
        }
        self.push(events, slot);
    }

    /// Puts an event that is in no queue at the end of its priority's.
    #[inline]
    pub(crate) fn push<T>(&mut self, events: &mut Slab<T>, slot: u32) {
        let event = &mut events[slot];
        debug_assert!(!event.state.intersects(State::QUEUED));
        event.state.insert(State::ACTIVE);
        let priority = event.priority;
        if self.queues[usize::from(priority.0)].push(events, slot) {
            self.occupy(priority);
        }
        self.len += 1;
    }

    /// Puts an event that is in no queue at the end of the later queue.
    pub(crate) fn push_later<T>(&mut self, events: &mut Slab<T>, slot: u32) {
        debug_assert!(!events[slot].state.intersects(State::QUEUED));
        events[slot].state.insert(State::LATER);
        self.later.push(events, slot);
    }

    /// Takes an event out of the queue it is in, if it is in one.
    #[inline]
    pub(crate) fn unlink<T>(&mut self, events: &mut Slab<T>, slot: u32) {
        let state = events[slot].state;
        if state.contains(State::ACTIVE) {
            self.note_most();
            let priority = events[slot].priority;
            let queue = &mut self.queues[usize::from(priority.0)];
            queue.unlink(events, slot);
            self.len -= 1;
            if queue.head == NONE {
                self.vacate(priority);
            }
        } else if state.contains(State::LATER) {
            self.later.unlink(events, slot);
        }
        events[slot].state.remove(State::QUEUED);
    }

    /// The event that has been longest in the queue of this priority, which is not empty.
    #[inline]
    pub(crate) const fn first(&self, priority: Priority) -> u32 {
        self.queues[priority.0 as usize].head
    }

    /// The event whose payload is of use soon: mostly that which [`ActiveQueues::pop`] takes from the most urgent
    /// queue; `NONE` if no event is active.
    #[inline]
    pub(crate) fn upcoming(&self) -> u32 {
        // Of no level this makes one, whose queue is empty like all.
        let head = self.first(self.most_urgent.known_priority());
        self.ahead.payload(head)
    }

    /// Takes the event out that has been longest in the queue of this priority, which is not empty.
    #[inline]
    pub(crate) fn pop<'a, T>(
        &mut self,
        events: &'a mut Slab<T>,
        priority: Priority,
    ) -> (u32, &'a mut Event<T>) {
        let queue = &mut self.queues[usize::from(priority.0)];
        let slot = queue.head;
        queue.head = events[slot].next;
        self.len -= 1;
        if let Some(next) = events.at_or_none(queue.head) {
            // They lie in memory in no order. The next was asked for when this one was the next.
            events.prefetch(self.ahead.advance(next.next));
        } else {
            queue.tail = NONE;
            self.vacate(priority);
        }
        let event = &mut events[slot];
        event.state.remove(State::ACTIVE.union(State::CALLED));
        (slot, event)
    }

    /// The queue of this priority is not empty any more.
    #[inline]
    fn occupy(&mut self, priority: Priority) {
        let level = usize::from(priority.0);
        self.occupied[level / 64] |= 1 << (level % 64);
        self.most_urgent = self.most_urgent.min(priority.into());
    }

    /// The queue of this priority has become empty.
    #[inline]
    fn vacate(&mut self, priority: Priority) {
        let level = usize::from(priority.0);
        self.occupied[level / 64] &= !(1 << (level % 64));
        self.most_urgent = match self.len {
            0 => Level::NONE,
            _ => self.first_occupied(),
        };
    }

    fn first_occupied(&self) -> Level {
        let word = self.occupied.iter().position(|bits| *bits != 0);
        word.map_or(Level::NONE, |word| {
            first_of(word, self.occupied[word]).into()
        })
    }

    /// Moves what is in the later queue to the queues of the priorities, in order.
    #[inline]
    pub(crate) fn splice_later<T>(&mut self, events: &mut Slab<T>) {
        while self.later.head != NONE {
            let slot = self.later.head;
            self.unlink(events, slot);
            self.push(events, slot);
        }
    }

    /// Says what is wrong unless the queues hold exactly the events whose state says so, properly
    /// linked.
    pub(crate) fn verify<T>(&self, events: &Slab<T>) -> Result<(), String> {
        let mut active = 0;
        for (level, queue) in self.queues.iter().enumerate() {
            let occupied = self.occupied[level / 64] & 1 << (level % 64) != 0;
            ensure(occupied == (queue.head != NONE), || {
                format!("priority {level} has an active event, or is said to have, not both")
            })?;
            active += queue.verify(events, State::ACTIVE, |event| {
                usize::from(event.priority.0) == level
            })?;
        }
        ensure(self.most_urgent == self.first_occupied(), || {
            "another priority is said to be the most urgent".into()
        })?;
        let later = self.later.verify(events, State::LATER, |_| true)?;
        let queued = |state| {
            let is_queued = events
                .iter()
                .filter(|(_, event)| event.state.contains(state));
            is_queued.count()
        };
        ensure(
            active == self.len && active == queued(State::ACTIVE),
            || format!("{active} active events are in a queue"),
        )?;
        ensure(later == queued(State::LATER), || {
            format!("{later} events are in the later queue")
        })
    }
}

/// The most urgent priority of a word of [`ActiveQueues::occupied`] that is not 0.
fn first_of(word: usize, bits: u64) -> Priority {
    let level = word * 64 + bits.trailing_zeros() as usize;
    Priority(u8::try_from(level).expect("4 words of 64 bits"))
}
