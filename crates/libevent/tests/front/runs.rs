//! How a run ends, and what it says.

use std::cell::Cell;
use std::ffi::c_int;
use std::rc::Rc;

use evloop_libevent::{
    event_base_add_virtual_, event_base_del_virtual_, event_base_got_break, event_base_got_exit,
    event_base_loopbreak, event_base_loopcontinue, event_base_loopexit, event_base_once,
    event_base_priority_init, event_priority_set,
};

use crate::support::{Ev, Loop, NONBLOCK, Notes, ONCE, PERSIST, READ, SIGNAL, TIMEOUT, ms, time};

fn ended(events: &Loop) -> (c_int, c_int) {
    // SAFETY: the base is one.
    let exit = unsafe { event_base_got_exit(events.base()) };
    // SAFETY: the base is one.
    (exit, unsafe { event_base_got_break(events.base()) })
}

fn break_loop(events: &Loop) {
    // SAFETY: the base is one.
    assert_eq!(unsafe { event_base_loopbreak(events.base()) }, 0);
}

#[test]
fn empty_loop_says_so() {
    for events in Loop::each() {
        for flags in [0, ONCE, NONBLOCK, ONCE | NONBLOCK] {
            assert_eq!(events.run(flags), 1);
        }
        assert_eq!(ended(&events), (0, 0));
    }
}

#[test]
fn non_blocking_run_goes_on_while_anything_is_active() {
    let events = Rc::new(Loop::new());
    let own: Rc<Cell<Option<Ev>>> = Rc::default();
    let (itself, notes) = (Rc::clone(&own), Notes::default());
    let noted = notes.clone();
    let event = Ev::new(&events, -1, 0, move |_, what| {
        noted.note(what);
        let event = itself.take().unwrap();
        if noted.len() < 5 {
            event.activate(READ);
        }
        itself.set(Some(event));
    });
    event.activate(READ);
    own.set(Some(event));
    assert_eq!(events.run(NONBLOCK), 1);
    assert_eq!(notes.take(), [READ; 5]);
    own.take();
}

#[test]
fn run_once_waits_and_returns_when_something_has_run() {
    let events = Loop::new();
    let (event, notes) = Ev::noting(&events, -1, PERSIST);
    event.add_for(ms(1));
    assert_eq!(events.run(ONCE), 0);
    assert_eq!(notes.take(), [TIMEOUT]);
    event.del();
}

#[test]
fn exit_before_a_run_ends_it_and_a_break_before_is_lost() {
    let events = Loop::new();
    let (event, _) = Ev::noting(&events, -1, READ);
    event.add();
    events.exit();
    assert_eq!(events.run(0), 0);
    assert_eq!(ended(&events), (1, 0));
    break_loop(&events);
    assert_eq!(ended(&events), (1, 1));
    assert_eq!(events.run(ONCE | NONBLOCK), 0);
    assert_eq!(ended(&events), (0, 0));
    event.del();
}

#[test]
fn of_two_exits_the_earlier_counts() {
    let events = Loop::new();
    let (event, notes) = Ev::noting(&events, -1, 0);
    event.add_for(ms(10_000));
    for after in [5_000, 1] {
        // SAFETY: the base is one.
        let asked = unsafe { event_base_loopexit(events.base(), Some(&time(ms(after)))) };
        assert_eq!(asked, 0);
    }
    assert_eq!(events.run(0), 0);
    assert_eq!(notes.take(), []);
    event.del();
}

/// Two active events, the first of which does something.
fn first_of_two(does: fn(&Loop)) -> (Rc<Loop>, Notes, [Ev; 2]) {
    let events = Rc::new(Loop::new());
    let notes = Notes::default();
    let (noted, own) = (notes.clone(), Rc::clone(&events));
    let first = Ev::new(&events, -1, 0, move |_, _| {
        noted.note(1);
        does(&own);
    });
    let noted = notes.clone();
    let second = Ev::new(&events, -1, 0, move |_, _| noted.note(2));
    first.activate(READ);
    second.activate(READ);
    (events, notes, [first, second])
}

#[test]
fn break_ends_the_run_after_the_callback_and_exit_after_the_turn() {
    let (events, notes, _pair) = first_of_two(break_loop);
    assert_eq!((events.run(0), ended(&events)), (0, (0, 1)));
    assert_eq!(notes.take(), [1]);
    assert_eq!(events.run(0), 1);
    assert_eq!(notes.take(), [2]);

    let (events, notes, _pair) = first_of_two(Loop::exit);
    assert_eq!((events.run(0), ended(&events)), (0, (1, 0)));
    assert_eq!(notes.take(), [1, 2]);
}

#[test]
fn loop_that_is_told_to_continue_runs_the_rest_in_the_next_turn() {
    let (events, notes, _pair) = first_of_two(|events| {
        // SAFETY: the base is one.
        assert_eq!(unsafe { event_base_loopcontinue(events.base()) }, 0);
    });
    assert_eq!(events.run(0), 1);
    assert_eq!(notes.take(), [1, 2]);
}

#[test]
fn base_is_not_freed_while_it_runs() {
    let events = Rc::new(Loop::new());
    let (itself, calls) = (Rc::downgrade(&events), Notes::default());
    let noted = calls.clone();
    let event = Ev::new(&events, -1, PERSIST, move |_, what| {
        noted.note(what);
        itself.upgrade().unwrap().free_while_it_runs();
    });
    event.activate(READ);
    assert_eq!(events.run(0), 1);
    // It is as it was.
    event.activate(READ);
    assert_eq!(events.run(0), 1);
    assert_eq!(calls.take(), [READ; 2]);
}

#[test]
fn run_inside_a_run_is_refused() {
    let (events, notes, _pair) = first_of_two(|events| assert_eq!(events.run(0), -1));
    assert_eq!(events.run(0), 1);
    assert_eq!(notes.take(), [1, 2]);
}

#[test]
fn urgent_events_run_first() {
    let events = Loop::new();
    // SAFETY: the base is one.
    assert_eq!(unsafe { event_base_priority_init(events.base(), 3) }, 0);
    let notes = Notes::default();
    let all: Vec<Ev> = [2, 0, 1]
        .into_iter()
        .map(|priority| {
            let noted = notes.clone();
            let event = Ev::new(&events, -1, 0, move |_, _| noted.note(priority));
            let priority = c_int::from(priority);
            // SAFETY: the event is one.
            assert_eq!(unsafe { event_priority_set(event.event(), priority) }, 0);
            event.activate(READ);
            event
        })
        .collect();
    // SAFETY: the event is one. It is active.
    assert_eq!(unsafe { event_priority_set(all[0].event(), 0) }, -1);
    // SAFETY: the base is one. It has active events.
    assert_eq!(unsafe { event_base_priority_init(events.base(), 2) }, -1);
    assert_eq!(events.run(0), 1);
    assert_eq!(notes.take(), [0, 1, 2]);
    // SAFETY: the event is one.
    assert_eq!(unsafe { event_priority_set(all[0].event(), 3) }, -1);
}

#[test]
fn virtual_event_keeps_the_loop_running() {
    let events = Loop::new();
    // SAFETY: the base is one.
    unsafe { event_base_add_virtual_(events.base()) };
    assert_eq!(events.run(NONBLOCK), 0);
    // SAFETY: the base is one.
    unsafe { event_base_del_virtual_(events.base()) };
    assert_eq!(events.run(0), 1);
}

#[test]
fn event_that_runs_once_needs_no_handle_and_what_never_ran_is_freed_with_the_base() {
    unsafe extern "C" fn add_one(_: c_int, what: i16, count: *mut std::ffi::c_void) {
        // SAFETY: the argument is the counter below.
        let count = unsafe { &*count.cast::<Cell<i16>>() };
        count.set(count.get() + what);
    }
    let count = Cell::new(0);
    let argument = (&raw const count).cast_mut().cast();
    let events = Loop::new();
    let once = |fd, what, after: Option<u64>| {
        let time = after.map(|after| time(ms(after)));
        // SAFETY: base and argument are there while the loop runs.
        unsafe {
            event_base_once(
                events.base(),
                fd,
                what,
                Some(add_one),
                argument,
                time.as_ref(),
            )
        }
    };
    assert_eq!(once(-1, TIMEOUT, None), 0);
    assert_eq!(once(-1, TIMEOUT, Some(1)), 0);
    assert_eq!(once(-1, TIMEOUT, Some(60_000)), 0);
    assert_eq!(once(1, SIGNAL, None), -1);
    assert_eq!(once(-1, TIMEOUT | PERSIST, None), -1);
    assert_eq!(once(-1, 0, None), -1);
    assert_eq!(once(i32::MAX, READ, None), -1);
    while count.get() < 2 * TIMEOUT {
        assert_eq!(events.run(ONCE), 0);
    }
    assert_eq!(count.get(), 2 * TIMEOUT);
}
