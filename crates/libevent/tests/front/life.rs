//! An event's life: its memory is the program's, which does with it what libevent allows.

use std::cell::RefCell;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use evloop_libevent::{event_base_set, event_initialized};
use rustix::pipe::pipe;

use crate::support::{Ev, Loop, NONBLOCK, Notes, ONCE, PERSIST, READ, TIMEOUT, WRITE, ms};

#[test]
fn one_shot_is_not_pending_while_its_callback_runs_and_can_add_itself() {
    for events in Loop::each() {
        let (reader, writer) = pipe().unwrap();
        rustix::io::write(&writer, b"x").unwrap();
        let own: Rc<RefCell<Option<Ev>>> = Rc::default();
        let (notes, itself) = (Notes::default(), Rc::clone(&own));
        let noted = notes.clone();
        let event = Ev::new(&events, reader.as_raw_fd(), READ, move |_, _| {
            let own = itself.borrow();
            noted.note(own.as_ref().unwrap().pending());
            if noted.len() < 3 {
                own.as_ref().unwrap().add();
            }
        });
        event.add();
        *own.borrow_mut() = Some(event);
        assert_eq!(events.run(0), 1);
        assert_eq!(notes.take(), [0; 3]);
        own.take();
    }
}

#[test]
fn memory_can_be_used_again_once_its_event_has_fired() {
    let events = Loop::new();
    let (reader, writer) = pipe().unwrap();
    rustix::io::write(&writer, b"x").unwrap();
    let (event, notes) = Ev::noting(&events, reader.as_raw_fd(), READ);
    event.add();
    assert_eq!(events.run(ONCE), 0);
    assert_eq!(notes.take(), [READ]);
    // No delete: it fired. Another one takes its memory.
    event.assign(&events, writer.as_raw_fd(), WRITE);
    event.add();
    assert_eq!(events.run(ONCE), 0);
    assert_eq!(notes.take(), [WRITE]);
}

#[test]
fn event_that_is_assigned_while_it_is_pending_is_not_called_for_what_it_was() {
    for events in Loop::each() {
        let (reader, writer) = pipe().unwrap();
        rustix::io::write(&writer, b"x").unwrap();
        let (event, notes) = Ev::noting(&events, reader.as_raw_fd(), READ | PERSIST);
        event.add();
        event.assign(&events, -1, 0);
        assert_eq!(event.pending(), 0);
        events.run(NONBLOCK);
        assert_eq!(notes.take(), []);
        // And the loop is not kept running for it.
        assert_eq!(events.run(0), 1);
    }
}

#[test]
fn fields_that_a_program_has_changed_are_read_anew_by_an_add() {
    let events = Loop::new();
    let (_reader, writer) = pipe().unwrap();
    let (mut event, notes) = Ev::noting(&events, -1, READ);
    event.add();
    event.del();
    let fd = u16::try_from(writer.as_raw_fd()).unwrap();
    event.poke(56, fd);
    event.poke(58, 0);
    event.poke(104, u16::try_from(WRITE).unwrap());
    event.add();
    assert_eq!(event.pending(), WRITE);
    assert_eq!(events.run(ONCE), 0);
    assert_eq!(notes.take(), [WRITE]);
}

#[test]
fn deleted_event_is_neither_pending_nor_active() {
    for events in Loop::each() {
        let (_reader, writer) = pipe().unwrap();
        let (event, notes) = Ev::noting(&events, writer.as_raw_fd(), WRITE | PERSIST);
        event.add_for(ms(10_000));
        assert_eq!(event.pending(), WRITE | TIMEOUT);
        event.activate(READ);
        assert_eq!(event.pending(), WRITE | TIMEOUT | READ);
        event.del();
        event.del();
        assert_eq!(event.pending(), 0);
        assert_eq!(events.run(0), 1);
        assert_eq!(notes.take(), []);
    }
}

#[test]
fn activation_by_hand_calls_once_and_leaves_nothing_behind() {
    let events = Loop::new();
    for what in [0, PERSIST] {
        let (event, notes) = Ev::noting(&events, -1, what);
        event.activate(READ);
        event.activate(WRITE);
        assert_eq!(event.pending(), READ | WRITE);
        assert_eq!(events.run(0), 1);
        assert_eq!(notes.take(), [READ | WRITE]);
        assert_eq!(event.pending(), 0);
    }
}

#[test]
fn event_that_was_activated_and_then_added_is_added() {
    let events = Loop::new();
    let (reader, writer) = pipe().unwrap();
    let (event, notes) = Ev::noting(&events, reader.as_raw_fd(), READ | PERSIST);
    event.activate(WRITE);
    event.add();
    events.run(NONBLOCK);
    assert_eq!(notes.take(), [WRITE]);
    assert_eq!(event.pending(), READ);
    rustix::io::write(&writer, b"x").unwrap();
    events.run(ONCE);
    assert_eq!(notes.take(), [READ]);
    event.del();
}

#[test]
fn event_without_a_descriptor_keeps_the_loop_running_and_never_fires() {
    let events = Loop::new();
    let (event, notes) = Ev::noting(&events, -1, READ);
    event.add();
    assert_eq!(event.pending(), READ);
    assert_eq!(events.run(NONBLOCK), 0);
    event.del();
    assert_eq!(events.run(NONBLOCK), 1);
    assert_eq!(notes.take(), []);
}

#[test]
fn add_of_an_event_that_waits_for_nothing_does_nothing() {
    let events = Loop::new();
    let (event, notes) = Ev::noting(&events, -1, 0);
    event.add();
    assert_eq!(event.pending(), 0);
    assert_eq!(events.run(0), 1);
    assert_eq!(notes.take(), []);
}

#[test]
fn event_takes_another_base_only_while_it_is_idle() {
    let (first, second) = (Loop::new(), Loop::new());
    let (event, notes) = Ev::noting(&first, -1, 0);
    let set = |events: &Loop| {
        // SAFETY: base and event are there.
        unsafe { event_base_set(events.base(), event.event()) }
    };
    event.add_for(ms(0));
    assert_eq!(set(&second), -1);
    event.del();
    assert_eq!(set(&second), 0);
    event.add_for(ms(0));
    assert_eq!(first.run(0), 1);
    assert_eq!(notes.take(), []);
    assert_eq!(second.run(0), 1);
    assert_eq!(notes.take(), [TIMEOUT]);
}

#[test]
fn memory_of_zeroes_is_no_event() {
    let events = Loop::new();
    let (mut event, _) = Ev::noting(&events, -1, 0);
    // SAFETY: the memory is that of an event.
    assert_eq!(unsafe { event_initialized(event.event()) }, 1);
    event.poke(16, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { event_initialized(event.event()) }, 0);
}
