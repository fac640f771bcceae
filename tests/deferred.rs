//! Closures that the loop calls once: deferred, and as the last of an event.

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use evloop::{EventId, Interest, Priority, Ready, RemoveError, Signal};

use crate::support::clock::{DAY, ms};
use crate::support::files::{is_open, sockets, with_input};
use crate::support::trace::{
    Loop, NOBODY, Trace, io, line, look, new_loop, run_out, timer, user, wait,
};

#[test]
fn deferred_closures_run_once_in_their_order() {
    let mut events = new_loop();
    for name in ["a", "b", "c"] {
        events.defer(move |cx| cx.state.push(name.to_owned()));
    }
    assert!(!events.is_empty());
    assert_eq!(run_out(&mut events), ["a", "b", "c"]);
    assert_eq!(events.len(), 0);
}

#[test]
fn closure_deferred_in_a_callback_runs_in_the_same_turn() {
    let mut events = new_loop();
    events.defer(|cx| {
        cx.state.push("outer".to_owned());
        cx.events.defer(|cx| cx.state.push("inner".to_owned()));
    });
    assert_eq!(look(&mut events), ["outer", "inner"]);
}

/// Whether it was deferred before the run, or for the turn that comes.
#[test]
fn deferred_closure_lets_no_wait_come_before_it() {
    let mut events = new_loop();
    events.timer(ms(1000)).add(timer("timer")).unwrap();
    let watcher = events.prepare().persist();
    watcher
        .add(|cx, wait| cx.state.push(format!("{wait:?}")))
        .unwrap();
    events.defer(|cx| cx.state.push("deferred".to_owned()));
    assert_eq!(wait(&mut events), ["Some(0ns)", "deferred"]);
    let user = events.user().add(user("later")).unwrap();
    events.activate_later(user, Ready::READ).unwrap();
    assert_eq!(wait(&mut events), ["Some(0ns)", "later READ"]);
}

#[test]
fn closure_that_never_ran_is_dropped_with_the_loop() {
    let captured = Rc::new(());
    let mine = Rc::clone(&captured);
    let mut events = new_loop();
    events.defer(move |_| drop(mine));
    drop(events);
    assert_eq!(Rc::strong_count(&captured), 1);
}

/// An event without a handle: read once, waited once.
#[test]
fn one_shots_need_no_handle() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    events.io(near, Interest::READ).add(io("reader")).unwrap();
    events
        .timer(std::time::Duration::ZERO)
        .add(timer("timer"))
        .unwrap();
    events.defer(|cx| cx.state.push("deferred".to_owned()));
    let (near, far) = sockets();
    events.io(near, Interest::READ).add(io("never")).unwrap();
    assert_eq!(look(&mut events), ["deferred", "reader READ", "timer"]);
    drop(events);
    assert!(!is_open(&far));
}

/// The finalizer of an event in each state is all that runs.
#[test]
fn finalizer_runs_in_place_of_the_event_whatever_that_was() {
    let states: [fn(&mut Loop, EventId); 4] = [
        |events, id| events.delete(id).unwrap(),
        |_, _| {},
        |events, id| events.activate(id, Ready::READ).unwrap(),
        |events, id| {
            events.delete(id).unwrap();
            events.activate(id, Ready::READ).unwrap();
        },
    ];
    for bring_about in states {
        let (near, far) = with_input();
        let mut events = new_loop();
        let event = events.io(near, Interest::READ).persist();
        let id = event.add(io("event")).unwrap();
        bring_about(&mut events, id);
        let far = Rc::new(far);
        let other_end = Rc::clone(&far);
        events
            .finalize(id, move |cx| {
                assert!(!is_open(&other_end), "its source is closed by now");
                cx.state.push("finalizer".to_owned());
            })
            .unwrap();
        assert!(events.add(id).is_err());
        assert!(events.activate(id, Ready::READ).is_err());
        assert_eq!(run_out(&mut events), ["finalizer"]);
    }
}

#[test]
fn event_that_was_freed_has_no_finalizer() {
    let mut events = new_loop();
    let id = events.user().add(user("event")).unwrap();
    events.remove(id).unwrap();
    let finalized = events.finalize(id, |cx| cx.state.push("never".to_owned()));
    assert!(matches!(finalized, Err(RemoveError::NoSuchEvent)));
    assert_eq!(run_out(&mut events), NOBODY);
}

/// Itself and a sibling, which was active and does not run.
#[test]
fn callback_finalizes_itself_and_its_sibling() {
    for is_persistent in [false, true] {
        let mut events = new_loop();
        let siblings = Rc::new(Cell::new(None));
        let sibling = Rc::clone(&siblings);
        let captured = Rc::new(());
        let mine = Rc::clone(&captured);
        let event = events.user();
        let event = if is_persistent {
            event.persist()
        } else {
            event
        };
        let first = event
            .add(move |cx, ready| {
                let mine = Rc::downgrade(&mine);
                cx.state.push(line("first", ready));
                let own = cx.id();
                cx.events
                    .finalize(own, move |cx| {
                        assert_eq!(mine.strong_count(), 1, "the callback was dropped");
                        cx.state.push("first is over".to_owned());
                    })
                    .unwrap();
                cx.events
                    .finalize(sibling.get().unwrap(), |cx| {
                        cx.state.push("second is over".to_owned());
                    })
                    .unwrap();
            })
            .unwrap();
        let second = events.user().persist().add(user("second")).unwrap();
        siblings.set(Some(second));
        for id in [first, second] {
            events.activate(id, Ready::READ).unwrap();
        }
        assert_eq!(
            run_out(&mut events),
            ["first READ", "first is over", "second is over"]
        );
        drop(captured);
        assert_eq!(events.len(), 0);
    }
}

#[test]
fn finalizer_runs_at_the_priority_of_its_event() {
    let mut events = new_loop();
    let mut add = |priority| {
        let event = events.timer(DAY).priority(priority);
        event.add(timer("never")).unwrap()
    };
    let ids = [Priority(200), Priority(100)].map(&mut add);
    for (id, name) in ids.into_iter().zip(["low", "high"]) {
        let finalized = events.finalize(id, move |cx| cx.state.push(name.to_owned()));
        finalized.unwrap();
    }
    assert_eq!(run_out(&mut events), ["high", "low"]);
}

/// Activation by number, for who has no handle.
#[test]
fn events_of_a_source_can_be_activated_by_its_number() {
    let (near, _far) = sockets();
    let near = Rc::new(near);
    let mut events = new_loop();
    let mut add = |name, interest| {
        let event = events.io(Rc::clone(&near), interest).persist();
        event.add(io(name)).unwrap()
    };
    add("reader", Interest::READ);
    add("both", Interest::READ | Interest::WRITE);
    let writer = add("writer", Interest::WRITE);
    let idle = add("idle", Interest::READ);
    events.delete(idle).unwrap();
    events.set_interest(writer, Interest::CLOSED).unwrap();
    look(&mut events);

    let number = std::os::fd::AsFd::as_fd(&*near);
    events.activate_fd(number, Ready::READ);
    let ran = look(&mut events);
    assert_eq!(ran, ["reader READ", "both READ|WRITE"]);

    let unknown = OwnedFd::from(UnixStream::pair().unwrap().0);
    events.activate_fd(std::os::fd::AsFd::as_fd(&unknown), Ready::all());
    events.activate_signal(Signal::USR2);
    let rest: Trace = look(&mut events);
    assert_eq!(rest, ["both WRITE"]);
}

#[test]
fn timeout_is_activated_by_number_beside_all_else() {
    let (near, _far) = sockets();
    let near = Rc::new(near);
    let mut events = new_loop();
    let reader = events.io(Rc::clone(&near), Interest::READ).persist();
    reader.add(io("reader")).unwrap();
    let timed = events.io(Rc::clone(&near), Interest::READ).persist();
    timed.timeout(DAY).add(io("timed")).unwrap();

    let number = std::os::fd::AsFd::as_fd(&*near);
    events.activate_fd(number, Ready::READ | Ready::TIMEOUT);
    assert_eq!(look(&mut events), ["reader READ", "timed READ|TIMEOUT"]);
    events.activate_fd(number, Ready::TIMEOUT);
    assert_eq!(look(&mut events), ["timed TIMEOUT"]);
}
