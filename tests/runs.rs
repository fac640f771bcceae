//! How a run ends: by itself in each mode, and when it is asked to.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use evloop::{EventId, Interest, Mode, Outcome, Priority, Ready, RunError};
use rustix::thread::gettid;

use crate::support::clock::{DAY, busy, ms, now};
use crate::support::files::{put, sockets, take, with_input};
use crate::support::process::in_own_process;
use crate::support::status::until_it_blocks;
use crate::support::trace::{Loop, NOBODY, Trace, io, look, new_loop, run, timer, user};

/// Persistent events that are active, in this order.
fn active<const N: usize>(events: &mut Loop, names: [&'static str; N]) -> [EventId; N] {
    names.map(|name| {
        let id = events.user().persist().add(user(name)).unwrap();
        events.activate(id, Ready::READ).unwrap();
        id
    })
}

/// An active event whose callback does this.
fn active_that(events: &mut Loop, mut does: impl FnMut(&mut Loop) + 'static) {
    let id = events
        .user()
        .add(move |cx, _| {
            cx.state.push("asks".to_owned());
            does(cx.events);
        })
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
}

#[test]
fn loop_without_events_ends_at_once() {
    let mut events = new_loop();
    for mode in [Mode::UntilEmpty, Mode::Once, Mode::NonBlocking] {
        assert_eq!(run(&mut events, mode).0, Outcome::Empty);
    }
    assert_eq!(events.stats().waits, 0);
}

#[test]
fn loop_whose_events_are_all_deleted_ends() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let id = events.io(near, Interest::READ).persist();
    let id = id.add(io("reader")).unwrap();
    events.timer(DAY).persist().add(timer("timer")).unwrap();
    let all: Vec<_> = events.iter().map(|event| event.event.id).collect();
    active_that(&mut events, move |events| {
        for id in &all {
            events.delete(*id).unwrap();
        }
    });
    let (outcome, ran) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(outcome, Outcome::Empty);
    assert!(ran == ["asks"] || ran == ["reader READ", "asks"], "{ran:?}");
    assert!(events.is_empty());
    assert_eq!(events.len(), 2);
    assert!(!events.info(id).unwrap().pending);
}

#[test]
fn reader_sees_data_and_the_end_and_ends_the_run() {
    let (near, far) = sockets();
    let mut events = new_loop();
    events
        .io(near, Interest::READ)
        .persist()
        .add(|cx, near, ready| {
            cx.state.push(String::from_utf8(take(near)).unwrap());
            if ready.contains(Ready::HANGUP) {
                cx.events.delete(cx.id()).unwrap();
                cx.events.exit();
            }
        })
        .unwrap();
    put(&far, b"this is a test");
    drop(far);
    let (outcome, ran) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(outcome, Outcome::Exit);
    assert_eq!(ran, ["this is a test"]);
}

#[test]
fn once_waits_for_something_and_runs_all_that_is_active() {
    let mut events = new_loop();
    let low = events
        .timer(Duration::ZERO)
        .priority(Priority::LEAST_URGENT);
    low.add(timer("low")).unwrap();
    events.timer(Duration::ZERO).add(timer("normal")).unwrap();
    events.timer(DAY).add(timer("tomorrow")).unwrap();
    let (outcome, ran) = run(&mut events, Mode::Once);
    assert_eq!(
        (outcome, ran),
        (Outcome::Done, vec!["normal".to_owned(), "low".to_owned()])
    );

    let before = now();
    events.timer(ms(2)).add(timer("later")).unwrap();
    let (outcome, ran) = run(&mut events, Mode::Once);
    assert_eq!((outcome, ran), (Outcome::Done, vec!["later".to_owned()]));
    assert!(now() - before >= ms(2));
}

#[test]
fn non_blocking_run_never_waits() {
    let mut events = new_loop();
    events.timer(DAY).add(timer("tomorrow")).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    assert_eq!(events.stats().waits, 1);
}

/// Also where a source stays ready for ever.
#[test]
fn non_blocking_run_ends_after_one_look() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).persist();
    reader.add(io("reader")).unwrap();
    for turn in 1..4 {
        assert_eq!(look(&mut events), ["reader READ"]);
        assert_eq!(events.stats().waits, turn);
    }
}

#[test]
fn non_blocking_run_is_over_for_what_its_callbacks_add() {
    let mut events = new_loop();
    active_that(&mut events, |events| {
        events.timer(Duration::ZERO).add(timer("added")).unwrap();
    });
    assert_eq!(look(&mut events), ["asks"]);
    assert_eq!(look(&mut events), ["added"]);
}

/// The one way to see that a thread would block for ever is to look at the thread.
#[test]
fn run_that_stays_on_empty_waits_with_nothing_to_wait_for() {
    in_own_process(
        "runs::run_that_stays_on_empty_waits_with_nothing_to_wait_for",
        || {
            let (say, hear) = mpsc::channel();
            thread::spawn(move || {
                let mut events = new_loop();
                events.timer(Duration::ZERO).add(timer("last")).unwrap();
                say.send(gettid()).unwrap();
                let ended = events.run_mode(Mode::StayOnEmpty, &mut Trace::new());
                panic!("{ended:?}");
            });
            until_it_blocks(hear.recv().unwrap());
        },
    );
}

#[test]
fn run_that_stays_on_empty_ends_when_it_is_asked_to() {
    let mut events = new_loop();
    active_that(&mut events, Loop::exit);
    assert_eq!(run(&mut events, Mode::StayOnEmpty).0, Outcome::Exit);
    active_that(&mut events, Loop::break_loop);
    assert_eq!(run(&mut events, Mode::StayOnEmpty).0, Outcome::Break);
}

#[test]
fn exit_lets_the_callbacks_of_the_turn_run() {
    let mut events = new_loop();
    active_that(&mut events, Loop::exit);
    active(&mut events, ["a", "b"]);
    let (outcome, ran) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(outcome, Outcome::Exit);
    assert_eq!(ran, ["asks", "a READ", "b READ"]);
}

#[test]
fn break_leaves_what_is_active_to_the_next_run() {
    let mut events = new_loop();
    active_that(&mut events, Loop::break_loop);
    active(&mut events, ["a", "b"]);
    let (outcome, ran) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(outcome, Outcome::Break);
    assert_eq!(ran, ["asks"]);
    assert_eq!(look(&mut events), ["a READ", "b READ"]);
}

/// Both are due.
#[test]
fn break_in_a_timer_keeps_the_next_from_running() {
    let mut events = new_loop();
    events
        .timer(ms(1))
        .add(|cx| {
            cx.state.push("first".to_owned());
            cx.events.break_loop();
        })
        .unwrap();
    events.timer(ms(1)).add(timer("second")).unwrap();
    busy(ms(2));
    let (outcome, ran) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(outcome, Outcome::Break);
    assert_eq!(ran, ["first"]);
    assert_eq!(look(&mut events), ["second"]);
}

#[test]
fn exit_and_break_end_every_mode() {
    for mode in [
        Mode::UntilEmpty,
        Mode::Once,
        Mode::NonBlocking,
        Mode::StayOnEmpty,
    ] {
        for outcome in [Outcome::Exit, Outcome::Break] {
            let mut events = new_loop();
            active_that(&mut events, asks_for(outcome));
            active(&mut events, ["a"]);
            let (ended, ran) = run(&mut events, mode);
            assert_eq!(ended, outcome, "{mode:?}");
            let all_ran = outcome == Outcome::Exit;
            assert_eq!(ran.len(), 1 + usize::from(all_ran), "{mode:?}");
        }
    }
}

/// What has a run end so.
fn asks_for(outcome: Outcome) -> fn(&mut Loop) {
    match outcome {
        Outcome::Exit => Loop::exit,
        _ => Loop::break_loop,
    }
}

#[test]
fn request_before_a_run_ends_it_at_once_and_is_used_up() {
    for outcome in [Outcome::Exit, Outcome::Break] {
        let mut events = new_loop();
        active(&mut events, ["a"]);
        asks_for(outcome)(&mut events);
        let ended = run(&mut events, Mode::UntilEmpty);
        assert_eq!(ended, (outcome, Trace::new()));
        assert_eq!(events.stats().waits, 0);
        assert_eq!(look(&mut events), ["a READ"]);
    }
}

#[test]
fn break_comes_before_exit_which_is_not_lost() {
    let mut events = new_loop();
    active_that(&mut events, |events| {
        events.exit();
        events.break_loop();
    });
    active(&mut events, ["a"]);
    assert_eq!(run(&mut events, Mode::UntilEmpty).0, Outcome::Break);
    assert_eq!(
        run(&mut events, Mode::UntilEmpty),
        (Outcome::Exit, Trace::new())
    );
    assert_eq!(look(&mut events), ["a READ"]);
}

#[test]
fn exit_after_ends_a_run_that_has_long_to_wait() {
    let mut events = new_loop();
    events.timer(DAY).add(timer("tomorrow")).unwrap();
    let before = now();
    events.exit_after(ms(5));
    assert_eq!(
        run(&mut events, Mode::UntilEmpty),
        (Outcome::Exit, Trace::new())
    );
    assert!(now() - before >= ms(5));
    assert_eq!(events.timers(), 1);
}

#[test]
fn earliest_of_several_exits_counts() {
    let mut events = new_loop();
    events.exit_after(DAY);
    events.exit_after(ms(2));
    events.exit_after(DAY);
    assert_eq!(run(&mut events, Mode::UntilEmpty).0, Outcome::Exit);
    assert_eq!(events.timers(), 2);
}

#[test]
fn exit_that_is_due_later_can_be_called_off() {
    let mut events = new_loop();
    let exit = events.exit_after(ms(1));
    events.timer(ms(3)).add(timer("later")).unwrap();
    events.remove(exit).unwrap();
    let (outcome, trace) = run(&mut events, Mode::UntilEmpty);
    assert_eq!((outcome, trace), (Outcome::Empty, vec!["later".into()]));
}

/// With and without: whether what came meanwhile is seen before the rest of what was active.
#[test]
fn rescan_looks_at_the_kernel_before_anybody_else_runs() {
    for is_asked in [false, true] {
        let (near, far) = sockets();
        let mut events = new_loop();
        let urgent = events
            .io(near, Interest::READ)
            .priority(Priority::MOST_URGENT);
        urgent.add(io("urgent")).unwrap();
        let far = Rc::new(far);
        let writer = Rc::clone(&far);
        active_that(&mut events, move |events| {
            put(&*writer, b"x");
            if is_asked {
                events.rescan();
            }
        });
        active(&mut events, ["a"]);
        active_that(&mut events, Loop::break_loop);
        let (_, ran) = run(&mut events, Mode::UntilEmpty);
        if is_asked {
            assert_eq!(ran, ["asks", "urgent READ", "a READ", "asks"]);
        } else {
            assert_eq!(ran, ["asks", "a READ", "asks"]);
        }
        drop(far);
    }
}

#[test]
fn rescan_before_a_run_loses_nothing() {
    let mut events = new_loop();
    active(&mut events, ["a", "b"]);
    events.rescan();
    assert_eq!(look(&mut events), ["a READ", "b READ"]);
}

#[test]
fn run_in_a_callback_is_refused_and_the_outer_run_goes_on() {
    let mut events = new_loop();
    active_that(&mut events, |events| {
        let mut inner = Trace::new();
        let refused = events.run(&mut inner);
        assert!(matches!(refused, Err(RunError::Reentrant)));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "the loop is running already"
        );
        assert_eq!(inner, NOBODY);
    });
    events.timer(Duration::ZERO).add(timer("after")).unwrap();
    let (outcome, ran) = run(&mut events, Mode::UntilEmpty);
    assert_eq!((outcome, ran.len()), (Outcome::Empty, 2));
}

/// Two ready one-shots whose callbacks add each other: both run, and the last one added is pending.
#[test]
fn one_shots_that_add_each_other_both_run() {
    let (first_near, _first_far) = with_input();
    let (second_near, _second_far) = with_input();
    let mut events = new_loop();
    let ids = Rc::new(Cell::new(None));
    for (at, near) in [first_near, second_near].into_iter().enumerate() {
        let mine = Rc::clone(&ids);
        let event = events.io(near, Interest::READ).keep();
        let id = event
            .add(move |cx, _, _| {
                let ids: [EventId; 2] = mine.get().unwrap();
                cx.events.add(ids[1 - at]).unwrap();
                cx.state.push(at.to_string());
            })
            .unwrap();
        let other = ids.get().map_or(id, |ids: [EventId; 2]| ids[0]);
        ids.set(Some([other, id]));
    }
    let (outcome, mut ran) = run(&mut events, Mode::Once);
    assert_eq!(outcome, Outcome::Done);
    let last: usize = ran[1].parse().unwrap();
    ran.sort();
    assert_eq!(ran, ["0", "1"]);
    let pending = ids
        .get()
        .unwrap()
        .map(|id| events.info(id).unwrap().pending);
    assert!(pending[1 - last] && !pending[last]);
}
