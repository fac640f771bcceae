//! The map itself: for each signal its events in order.
//!
//! The lists are made when their signal is first seen, and kept when they become empty: an event
//! that is inserted and removed again and again costs no allocation after the first.

use alloc::vec::Vec;

use crate::{Signal, SignalSet};

/// Which events wait for which signal.
///
/// `E` is what the owner calls its events by: a slot, an id, a file descriptor.
///
/// # Order
///
/// The events of one signal stand in the order of their insertion. An event that was removed and
/// comes again goes to the end.
///
/// # Compared with libevent
///
/// The signal half of `evmap`, which keeps the newest event first.
#[derive(Clone, Debug)]
pub struct SignalMap<E> {
    /// By [`Signal::index`]; as long as the greatest signal ever inserted needs.
    lists: Vec<Vec<E>>,
    /// The signals with an event.
    watched: SignalSet,
}

impl<E> SignalMap<E> {
    /// A map without events. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            lists: Vec::new(),
            watched: SignalSet::new(),
        }
    }

    /// The events of a signal, in the order of their insertion. `O(1)`.
    #[must_use]
    pub fn events(&self, signal: Signal) -> &[E] {
        self.lists.get(signal.index()).map_or(&[], Vec::as_slice)
    }

    /// Whether a signal has an event, so that its handler is wanted. `O(1)`.
    #[must_use]
    pub const fn is_watched(&self, signal: Signal) -> bool {
        self.watched.contains(signal)
    }

    /// The signals that have an event. `O(1)`.
    #[must_use]
    pub const fn signals(&self) -> SignalSet {
        self.watched
    }

    /// The number of events, one that waits for two signals counted twice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lists.iter().map(Vec::len).sum()
    }

    /// Whether there are no events. `O(1)`.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }
}

impl<E: Copy + Eq> SignalMap<E> {
    /// Puts an event behind the other events of a signal. `O(k)` in their number.
    ///
    /// An event is there once: to insert it again changes nothing.
    #[must_use = "at the first event of a signal its handler has to be installed"]
    pub fn insert(&mut self, signal: Signal, event: E) -> Inserted {
        if self.lists.len() <= signal.index() {
            self.lists.resize_with(signal.index() + 1, Vec::new);
        }
        let list = &mut self.lists[signal.index()];
        if list.contains(&event) {
            return Inserted::Already;
        }
        list.push(event);
        if self.watched.insert(signal) {
            Inserted::First
        } else {
            Inserted::Another
        }
    }

    /// Takes an event from a signal; the others keep their order. `O(k)` in their number.
    #[must_use = "at the last event of a signal its handler has to be taken away"]
    pub fn remove(&mut self, signal: Signal, event: E) -> Removed {
        let Some(list) = self.lists.get_mut(signal.index()) else {
            return Removed::Absent;
        };
        let Some(position) = list.iter().position(|other| *other == event) else {
            return Removed::Absent;
        };
        list.remove(position);
        if list.is_empty() {
            self.watched.remove(signal);
            Removed::Last
        } else {
            Removed::Others
        }
    }

    /// Checks what must always hold of the map; for tests. `O(n * k)`.
    ///
    /// # Panics
    ///
    /// If an event is twice in the list of a signal, or if the signals that are said to be watched
    /// are not those with an event: a defect of this crate.
    pub fn check_invariants(&self) {
        let mut with_event = 0;
        for (index, list) in self.lists.iter().enumerate() {
            with_event |= u64::from(!list.is_empty()) << index;
            for (position, event) in list.iter().enumerate() {
                assert!(!list[..position].contains(event), "an event is there once");
            }
        }
        assert_eq!(
            self.watched.bits(),
            with_event,
            "watched means: has an event"
        );
    }
}

impl<E> Default for SignalMap<E> {
    fn default() -> Self {
        Self::new()
    }
}

/// What an event that was inserted means for the handler of its signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The first event of the signal: a handler is wanted from now on.
    First,
    /// There are others: the handler is there.
    Another,
    /// The event was there before; nothing has changed.
    Already,
}

/// What an event that was removed means for the handler of its signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It was the last event of the signal: no handler is wanted any longer.
    Last,
    /// There are others: the handler stays.
    Others,
    /// The event was not there; nothing has changed.
    Absent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_becomes_empty_keeps_its_memory() {
        let mut map = SignalMap::new();
        let list = |map: &SignalMap<u8>| {
            let list = &map.lists[Signal::INT.index()];
            (list.as_ptr(), list.capacity())
        };
        assert_eq!(map.insert(Signal::INT, 1), Inserted::First);
        let before = list(&map);
        assert_eq!(map.remove(Signal::INT, 1), Removed::Last);
        assert_eq!(map.insert(Signal::INT, 2), Inserted::First);
        assert_eq!(list(&map), before);
    }
}
