//! A gate that handlers pass, and that can be closed behind the last of them.
//!
//! Who owns what lies behind the gate opens it when all is in its place, and closes it before he
//! takes anything away. [`Gate::close`] returns when the last handler has left, and lets no other
//! in; a handler never waits.
//!
//! One atomic holds both the bit *open* and the number of visitors, so that a handler enters and
//! learns whether it may in one step, and all steps of all threads stand in one order (the atomic's
//! modification order). Take a handler that enters. Either it came before the close in that order:
//! then the close counts it as a visitor, and waits. Or it came after: then it finds the gate
//! closed, and turns around.
//!
//! The memory orders are as weak as that allows; with any weaker one the tests under loom fail.
//! `open` releases and `enter` acquires: the visitor sees what was put in its place. `leave`
//! releases and `close` acquires: the owner sees what the visitors did, and what he takes away is
//! taken after it. Steps of other visitors in between hide nothing, because a read-modify-write
//! carries on the release sequence of the one before.

use crate::sync::{AtomicUsize, Ordering, wait};

/// The gate is open.
const OPEN: usize = 1;
/// One visitor; all bits but the lowest count them.
const VISITOR: usize = 2;

#[derive(Debug)]
pub(crate) struct Gate(AtomicUsize);

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(crate) fn open(&self) {
        self.0.fetch_or(OPEN, Ordering::Release);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed) & OPEN != 0
    }

    /// Lets a handler in, for as long as it keeps what is returned. None: the gate is closed.
    ///
    /// Async-signal-safe, and wait-free.
    pub(crate) fn enter(&self) -> Option<Visit<'_>> {
        // Who comes late does not even count as a visitor, so a storm of signals cannot hold up a
        // close. A signal that was sent after the gate was opened finds it open: the two are
        // ordered in one thread, or else by the kernel, through which the signal went.
        if self.is_open() { self.arrive() } else { None }
    }

    /// Counts as a visitor, and stays one if the gate is open.
    fn arrive(&self) -> Option<Visit<'_>> {
        let before = self.0.fetch_add(VISITOR, Ordering::Acquire);
        let visit = Visit(self);
        (before & OPEN != 0).then_some(visit)
    }

    /// Lets nobody in any more, and returns when the last visitor has left.
    ///
    /// It cannot wait for its own thread: a handler that interrupts it runs to its end before this
    /// goes on, and no handler ever closes a gate.
    pub(crate) fn close(&self) {
        self.wait_for_visitors(self.0.fetch_and(!OPEN, Ordering::Acquire));
    }

    /// Returns when all have left who came before; those who come from now on see what the owner has put in its
    /// place. The gate, which is open, stays so.
    ///
    /// As [`Gate::close`] it cannot wait for its own thread. While others come and go it may find somebody inside
    /// each time that it looks, but not for long.
    pub(crate) fn turn_over(&self) {
        // Releases as `open` does to those who come after it, and acquires as `close` does of those before.
        self.wait_for_visitors(self.0.fetch_or(OPEN, Ordering::AcqRel));
    }

    fn wait_for_visitors(&self, mut state: usize) {
        for round in 0.. {
            if state < VISITOR {
                return;
            }
            wait(round);
            state = self.0.load(Ordering::Acquire);
        }
    }

    /// Forgets the visitors, without a wait: for a forked child, in which the threads that they
    /// were in do not exist.
    pub(crate) fn forget_visitors(&self) {
        self.0.fetch_and(OPEN, Ordering::Relaxed);
    }
}

/// A handler that is behind the [`Gate`]; it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Visit<'a>(&'a Gate);

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(VISITOR, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod interleavings;

#[cfg(test)]
mod tests {
    use std::mem::ManuallyDrop;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    #[test]
    fn an_open_gate_lets_in_and_a_closed_one_does_not() {
        let gate = Gate::new();
        assert!(gate.enter().is_none());
        gate.open();
        assert!(gate.enter().is_some());
        gate.close();
        assert!(gate.enter().is_none());
    }

    /// The gate was closed after the handler had seen it open.
    #[test]
    fn who_arrives_too_late_turns_around() {
        let gate = Gate::new();
        assert!(gate.arrive().is_none());
        gate.close();
    }

    #[test]
    fn a_gate_can_be_opened_again() {
        let gate = Gate::new();
        for _ in 0..3 {
            gate.open();
            assert!(gate.is_open());
            drop((gate.enter().unwrap(), gate.enter().unwrap()));
            gate.close();
            assert!(!gate.is_open());
        }
    }

    #[test]
    fn who_was_inside_has_left_when_the_gate_has_turned_over() {
        let gate = Gate::new();
        gate.open();
        let [has_begun, has_left] = [(); 2].map(|()| AtomicBool::new(false));
        thread::scope(|scope| {
            let visit = gate.enter().unwrap();
            scope.spawn(|| {
                has_begun.store(true, Ordering::Relaxed);
                gate.turn_over();
                assert!(has_left.load(Ordering::Relaxed) && gate.is_open());
            });
            // Time enough for one that does not wait.
            while !has_begun.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            (0..100).for_each(|_| thread::yield_now());
            has_left.store(true, Ordering::Relaxed);
            drop(visit);
        });
    }

    /// As it stands in a child that was forked off while a handler was at work.
    #[test]
    fn a_gate_whose_visitors_are_forgotten_closes_at_once() {
        let gate = Gate::new();
        gate.open();
        _ = ManuallyDrop::new(gate.enter().unwrap());
        gate.forget_visitors();
        assert!(gate.is_open());
        gate.close();
    }
}
