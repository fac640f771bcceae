//! The slot with a bell of the tests' own, without a signal.

use std::sync::atomic::AtomicUsize;
use std::thread;

use super::*;

/// Counts how often it was rung.
#[derive(Debug, Default)]
struct Counter(AtomicUsize);

impl Bell for Counter {
    fn ring(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn taken<B: Bell>(claim: &Claim<'_, B>) -> Vec<(Signal, u64)> {
    let mut taken = Vec::new();
    claim.take(|signal, runs| taken.push((signal, runs)));
    taken
}

fn rung(claim: &Claim<'_, Counter>) -> usize {
    claim._bell.0.load(Ordering::Relaxed)
}

#[test]
fn a_run_is_counted_and_rung_for_only_while_its_signal_is_watched() {
    let slot = Slot::new();
    let claim = Claim::new(&slot, Arc::new(Counter::default())).unwrap();
    slot.record(Signal::INT);
    claim.watch(Signal::INT);
    slot.record(Signal::INT);
    slot.record(Signal::TERM);
    slot.record(Signal::INT);
    assert_eq!((rung(&claim), taken(&claim)), (2, vec![(Signal::INT, 2)]));
    claim.unwatch(Signal::INT);
    slot.record(Signal::INT);
    assert_eq!((rung(&claim), taken(&claim)), (2, vec![]));
}

/// As a handler does that interrupts the take in between its two steps.
#[test]
fn a_bit_without_a_count_is_passed_over() {
    let slot = Slot::new();
    let claim = Claim::new(&slot, Arc::new(Counter::default())).unwrap();
    slot.pending.fetch_or(Signal::INT.bit(), Ordering::Relaxed);
    assert_eq!(taken(&claim), []);
    assert_eq!(slot.pending.load(Ordering::Relaxed), 0);
}

/// Whatever the two threads do at the same time, no count stays behind without its bit, so that it
/// would only be taken when the signal comes again.
#[test]
fn a_run_is_taken_without_another_one() {
    const ROUNDS: u64 = 20_000;
    let slot = Slot::new();
    let claim = Claim::new(&slot, Arc::new(Counter::default())).unwrap();
    claim.watch(Signal::INT);
    let (takes, seen) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        let handlers = scope.spawn(|| {
            for round in 1..=ROUNDS {
                slot.record(Signal::INT);
                slot.record(Signal::INT);
                let before = takes.load(Ordering::Relaxed);
                loop {
                    let since = takes.load(Ordering::Acquire) - before;
                    if seen.load(Ordering::Relaxed) == 2 * round {
                        break;
                    }
                    assert!(since < 100, "it was not taken");
                }
            }
        });
        while !handlers.is_finished() {
            claim.take(|_, runs| _ = seen.fetch_add(runs, Ordering::Relaxed));
            takes.fetch_add(1, Ordering::Release);
        }
    });
    assert_eq!(seen.into_inner(), 2 * ROUNDS);
}

#[test]
fn a_slot_has_one_claim_at_a_time_and_the_next_finds_it_empty() {
    let slot = Slot::new();
    let bell = || Arc::new(Counter::default());
    let first = Claim::new(&slot, bell()).unwrap();
    first.watch(Signal::INT);
    slot.record(Signal::INT);
    assert!(Claim::new(&slot, bell()).is_err());
    drop(first);
    let second = Claim::new(&slot, bell()).unwrap();
    assert!(second.watched().is_empty());
    slot.record(Signal::INT);
    assert_eq!((rung(&second), taken(&second)), (0, vec![]));
}

/// A bell that is still ringing long after somebody has begun to close its gate.
#[derive(Debug)]
struct SlowBell {
    slot: &'static Slot<Self>,
    began: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

impl Bell for SlowBell {
    fn ring(&self) {
        // Nothing of the bell is touched later: a faulty claim would have dropped it by then.
        let (slot, ended) = (self.slot, Arc::clone(&self.ended));
        self.began.store(true, Ordering::Relaxed);
        while slot.tallies[Signal::INT.index()].gate.is_open() {
            thread::yield_now();
        }
        for _ in 0..100 {
            thread::yield_now();
        }
        ended.store(true, Ordering::Release);
    }
}

fn ends_after_the_last_handler_has_rung(end: fn(&mut Option<Claim<'_, SlowBell>>)) {
    let slot: &'static Slot<SlowBell> = Box::leak(Box::new(Slot::new()));
    let (began, ended) = (Arc::default(), Arc::default());
    let bell = SlowBell {
        slot,
        began: Arc::clone(&began),
        ended: Arc::clone(&ended),
    };
    let claim = Claim::new(slot, Arc::new(bell)).unwrap();
    claim.watch(Signal::INT);
    let handler = thread::spawn(|| slot.record(Signal::INT));
    while !began.load(Ordering::Relaxed) {
        thread::yield_now();
    }
    end(&mut Some(claim));
    assert!(ended.load(Ordering::Acquire));
    handler.join().unwrap();
}

#[test]
fn unwatch_returns_after_the_last_handler_has_rung() {
    ends_after_the_last_handler_has_rung(|claim| claim.as_ref().unwrap().unwatch(Signal::INT));
}

/// Else the bell would write to a file descriptor that is closed by then.
#[test]
fn a_claim_is_dropped_after_the_last_handler_has_rung() {
    ends_after_the_last_handler_has_rung(|claim| drop(claim.take()));
}
