//! Two wakers and a loop, in every order that the threads and the memory model allow.
//!
//! The file descriptor is a counter. It orders nothing, nor does the counter of the work, so what
//! the loop sees it sees by [`WakeState`] alone. A wakeup that is lost shows as a loop that waits
//! for ever, which loom reports.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::WakeState;

const WAKERS: usize = 2;

struct World {
    state: WakeState,
    /// How many wakers have done what they wake the loop for.
    work: AtomicUsize,
    /// The file descriptor: how often it was written to.
    writes: AtomicUsize,
}

impl World {
    fn new() -> Self {
        Self {
            state: WakeState::new(),
            work: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
        }
    }

    fn work_and_wake(&self) {
        self.work.fetch_add(1, Ordering::Relaxed);
        if self.state.wake() {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all work is found, and returns how often the loop has slept.
    fn run(&self) -> usize {
        let mut sleeps = 0;
        let mut reported = 0;
        loop {
            if self.state.sleep() {
                sleeps += 1;
                reported = self.block(reported);
            }
            // A loop that was not woken does not look for work.
            if self.state.awake() && self.work.load(Ordering::Relaxed) == WAKERS {
                return sleeps;
            }
        }
    }

    /// As an edge-triggered wait: until there are more writes than were reported before.
    fn block(&self, reported: usize) -> usize {
        loop {
            let writes = self.writes.load(Ordering::Relaxed);
            if writes > reported {
                return writes;
            }
            thread::yield_now();
        }
    }
}

/// Calls `check` with what is left of each run, and how often its loop has slept.
fn in_every_order(check: fn(&World, usize)) {
    loom::model(move || {
        let world = Arc::new(World::new());
        let wakers = [(); WAKERS].map(|()| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.work_and_wake())
        });
        let sleeps = world.run();
        for waker in wakers {
            waker.join().expect("a waker does not panic");
        }
        check(&world, sleeps);
    });
}

/// Of the last waker's work, too, the loop is told by that waker or by the other.
#[test]
fn no_wakeup_is_lost_and_no_work_missed() {
    in_every_order(|world, _| assert_eq!(world.work.load(Ordering::Relaxed), WAKERS));
}

#[test]
fn a_sleep_costs_one_write_at_most() {
    in_every_order(|world, sleeps| assert!(world.writes.load(Ordering::Relaxed) <= sleeps));
}

/// A loop that is told not to block has a wakeup to find.
#[test]
fn a_sleep_is_refused_for_a_wakeup_only() {
    loom::model(|| {
        let world = Arc::new(World::new());
        let waker = Arc::clone(&world);
        let waker = thread::spawn(move || waker.work_and_wake());
        if !world.state.sleep() {
            assert!(world.state.awake());
            assert_eq!(world.work.load(Ordering::Relaxed), 1);
        }
        waker.join().expect("a waker does not panic");
    });
}
