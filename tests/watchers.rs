//! Watchers, before each wait and after it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use evloop::{Cx, EventId, Interest, Mode, Outcome, Ready};

use crate::support::clock::{DAY, ms};
use crate::support::files::with_input;
use crate::support::trace::{
    Loop, NOBODY, Trace, io, look, new_loop, run, run_out, timer, user, wait,
};

fn prepare(events: &mut Loop, name: &'static str) -> EventId {
    let watcher = events.prepare().persist();
    watcher.add(named(name)).unwrap()
}

fn named(name: &'static str) -> impl FnMut(&mut Cx<'_, Trace>, Option<Duration>) + 'static {
    move |cx, _| cx.state.push(name.to_owned())
}

fn check(events: &mut Loop, name: &'static str) -> EventId {
    let watcher = events.check().persist();
    watcher.add(timer(name)).unwrap()
}

#[test]
fn watchers_run_before_and_after_each_wait_in_the_order_of_adding() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    check(&mut events, "check 1");
    let first = prepare(&mut events, "prepare 1");
    prepare(&mut events, "prepare 2");
    let last = check(&mut events, "check 2");
    let reader = events.io(near, Interest::READ).persist();
    reader.add(io("reader")).unwrap();
    for _ in 0..2 {
        assert_eq!(
            look(&mut events),
            [
                "prepare 1",
                "prepare 2",
                "check 1",
                "check 2",
                "reader READ"
            ]
        );
    }
    events.remove(first).unwrap();
    events.delete(last).unwrap();
    assert_eq!(look(&mut events), ["prepare 2", "check 1", "reader READ"]);
    events.add(last).unwrap();
    assert_eq!(
        look(&mut events),
        ["prepare 2", "check 1", "check 2", "reader READ"]
    );
}

#[test]
fn watchers_keep_no_loop_running() {
    let mut events = new_loop();
    prepare(&mut events, "prepare");
    check(&mut events, "check");
    assert_eq!(run_out(&mut events), NOBODY);
}

#[test]
fn watcher_that_is_not_persistent_runs_once() {
    let mut events = new_loop();
    events.timer(DAY).add(timer("tomorrow")).unwrap();
    events.prepare().add(named("prepare")).unwrap();
    events.check().add(timer("check")).unwrap();
    assert_eq!(look(&mut events), ["prepare", "check"]);
    assert_eq!(look(&mut events), NOBODY);
    assert_eq!(events.len(), 1);
}

/// How long the wait would be that each watcher was told of, in a run that waits.
fn told(events: &mut Loop) -> Vec<Option<Duration>> {
    let told = Rc::new(Cell::new(Vec::new()));
    let seen = Rc::clone(&told);
    let watcher = events.prepare().persist();
    let id = watcher
        .add(move |cx, coming| {
            let mut all = seen.take();
            all.push(coming);
            seen.set(all);
            cx.events.break_loop();
        })
        .unwrap();
    let outcome = events.run_mode(Mode::StayOnEmpty, &mut Trace::new());
    assert_eq!(outcome.unwrap(), Outcome::Break);
    events.remove(id).unwrap();
    told.take()
}

#[test]
fn prepare_watcher_is_told_how_long_the_wait_would_be() {
    let mut events = new_loop();
    assert_eq!(told(&mut events), [None]);
    let id = events.timer(DAY).add(timer("tomorrow")).unwrap();
    let [Some(coming)] = told(&mut events)[..] else {
        panic!("a timer is there");
    };
    assert!(coming <= DAY && coming > DAY / 2);
    events.activate(id, Ready::READ).unwrap();
    assert_eq!(told(&mut events), [Some(Duration::ZERO)]);
}

/// Who runs after a wait that would take a day but for what a prepare watcher does.
fn ran_though_it_would_take_a_day(does: impl Fn(&mut Loop, EventId) + 'static) -> Trace {
    let mut events = new_loop();
    let id = events.user().timeout(DAY).add(user("user")).unwrap();
    let watcher = events.prepare();
    watcher.add(move |cx, _| does(cx.events, id)).unwrap();
    wait(&mut events)
}

#[test]
fn prepare_watcher_shortens_the_wait() {
    let ran = ran_though_it_would_take_a_day(|events, _| {
        events.timer(ms(1)).add(timer("timer")).unwrap();
    });
    assert_eq!(ran, ["timer"]);
    let ran = ran_though_it_would_take_a_day(|events, id| {
        events.activate(id, Ready::READ).unwrap();
    });
    assert_eq!(ran, ["user READ"]);
    let ran = ran_though_it_would_take_a_day(|events, id| {
        events.set_timeout(id, Some(ms(1))).unwrap();
    });
    assert_eq!(ran, ["user TIMEOUT"]);
}

#[test]
fn prepare_watcher_can_break_the_run_before_the_wait() {
    let mut events = new_loop();
    events.timer(DAY).add(timer("tomorrow")).unwrap();
    let watcher = events.prepare();
    watcher.add(|cx, _| cx.events.break_loop()).unwrap();
    check(&mut events, "check");
    let ended = run(&mut events, Mode::UntilEmpty);
    assert_eq!(ended, (Outcome::Break, Trace::new()));
    assert_eq!(events.stats().waits, 0);
}

#[test]
fn watcher_may_take_itself_and_others_out() {
    let mut events = new_loop();
    events.timer(DAY).add(timer("tomorrow")).unwrap();
    let others = Rc::new(Cell::new(None));
    let other = Rc::clone(&others);
    events
        .prepare()
        .persist()
        .add(move |cx, _| {
            cx.state.push("first".to_owned());
            cx.events.remove(cx.id()).unwrap();
            cx.events.remove(other.get().unwrap()).unwrap();
        })
        .unwrap();
    others.set(Some(prepare(&mut events, "second")));
    prepare(&mut events, "third");
    assert_eq!(look(&mut events), ["first", "third"]);
    assert_eq!(look(&mut events), ["third"]);
}

#[test]
fn watcher_that_a_watcher_adds_is_for_the_next_turn() {
    let mut events = new_loop();
    events.timer(DAY).add(timer("tomorrow")).unwrap();
    let watcher = events.prepare();
    watcher
        .add(|cx, _| {
            cx.state.push("first".to_owned());
            prepare(cx.events, "added");
        })
        .unwrap();
    assert_eq!(look(&mut events), ["first"]);
    assert_eq!(look(&mut events), ["added"]);
}

/// It knows what came, and nobody has run for it yet.
#[test]
fn check_watcher_sees_what_the_wait_brought() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).persist();
    let reader = reader.add(io("reader")).unwrap();
    let watcher = events.check();
    watcher
        .add(move |cx| {
            let active = cx.events.info(reader).unwrap().active;
            assert_eq!(active, Some(Ready::READ));
            cx.events.delete(reader).unwrap();
            cx.state.push("check".to_owned());
        })
        .unwrap();
    assert_eq!(look(&mut events), ["check"]);
}
