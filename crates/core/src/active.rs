//! The queues of active events: one for each priority, and the *later* queue.
//!
//! A queue is a list through the events themselves, so an event is taken out of the middle in
//! `O(1)` and nothing is allocated. A set of 256 bits tells which queues are not empty.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;

use evloop_changelist::Ready;

use crate::event::{Event, Priority, State};
use crate::slab::{NONE, Slab};
use crate::verify::ensure;

/// First in, first out.
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

    fn push<T>(&mut self, events: &mut Slab<Event<T>>, slot: u32) {
        let event = &mut events[slot];
        event.prev = self.tail;
        event.next = NONE;
        match self.tail {
            NONE => self.head = slot,
            tail => events[tail].next = slot,
        }
        self.tail = slot;
    }

    fn unlink<T>(&mut self, events: &mut Slab<Event<T>>, slot: u32) {
        let Event { prev, next, .. } = events[slot];
        match prev {
            NONE => self.head = next,
            prev => events[prev].next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => events[next].prev = prev,
        }
    }

    /// Says what is wrong unless its events are linked both ways, in this state, and such as `fits`;
    /// else how many there are.
    fn verify<T>(
        self,
        events: &Slab<Event<T>>,
        state: State,
        fits: impl Fn(&Event<T>) -> bool,
    ) -> Result<usize, String> {
        let (mut before, mut slot, mut len) = (NONE, self.head, 0);
        while slot != NONE {
            let event = events.at(slot).ok_or("a freed event is active")?;
            ensure(event.state & State::QUEUED == state && fits(event), || {
                format!("event {slot} is in the wrong queue")
            })?;
            // So it does not come round either: nothing but the head follows nothing.
            ensure(event.prev == before, || {
                format!("event {slot} does not know the one before it in its queue")
            })?;
            (before, slot, len) = (slot, event.next, len + 1);
        }
        ensure(self.tail == before, || {
            format!("event {before} is last in its queue, and not its tail")
        })?;
        Ok(len)
    }
}

/// Active events by priority. Every operation is `O(1)`.
#[derive(Debug)]
pub(crate) struct ActiveQueues {
    queues: Box<[Queue]>,
    /// Bit `p % 64` of word `p / 64`: the queue of priority `p` is not empty.
    occupied: [u64; LEVELS / 64],
    later: Queue,
    len: usize,
    /// The greatest `len` there was.
    most: usize,
}

/// One for each value of a [`Priority`].
const LEVELS: usize = 256;

impl ActiveQueues {
    pub(crate) fn new() -> Self {
        Self {
            queues: vec![Queue::EMPTY; LEVELS].into_boxed_slice(),
            occupied: [0; LEVELS / 64],
            later: Queue::EMPTY,
            len: 0,
            most: 0,
        }
    }

    /// How many events are in the queues of the priorities; those in the later queue not counted.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The greatest [`ActiveQueues::len`] since [`ActiveQueues::reset_most`].
    pub(crate) const fn most(&self) -> usize {
        self.most
    }

    pub(crate) const fn reset_most(&mut self) {
        self.most = self.len;
    }

    pub(crate) const fn is_later_empty(&self) -> bool {
        self.later.head == NONE
    }

    /// The most urgent priority with an active event.
    pub(crate) fn most_urgent(&self) -> Option<Priority> {
        let word = self.occupied.iter().position(|bits| *bits != 0)?;
        let bit = self.occupied[word].trailing_zeros();
        let level = word * 64 + bit as usize;
        Some(Priority(u8::try_from(level).expect("4 words of 64 bits")))
    }

    /// The event that has been longest in the queue of this priority.
    pub(crate) fn first(&self, priority: Priority) -> Option<u32> {
        Some(self.queues[usize::from(priority.0)].head).filter(|slot| *slot != NONE)
    }

    /// Makes an event active for one more reason: puts it at the end of its priority's queue, unless
    /// it is in that already.
    pub(crate) fn activate<T>(&mut self, events: &mut Slab<Event<T>>, slot: u32, ready: Ready) {
        let event = &mut events[slot];
        event.ready |= ready;
        if event.state.contains(State::ACTIVE) {
            return;
        }
        if event.state.contains(State::LATER) {
            self.unlink(events, slot);
        }
        self.push(events, slot);
    }

    /// Puts an event that is in no queue at the end of its priority's.
    pub(crate) fn push<T>(&mut self, events: &mut Slab<Event<T>>, slot: u32) {
        let event = &mut events[slot];
        debug_assert!(!event.state.intersects(State::QUEUED));
        event.state.insert(State::ACTIVE);
        let level = usize::from(event.spec.priority.0);
        self.queues[level].push(events, slot);
        self.occupied[level / 64] |= 1 << (level % 64);
        self.len += 1;
        self.most = self.most.max(self.len);
    }

    /// Puts an event that is in no queue at the end of the later queue.
    pub(crate) fn push_later<T>(&mut self, events: &mut Slab<Event<T>>, slot: u32) {
        debug_assert!(!events[slot].state.intersects(State::QUEUED));
        events[slot].state.insert(State::LATER);
        self.later.push(events, slot);
    }

    /// Takes an event out of the queue it is in, if it is in one.
    pub(crate) fn unlink<T>(&mut self, events: &mut Slab<Event<T>>, slot: u32) {
        let state = events[slot].state;
        if state.contains(State::ACTIVE) {
            let level = usize::from(events[slot].spec.priority.0);
            self.queues[level].unlink(events, slot);
            if self.queues[level].head == NONE {
                self.occupied[level / 64] &= !(1 << (level % 64));
            }
            self.len -= 1;
        } else if state.contains(State::LATER) {
            self.later.unlink(events, slot);
        }
        events[slot].state.remove(State::QUEUED);
    }

    /// Moves what is in the later queue to the queues of the priorities, in order.
    pub(crate) fn splice_later<T>(&mut self, events: &mut Slab<Event<T>>) {
        while self.later.head != NONE {
            let slot = self.later.head;
            self.unlink(events, slot);
            self.push(events, slot);
        }
    }

    /// Says what is wrong unless the queues hold exactly the events whose state says so, properly
    /// linked.
    pub(crate) fn verify<T>(&self, events: &Slab<Event<T>>) -> Result<(), String> {
        let mut active = 0;
        for (level, queue) in self.queues.iter().enumerate() {
            let occupied = self.occupied[level / 64] & 1 << (level % 64) != 0;
            ensure(occupied == (queue.head != NONE), || {
                format!("priority {level} has an active event, or is said to have, not both")
            })?;
            active += queue.verify(events, State::ACTIVE, |event| {
                usize::from(event.spec.priority.0) == level
            })?;
        }
        let later = self.later.verify(events, State::LATER, |_| true)?;
        let queued = |state| {
            let is_queued = events
                .iter()
                .filter(|(_, event)| event.state.contains(state));
            is_queued.count()
        };
        let is_counted = active == self.len && active <= self.most;
        ensure(is_counted && active == queued(State::ACTIVE), || {
            format!("{active} active events are in a queue")
        })?;
        ensure(later == queued(State::LATER), || {
            format!("{later} events are in the later queue")
        })
    }
}
