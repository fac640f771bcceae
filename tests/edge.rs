//! Edge-triggered events: told when a source becomes ready, and not again; refused where there is no
//! such thing ([`has_edges`] has seen to that).

use std::rc::Rc;

use evloop::{AddError, EventId, Interest};

use crate::support::files::{for_several, is_nonblocking, put, sockets, take, with_input};
use crate::support::setting::{NO_EDGES, has_edges, skipped};
use crate::support::trace::{Loop, NOBODY, io, look, new_loop};

#[test]
fn edge_is_told_once_for_what_is_there_and_once_for_what_comes() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).edge().persist();
    reader.add(io("reader")).unwrap();
    assert_eq!(look(&mut events), ["reader READ"]);
    assert_eq!(look(&mut events), NOBODY);
    put(&far, b"more");
    assert_eq!(look(&mut events), ["reader READ"]);
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn level_is_told_as_long_as_it_holds() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).persist();
    reader.add(io("reader")).unwrap();
    for _ in 0..3 {
        assert_eq!(look(&mut events), ["reader READ"]);
    }
}

#[test]
fn adding_again_asks_for_the_edge_again() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, _far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).edge().persist();
    let id = reader.add(io("reader")).unwrap();
    assert_eq!(look(&mut events), ["reader READ"]);
    events.add(id).unwrap();
    assert_eq!(look(&mut events), ["reader READ"]);
    events.delete(id).unwrap();
    events.add(id).unwrap();
    assert_eq!(look(&mut events), ["reader READ"]);
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn one_shot_that_adds_itself_in_its_callback_asks_again() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, _far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).edge();
    reader
        .add(|cx, near, _| {
            let before = take(near).len();
            cx.state.push(format!("{before} bytes"));
            cx.events.add(cx.id()).unwrap();
        })
        .unwrap();
    assert_eq!(look(&mut events), ["1 bytes"]);
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn second_edge_event_of_a_ready_source_gets_its_edge() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, _far) = {
        let (near, far) = for_several();
        put(&far, b"x");
        (near, far)
    };
    let mut events = new_loop();
    let first = events.io(Rc::clone(&near), Interest::READ).edge().persist();
    first.add(io("first")).unwrap();
    assert_eq!(look(&mut events), ["first READ"]);
    assert_eq!(look(&mut events), NOBODY);
    let second = events.io(near, Interest::READ).edge().persist();
    second.add(io("second")).unwrap();
    let ran = look(&mut events);
    assert!(ran.contains(&"second READ".to_owned()), "{ran:?}");
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn new_interest_of_an_edge_event_gets_its_edge() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, _far) = sockets();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).edge().persist();
    let id = event.add(io("event")).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    events
        .set_interest(id, Interest::READ | Interest::WRITE)
        .unwrap();
    assert_eq!(look(&mut events), ["event WRITE"]);
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn writer_stays_edge_triggered_when_the_reader_of_its_source_goes() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, far) = for_several();
    put(&far, b"x");
    let mut events = new_loop();
    let reader = events.io(Rc::clone(&near), Interest::READ).edge().persist();
    let reader = reader.add(io("reader")).unwrap();
    let writer = events.io(near, Interest::WRITE).edge().persist();
    writer.add(io("writer")).unwrap();
    assert_eq!(look(&mut events), ["reader READ", "writer WRITE"]);
    events.delete(reader).unwrap();
    // Taking the reader away may make the kernel tell the edge again, but once only.
    look(&mut events);
    assert_eq!(look(&mut events), NOBODY);
    assert_eq!(look(&mut events), NOBODY);
}

fn refused(result: Result<EventId, evloop::InsertError<Rc<std::os::unix::net::UnixStream>>>) {
    let error = result.unwrap_err();
    let AddError::MixedTrigger(fd) = error.reason else {
        panic!("{error}");
    };
    assert_eq!(fd, crate::support::files::number(&error.source));
}

#[test]
fn level_and_edge_do_not_mix_on_one_source() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, far) = for_several();
    put(&far, b"x");
    let again = || Rc::clone(&near);
    for is_edge_first in [true, false] {
        let mut events = new_loop();
        let first = events.io(again(), Interest::READ).persist();
        let first = if is_edge_first { first.edge() } else { first };
        first.add(io("first")).unwrap();
        let second = events.io(again(), Interest::WRITE).persist();
        let second = if is_edge_first { second } else { second.edge() };
        refused(second.add(io("second")));

        assert_eq!(events.len(), 1);
        assert_eq!(look(&mut events), ["first READ"]);
        let again = look(&mut events);
        assert_eq!(again.is_empty(), is_edge_first, "{again:?}");
    }
}

#[test]
fn refused_source_keeps_its_flags() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, _far) = for_several();
    let mut events = new_loop();
    let first = events.io(Rc::clone(&near), Interest::READ).leave_blocking();
    first.add(io("first")).unwrap();
    assert!(!is_nonblocking(&near));
    refused(
        events
            .io(Rc::clone(&near), Interest::READ)
            .edge()
            .add(io("second")),
    );
    assert!(!is_nonblocking(&near));
}

/// Also where the kernel was not told yet that the last event of the old trigger is gone.
#[test]
fn trigger_may_change_while_a_source_has_no_event() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, far) = for_several();
    put(&far, b"x");
    let mut events: Loop = new_loop();
    let level = events.io(Rc::clone(&near), Interest::READ).persist();
    let level = level.add(io("level")).unwrap();
    assert_eq!(look(&mut events), ["level READ"]);
    events.delete(level).unwrap();
    let edge = events.io(Rc::clone(&near), Interest::READ).edge().persist();
    let edge = edge.add(io("edge")).unwrap();
    assert!(matches!(events.add(level), Err(AddError::MixedTrigger(_))));
    assert_eq!(look(&mut events), ["edge READ"]);
    assert_eq!(look(&mut events), NOBODY);
    events.delete(edge).unwrap();
    events.add(level).unwrap();
    assert_eq!(look(&mut events), ["level READ"]);
    assert_eq!(look(&mut events), ["level READ"]);
}

/// A paused event is on no side.
#[test]
fn paused_event_does_not_hold_its_source_to_a_trigger() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, far) = for_several();
    put(&far, b"x");
    let mut events = new_loop();
    let level = events.io(Rc::clone(&near), Interest::READ).persist();
    let level = level.add(io("level")).unwrap();
    events.set_interest(level, Interest::empty()).unwrap();
    let edge = events.io(Rc::clone(&near), Interest::READ).edge().persist();
    edge.add(io("edge")).unwrap();
    assert!(matches!(
        events.set_interest(level, Interest::READ),
        Err(AddError::MixedTrigger(_))
    ));
    assert_eq!(look(&mut events), ["edge READ"]);
    assert_eq!(look(&mut events), NOBODY);
}
