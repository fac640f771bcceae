//! What bounds a turn: limits, deferral, and what prepare watchers do to the wait.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

use std::time::Duration;

use evloop_changelist::{Interest, Ready, Trigger};
use evloop_core::{
    Core, DEFERRED, Demand, EventId, Kind, Limits, Mode, Outcome, Ownership, Priority, Spec, Step,
};

fn granted(_: Demand) -> Result<(), ()> {
    Ok(())
}

fn added(core: &mut Core<()>, spec: Spec) -> EventId {
    let id = core.insert(spec, ()).unwrap();
    core.add(id, || 0, granted).unwrap();
    id
}

/// A loop with so many events active, and what runs it.
fn crowd(count: usize, priority: Priority) -> (Core<()>, Vec<EventId>) {
    let mut core = Core::new();
    let spec = Spec {
        priority,
        ..Spec::new(Kind::Plain)
    };
    let ids: Vec<_> = (0..count).map(|_| added(&mut core, spec)).collect();
    for id in &ids {
        core.activate(*id, Ready::READ).unwrap();
    }
    (core, ids)
}

/// How many callbacks ran in each turn of a run. Each callback takes 10 ns, and each wait 100 more than it
/// has to.
fn callbacks(core: &mut Core<()>, mode: Mode, mut callback: impl FnMut(&mut Core<()>)) -> Vec<u32> {
    let mut turns = Vec::new();
    let mut now_ns = 0;
    core.begin(mode).unwrap();
    loop {
        match core.step(|| now_ns) {
            Step::Wait(timeout) => {
                now_ns += 100 + u64::try_from(timeout.unwrap_or_default().as_nanos()).unwrap();
                turns.push(0);
                core.waited();
            }
            Step::Run(_) => {
                now_ns += 10;
                *turns.last_mut().unwrap() += 1;
                callback(core);
                assert!(
                    core.finish()
                        .is_none_or(|leaving| leaving.release.is_none())
                );
            }
            Step::Done(_) => return turns,
        }
    }
}

#[test]
fn count_of_callbacks_in_a_turn_is_limited() {
    let (mut core, _) = crowd(7, Priority::NORMAL);
    core.set_limits(Limits {
        callbacks: Some(3),
        ..Limits::NONE
    });
    assert_eq!(callbacks(&mut core, Mode::UntilEmpty, |_| {}), [3, 3, 1]);
}

#[test]
fn limit_of_nothing_is_a_limit_of_one() {
    let (mut core, _) = crowd(2, Priority::NORMAL);
    core.set_limits(Limits {
        callbacks: Some(0),
        ..Limits::NONE
    });
    assert_eq!(callbacks(&mut core, Mode::UntilEmpty, |_| {}), [1, 1]);
}

#[test]
fn time_of_callbacks_in_a_turn_is_limited() {
    let (mut core, _) = crowd(7, Priority::NORMAL);
    core.set_limits(Limits {
        interval: Some(Duration::from_nanos(25)),
        ..Limits::NONE
    });
    assert_eq!(callbacks(&mut core, Mode::UntilEmpty, |_| {}), [3, 3, 1]);
}

#[test]
fn urgent_priorities_are_not_limited() {
    let (mut core, _) = crowd(7, Priority(3));
    let from = Priority(4);
    core.set_limits(Limits {
        callbacks: Some(3),
        from,
        ..Limits::NONE
    });
    assert_eq!(callbacks(&mut core, Mode::UntilEmpty, |_| {}), [7]);
}

#[test]
fn limited_run_that_does_not_block_ends_and_leaves_the_rest() {
    let (mut core, ids) = crowd(3, Priority::NORMAL);
    core.set_limits(Limits {
        callbacks: Some(2),
        ..Limits::NONE
    });
    assert_eq!(callbacks(&mut core, Mode::NonBlocking, |_| {}), [2]);
    assert_eq!(core.info(ids[2]).unwrap().active, Some(Ready::READ));
}

#[test]
fn clock_is_not_read_for_a_limit_of_callbacks_alone() {
    let (mut core, _) = crowd(3, Priority::NORMAL);
    core.set_limits(Limits {
        callbacks: Some(1),
        ..Limits::NONE
    });
    core.begin(Mode::UntilEmpty).unwrap();
    loop {
        match core.step(|| panic!("nobody needs the time")) {
            Step::Wait(_) => core.waited(),
            Step::Run(_) => drop(core.finish()),
            Step::Done(outcome) => break assert_eq!(outcome, Outcome::Empty),
        }
    }
}

#[test]
fn callbacks_that_defer_for_ever_let_the_kernel_be_asked() {
    let mut core = Core::new();
    let spec = Spec {
        persistent: true,
        ..Spec::new(Kind::Plain)
    };
    let id = added(&mut core, spec);
    core.defer(id).unwrap();
    let mut ran = 0;
    let turns = callbacks(&mut core, Mode::UntilEmpty, |core| {
        ran += 1;
        core.defer(id).unwrap();
        if ran == 3 * DEFERRED {
            core.break_loop();
        }
    });
    // The first was deferred before the run began: in no turn.
    assert_eq!(turns, [1 + DEFERRED, 1 + DEFERRED, DEFERRED - 2]);
}

#[test]
fn timer_added_by_a_prepare_watcher_shortens_the_wait() {
    let mut core = Core::new();
    let watcher = added(
        &mut core,
        Spec {
            persistent: true,
            ..Spec::new(Kind::Prepare)
        },
    );
    let second = Some(Duration::from_secs(1));
    added(
        &mut core,
        Spec {
            timeout: second,
            ..Spec::new(Kind::Plain)
        },
    );
    let millisecond = Some(Duration::from_millis(1));
    core.begin(Mode::UntilEmpty).unwrap();
    loop {
        match core.step(|| 0) {
            Step::Run(activation) => {
                assert_eq!(activation.id, watcher);
                assert_eq!(core.coming_wait(), second);
                added(
                    &mut core,
                    Spec {
                        timeout: millisecond,
                        ..Spec::new(Kind::Plain)
                    },
                );
                let _ = core.finish();
            }
            Step::Wait(timeout) => break assert_eq!(timeout, millisecond),
            Step::Done(outcome) => panic!("{outcome:?}"),
        }
    }
}

#[test]
fn break_in_a_prepare_watcher_spares_the_wait() {
    let mut core = Core::new();
    added(
        &mut core,
        Spec {
            persistent: true,
            ..Spec::new(Kind::Prepare)
        },
    );
    added(&mut core, Spec::new(Kind::Plain));
    let turns = callbacks_before_wait(&mut core);
    assert_eq!(turns, 0);
}

/// Waits until the run is broken by its first callback.
fn callbacks_before_wait(core: &mut Core<()>) -> u32 {
    let mut waits = 0;
    core.begin(Mode::UntilEmpty).unwrap();
    loop {
        match core.step(|| 0) {
            Step::Wait(_) => {
                waits += 1;
                core.waited();
            }
            Step::Run(_) => {
                core.break_loop();
                let _ = core.finish();
            }
            Step::Done(outcome) => {
                assert_eq!(outcome, Outcome::Break);
                return waits;
            }
        }
    }
}

#[test]
fn activation_by_file_descriptor_reaches_those_who_ask_for_it() {
    let mut core = Core::new();
    let io = |interest, timeout| Spec {
        timeout,
        ..Spec::new(Kind::Io {
            fd: 4,
            interest,
            trigger: Trigger::Level,
            ownership: Ownership::Owned,
        })
    };
    let second = Some(Duration::from_secs(1));
    let reader = added(&mut core, io(Interest::READ, None));
    let writer = added(&mut core, io(Interest::WRITE, second));
    core.activate_fd(4, Ready::WRITE | Ready::TIMEOUT);
    core.activate_fd(5, Ready::READ);
    core.activate_fd(-1, Ready::READ);
    assert_eq!(core.info(reader).unwrap().active, None);
    assert_eq!(
        core.info(writer).unwrap().active,
        Some(Ready::WRITE | Ready::TIMEOUT)
    );
}

#[test]
fn common_timeouts_expire_among_the_others_in_order() {
    let mut core = Core::new();
    let common = Duration::from_nanos(20);
    core.common_timeout(common);
    core.common_timeout(common);
    let mut ids = Vec::new();
    for ns in [20, 30, 20, 10, 20] {
        let timeout = Some(Duration::from_nanos(ns));
        ids.push(added(
            &mut core,
            Spec {
                timeout,
                ..Spec::new(Kind::Plain)
            },
        ));
    }
    let mut order = Vec::new();
    callbacks(&mut core, Mode::UntilEmpty, |core| {
        order.push(
            ids.iter()
                .position(|id| core.running() == Some(*id))
                .unwrap(),
        );
    });
    assert_eq!(order, [3, 0, 2, 4, 1]);
}
