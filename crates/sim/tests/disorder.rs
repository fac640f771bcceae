//! Disorder: replayed by its seed, within the contract, and harmless to a loop that keeps to it.

use std::collections::BTreeMap;
use std::time::Duration;

use evloop_sim::{Backend, Disorder, Interest, RawFd, Ready, Report, Sim, Token, Trigger};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const MS: Duration = Duration::from_millis(1);

fn any_disorder() -> impl Strategy<Value = Disorder> {
    (0_u8..60, 0_u8..60, 0_u8..60, 0_u8..60, 0_u8..60, 0_u64..5).prop_map(
        |(shuffled, partial, spurious, interrupted, late, at_most)| Disorder {
            shuffled_percent: shuffled,
            partial_percent: partial,
            spurious_percent: spurious,
            interrupted_percent: interrupted,
            late_percent: late,
            late_at_most: Duration::from_millis(at_most),
        },
    )
}

/// Who writes when: pipe, milliseconds, bytes.
fn any_writes() -> impl Strategy<Value = Vec<(usize, u64, usize)>> {
    vec((0..PIPES, 0_u64..50, 1_usize..200), 1..30)
}

const PIPES: usize = 4;

/// One wait: when it returned, and what it reported.
type Turn = (u64, Vec<Report>);

/// The smallest of loops: reads all that is written, and tells each wait it made.
///
/// It believes nothing: it reads until there is nothing, and does not mind to find nothing.
fn read_all(
    seed: u64,
    disorder: Disorder,
    trigger: Trigger,
    writes: &[(usize, u64, usize)],
) -> Vec<Turn> {
    let sim = Sim::new(seed);
    sim.set_disorder(disorder);
    let pipes: [(RawFd, RawFd); PIPES] = std::array::from_fn(|_| sim.pipe());
    let mut backend = sim.backend();
    let mut readers = BTreeMap::new();
    for (slot, (reader, _)) in (0..).zip(pipes) {
        let token = Token {
            slot,
            generation: 1,
        };
        backend
            .add(reader, token, Interest::READ, trigger)
            .expect("a pipe");
        readers.insert(token, reader);
    }
    for &(pipe, ms, bytes) in writes {
        let writer = pipes[pipe].1;
        sim.at(Duration::from_millis(ms), move |sim| {
            assert_eq!(
                sim.write(writer, &vec![7; bytes]).expect("there is room"),
                bytes
            );
        });
    }

    let mut missing: usize = writes.iter().map(|(_, _, bytes)| bytes).sum();
    let mut turns = Vec::new();
    while missing > 0 {
        let mut reports = Vec::new();
        backend
            .wait(&[], None, &mut reports)
            .expect("bytes are missing, so nothing may be lost");
        for report in &reports {
            let mut buf = [0; 64];
            while let Ok(read) = sim.read(readers[&report.token], &mut buf) {
                missing -= read;
            }
        }
        turns.push((sim.now_ns(), reports));
        sim.check_invariants();
    }
    turns
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_same_seed_gives_the_same_run(
        seed: u64,
        disorder in any_disorder(),
        trigger in select(&[Trigger::Level, Trigger::Edge][..]),
        writes in any_writes(),
    ) {
        let run = || read_all(seed, disorder, trigger, &writes);
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn nothing_is_lost_and_nothing_comes_out_of_thin_air(
        seed: u64,
        disorder in any_disorder(),
        trigger in select(&[Trigger::Level, Trigger::Edge][..]),
        writes in any_writes(),
    ) {
        // `read_all` fails if a wait is a deadlock while bytes are missing.
        for (_, reports) in read_all(seed, disorder, trigger, &writes) {
            let mut tokens: Vec<_> = reports.iter().map(|report| report.token).collect();
            tokens.sort_unstable();
            tokens.dedup();
            prop_assert_eq!(tokens.len(), reports.len(), "each at most once");
            prop_assert!(reports.iter().all(|r| r.ready == Ready::READ && r.errno == 0));
        }
    }

    #[test]
    fn a_wait_is_never_early_and_late_within_its_bound(
        seed: u64,
        disorder in any_disorder(),
        timeout_ms in 0_u64..20,
    ) {
        let sim = Sim::new(seed);
        sim.set_disorder(Disorder { interrupted_percent: 0, ..disorder });
        let (reader, _) = sim.pipe();
        let mut backend = sim.backend();
        let token = Token { slot: 0, generation: 0 };
        backend.add(reader, token, Interest::READ, Trigger::Level).expect("a pipe");
        for _ in 0..20 {
            let (start, mut reports) = (sim.now_ns(), Vec::new());
            let timeout = Duration::from_millis(timeout_ms);
            backend.wait(&[], Some(timeout), &mut reports).expect("it has a timeout");
            let passed = Duration::from_nanos(sim.now_ns() - start);
            if reports.is_empty() {
                prop_assert!(passed >= timeout);
            }
            prop_assert!(passed <= timeout + disorder.late_at_most);
        }
    }
}

/// One disorder always, on four pipes with something to read each: what ten waits report.
fn always(disorder: Disorder, trigger: Trigger) -> Vec<Vec<u32>> {
    let sim = Sim::new(11);
    let mut backend = sim.backend();
    for slot in 0..4 {
        let (reader, writer) = sim.pipe();
        let token = Token {
            slot,
            generation: 0,
        };
        backend
            .add(reader, token, Interest::READ, trigger)
            .expect("a pipe");
        sim.write(writer, b"x").expect("it is empty");
    }
    sim.set_disorder(disorder);
    let turn = |_| {
        let mut reports = Vec::new();
        backend
            .wait(&[], Some(MS), &mut reports)
            .expect("it has a timeout");
        reports.iter().map(|report| report.token.slot).collect()
    };
    (0..10).map(turn).collect()
}

#[test]
fn without_disorder_it_is_first_come_first_served() {
    assert!(
        always(Disorder::none(), Trigger::Level)
            .iter()
            .all(|turn| *turn == [0, 1, 2, 3])
    );
}

#[test]
fn shuffled_reports_are_the_same_in_another_order() {
    let shuffled = Disorder {
        shuffled_percent: 100,
        ..Disorder::none()
    };
    let turns = always(shuffled, Trigger::Level);
    assert!(
        turns.iter().any(|turn| *turn != turns[0]),
        "ten times the same order"
    );
    for mut turn in turns {
        turn.sort_unstable();
        assert_eq!(turn, [0, 1, 2, 3]);
    }
}

#[test]
fn partial_reports_leave_the_rest_to_later_waits() {
    let partial = Disorder {
        partial_percent: 100,
        ..Disorder::none()
    };
    let turns = always(partial, Trigger::Edge);
    assert!((1..4).contains(&turns[0].len()), "some, not all: {turns:?}");
    assert_eq!(turns.concat(), [0, 1, 2, 3]);
}

#[test]
fn interrupted_waits_report_nothing() {
    let interrupted = Disorder {
        interrupted_percent: 100,
        ..Disorder::none()
    };
    assert_eq!(always(interrupted, Trigger::Level).concat(), []);
}

#[test]
fn spurious_reports_are_of_what_was_asked_for() {
    let sim = Sim::new(5);
    sim.set_disorder(Disorder {
        spurious_percent: 100,
        ..Disorder::none()
    });
    let mut backend = sim.backend();
    let (reader, writer) = sim.socketpair();
    let interests = [
        (reader, Interest::READ | Interest::CLOSED),
        (writer, Interest::CLOSED),
    ];
    for (slot, (fd, interest)) in (0..).zip(interests) {
        let token = Token {
            slot,
            generation: 0,
        };
        backend
            .add(fd, token, interest, Trigger::Edge)
            .expect("a socket");
    }
    let mut reports = Vec::new();
    backend
        .wait(&[], None, &mut reports)
        .expect("a spurious report ends it");
    let token = Token {
        slot: 0,
        generation: 0,
    };
    assert_eq!(reports, [Report::ready(token, Ready::READ)]);
    assert_eq!(sim.now_ns(), 0);
}

#[test]
fn late_wakeups_come_with_what_happened_meanwhile() {
    let sim = Sim::new(2);
    let late_at_most = 100 * MS;
    sim.set_disorder(Disorder {
        late_percent: 100,
        late_at_most,
        ..Disorder::none()
    });
    let mut backend = sim.backend();
    let (reader, writer) = sim.pipe();
    let token = Token {
        slot: 0,
        generation: 0,
    };
    backend
        .add(reader, token, Interest::READ, Trigger::Level)
        .expect("a pipe");
    sim.at(MS + Duration::from_nanos(1), move |sim| {
        sim.write(writer, b"x").expect("it is empty");
    });
    let mut reports = Vec::new();
    backend
        .wait(&[], Some(MS), &mut reports)
        .expect("it has a timeout");
    assert!(sim.now_ns() > 1_000_000, "late");
    assert_eq!(reports.len(), 1);
}

#[test]
fn different_seeds_give_different_runs() {
    let writes = [(0, 1, 10), (1, 1, 10), (2, 1, 10), (3, 1, 10), (0, 5, 3)];
    let run = |seed| read_all(seed, Disorder::some(), Trigger::Level, &writes);
    assert!((1..20).any(|seed| run(seed) != run(0)));
}

#[test]
fn nothing_spurious_comes_from_what_was_just_closed() {
    for seed in 0..20 {
        let sim = Sim::new(seed);
        sim.set_disorder(Disorder {
            spurious_percent: 100,
            ..Disorder::none()
        });
        let mut backend = sim.backend();
        let (reader, _) = sim.pipe();
        let token = Token {
            slot: 0,
            generation: 0,
        };
        backend
            .add(reader, token, Interest::READ, Trigger::Level)
            .expect("a pipe");
        sim.at(Duration::ZERO, move |sim| {
            sim.close(reader).expect("it is open");
        });
        let mut reports = Vec::new();
        backend
            .wait(&[], Some(MS), &mut reports)
            .expect("it has a timeout");
        assert_eq!((reports, sim.now_ns()), (vec![], 1_000_000));
    }
}
