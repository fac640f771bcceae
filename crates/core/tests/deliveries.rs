//! Events whose callback runs for each delivery of their signal: who runs, for what, in which order.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

use evloop_changelist::Ready;
use evloop_core::{
    Activation, Core, Demand, EventId, Kind, Mode, News, Priority, Release, Spec, Step,
};
use evloop_signals::Signal;

type Loop = Core<char>;

fn each(persistent: bool) -> Spec {
    Spec {
        each: true,
        persistent,
        ..Spec::new(Kind::Signal(Signal::USR1))
    }
}

fn added(core: &mut Loop, name: char, spec: Spec) -> EventId {
    let id = core.insert(spec, name).unwrap();
    core.add(id, || 0, |_: Demand| Ok::<_, ()>(())).unwrap();
    id
}

/// Runs what is active, and says who ran, with how many deliveries and how many left: `a1+2`.
fn look(core: &mut Loop, mut callback: impl FnMut(&mut Loop, &Activation<char>)) -> Vec<String> {
    let mut seen = Vec::new();
    core.begin(Mode::NonBlocking).unwrap();
    loop {
        match core.step(|| 0) {
            Step::Wait(_) => core.waited(),
            Step::Run(activation) => {
                let name = activation.payload;
                let News { count, left, .. } = core.news();
                seen.push(format!("{name}{count}+{left}"));
                callback(core, &activation);
                let leaving = core.finish();
                if let Some(Release::Signal(signal)) = leaving.and_then(|leaving| leaving.release) {
                    seen.push(format!("no more {signal}"));
                }
            }
            Step::Done(_) => {
                core.check_invariants();
                return seen;
            }
        }
    }
}

const NOBODY: [&str; 0] = [];

#[test]
fn deliveries_run_one_by_one_each_behind_what_is_active_already() {
    let mut core = Loop::new();
    added(&mut core, 'a', each(true));
    let mut batch = each(true);
    batch.each = false;
    added(&mut core, 'b', batch);
    added(&mut core, 'c', each(true));
    core.catch(Signal::USR1, 3);
    let seen = look(&mut core, |_, _| {});
    assert_eq!(
        seen,
        ["a1+2", "b3+0", "c1+2", "a1+1", "c1+1", "a1+0", "c1+0"]
    );
    assert_eq!(look(&mut core, |_, _| {}), NOBODY);
}

#[test]
fn one_shot_runs_for_each_that_came_while_it_was_pending() {
    let mut core = Loop::new();
    let id = added(&mut core, 'a', each(false));
    core.catch(Signal::USR1, 3);
    let seen = look(&mut core, |core, _| {
        if core.news().left == 1 {
            // It is not pending any more.
            core.catch(Signal::USR1, 5);
        }
    });
    assert_eq!(seen, ["a1+2", "no more SIGUSR1", "a1+1", "a1+0"]);
    assert!(core.info(id).is_none());
}

#[test]
fn break_leaves_the_rest_to_the_next_run() {
    let mut core = Loop::new();
    added(&mut core, 'a', each(true));
    core.catch(Signal::USR1, 3);
    assert_eq!(look(&mut core, |core, _| core.break_loop()), ["a1+2"]);
    core.catch(Signal::USR1, 1);
    assert_eq!(look(&mut core, |_, _| {}), ["a1+2", "a1+1", "a1+0"]);
}

#[test]
fn delete_in_the_callback_forgets_the_rest() {
    let mut core = Loop::new();
    let id = added(&mut core, 'a', each(true));
    core.catch(Signal::USR1, 3);
    let seen = look(&mut core, |core, _| _ = core.delete(id).unwrap());
    assert_eq!(seen, ["a1+2"]);
    core.add(id, || 0, |_| Ok::<_, ()>(())).unwrap();
    core.catch(Signal::USR1, 1);
    assert_eq!(look(&mut core, |_, _| {}), ["a1+0"]);
}

#[test]
fn aborted_run_keeps_the_rest() {
    let mut core = Loop::new();
    added(&mut core, 'a', each(true));
    core.catch(Signal::USR1, 3);
    core.begin(Mode::NonBlocking).unwrap();
    while !matches!(core.step(|| 0), Step::Run(_)) {
        core.waited();
    }
    core.abort();
    assert_eq!(look(&mut core, |_, _| {}), ["a1+1", "a1+0"]);
}

#[test]
fn something_more_urgent_overtakes_between_two_deliveries() {
    let mut core = Loop::new();
    added(&mut core, 'a', each(true));
    let mut urgent = Spec::new(Kind::Plain);
    urgent.priority = Priority::MOST_URGENT;
    let urgent = core.insert(urgent, 'u').unwrap();
    core.catch(Signal::USR1, 3);
    let seen = look(&mut core, |core, _| {
        if core.news().left == 2 {
            core.activate(urgent, Ready::READ).unwrap();
        }
    });
    assert_eq!(seen, ["a1+2", "u0+0", "a1+1", "a1+0"]);
}

#[test]
fn other_reasons_come_with_the_first_delivery() {
    let mut core = Loop::new();
    let id = added(&mut core, 'a', each(true));
    core.activate(id, Ready::TIMEOUT).unwrap();
    core.catch(Signal::USR1, 2);
    let mut seen = Vec::new();
    look(&mut core, |_, activation| seen.push(activation.ready));
    assert_eq!(seen, [Ready::TIMEOUT | Ready::SIGNAL, Ready::SIGNAL]);
}
