//! Handlers, the loop that takes, and the end of a claim, in every order that the threads and the
//! memory model allow.

use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

use super::*;

/// Counts how often it was rung, and must not go while it is rung.
#[derive(Debug)]
struct Witness {
    /// As a waker does, it tells what was done before it was rung.
    rung: AtomicUsize,
    /// loom complains if this is written while it is read, or if nothing says which came first.
    lives: UnsafeCell<bool>,
}

impl Witness {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            rung: AtomicUsize::new(0),
            lives: UnsafeCell::new(true),
        })
    }
}

// SAFETY: the cell is read by handlers and written by who drops the bell, which must exclude each
// other: that is what is tested.
unsafe impl Sync for Witness {}

impl Bell for Witness {
    fn ring(&self) {
        // SAFETY: as above.
        self.lives.with(|lives| assert!(unsafe { *lives }));
        self.rung.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // SAFETY: as above.
        self.lives.with_mut(|lives| unsafe { *lives = false });
    }
}

/// The slots of a process: they live for ever, as far as a model is concerned.
fn slot() -> Arc<Slot<Witness>> {
    Arc::new(Slot::new())
}

/// A thread in which the handler runs for SIGINT, and the kernel says these, one after the other.
fn handling<const N: usize>(slot: &Arc<Slot<Witness>>, said: [u64; N]) -> thread::JoinHandle<()> {
    let slot = Arc::clone(slot);
    thread::spawn(move || {
        said.into_iter()
            .for_each(|said| slot.record(Signal::INT, [said; 3]));
    })
}

/// Takes each time that the bell was rung, until so many runs were taken; what was said each time.
///
/// If the last run is told of without a ring it waits for ever, which loom reports.
fn take_all(claim: &Claim<'_, Witness>, runs: u64) -> Vec<(u64, u64)> {
    let mut taken = Vec::new();
    let mut seen = 0;
    let mut heard = 0;
    while seen < runs {
        let rung = claim.bell.rung.load(Ordering::Acquire);
        if rung == heard {
            thread::yield_now();
            continue;
        }
        heard = rung;
        claim.take(|_, runs, said| {
            assert_eq!(said, [said[0]; 3], "a mixture");
            seen += runs;
            taken.push((seen, said[0]));
        });
    }
    assert_eq!(seen, runs);
    taken
}

fn join<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
    for thread in threads {
        thread.join().expect("no thread panics");
    }
}

/// What belongs to the claim is there for whoever finds the signal watched.
#[test]
fn a_handler_that_comes_with_the_claim_rings_its_bell_or_none() {
    loom::model(|| {
        let slot = slot();
        let threads = [handling(&slot, [1])];
        let claim = Claim::new(&slot, Witness::new()).expect("nobody else has it");
        claim.watch(Signal::INT);
        join(threads);
        let rung = claim.bell.rung.load(Ordering::Relaxed);
        assert_eq!(
            take_all(&claim, rung.try_into().expect("1 at most")).len(),
            rung
        );
    });
}

/// One of the two handlers interrupts the loop itself.
#[test]
fn runs_in_two_threads_are_both_taken_with_what_one_of_them_said() {
    loom::model(|| {
        let slot = slot();
        let claim = Claim::new(&slot, Witness::new()).expect("nobody else has it");
        claim.watch(Signal::INT);
        let threads = [handling(&slot, [1])];
        slot.record(Signal::INT, [2; 3]);
        for (_, said) in take_all(&claim, 2) {
            assert!([1, 2].contains(&said));
        }
        join(threads);
    });
}

/// In one thread there is an order: what is taken with the second run is what was said second.
#[test]
fn what_is_taken_is_not_older_than_the_last_run_counted() {
    loom::model(|| {
        let slot = slot();
        let claim = Claim::new(&slot, Witness::new()).expect("nobody else has it");
        claim.watch(Signal::INT);
        let threads = [handling(&slot, [1, 2])];
        for (seen, said) in take_all(&claim, 2) {
            assert!(said >= seen);
        }
        join(threads);
    });
}

/// A take that was rung for by another one finds a signal whose handler has not rung yet.
#[test]
fn a_take_that_another_signal_has_rung_for_loses_no_run() {
    loom::model(|| {
        let slot = slot();
        let claim = Claim::new(&slot, Witness::new()).expect("nobody else has it");
        claim.watch(Signal::INT);
        claim.watch(Signal::TERM);
        let threads = [handling(&slot, [1])];
        slot.record(Signal::TERM, [2; 3]);
        take_all(&claim, 2);
        join(threads);
    });
}

/// And the next watch knows nothing of what was before.
#[test]
fn nothing_of_a_claim_is_used_when_it_is_gone() {
    loom::model(|| {
        let slot = slot();
        let claim = Claim::new(&slot, Witness::new()).expect("nobody else has it");
        claim.watch(Signal::INT);
        let threads = [handling(&slot, [1])];
        drop(claim);
        let claim = Claim::new(&slot, Witness::new()).expect("nobody has it any more");
        claim.take(|_, _, _| panic!("it watches nothing"));
        join(threads);
        claim.watch(Signal::INT);
        claim.take(|_, _, _| panic!("nothing came since"));
        slot.record(Signal::INT, [2; 3]);
        assert_eq!(take_all(&claim, 1), [(1, 2)]);
    });
}

/// The bell before goes while handlers come.
#[test]
fn a_bell_that_was_replaced_is_not_rung_any_more() {
    loom::model(|| {
        let slot = slot();
        let mut claim = Claim::new(&slot, Witness::new()).expect("nobody else has it");
        claim.watch(Signal::INT);
        let threads = [handling(&slot, [1, 2])];
        claim.replace_bell(Witness::new());
        join(threads);
        let mut taken = 0;
        claim.take(|_, runs, _| taken += runs);
        assert_eq!(taken, 2);
        slot.record(Signal::INT, [3; 3]);
        assert!((1..=3).contains(&claim.bell.rung.load(Ordering::Relaxed)));
    });
}

#[test]
fn who_claims_next_in_another_thread_finds_nothing_of_it() {
    loom::model(|| {
        let slot = slot();
        let before = Arc::clone(&slot);
        let before = thread::spawn(move || {
            let Ok(claim) = Claim::new(&before, Witness::new()) else {
                return;
            };
            claim.watch(Signal::INT);
            before.record(Signal::INT, [1; 3]);
        });
        if let Ok(claim) = Claim::new(&slot, Witness::new()) {
            assert!(claim.watched().is_empty());
            claim.take(|_, _, _| panic!("it watches nothing"));
        }
        join([before]);
    });
}
