//! What the interest table knows of one file descriptor, and the list of its events.

use bitflags::bitflags;
use evloop_changelist::{Interest, Trigger};

use crate::event::{Event, State};
use crate::slab::{NONE, Slab};

/// One file descriptor: 12 bytes.
#[derive(Clone, Debug)]
pub(super) struct FdEntry {
    /// Its pending events with an interest, in the order in which they were added: a list through
    /// the events.
    pub(super) head: u32,
    /// How often the number was registered.
    pub(super) generation: u32,
    /// What the kernel holds. Empty: the file descriptor is not in the kernel's interest set.
    pub(super) held: Interest,
    pub(super) state: FdState,
}

bitflags! {
    /// What is true of a file descriptor. Nothing of this is, for most.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct FdState: u8 {
        /// The kernel reports edges.
        const HELD_EDGE = 1;
        /// Its events, which are all of one kind, ask for edges.
        const EDGE = 2;
        /// Its file may be closed, and its number used again, at any time.
        const BORROWED = 4;
        /// Nobody wants what the kernel holds, and it reported something: it must be told now.
        const QUENCH = 8;
        /// There is a change that the kernel was not told yet.
        const CHANGED = 16;
    }
}

// What the documentation of the crate says.
const _: () = assert!(size_of::<FdEntry>() == 12);

impl FdEntry {
    pub(super) const NEW: Self = Self {
        head: NONE,
        generation: 0,
        held: Interest::empty(),
        state: FdState::empty(),
    };

    /// Of its events.
    pub(super) const fn trigger(&self) -> Trigger {
        trigger(self.state, FdState::EDGE)
    }

    /// How the kernel reports it.
    pub(super) const fn held_trigger(&self) -> Trigger {
        trigger(self.state, FdState::HELD_EDGE)
    }

    pub(super) fn set_trigger(&mut self, which: FdState, trigger: Trigger) {
        self.state.set(which, trigger == Trigger::Edge);
    }

    /// Its events, from the first that was added on.
    pub(super) fn events<'a, T>(
        &self,
        events: &'a Slab<T>,
    ) -> impl Iterator<Item = (u32, &'a Event<T>)> {
        let mut slot = self.head;
        core::iter::from_fn(move || {
            let listed = (slot, events.at_or_none(slot)?);
            slot = listed.1.next_on_fd();
            Some(listed)
        })
    }

    /// Whether a last delete stays in the kernel: it may well be followed by an add, and if it is
    /// not, the first report takes it back ([`FdMap::quench`](super::FdMap::quench)). Not so for writing: a file is nearly
    /// always ready for it, and would be reported at once.
    pub(super) const fn is_kept(&self) -> bool {
        !self.state.contains(FdState::QUENCH) && !self.held.contains(Interest::WRITE)
    }

    /// What its events ask for.
    #[inline]
    pub(super) fn wanted<T>(&self, events: &Slab<T>) -> Interest {
        if self.head == NONE {
            return Interest::empty();
        }
        let first = &events[self.head];
        if first.next_on_fd() == NONE {
            return first.interest();
        }
        self.events(events)
            .map(|(_, event)| event.interest())
            .collect()
    }

    /// Puts an event behind the others.
    #[inline]
    pub(super) fn push<T>(&mut self, events: &mut Slab<T>, slot: u32) {
        let event = &mut events[slot];
        event.set_next_on_fd(NONE);
        event.state.insert(State::LISTED);
        if self.head == NONE {
            self.head = slot;
            return;
        }
        let last = last_before(self.head, NONE, events);
        events[last].set_next_on_fd(slot);
    }

    /// Takes an event out that is one of its own.
    #[inline]
    pub(super) fn unlink<T>(&mut self, events: &mut Slab<T>, slot: u32) {
        let event = &mut events[slot];
        event.state.remove(State::LISTED);
        let next = event.next_on_fd();
        if self.head == slot {
            self.head = next;
            return;
        }
        let before = last_before(self.head, slot, events);
        events[before].set_next_on_fd(next);
    }
}

/// The last event of a list before that at `end`, where the list begins at `head`.
fn last_before<T>(head: u32, end: u32, events: &Slab<T>) -> u32 {
    let mut before = head;
    loop {
        match events[before].next_on_fd() {
            next if next == end => return before,
            next => before = next,
        }
    }
}

const fn trigger(state: FdState, edge: FdState) -> Trigger {
    if state.contains(edge) {
        Trigger::Edge
    } else {
        Trigger::Level
    }
}
