//! Single facts of the turn that random programs come upon too rarely, or do not look at: what the
//! front is asked for, and what the kernel is told.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

#[path = "turn/lingering.rs"]
mod lingering;
#[path = "turn/looks.rs"]
mod looks;
#[path = "turn/told.rs"]
mod told;

use std::time::Duration;

use evloop_changelist::{EpollOp, Interest, Op, Ready, Token, Trigger};
use evloop_core::{
    AddError, Core, Demand, EventId, InsertError, Kind, Mode, News, NoSuchEvent, Outcome,
    Ownership, Priority, Reentrant, Release, Spec, Step,
};
use evloop_signals::Signal;

type Loop = Core<&'static str>;

const READ: Kind = Kind::Io {
    fd: 4,
    interest: Interest::READ,
    trigger: Trigger::Level,
    ownership: Ownership::Owned,
};

/// The token of the first registration of file descriptor 4.
const FIRST: Token = Token {
    slot: 4,
    generation: 1,
};

fn granted(_: Demand) -> Result<(), ()> {
    Ok(())
}

fn refused(_: Demand) -> Result<(), ()> {
    Err(())
}

fn added(core: &mut Loop, spec: Spec) -> EventId {
    let id = core.insert(spec, "event").unwrap();
    core.add(id, || 0, granted).unwrap();
    id
}

fn persistent(kind: Kind) -> Spec {
    Spec {
        persistent: true,
        ..Spec::new(kind)
    }
}

/// What the front was asked for in a run, in order. Time stands still.
fn steps(core: &mut Loop, mode: Mode, waited: impl FnMut(&mut Loop)) -> Vec<Step<&'static str>> {
    steps_and_readings(core, mode, waited).0
}

/// The same, and how often the clock was read before each step.
fn steps_and_readings(
    core: &mut Loop,
    mode: Mode,
    mut waited: impl FnMut(&mut Loop),
) -> (Vec<Step<&'static str>>, Vec<usize>) {
    let (mut steps, mut readings) = (Vec::new(), Vec::new());
    core.begin(mode).unwrap();
    loop {
        let mut read = 0;
        let step = core.step(|| {
            read += 1;
            0
        });
        steps.push(step);
        readings.push(read);
        match step {
            Step::Wait(_) => {
                core.waited();
                waited(core);
            }
            Step::Run(_) => drop(core.finish()),
            Step::Done(_) => return (steps, readings),
        }
    }
}

/// What a run tells the kernel.
fn told(core: &mut Loop) -> Vec<Option<EpollOp>> {
    core.begin(Mode::NonBlocking).unwrap();
    let step = core.step(|| 0);
    assert!(matches!(step, Step::Wait(_)), "{step:?}");
    let changes = core.changes().iter();
    let told = changes.map(|entry| entry.change.op()).collect();
    core.waited();
    core.abort();
    told
}

fn modify(interest: Interest) -> Option<EpollOp> {
    Some(EpollOp {
        op: Op::Modify,
        interest,
    })
}

#[test]
fn clock_is_not_read_without_timeouts() {
    let mut core = Loop::new();
    added(&mut core, persistent(READ));
    let (seen, readings) = steps_and_readings(&mut core, Mode::StayOnEmpty, |core| {
        core.report(FIRST, Ready::READ);
        core.exit();
    });
    assert_eq!(readings, [0, 0, 0], "{seen:?}");
}

#[test]
fn clock_is_read_once_before_a_finite_wait_and_once_after() {
    let mut core = Loop::new();
    added(
        &mut core,
        Spec {
            timeout: Some(Duration::from_secs(1)),
            ..Spec::new(Kind::Plain)
        },
    );
    let (seen, readings) = steps_and_readings(&mut core, Mode::UntilEmpty, |core| core.exit());
    let second = Step::Wait(Some(Duration::from_secs(1)));
    assert_eq!(seen, [second, Step::Done(Outcome::Exit)]);
    assert_eq!(readings, [1, 1]);
}

#[test]
fn time_that_a_callback_asks_for_is_not_taken_for_that_of_the_wait() {
    let mut core = Loop::new();
    let second = Some(Duration::from_secs(1));
    let spec = Spec {
        timeout: second,
        ..Spec::new(Kind::Plain)
    };
    added(&mut core, spec);
    let callback = added(&mut core, Spec::new(Kind::Plain));
    core.activate(callback, Ready::READ).unwrap();
    core.begin(Mode::UntilEmpty).unwrap();
    let mut waits = Vec::new();
    let mut now_ns = 0;
    while waits.len() < 2 {
        match core.step(|| now_ns) {
            Step::Wait(timeout) => {
                waits.push(timeout);
                core.waited();
                if waits.len() == 1 {
                    // As another thread's command does, which the front obeys after a wait.
                    core.set_now(now_ns);
                    now_ns += 100_000_000;
                }
            }
            Step::Run(_) => {
                core.set_now(now_ns);
                assert_eq!(core.now_ns(), Some(100_000_000));
                now_ns += 400_000_000;
                let _ = core.finish();
                // And between two callbacks.
                core.set_now(now_ns);
                now_ns += 100_000_000;
            }
            Step::Done(outcome) => panic!("{outcome:?}"),
        }
    }
    assert_eq!(waits[1], Some(Duration::from_millis(400)));
    assert_eq!(core.now_ns(), None, "not yet read in the new turn");
}

#[test]
fn timeout_that_is_moved_later_costs_one_turn_when_its_old_deadline_comes() {
    let mut core = Loop::new();
    let timeout = |ms| Some(Duration::from_millis(ms));
    let spec = Spec {
        timeout: timeout(10),
        ..Spec::new(Kind::Plain)
    };
    let id = added(&mut core, spec);
    core.set_timeout(id, timeout(30), || 0).unwrap();
    let mut now_ns = 0;
    let mut waits = Vec::new();
    core.begin(Mode::UntilEmpty).unwrap();
    loop {
        match core.step(|| now_ns) {
            Step::Wait(timeout) => {
                let passed = timeout.unwrap();
                waits.push(passed.as_millis());
                now_ns += u64::try_from(passed.as_nanos()).unwrap();
                core.waited();
            }
            Step::Run(_) => drop(core.finish()),
            Step::Done(_) => break,
        }
    }
    assert_eq!(waits, [10, 20]);
}

#[test]
fn clock_is_read_anew_in_the_next_run() {
    let mut core = Loop::new();
    added(
        &mut core,
        Spec {
            timeout: Some(Duration::from_secs(1)),
            ..Spec::new(Kind::Plain)
        },
    );
    steps(&mut core, Mode::NonBlocking, |_| {});
    let (_, readings) = steps_and_readings(&mut core, Mode::UntilEmpty, |core| core.exit());
    assert_eq!(readings[0], 1);
}

#[test]
fn turn_does_not_wait_once_its_run_is_to_end() {
    const LOOKS: Step<&str> = Step::Wait(Some(Duration::ZERO));
    // What was waited for has run, and the kernel is looked at again.
    let mut core = Loop::new();
    let id = added(&mut core, persistent(READ));
    core.activate(id, Ready::READ).unwrap();
    core.begin(Mode::Once).unwrap();
    assert_eq!(core.step(|| 0), LOOKS);
    core.waited();
    assert!(matches!(core.step(|| 0), Step::Run(_)));
    core.rescan();
    assert_eq!(core.finish(), None);
    assert_eq!(core.step(|| 0), LOOKS);
    core.abort();

    // An exit was asked for just before the wait.
    let mut core = Loop::new();
    added(&mut core, persistent(READ));
    added(&mut core, persistent(Kind::Prepare));
    core.begin(Mode::UntilEmpty).unwrap();
    assert!(matches!(core.step(|| 0), Step::Run(_)));
    core.exit();
    assert_eq!(core.finish(), None);
    assert_eq!(core.step(|| 0), LOOKS);
}

#[test]
fn removed_event_gives_its_file_descriptor_up_at_once() {
    let mut core = Loop::new();
    let id = added(&mut core, Spec::new(READ));
    let other = added(&mut core, Spec::new(READ));
    assert_eq!(
        core.remove(id).unwrap().release,
        None,
        "the other still wants it"
    );
    assert_eq!(core.remove(other).unwrap().release, Some(Release::Fd(4)));
    assert_eq!(core.remove(other), Err(NoSuchEvent));
}

#[test]
fn report_of_an_earlier_registration_reaches_nobody() {
    let mut core = Loop::new();
    let old = added(&mut core, persistent(READ));
    let _ = core.remove(old);
    added(&mut core, persistent(READ));
    let seen = steps(&mut core, Mode::NonBlocking, |core| {
        core.report(FIRST, Ready::READ);
    });
    assert_eq!(seen.last(), Some(&Step::Done(Outcome::Done)));
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!((core.stats().ghosts, core.ghosts()), (1, 1));
    let seen = steps(&mut core, Mode::NonBlocking, |core| {
        core.report(FIRST, Ready::READ);
        // Nor a refusal.
        core.refuse(FIRST, 9);
    });
    assert_eq!((core.ghosts(), seen.len()), (2, 2));
    assert_eq!(core.held().count(), 1);
}

#[test]
fn refused_change_reaches_every_event_with_its_errno() {
    let mut core = Loop::new();
    let ids = [
        added(&mut core, persistent(READ)),
        added(&mut core, persistent(READ)),
    ];
    let mut runs = Vec::new();
    core.begin(Mode::NonBlocking).unwrap();
    loop {
        match core.step(|| 0) {
            Step::Wait(_) => {
                core.waited();
                core.refuse(FIRST, 12);
            }
            Step::Run(activation) => {
                runs.push((activation.id, activation.ready, core.news().errno));
                assert_eq!(core.finish(), None);
                assert_eq!(core.news(), News::default(), "it is told once");
            }
            Step::Done(_) => break,
        }
    }
    assert_eq!(runs, ids.map(|id| (id, Ready::ERROR, 12)));
    // The kernel holds nothing now: the next add asks it anew, for what both want.
    let mut asked = None;
    core.set_interest(ids[0], Interest::WRITE, |demand| {
        asked = Some(demand);
        Ok::<_, ()>(())
    })
    .unwrap();
    assert!(matches!(asked, Some(Demand::Fd { interest, .. })
        if interest == Interest::READ | Interest::WRITE));
    core.check_invariants();
}

#[test]
fn refused_add_changes_nothing() {
    let mut core = Loop::new();
    for kind in [READ, Kind::Signal(Signal::USR1)] {
        let timeout = Some(Duration::from_secs(1));
        let id = core
            .insert(
                Spec {
                    timeout,
                    ..Spec::new(kind)
                },
                "event",
            )
            .unwrap();
        assert_eq!(core.add(id, || 0, refused), Err(AddError::Refused(())));
        assert!(!core.info(id).unwrap().pending);
        core.check_invariants();
    }
    assert!(core.is_empty());
    assert_eq!(core.timers(), 0);
    assert_eq!(core.held().count(), 0);
}

#[test]
fn triggers_do_not_mix_on_one_file_descriptor() {
    let mut core = Loop::new();
    added(&mut core, persistent(READ));
    let edge = Kind::Io {
        fd: 4,
        interest: Interest::WRITE,
        trigger: Trigger::Edge,
        ownership: Ownership::Owned,
    };
    let id = core.insert(Spec::new(edge), "event").unwrap();
    assert_eq!(core.add(id, || 0, granted), Err(AddError::MixedTrigger(4)));
    assert_eq!(told(&mut core), []);
}

#[test]
fn one_shot_that_runs_is_not_in_the_way_of_the_other_trigger() {
    let mut core = Loop::new();
    let level = added(&mut core, Spec::new(READ));
    let edge = Kind::Io {
        fd: 4,
        interest: Interest::READ,
        trigger: Trigger::Edge,
        ownership: Ownership::Owned,
    };
    core.activate(level, Ready::READ).unwrap();
    core.begin(Mode::NonBlocking).unwrap();
    loop {
        match core.step(|| 0) {
            Step::Wait(_) => core.waited(),
            Step::Run(_) => {
                added(&mut core, Spec::new(edge));
                assert_eq!(
                    core.add(level, || 0, granted),
                    Err(AddError::MixedTrigger(4))
                );
                let _ = core.finish();
            }
            Step::Done(_) => break,
        }
        core.check_invariants();
    }
    assert_eq!(told(&mut core), [modify(Interest::READ)]);
}

#[test]
fn signals_are_caught_until_they_are_released() {
    let mut core = Loop::new();
    let first = added(&mut core, persistent(Kind::Signal(Signal::USR1)));
    let second = Spec {
        keep: true,
        ..Spec::new(Kind::Signal(Signal::USR2))
    };
    let second = added(&mut core, second);
    assert!(core.caught().into_iter().eq([Signal::USR1, Signal::USR2]));
    let released = Ok(Some(Release::Signal(Signal::USR1)));
    assert_eq!(core.delete(first), released);
    assert!(core.caught().into_iter().eq([Signal::USR2]));

    // A run that is aborted in a callback tells the front nothing.
    core.activate_signal(Signal::USR2, 1);
    core.begin(Mode::NonBlocking).unwrap();
    while !matches!(core.step(|| 0), Step::Run(_)) {
        core.waited();
    }
    core.abort();
    assert!(!core.info(second).unwrap().pending);
    assert!(core.caught().into_iter().eq([Signal::USR2]));
    core.add(second, || 0, refused).unwrap();
}

#[test]
fn negative_file_descriptor_is_refused_and_the_payload_comes_back() {
    let mut core = Loop::new();
    let kind = Kind::Io {
        fd: -1,
        interest: Interest::READ,
        trigger: Trigger::Level,
        ownership: Ownership::Owned,
    };
    assert_eq!(
        core.insert(Spec::new(kind), "payload"),
        Err((InsertError::BadFd(-1), "payload"))
    );
}

#[test]
fn run_inside_a_run_is_refused() {
    let mut core = Loop::new();
    added(&mut core, persistent(READ));
    core.begin(Mode::UntilEmpty).unwrap();
    assert_eq!(core.begin(Mode::UntilEmpty), Err(Reentrant));
    core.abort();
    assert_eq!(core.begin(Mode::UntilEmpty), Ok(()));
}

#[test]
fn loop_is_running_from_the_beginning_of_a_run_to_its_end() {
    let mut core = Loop::new();
    assert!(!core.is_running());
    core.begin(Mode::NonBlocking).unwrap();
    assert!(core.is_running());
    core.abort();
    assert!(!core.is_running());
}

#[test]
fn payload_can_be_changed_where_it_is() {
    let mut core = Loop::new();
    let id = added(&mut core, persistent(READ));
    *core.payload_mut(id).unwrap() = "other";
    assert_eq!(core.payload(id), Some(&"other"));
    assert_eq!(core.remove(id).unwrap().payload, Some("other"));
    assert_eq!(core.payload_mut(id), None);
}

#[test]
fn aborted_run_leaves_what_is_active_to_the_next() {
    let mut core = Loop::new();
    let ids = [0, 1, 2].map(|_| added(&mut core, persistent(Kind::Plain)));
    for id in ids {
        core.activate(id, Ready::READ).unwrap();
    }
    core.begin(Mode::NonBlocking).unwrap();
    while !matches!(core.step(|| 0), Step::Run(_)) {
        core.waited();
    }
    core.abort();
    core.check_invariants();
    let seen = steps(&mut core, Mode::NonBlocking, |_| {});
    let runs = seen
        .iter()
        .filter(|step| matches!(step, Step::Run(_)))
        .count();
    assert_eq!(runs, 2, "the first was running when its run was aborted");
}

#[test]
fn internal_event_keeps_no_run_going_and_decides_no_priority() {
    let mut core = Loop::new();
    core.insert(persistent(Kind::Plain), "idle").unwrap();
    let internal = Spec {
        internal: true,
        priority: Priority::MOST_URGENT,
        ..persistent(Kind::Plain)
    };
    let internal = added(&mut core, internal);
    assert!(core.is_empty());
    core.activate(internal, Ready::READ).unwrap();
    let user = added(&mut core, Spec::new(Kind::Plain));
    core.activate(user, Ready::READ).unwrap();
    let seen = steps(&mut core, Mode::UntilEmpty, |_| {});
    let waits = seen
        .iter()
        .filter(|step| matches!(step, Step::Wait(_)))
        .count();
    assert_eq!(waits, 1, "both run in one turn: {seen:?}");
    assert_eq!(core.stats().callbacks, 1);
}
