//! Callbacks that panic: the panic ends the run, and nothing else is lost by it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use evloop::{Cx, EventId, Interest, Mode, Priority, Ready, Signal};

use crate::support::clock::{DAY, ms};
use crate::support::files::{is_open, put, take, with_input};
use crate::support::process::in_own_process;
use crate::support::raw::raise;
use crate::support::setting::has_edges;
use crate::support::status::is_caught;
use crate::support::trace::{
    Loop, NOBODY, Trace, look, new_loop, run, run_out, signal, timer, user,
};

/// A run that ends by a panic, and what ran before.
fn run_panics(events: &mut Loop) -> Trace {
    let mut trace = Trace::new();
    let run = AssertUnwindSafe(|| events.run_mode(Mode::NonBlocking, &mut trace));
    let payload = catch_unwind(run).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
    events.check_invariants();
    trace
}

/// Panics the first time.
fn panic_once<S>(_: &mut Cx<'_, S>, first: &mut bool) {
    assert!(!std::mem::take(first), "on purpose");
}

fn active_panic(events: &mut Loop, is_persistent: bool) -> EventId {
    let mut first = true;
    let event = events.user();
    let event = if is_persistent {
        event.persist()
    } else {
        event
    };
    let id = event
        .add(move |cx, _| {
            panic_once(cx, &mut first);
            cx.state.push("calm".to_owned());
        })
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
    id
}

#[test]
fn others_that_are_active_run_in_the_next_run() {
    let mut events = new_loop();
    let before = events.user().add(user("before")).unwrap();
    events.activate(before, Ready::READ).unwrap();
    active_panic(&mut events, false);
    let after = events.user().add(user("after")).unwrap();
    events.activate(after, Ready::READ).unwrap();
    let low = events.user().priority(Priority::LEAST_URGENT);
    let low = low.add(user("low")).unwrap();
    events.activate(low, Ready::WRITE).unwrap();

    assert_eq!(run_panics(&mut events), ["before READ"]);
    assert_eq!(run_out(&mut events), ["after READ", "low WRITE"]);
}

#[test]
fn ready_one_shots_are_not_lost() {
    let mut events = new_loop();
    let mut others = Vec::new();
    for _ in 0..4 {
        let (near, far) = with_input();
        let mut event = events.io(near, Interest::READ);
        if has_edges() {
            event = event.edge();
        }
        event
            .add(|cx, _, _| {
                cx.state.push("ran".to_owned());
                assert!(cx.state.len() > 1, "on purpose");
            })
            .unwrap();
        others.push(far);
    }
    assert_eq!(run_panics(&mut events), ["ran"]);
    let mut trace = vec!["ran before".to_owned()];
    let _empty = events.run(&mut trace).unwrap();
    assert_eq!(trace[1..], ["ran", "ran", "ran"]);
}

#[test]
fn persistent_event_that_panicked_stays_pending_with_its_source() {
    let (near, far) = with_input();
    let mut first = true;
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    let id = event
        .add(move |cx, near, _| {
            let input = take(near);
            panic_once(cx, &mut first);
            cx.state.push(String::from_utf8(input).unwrap());
        })
        .unwrap();
    assert_eq!(run_panics(&mut events), NOBODY);
    assert!(events.info(id).unwrap().pending);
    assert!(is_open(&far));
    put(&far, b"more");
    assert_eq!(look(&mut events), ["more"]);
    events
        .into_source::<std::os::unix::net::UnixStream>(id)
        .unwrap();
}

#[test]
fn one_shot_that_panicked_is_over_and_its_source_closed() {
    let (near, far) = with_input();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ);
    let id = event.add(|_, _, _| panic!("on purpose")).unwrap();
    assert_eq!(run_panics(&mut events), NOBODY);
    assert_eq!((events.info(id), events.len()), (None, 0));
    assert!(!is_open(&far));
}

#[test]
fn one_shot_that_added_itself_before_it_panicked_is_pending() {
    let (near, _far) = with_input();
    let mut first = true;
    let mut events = new_loop();
    let event = events.io(near, Interest::READ);
    event
        .add(move |cx, _, _| {
            if first {
                cx.events.add(cx.id()).unwrap();
            }
            panic_once(cx, &mut first);
            cx.state.push("calm".to_owned());
        })
        .unwrap();
    assert_eq!(run_panics(&mut events), NOBODY);
    assert_eq!(run_out(&mut events), ["calm"]);
}

#[test]
fn event_that_removed_itself_before_it_panicked_is_gone() {
    let (near, far) = with_input();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    event
        .add(|cx, _, _| {
            cx.events.remove(cx.id()).unwrap();
            panic!("on purpose");
        })
        .unwrap();
    assert_eq!(run_panics(&mut events), NOBODY);
    assert_eq!(events.len(), 0);
    assert!(!is_open(&far));
}

#[test]
fn persistent_timer_that_panicked_goes_on() {
    let mut events = new_loop();
    let mut first = true;
    let event = events.timer(ms(0)).persist();
    event
        .add(move |cx| {
            panic_once(cx, &mut first);
            cx.state.push("tick".to_owned());
        })
        .unwrap();
    events.timer(DAY).add(timer("tomorrow")).unwrap();
    assert_eq!(run_panics(&mut events), NOBODY);
    assert_eq!(look(&mut events), ["tick"]);
    assert_eq!(look(&mut events), ["tick"]);
}

#[test]
fn what_a_callback_did_before_it_panicked_is_done() {
    let mut events = new_loop();
    let others = Rc::new(Cell::new(None));
    let other = Rc::clone(&others);
    let mut first = true;
    let id = events
        .user()
        .add(move |cx, _| {
            cx.events.remove(other.get().unwrap()).unwrap();
            cx.events.timer(ms(0)).add(timer("added")).unwrap();
            cx.events.exit();
            panic_once(cx, &mut first);
        })
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
    let removed = events.user().add(user("removed")).unwrap();
    events.activate(removed, Ready::READ).unwrap();
    others.set(Some(removed));
    assert_eq!(run_panics(&mut events), NOBODY);
    assert_eq!(run(&mut events, Mode::UntilEmpty).0, evloop::Outcome::Exit);
    assert_eq!(run_out(&mut events), ["added"]);
}

#[test]
fn panic_of_a_persistent_event_can_come_again() {
    let mut events = new_loop();
    let id = events.user().persist();
    let id = id.add(|_, _| panic!("on purpose")).unwrap();
    for _ in 0..3 {
        events.activate(id, Ready::READ).unwrap();
        assert_eq!(run_panics(&mut events), NOBODY);
    }
    events.remove(id).unwrap();
    assert_eq!(run_out(&mut events), NOBODY);
}

#[test]
fn signal_whose_callback_panicked_is_still_caught() {
    in_own_process(
        "panics::signal_whose_callback_panicked_is_still_caught",
        || {
            let mut first = true;
            let mut events = new_loop();
            events
                .signal(Signal::USR1)
                .persist()
                .add(move |cx, caught| {
                    raise(Signal::USR1);
                    panic_once(cx, &mut first);
                    cx.state.push(format!("x{}", caught.count));
                    cx.events.delete(cx.id()).unwrap();
                })
                .unwrap();
            let second = events.signal(Signal::USR1).persist();
            second.add(signal("second")).unwrap();
            raise(Signal::USR1);
            raise(Signal::USR1);
            assert_eq!(run_panics(&mut events), NOBODY);
            // The second was active when the first panicked; one more came then, and one with the next.
            assert_eq!(look(&mut events), ["second x3", "x1", "second x1"]);
            assert!(is_caught(Signal::USR1));
        },
    );
}

/// What a callback captured, and panics when it is let go.
struct Unwilling;

impl Drop for Unwilling {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("on purpose");
        }
    }
}

#[test]
fn panic_of_what_a_callback_captured_loses_nothing() {
    let mut events = new_loop();
    let unwilling = Unwilling;
    let event = events.user();
    let id = event
        .add(move |_, _| {
            let Unwilling = &unwilling;
        })
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
    let after = events.user().add(user("after")).unwrap();
    events.activate(after, Ready::READ).unwrap();
    assert_eq!(run_panics(&mut events), NOBODY);
    assert_eq!(run_out(&mut events), ["after READ"]);
    assert_eq!(events.len(), 0);
}
