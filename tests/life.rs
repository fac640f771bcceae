//! The life of an event under the hands of callbacks: added, activated, deleted, removed, its own
//! and others'. No callback runs for what is no longer meant.

use std::cell::{Cell, RefCell};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use evloop::{
    AddError, EventId, Interest, IntoSourceError, NoSuchEvent, Priority, Ready, RemoveError, Signal,
};

use crate::support::clock::{DAY, ms};
use crate::support::files::{for_several, is_open, number, put, sockets, take, with_input};
use crate::support::process::in_own_process;
use crate::support::trace::{
    Loop, NOBODY, Trace, io, line, look, new_loop, run_out, timer, user, wait,
};

/// Events of two ready sources. Whichever runs first does this to the other.
fn first_does(does: impl Fn(&mut Loop, EventId) + Clone + 'static) -> Trace {
    let mut events = new_loop();
    let ids = Rc::new(RefCell::new(Vec::<EventId>::new()));
    let mut others = Vec::new();
    for _ in 0..2 {
        let (near, far) = with_input();
        others.push(far);
        let (all, does) = (Rc::clone(&ids), does.clone());
        let event = events.io(near, Interest::READ).persist();
        let id = event.add(move |cx, _, ready| {
            cx.state.push(line("ran", ready));
            if cx.state.len() == 1 {
                let other = *all.borrow().iter().find(|id| **id != cx.id()).unwrap();
                does(cx.events, other);
            }
        });
        ids.borrow_mut().push(id.unwrap());
    }
    look(&mut events)
}

#[test]
fn both_of_two_ready_sources_run() {
    assert_eq!(first_does(|_, _| {}), ["ran READ", "ran READ"]);
}

#[test]
fn active_sibling_that_was_deleted_does_not_run() {
    let ran = first_does(|events, other| events.delete(other).unwrap());
    assert_eq!(ran, ["ran READ"]);
}

#[test]
fn active_sibling_that_was_removed_does_not_run() {
    let ran = first_does(|events, other| events.remove(other).unwrap());
    assert_eq!(ran, ["ran READ"]);
}

#[test]
fn active_sibling_that_was_deleted_and_added_again_does_not_run_in_this_turn() {
    let ran = first_does(|events, other| {
        events.delete(other).unwrap();
        events.add(other).unwrap();
    });
    assert_eq!(ran, ["ran READ"]);
}

#[test]
fn active_sibling_that_is_activated_runs_once_for_both() {
    let ran = first_does(|events, other| events.activate(other, Ready::WRITE).unwrap());
    assert_eq!(ran, ["ran READ", "ran READ|WRITE"]);
}

/// The number of a source that is closed goes to one that was opened after it, in the same turn.
#[test]
fn new_owner_of_a_number_is_not_told_of_the_old() {
    in_own_process("life::new_owner_of_a_number_is_not_told_of_the_old", || {
        let opened = Rc::new(RefCell::new(None));
        let far_end = Rc::clone(&opened);
        let ran = first_does(move |events, other| {
            let old = number(events.source::<UnixStream>(other).unwrap());
            events.remove(other).unwrap();
            let (near, far) = sockets();
            assert_eq!(number(&near), old);
            *far_end.borrow_mut() = Some(far);
            let event = events.io(near, Interest::READ).persist();
            event.add(io("new owner")).unwrap();
        });
        assert_eq!(ran, ["ran READ"]);
        assert!(opened.borrow().is_some());
    });
}

#[test]
fn persistent_event_can_delete_itself_and_be_added_again() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    let id = event
        .add(|cx, _, _| {
            cx.events.delete(cx.id()).unwrap();
            cx.state.push("ran".to_owned());
        })
        .unwrap();
    assert_eq!(run_out(&mut events), ["ran"]);
    assert_eq!(look(&mut events), NOBODY);
    events.add(id).unwrap();
    assert_eq!(run_out(&mut events), ["ran"]);
}

#[test]
fn event_can_remove_itself_and_still_has_its_source() {
    let (near, far) = with_input();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    event
        .add(|cx, near, _| {
            take(near);
            cx.events.remove(cx.id()).unwrap();
            put(near, b"goodbye");
            cx.state.push("ran".to_owned());
        })
        .unwrap();
    assert_eq!(run_out(&mut events), ["ran"]);
    assert_eq!(take(&far), b"goodbye");
    assert_eq!(events.len(), 0);
}

#[test]
fn event_that_activates_itself_runs_again() {
    let mut events = new_loop();
    let id = events
        .user()
        .add(|cx, ready| {
            cx.state.push(line("ran", ready));
            if ready != Ready::WRITE {
                cx.events.activate(cx.id(), Ready::WRITE).unwrap();
            }
        })
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
    assert_eq!(run_out(&mut events), ["ran READ", "ran WRITE"]);
    assert_eq!(events.info(id), None, "it is over after the last time");
}

#[test]
fn callback_knows_its_own_event() {
    let mut events = new_loop();
    let known = Rc::new(Cell::new(None));
    let seen = Rc::clone(&known);
    let id = events
        .user()
        .add(move |cx, _| seen.set(Some(cx.id())))
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
    run_out(&mut events);
    assert_eq!(known.get(), Some(id));
}

#[test]
fn activations_before_the_callback_add_up() {
    let mut events = new_loop();
    let id = events.user().persist().add(user("event")).unwrap();
    assert_eq!(events.info(id).unwrap().active, None);
    events.activate(id, Ready::READ).unwrap();
    assert_eq!(events.info(id).unwrap().active, Some(Ready::READ));
    events.activate(id, Ready::WRITE).unwrap();
    let both = Ready::READ | Ready::WRITE;
    assert_eq!(events.info(id).unwrap().active, Some(both));
    assert_eq!(look(&mut events), ["event READ|WRITE"]);
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn event_that_is_not_pending_can_be_activated() {
    let (near, _far) = sockets();
    let mut events = new_loop();
    let id = events.io(near, Interest::READ).persist();
    let id = id.add(io("event")).unwrap();
    events.delete(id).unwrap();
    events.activate(id, Ready::WRITE).unwrap();
    assert_eq!(run_out(&mut events), ["event WRITE"]);
    assert!(!events.info(id).unwrap().pending);
}

/// An event that is active and not pending is registered by an add as any other.
#[test]
fn event_that_was_activated_first_and_added_then_hears_of_input() {
    let (near, far) = sockets();
    let mut events = new_loop();
    let id = events.io(near, Interest::READ).persist();
    let id = id.add(io("event")).unwrap();
    events.delete(id).unwrap();
    events.activate(id, Ready::WRITE).unwrap();
    events.add(id).unwrap();
    assert_eq!(look(&mut events), ["event WRITE"]);
    put(&far, b"x");
    assert_eq!(look(&mut events), ["event READ"]);
}

#[test]
fn activation_of_a_deleted_event_is_forgotten() {
    let mut events = new_loop();
    let id = events.user().persist().add(user("event")).unwrap();
    events.activate(id, Ready::READ).unwrap();
    events.delete(id).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    events.add(id).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    events.activate(id, Ready::WRITE).unwrap();
    assert_eq!(look(&mut events), ["event WRITE"]);
}

#[test]
fn kept_one_shot_can_be_added_again_and_another_is_gone() {
    let mut events = new_loop();
    let kept = events.timer(ms(0)).keep().add(timer("kept")).unwrap();
    let gone = events.timer(ms(0)).add(timer("gone")).unwrap();
    assert_eq!(run_out(&mut events), ["kept", "gone"]);
    assert!(!events.info(kept).unwrap().pending);
    events.add(kept).unwrap();
    assert!(matches!(events.add(gone), Err(AddError::NoSuchEvent)));
    assert_eq!(run_out(&mut events), ["kept"]);
}

/// Every call with the handle of an event that was freed.
fn is_stale(events: &mut Loop, id: EventId) {
    let gone = |result| assert!(matches!(result, Err(RemoveError::NoSuchEvent)));
    let not_added = |result| assert!(matches!(result, Err(AddError::NoSuchEvent)));
    let no_such = |result| assert_eq!(result, Err(NoSuchEvent));
    gone(events.delete(id));
    gone(events.remove(id));
    gone(events.finalize(id, |_| {}));
    not_added(events.add(id));
    not_added(events.set_interest(id, Interest::READ));
    no_such(events.activate(id, Ready::READ));
    no_such(events.activate_later(id, Ready::READ));
    no_such(events.set_timeout(id, Some(DAY)));
    no_such(events.set_priority(id, Priority::LEAST_URGENT));
    let source = events.into_source::<UnixStream>(id);
    assert!(matches!(source, Err(IntoSourceError::NoSuchEvent)));
    assert!(events.source::<UnixStream>(id).is_none());
    assert_eq!(events.info(id), None);
}

#[test]
fn handle_of_a_freed_event_reaches_nobody() {
    let mut events = new_loop();
    let (near, far) = sockets();
    let old = events.io(near, Interest::READ).persist();
    let old = old.add(io("old")).unwrap();
    events.remove(old).unwrap();
    assert!(!is_open(&far));
    is_stale(&mut events, old);

    // Also not the one that has its place now.
    let (near, _far) = sockets();
    let new = events.io(near, Interest::READ).persist();
    let new = new.add(io("new")).unwrap();
    let before = events.info(new);
    is_stale(&mut events, old);
    assert_eq!(events.info(new), before);
    assert_eq!(look(&mut events), NOBODY);
}

/// More often than a small counter counts.
#[test]
fn handle_of_a_freed_event_reaches_nobody_however_often_its_place_was_taken() {
    let mut events = new_loop();
    let first = events.user().add(user("first")).unwrap();
    events.remove(first).unwrap();
    for _ in 0..70_000 {
        let next = events.user().add(user("next")).unwrap();
        assert_ne!(next, first);
        events.remove(next).unwrap();
    }
    let last = events.user().add(user("last")).unwrap();
    is_stale(&mut events, first);
    assert!(events.info(last).is_some());
}

#[test]
fn one_event_changes_what_another_waits_for() {
    let (near, far) = for_several();
    let mut events = new_loop();
    let writer = events.io(Rc::clone(&near), Interest::empty()).persist();
    let writer = writer.add(io("writer")).unwrap();
    let reader = events.io(near, Interest::READ).persist();
    reader
        .add(move |cx, near, _| {
            take(&**near);
            cx.events.set_interest(writer, Interest::WRITE).unwrap();
            cx.state.push("reader".to_owned());
        })
        .unwrap();
    assert_eq!(look(&mut events), NOBODY);
    put(&far, b"x");
    assert_eq!(look(&mut events), ["reader"]);
    assert_eq!(look(&mut events), ["writer WRITE"]);
    events.set_interest(writer, Interest::empty()).unwrap();
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn interest_of_an_event_that_is_not_pending_is_for_its_next_add() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    let id = event.add(io("event")).unwrap();
    events.delete(id).unwrap();
    events.set_interest(id, Interest::WRITE).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    events.add(id).unwrap();
    assert_eq!(look(&mut events), ["event WRITE"]);
}

/// What a callback does to another kind of event is as good as what it does to its own.
#[test]
fn timer_removes_a_reader_and_a_reader_removes_a_timer() {
    let (near, far) = with_input();
    let mut events = new_loop();
    let tomorrow = events.timer(DAY).add(timer("tomorrow")).unwrap();
    let event = events.io(near, Interest::READ).persist();
    let reader = event
        .add(move |cx, _, _| {
            if cx.events.info(tomorrow).is_some() {
                cx.events.remove(tomorrow).unwrap();
            }
        })
        .unwrap();
    events
        .timer(ms(1))
        .add(move |cx| cx.events.remove(reader).unwrap())
        .unwrap();
    run_out(&mut events);
    assert!(!is_open(&far));
    assert_eq!(events.len(), 0);
}

#[test]
fn active_and_pending_events_may_be_dropped_with_their_loop() {
    let (near, far) = with_input();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    let id = event.add(io("event")).unwrap();
    events.activate(id, Ready::READ).unwrap();
    let id = events.user().add(user("user")).unwrap();
    events.activate_later(id, Ready::READ).unwrap();
    events.signal(Signal::URG).add(|_, _| {}).unwrap();
    events.timer(DAY).add(timer("timer")).unwrap();
    events.defer(|_| {});
    drop(events);
    assert!(!is_open(&far));
}

#[test]
fn later_is_the_next_turn_and_now_is_this_one() {
    let mut events = new_loop();
    let id = events.user().persist().add(user("event")).unwrap();
    let asks = events.user();
    let asks = asks
        .add(move |cx, _| {
            cx.events.activate_later(id, Ready::WRITE).unwrap();
            cx.state.push("asks".to_owned());
        })
        .unwrap();
    events.activate(asks, Ready::READ).unwrap();
    assert_eq!(look(&mut events), ["asks"]);
    assert_eq!(look(&mut events), ["event WRITE"]);

    events.activate_later(id, Ready::WRITE).unwrap();
    events.activate(id, Ready::READ).unwrap();
    assert_eq!(look(&mut events), ["event READ|WRITE"]);
}

/// Two events that activate each other for ever keep nobody from being heard.
#[test]
fn events_that_activate_each_other_later_starve_nobody() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let ids = Rc::new(Cell::new(None));
    let mut made = Vec::new();
    for at in 0..2 {
        let mine = Rc::clone(&ids);
        let id = events.user().persist().add(move |cx, _| {
            let ids: [EventId; 2] = mine.get().unwrap();
            cx.state.push(at.to_string());
            cx.events.activate_later(ids[1 - at], Ready::READ).unwrap();
        });
        made.push(id.unwrap());
    }
    ids.set(Some([made[0], made[1]]));
    events.activate(made[0], Ready::READ).unwrap();
    let reader = events.io(near, Interest::READ).persist();
    reader.add(io("reader")).unwrap();
    let mut ran = Trace::new();
    for _ in 0..100 {
        ran.extend(wait(&mut events));
    }
    let count = |name| ran.iter().filter(|ran| *ran == name).count();
    assert_eq!(count("reader READ"), 100);
    assert_eq!((count("0"), count("1")), (50, 50));
}
