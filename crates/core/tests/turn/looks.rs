//! Looks before waits with a timeout: when there is one, what it spares, and what follows it.

use std::time::Duration;

use evloop_changelist::{Ready, Token};
use evloop_core::{EventId, Kind, Mode, Outcome, Spec, Step};

use super::{FIRST, Loop, READ, added, granted, persistent};

const LOOK: Step<&str> = Step::Wait(Some(Duration::ZERO));

fn wait(ns: u64) -> Step<&'static str> {
    Step::Wait(Some(Duration::from_nanos(ns)))
}

/// A loop in a run, with a reader and a timer that is due at `due_ns`.
fn running(due_ns: u64) -> (Loop, EventId) {
    let mut core = Loop::new();
    added(&mut core, persistent(READ));
    let timer = timer(&mut core, due_ns);
    core.begin(Mode::UntilEmpty).unwrap();
    (core, timer)
}

fn timer(core: &mut Loop, due_ns: u64) -> EventId {
    let spec = Spec {
        timeout: Some(Duration::from_nanos(due_ns)),
        ..Spec::new(Kind::Plain)
    };
    let id = core.insert(spec, "timer").unwrap();
    core.add(id, || 0, granted).unwrap();
    id
}

/// The step that comes next at this time, which reads the clock so often.
fn step(core: &mut Loop, now_ns: u64, readings: usize) -> Step<&'static str> {
    let mut read = 0;
    let step = core.step(|| {
        read += 1;
        now_ns
    });
    assert_eq!(read, readings, "{step:?}");
    step
}

/// What a wait brought, and the callbacks of it.
fn ready(core: &mut Loop, tokens: &[Token], now_ns: u64) {
    core.waited();
    for &token in tokens {
        core.report(token, Ready::READ);
    }
    for at in 0..tokens.len() {
        let ran = step(core, now_ns, usize::from(at == 0));
        assert!(matches!(ran, Step::Run(_)), "{ran:?}");
        assert!(core.finish().is_none());
    }
}

#[test]
fn one_event_that_was_there_already_makes_the_loop_look() {
    let (mut core, _) = running(10_000);
    assert_eq!(step(&mut core, 100, 1), wait(9_900));
    ready(&mut core, &[FIRST], 2_099);
    // As long as it finds something the clock is read after it only.
    for now_ns in [2_200, 6_000] {
        assert_eq!(step(&mut core, now_ns, 0), LOOK);
        ready(&mut core, &[FIRST], now_ns);
    }
    assert_eq!(step(&mut core, 6_100, 0), LOOK);
    core.waited();
    assert_eq!(step(&mut core, 6_200, 1), wait(3_800), "nothing was there");
    ready(&mut core, &[FIRST], 8_200);
    assert_eq!(step(&mut core, 8_300, 1), wait(1_700), "it slept");
    let stats = core.stats();
    assert_eq!((stats.waits, stats.vain_looks), (5, 1));
}

#[test]
fn several_events_make_it_look_however_long_they_took() {
    let (mut core, _) = running(1_000_000);
    let spec = persistent(Kind::Plain);
    let other = added(&mut core, spec);
    assert_eq!(step(&mut core, 0, 1), wait(1_000_000));
    core.activate(other, Ready::empty()).unwrap();
    ready(&mut core, &[FIRST], 500_000);
    let ran = step(&mut core, 0, 0);
    assert!(matches!(ran, Step::Run(_)), "{ran:?}");
    assert!(core.finish().is_none());
    assert_eq!(step(&mut core, 500_000, 0), LOOK);
}

/// Without a wait of known length, or a look, nothing is known to have been there.
#[test]
fn one_event_before_the_first_timeout_does_not() {
    let mut core = Loop::new();
    added(&mut core, persistent(READ));
    core.begin(Mode::UntilEmpty).unwrap();
    assert_eq!(step(&mut core, 0, 0), Step::Wait(None));
    core.waited();
    core.report(FIRST, Ready::READ);
    assert!(matches!(step(&mut core, 0, 0), Step::Run(_)));
    timer(&mut core, 50);
    assert!(core.finish().is_none());
    assert_eq!(step(&mut core, 10, 1), wait(40));
}

/// It is found after the look, at the price of the wait that does not follow.
#[test]
fn timeout_that_passes_before_a_look_expires_after_it() {
    let (mut core, _) = running(300);
    assert_eq!(step(&mut core, 0, 1), wait(300));
    ready(&mut core, &[FIRST], 100);
    assert_eq!(step(&mut core, 300, 0), LOOK);
    core.waited();
    let Step::Run(timer) = step(&mut core, 300, 1) else {
        panic!("it is due");
    };
    assert_eq!((timer.payload, timer.ready), ("timer", Ready::TIMEOUT));
    assert_eq!(core.stats().vain_looks, 0);
}

/// Between a look and the wait other threads' commands are done: there may be nothing to wait for any more.
#[test]
fn what_comes_with_a_look_may_end_the_run() {
    type Command = fn(&mut Loop, EventId, EventId);
    let commands: [(Command, Outcome); 3] = [
        (|core, _, _| core.exit(), Outcome::Exit),
        (|core, _, _| core.break_loop(), Outcome::Break),
        (
            |core, reader, timer| {
                assert!(core.remove(reader).is_ok());
                assert!(core.remove(timer).is_ok());
            },
            Outcome::Empty,
        ),
    ];
    for (command, outcome) in commands {
        let mut core = Loop::new();
        let reader = added(&mut core, persistent(READ));
        let timer = timer(&mut core, 10_000);
        core.begin(Mode::UntilEmpty).unwrap();
        assert_eq!(step(&mut core, 0, 1), wait(10_000));
        ready(&mut core, &[FIRST], 100);
        assert_eq!(step(&mut core, 100, 0), LOOK);
        core.waited();
        command(&mut core, reader, timer);
        assert_eq!(core.step(|| 200), Step::Done(outcome));
    }
}

/// The timers went with it, and the reader is waited for as long as it takes.
#[test]
fn wait_after_a_look_is_without_a_timeout_if_none_runs_any_more() {
    let (mut core, timer) = running(10_000);
    assert_eq!(step(&mut core, 0, 1), wait(10_000));
    ready(&mut core, &[FIRST], 100);
    assert_eq!(step(&mut core, 100, 0), LOOK);
    core.waited();
    assert!(core.remove(timer).is_ok());
    assert_eq!(step(&mut core, 200, 0), Step::Wait(None));
}

#[test]
fn look_that_finds_nothing_is_no_empty_wait() {
    let (mut core, _) = running(10_000);
    assert_eq!(step(&mut core, 0, 1), wait(10_000));
    ready(&mut core, &[FIRST], 100);
    assert_eq!(step(&mut core, 100, 0), LOOK);
    core.waited();
    core.count_empty_wait();
    assert_eq!(step(&mut core, 200, 1), wait(9_800));
    core.waited();
    core.count_empty_wait();
    assert_eq!(core.stats().empty_waits, 1);
}

/// Where there is no time anyway nothing is looked for first.
#[test]
fn run_that_does_not_wait_looks_once() {
    let (mut core, _) = running(10_000);
    assert_eq!(step(&mut core, 0, 1), wait(10_000));
    ready(&mut core, &[FIRST], 100);
    core.abort();
    core.begin(Mode::NonBlocking).unwrap();
    assert_eq!(step(&mut core, 100, 0), LOOK);
    core.waited();
    assert_eq!(step(&mut core, 200, 1), Step::Done(Outcome::Done));
    assert_eq!(core.stats().vain_looks, 0);
}

/// The check watchers are told of what the wait brought, not of a look that was followed by one.
#[test]
fn check_watchers_do_not_hear_of_a_look_in_vain() {
    let (mut core, _) = running(10_000);
    added(&mut core, persistent(Kind::Check));
    let watched = |core: &mut Loop, now_ns| {
        let ran = step(core, now_ns, 0);
        assert!(matches!(ran, Step::Run(_)), "{ran:?}");
        assert!(core.finish().is_none());
    };
    assert_eq!(step(&mut core, 0, 1), wait(10_000));
    core.waited();
    core.report(FIRST, Ready::READ);
    watched(&mut core, 100);
    assert!(matches!(step(&mut core, 100, 1), Step::Run(_)));
    assert!(core.finish().is_none());
    assert_eq!(step(&mut core, 100, 0), LOOK);
    core.waited();
    assert_eq!(step(&mut core, 200, 1), wait(9_800));
    core.waited();
    watched(&mut core, 300);
}
