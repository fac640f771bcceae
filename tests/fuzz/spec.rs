//! What is expected of every event, small enough to be read as the specification of their life.
//!
//! - A callback runs if its event is pending or was made active by hand, and not after it was deleted,
//!   removed or is over.
//! - It is told something that it can have been told: what it asks for, hang-up and error, the end
//!   of its timeout, a signal, what was activated by hand.
//! - A one-shot is over when its callback is, unless it was added again, or activated, or is kept.
//! - What an event owns is dropped when the event is freed, and only then, once; if its callback runs,
//!   when that is over.

use std::cell::Cell;
use std::rc::Rc;

use evloop::{EventId, EventLoop, Interest, Ready};

#[derive(Debug, Default)]
pub(crate) struct Spec {
    pub(crate) events: Vec<Expected>,
    /// The event whose callback runs.
    pub(crate) running: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) id: EventId,
    pub(crate) asks: Ready,
    /// What it asked for when something may have happened that it is not told of yet.
    asked: Ready,
    pub(crate) is_io: bool,
    is_persistent: bool,
    is_kept: bool,
    is_alive: bool,
    is_pending: bool,
    /// Activated by hand, and not called since: what it is to be told.
    by_hand: Option<Ready>,
    /// How often what its callback owns was dropped.
    drops: Rc<Cell<u32>>,
}

/// What a callback owns.
#[derive(Debug)]
pub(crate) struct Owned(Rc<Cell<u32>>);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Something to be owned, and how often it was dropped.
pub(crate) fn owned() -> (Owned, Rc<Cell<u32>>) {
    let drops = Rc::new(Cell::new(0));
    (Owned(Rc::clone(&drops)), drops)
}

impl Spec {
    /// An event was made and added.
    pub(crate) fn made(
        &mut self,
        id: EventId,
        asks: Ready,
        is_io: bool,
        [is_persistent, is_kept]: [bool; 2],
        drops: Rc<Cell<u32>>,
    ) {
        self.events.push(Expected {
            id,
            asks,
            asked: Ready::empty(),
            is_io,
            is_persistent,
            is_kept,
            is_alive: true,
            is_pending: true,
            by_hand: None,
            drops,
        });
    }

    pub(crate) fn is_alive(&self, n: usize) -> bool {
        self.events[n].is_alive
    }

    pub(crate) fn added(&mut self, n: usize) {
        self.events[n].is_pending = true;
    }

    pub(crate) fn asks(&mut self, n: usize, interest: Interest) {
        let event = &mut self.events[n];
        if event.is_io {
            event.asked |= event.asks;
            event.asks = asked(interest) | event.asks & Ready::TIMEOUT;
        }
    }

    pub(crate) fn asks_for_timeout(&mut self, n: usize) {
        // Also when it is taken away again: it may have run out before.
        self.events[n].asks |= Ready::TIMEOUT;
    }

    pub(crate) fn activated(&mut self, n: usize, ready: Ready) {
        *self.events[n].by_hand.get_or_insert_default() |= ready;
    }

    pub(crate) fn deleted(&mut self, n: usize) {
        let event = &mut self.events[n];
        event.is_pending = false;
        event.by_hand = None;
    }

    pub(crate) fn removed(&mut self, n: usize) {
        self.deleted(n);
        self.events[n].is_alive = false;
    }

    /// The callback of event `n` begins.
    pub(crate) fn runs(&mut self, n: usize, ready: Ready) {
        assert_eq!(self.running.replace(n), None, "callbacks run one by one");
        let event = &mut self.events[n];
        assert!(event.is_alive, "the callback of event {n}, which was freed");
        let may_run = event.is_pending || event.by_hand.is_some();
        assert!(may_run, "event {n} runs, and is not even pending");
        let by_hand = event.by_hand.take().unwrap_or_default();
        let told = event.asks | event.asked | by_hand | Ready::ALWAYS;
        assert!(
            told.contains(ready),
            "event {n} is told {ready:?} of {told:?}"
        );
        assert!(ready.contains(by_hand), "event {n} is told {ready:?} only");
        event.asked = Ready::empty();
        event.is_pending &= event.is_persistent;
    }

    /// It ends, also by a panic.
    pub(crate) fn ran(&mut self, n: usize) {
        self.running = None;
        let event = &mut self.events[n];
        let lives_on = event.is_persistent || event.is_kept || event.is_pending;
        event.is_alive &= lives_on || event.by_hand.is_some();
    }

    /// Panics unless the loop says of every event what is expected.
    pub(crate) fn check<S>(&self, events: &EventLoop<S>) {
        for (n, expected) in self.events.iter().enumerate() {
            let info = events.info(expected.id);
            assert_eq!(info.is_some(), expected.is_alive, "event {n} is there");
            let is_pending = info.as_ref().is_some_and(|info| info.pending);
            assert_eq!(is_pending, expected.is_pending, "event {n} is pending");
            let is_active = info.is_some_and(|info| info.active.is_some());
            let is_lost = expected.by_hand.is_some() && !is_active;
            assert!(!is_lost, "event {n} was activated, and is not active");
            let drops = u32::from(!expected.is_alive && self.running != Some(n));
            assert_eq!(expected.drops.get(), drops, "drops of what event {n} owns");
        }
    }
}

/// What an interest asks to be told.
pub(crate) fn asked(interest: Interest) -> Ready {
    let kinds = [
        (Interest::READ, Ready::READ),
        (Interest::WRITE, Ready::WRITE),
        (Interest::CLOSED, Ready::CLOSED),
    ];
    let asked = kinds.iter().filter(|(kind, _)| interest.contains(*kind));
    asked.map(|(_, ready)| *ready).collect()
}
