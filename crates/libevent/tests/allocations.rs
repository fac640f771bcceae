//! In steady state nothing is allocated, by Rust's allocator or by the program's functions.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "the functions are C's")]

#[expect(dead_code, reason = "other tests need the rest of it")]
#[path = "front/support.rs"]
mod support;

use std::cell::RefCell;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use allocation_counter::measure;
use rustix::pipe::pipe;

use support::{ET, Ev, Loop, NONBLOCK, ONCE, PERSIST, READ, WRITE, ms};

/// Runs so many turns twice, and counts what the second time allocates.
fn allocated(events: &Loop) -> u64 {
    let turns = || {
        for _ in 0..200 {
            events.run(ONCE | NONBLOCK);
        }
    };
    turns();
    measure(turns).count_total
}

#[test]
fn event_that_fires_again_and_again_allocates_nothing() {
    for events in Loop::each() {
        let (_reader, writer) = pipe().unwrap();
        for (what, timeout) in [(0, None), (ET, None), (0, Some(ms(60_000)))] {
            let fd = writer.as_raw_fd();
            let event = Ev::new(&events, fd, WRITE | PERSIST | what, |_, _| ());
            assert_eq!(event.try_add(timeout), 0);
            assert_eq!(allocated(&events), 0);
            event.del();
        }
    }
}

#[test]
fn event_that_its_callback_adds_anew_allocates_nothing() {
    for events in Loop::each() {
        let (_reader, writer) = pipe().unwrap();
        for (what, is_deleted) in [(0, false), (PERSIST, true)] {
            let own: Rc<RefCell<Option<Ev>>> = Rc::default();
            let itself = Rc::clone(&own);
            let event = Ev::new(&events, writer.as_raw_fd(), WRITE | what, move |_, _| {
                let own = itself.borrow();
                let event = own.as_ref().unwrap();
                if is_deleted {
                    event.del();
                }
                assert_eq!(event.try_add(Some(ms(60_000))), 0);
            });
            event.add();
            *own.borrow_mut() = Some(event);
            assert_eq!(allocated(&events), 0);
            own.borrow().as_ref().unwrap().del();
            own.take();
        }
    }
}

#[test]
fn timer_that_activates_an_event_by_hand_allocates_nothing() {
    let events = Loop::new();
    let other = Ev::new(&events, -1, 0, |_, _| ());
    let own: Rc<RefCell<Option<Ev>>> = Rc::default();
    let itself = Rc::clone(&own);
    let timer = Ev::new(&events, -1, 0, move |_, _| {
        other.activate(READ);
        let own = itself.borrow();
        assert_eq!(own.as_ref().unwrap().try_add(Some(ms(0))), 0);
    });
    timer.add_for(ms(0));
    *own.borrow_mut() = Some(timer);
    assert_eq!(allocated(&events), 0);
    own.borrow().as_ref().unwrap().del();
    own.take();
}
