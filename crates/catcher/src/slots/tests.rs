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

/// What the kernel says, where that is not what the test is about.
const NOTHING: Words = [0; 3];

fn taken<B: Bell>(claim: &Claim<'_, B>) -> Vec<(Signal, u64)> {
    let mut taken = Vec::new();
    claim.take(|signal, runs, _| taken.push((signal, runs)));
    taken
}

fn rung(claim: &Claim<'_, Counter>) -> usize {
    claim.bell.0.load(Ordering::Relaxed)
}

#[test]
fn a_run_is_counted_and_rung_for_only_while_its_signal_is_watched() {
    let slot = Slot::new();
    let claim = Claim::new(&slot, Arc::new(Counter::default())).unwrap();
    slot.record(Signal::INT, NOTHING);
    claim.watch(Signal::INT);
    slot.record(Signal::INT, NOTHING);
    slot.record(Signal::TERM, NOTHING);
    slot.record(Signal::INT, NOTHING);
    assert_eq!((rung(&claim), taken(&claim)), (2, vec![(Signal::INT, 2)]));
    claim.unwatch(Signal::INT);
    slot.record(Signal::INT, NOTHING);
    assert_eq!((rung(&claim), taken(&claim)), (2, vec![]));
}

/// Whatever the two threads do at the same time, no count stays behind, so that it
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
                slot.record(Signal::INT, NOTHING);
                slot.record(Signal::INT, NOTHING);
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
            claim.take(|_, runs, _| _ = seen.fetch_add(runs, Ordering::Relaxed));
            takes.fetch_add(1, Ordering::Release);
        }
    });
    assert_eq!(seen.into_inner(), 2 * ROUNDS);
}

#[test]
fn what_was_said_of_the_last_run_is_taken_with_the_count() {
    let slot = Slot::new();
    let claim = Claim::new(&slot, Arc::new(Counter::default())).unwrap();
    claim.watch(Signal::INT);
    claim.watch(Signal::TERM);
    let said = |claim: &Claim<'_, Counter>| {
        let mut taken = Vec::new();
        claim.take(|signal, runs, said| taken.push((signal, runs, said)));
        taken
    };
    for value in 1..=3 {
        slot.record(Signal::INT, [value; 3]);
    }
    slot.record(Signal::TERM, [9; 3]);
    assert_eq!(
        said(&claim),
        [(Signal::INT, 3, [3; 3]), (Signal::TERM, 1, [9; 3])]
    );
    slot.record(Signal::INT, [4; 3]);
    assert_eq!(said(&claim), [(Signal::INT, 1, [4; 3])]);
}

/// A handler has been preempted while it stores; another one comes and goes meanwhile.
#[test]
fn a_count_is_left_to_the_handler_that_is_storing() {
    let slot = Slot::new();
    let claim = Claim::new(&slot, Arc::new(Counter::default())).unwrap();
    claim.watch(Signal::INT);
    let tally = &slot.tallies[Signal::INT.index()];
    let turn = tally.last.claim().unwrap();
    slot.record(Signal::INT, [1; 3]);
    assert_eq!(taken(&claim), []);
    assert_eq!(taken(&claim), []);
    // The rest of what it does.
    tally.last.publish(turn, [2; 3]);
    slot.record(Signal::INT, [3; 3]);
    assert_eq!(taken(&claim), [(Signal::INT, 2)]);
}

/// A thread that was in the middle of a handler does not exist in a child that is forked off, and what was
/// counted before is the parent's.
#[test]
fn a_forked_child_begins_anew_also_where_a_handler_was_storing() {
    let slot = Slot::new();
    let claim = Claim::new(&slot, Arc::new(Counter::default())).unwrap();
    claim.watch(Signal::INT);
    claim.watch(Signal::TERM);
    let _turn = slot.tallies[Signal::INT.index()].last.claim().unwrap();
    slot.record(Signal::INT, [1; 3]);
    slot.record(Signal::TERM, [1; 3]);
    slot.begin_child();
    assert_eq!(taken(&claim), []);
    slot.record(Signal::INT, [2; 3]);
    slot.record(Signal::TERM, [2; 3]);
    assert_eq!(taken(&claim), [(Signal::INT, 1), (Signal::TERM, 1)]);
}

#[test]
fn another_bell_is_rung_and_what_was_counted_stays() {
    let slot = Slot::new();
    let mut claim = Claim::new(&slot, Arc::new(Counter::default())).unwrap();
    claim.watch(Signal::INT);
    slot.record(Signal::INT, NOTHING);
    let before = Arc::clone(&claim.bell);
    claim.replace_bell(Arc::new(Counter::default()));
    slot.record(Signal::INT, NOTHING);
    assert_eq!(before.0.load(Ordering::Relaxed), 1);
    assert_eq!((rung(&claim), taken(&claim)), (1, vec![(Signal::INT, 2)]));
}

/// Handlers in several threads say something of their own each time. What is taken was said by one
/// of them, as a whole; it is never older than what was taken before; and with the last count comes
/// what one of the threads said last.
#[test]
fn what_is_taken_was_said_as_a_whole_and_never_goes_back() {
    const ROUNDS: u64 = 5000;
    const THREADS: u64 = 4;
    let slot = Slot::new();
    let claim = Claim::new(&slot, Arc::new(Counter::default())).unwrap();
    claim.watch(Signal::INT);
    let words = |thread: u64, round: u64| [thread, round, !(thread ^ round)];
    let mut seen = 0;
    let mut newest = [0; 4];
    let mut last = NOTHING;
    let mut see = |_, runs, said: Words| {
        let [thread, round, _] = said;
        assert_eq!(said, words(thread, round));
        let newest = &mut newest[usize::try_from(thread).unwrap()];
        assert!(*newest <= round, "a newer one was taken before");
        *newest = round;
        seen += runs;
        last = said;
    };
    thread::scope(|scope| {
        let slot = &slot;
        let handlers: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    (1..=ROUNDS).for_each(|round| slot.record(Signal::INT, words(thread, round)));
                })
            })
            .collect();
        while !handlers.iter().all(|handler| handler.is_finished()) {
            claim.take(&mut see);
        }
    });
    claim.take(&mut see);
    assert_eq!(seen, THREADS * ROUNDS);
    assert_eq!(last[1], ROUNDS);
}

#[test]
fn a_slot_has_one_claim_at_a_time_and_the_next_finds_it_empty() {
    let slot = Slot::new();
    let bell = || Arc::new(Counter::default());
    let first = Claim::new(&slot, bell()).unwrap();
    first.watch(Signal::INT);
    slot.record(Signal::INT, NOTHING);
    assert!(Claim::new(&slot, bell()).is_err());
    drop(first);
    let second = Claim::new(&slot, bell()).unwrap();
    assert!(second.watched().is_empty());
    slot.record(Signal::INT, NOTHING);
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
    let handler = thread::spawn(|| slot.record(Signal::INT, NOTHING));
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
