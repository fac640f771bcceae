//! Visitors and an owner who opens and closes, in every order that the threads and the memory model
//! allow.
//!
//! What lies behind the gate is relaxed and orders nothing, so what one of them sees of the other it
//! sees by the [`Gate`] alone.

use std::sync::Arc;

use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::*;

struct World {
    gate: Gate,
    /// What the owner puts in its place, and takes away.
    is_furnished: AtomicBool,
    /// How many visits are over.
    visits: AtomicUsize,
}

impl World {
    fn new() -> Self {
        Self {
            gate: Gate::new(),
            is_furnished: AtomicBool::new(false),
            visits: AtomicUsize::new(0),
        }
    }

    fn visit(&self) {
        if let Some(_visit) = self.gate.enter() {
            for _ in ["when it enters", "when it leaves"] {
                assert!(self.is_furnished.load(Ordering::Relaxed), "it is bare");
            }
            self.visits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lets visitors in for a while, and returns how many have been there by the end of it.
    fn open_and_close(&self) -> usize {
        self.is_furnished.store(true, Ordering::Relaxed);
        self.gate.open();
        self.gate.close();
        let visits = self.visits.load(Ordering::Relaxed);
        self.is_furnished.store(false, Ordering::Relaxed);
        visits
    }
}

/// Lets this many visitors come while `own` does what an owner does, and checks that nobody was
/// there but those that it has seen.
fn with_visitors(visitors: usize, own: fn(&World) -> usize) {
    loom::model(move || {
        let world = Arc::new(World::new());
        let visitors: Vec<_> = (0..visitors)
            .map(|_| {
                let world = Arc::clone(&world);
                thread::spawn(move || world.visit())
            })
            .collect();
        let seen = own(&world);
        for visitor in visitors {
            visitor.join().expect("a visitor does not panic");
        }
        assert_eq!(world.visits.load(Ordering::Relaxed), seen);
    });
}

#[test]
fn visitors_find_what_was_put_there_and_are_gone_when_the_gate_is_closed() {
    with_visitors(2, World::open_and_close);
}

/// Who saw it open the first time may enter the second time.
#[test]
fn a_gate_that_is_opened_again_is_as_new() {
    with_visitors(1, |world| {
        world.open_and_close();
        world.open_and_close()
    });
}
