//! Signals, which are the process's: one test at a time.

use std::ffi::c_int;
use std::sync::{Mutex, MutexGuard, PoisonError};

use evloop_libevent::{event_base_active_by_signal, event_reinit};
use rustix::process::Signal;

use crate::forks::in_child;
use crate::support::{Ev, Loop, NONBLOCK, ONCE, PERSIST, SIGNAL, TIMEOUT, ms};

fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TESTS: Mutex<()> = Mutex::new(());
    TESTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To this thread, so that it was handled when this returns.
fn send(signal: Signal) {
    // SAFETY: no precondition; the signal has a handler.
    assert_eq!(unsafe { libc::raise(signal.as_raw()) }, 0);
}

fn noting(events: &Loop, signal: Signal, what: i16) -> (Ev, crate::support::Notes) {
    Ev::noting(events, signal.as_raw(), SIGNAL | what)
}

#[test]
fn each_delivery_is_a_call() {
    let _alone = one_at_a_time();
    for events in Loop::each() {
        let (event, notes) = noting(&events, Signal::USR1, PERSIST);
        event.add();
        for _ in 0..3 {
            send(Signal::USR1);
        }
        events.run(NONBLOCK);
        assert_eq!(notes.take(), [SIGNAL; 3]);
        event.del();
    }
}

/// What came before the fork is the parent's.
#[test]
fn signal_that_a_child_gets_before_it_has_adopted_the_base_is_its_own() {
    let _alone = one_at_a_time();
    for asks in [true, false] {
        for events in Loop::each() {
            let (event, notes) = noting(&events, Signal::USR1, PERSIST);
            event.add();
            send(Signal::USR1);
            let ended = in_child(|| {
                send(Signal::USR1);
                send(Signal::USR1);
                // SAFETY: the base is one.
                let reinit = asks.then(|| unsafe { event_reinit(events.base()) });
                events.run(NONBLOCK);
                let before = notes.take();
                send(Signal::USR1);
                events.run(NONBLOCK);
                let calls = (before, notes.take());
                reinit.is_none_or(|reinit| reinit == 0) && calls == (vec![SIGNAL; 2], vec![SIGNAL])
            });
            assert_eq!(ended, Some(0));
            events.run(NONBLOCK);
            assert_eq!(notes.take(), [SIGNAL]);
            event.del();
        }
    }
}

#[test]
fn event_that_its_callback_deletes_is_not_called_for_the_other_deliveries() {
    use std::cell::RefCell;
    use std::rc::Rc;
    let _alone = one_at_a_time();
    let events = Loop::new();
    let own: Rc<RefCell<Option<Ev>>> = Rc::default();
    let (itself, calls) = (Rc::clone(&own), crate::support::Notes::default());
    let noted = calls.clone();
    let event = Ev::new(
        &events,
        Signal::USR1.as_raw(),
        SIGNAL | PERSIST,
        move |_, what| {
            noted.note(what);
            itself.borrow().as_ref().unwrap().del();
        },
    );
    event.add();
    *own.borrow_mut() = Some(event);
    send(Signal::USR1);
    send(Signal::USR1);
    assert_eq!(events.run(0), 1);
    assert_eq!(calls.take(), [SIGNAL]);
    own.take();
}

#[test]
fn base_that_was_last_to_ask_gets_the_signals() {
    let _alone = one_at_a_time();
    let (first, second) = (Loop::new(), Loop::new());
    let (one, told_first) = noting(&first, Signal::USR2, PERSIST);
    let (two, told_second) = noting(&second, Signal::USR2, PERSIST);
    one.add();
    two.add();
    send(Signal::USR2);
    second.run(ONCE | NONBLOCK);
    first.run(ONCE | NONBLOCK);
    assert_eq!(
        (told_first.take(), told_second.take()),
        (vec![], vec![SIGNAL])
    );
    // To run is to ask.
    send(Signal::USR2);
    first.run(ONCE | NONBLOCK);
    second.run(ONCE | NONBLOCK);
    assert_eq!(
        (told_first.take(), told_second.take()),
        (vec![SIGNAL], vec![])
    );
    two.del();
    // The handler is still there for the other one.
    send(Signal::USR2);
    first.run(ONCE | NONBLOCK);
    assert_eq!(told_first.take(), [SIGNAL]);
    one.del();
}

#[test]
fn what_came_for_a_base_is_its_own_though_another_has_asked_since() {
    let _alone = one_at_a_time();
    let (first, second) = (Loop::new(), Loop::new());
    let (one, told_first) = noting(&first, Signal::USR2, PERSIST);
    let (two, told_second) = noting(&second, Signal::USR2, PERSIST);
    one.add();
    send(Signal::USR2);
    two.add();
    second.run(ONCE | NONBLOCK);
    assert_eq!(told_second.take(), []);
    one_turn(&first);
    assert_eq!(told_first.take(), [SIGNAL]);
    one.del();
    two.del();
}

fn one_turn(events: &Loop) {
    events.run(ONCE | NONBLOCK);
}

#[test]
fn signal_that_cannot_be_waited_for_is_refused() {
    let _alone = one_at_a_time();
    let events = Loop::new();
    for number in [-1, 0, libc::SIGKILL, libc::SIGSEGV, 65, c_int::MAX] {
        let (event, _) = Ev::noting(&events, number, SIGNAL);
        assert_eq!(event.try_add(None), -1, "{number}");
        assert_eq!(event.pending(), 0);
    }
    assert_eq!(events.run(0), 1);
}

#[test]
fn persistent_event_with_a_timeout_goes_on_after_it() {
    let _alone = one_at_a_time();
    let events = Loop::new();
    let (event, notes) = noting(&events, Signal::USR1, PERSIST);
    event.add_for(ms(1));
    events.run(ONCE);
    assert_eq!(notes.take(), [TIMEOUT]);
    assert_eq!(event.pending(), SIGNAL | TIMEOUT);
    event.del();
}

#[test]
fn activation_by_number_reaches_the_events_of_the_signal() {
    let _alone = one_at_a_time();
    let events = Loop::new();
    let (event, notes) = noting(&events, Signal::USR1, 0);
    event.add();
    for number in [-1, 1000, Signal::USR1.as_raw()] {
        // SAFETY: the base is one.
        unsafe { event_base_active_by_signal(events.base(), number) };
    }
    assert_eq!(events.run(0), 1);
    assert_eq!(notes.take(), [SIGNAL]);
}
