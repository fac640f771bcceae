//! Loops that are not as they are by themselves: another mechanism, what it must be able to do,
//! limits from the beginning.

use std::fs::File;

use evloop::{AddError, Builder, Capabilities, Interest, Limits, Mechanism, NewError, Ready};

use crate::support::clock::ms;
use crate::support::files::{put, with_input};
use crate::support::trace::{Loop, NOBODY, io, line, look, run_out, timer, user};

fn on(mechanism: Mechanism) -> Loop {
    Builder::new().mechanism(mechanism).build().unwrap()
}

#[test]
fn mechanism_can_be_chosen() {
    for (mechanism, name) in [(Mechanism::Epoll, "epoll"), (Mechanism::Poll, "poll")] {
        let (near, _far) = with_input();
        let mut events = on(mechanism);
        assert_eq!(events.backend_name(), name);
        events.io(near, Interest::READ).add(io("reader")).unwrap();
        events.timer(ms(1)).add(timer("timer")).unwrap();
        assert_eq!(run_out(&mut events), ["reader READ", "timer"]);
    }
}

#[test]
fn loop_can_do_what_was_required_or_is_refused() {
    let edge = Builder::new().require(Capabilities::EDGE);
    let events: Loop = edge.build().unwrap();
    assert!(events.capabilities().contains(Capabilities::EDGE));
    let refused = edge.mechanism(Mechanism::Poll).build::<()>();
    let Err(NewError::Unsupported { needed, backend }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((needed, backend), (Capabilities::EDGE, "poll"));
}

#[test]
fn event_that_needs_what_the_backend_cannot_is_refused() {
    let (near, far) = with_input();
    let mut events = on(Mechanism::Poll);
    let event = events.io(near, Interest::READ).edge();
    let refused = event.add(io("never")).unwrap_err();
    assert!(matches!(refused.reason, AddError::Unsupported { .. }));
    assert_eq!(events.len(), 0);
    // The source came back, and is one by its level.
    let reader = events.io(refused.source, Interest::READ).persist();
    reader.add(io("reader")).unwrap();
    assert_eq!(look(&mut events), ["reader READ"]);
    put(&far, b"x");
    assert_eq!(look(&mut events), ["reader READ"]);
}

#[test]
fn limits_hold_from_the_beginning() {
    let one_by_one = Limits {
        callbacks: Some(1),
        ..Limits::NONE
    };
    let mut events: Loop = Builder::new().limits(one_by_one).build().unwrap();
    for name in ["a", "b"] {
        let id = events.user().add(user(name)).unwrap();
        events.activate(id, Ready::READ).unwrap();
    }
    assert_eq!(look(&mut events), ["a READ"]);
    assert_eq!(look(&mut events), ["b READ"]);
}

fn file() -> File {
    File::open("Cargo.toml").unwrap()
}

#[test]
fn regular_file_can_be_taken_as_always_ready() {
    let both = Interest::READ | Interest::WRITE;
    for mechanism in [Mechanism::Epoll, Mechanism::Poll] {
        let mut events = on(mechanism);
        let event = events.io(file(), both).or_always_ready().persist();
        let id = event.add(io("file")).unwrap();
        assert_eq!(look(&mut events), ["file READ|WRITE"]);
        assert_eq!(look(&mut events), ["file READ|WRITE"]);
        events.set_interest(id, Interest::READ).unwrap();
        assert_eq!(look(&mut events), ["file READ"]);
        events.set_interest(id, Interest::empty()).unwrap();
        assert_eq!(look(&mut events), NOBODY);
        events.set_interest(id, Interest::WRITE).unwrap();
        events.delete(id).unwrap();
        assert_eq!(look(&mut events), NOBODY);
        events.add(id).unwrap();
        assert_eq!(look(&mut events), ["file WRITE"]);
    }
}

#[test]
fn regular_file_is_read_to_its_end() {
    use std::io::Read;

    let mut events = Loop::new().unwrap();
    let event = events.io(file(), Interest::READ).or_always_ready();
    event
        .add(|cx, mut file, ready| {
            let mut buffer = [0; 100];
            let count = file.read(&mut buffer).unwrap();
            if count > 0 {
                let read = String::from_utf8_lossy(&buffer[..count]);
                cx.state.push(read.into_owned());
                cx.events.add(cx.id()).unwrap();
            } else {
                cx.state.push(line("", ready));
            }
        })
        .unwrap();
    let mut read = run_out(&mut events);
    assert_eq!(read.pop().unwrap(), " READ");
    assert_eq!(
        read.concat(),
        std::fs::read_to_string("Cargo.toml").unwrap()
    );
}

/// Its event is always active, and others run all the same.
#[test]
fn regular_file_keeps_nobody_waiting() {
    let (near, _far) = with_input();
    let mut events = Loop::new().unwrap();
    let event = events.io(file(), Interest::READ).or_always_ready();
    event.persist().add(io("file")).unwrap();
    let reader = events.io(near, Interest::READ).persist();
    reader.add(io("reader")).unwrap();
    events.timer(ms(0)).add(timer("timer")).unwrap();
    let mut ran = look(&mut events);
    ran.sort();
    assert_eq!(ran, ["file READ", "reader READ", "timer"]);
}
