//! The debug mode stops a program that breaks libevent's rules: in children, for it ends them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "the functions are C's")]

#[expect(dead_code, reason = "other tests need the rest of it")]
#[path = "front/support.rs"]
mod support;

use std::ffi::c_void;

use evloop_libevent::{
    Event, event_debug_unassign, event_enable_debug_mode, event_finalize, event_free, event_new,
    event_priority_set,
};
use rustix::process::{WaitOptions, waitpid};

use support::{Ev, Loop, READ, ms};

/// How a process ended: its exit status, or the signal that ended it.
type End = (Option<i32>, Option<i32>);

/// It went on to the end of what it was to do.
const WENT_ON: End = (Some(7), None);
/// It could not have what it asked for.
const STOPPED: End = (Some(1), None);
/// It broke a rule.
const ABORTED: End = (None, Some(libc::SIGABRT));

/// How a child ended that has the debug mode on.
fn child(does: fn()) -> End {
    // SAFETY: the test has one thread beside the one that waits for it.
    let child = unsafe { libc::fork() };
    if child == 0 {
        event_enable_debug_mode();
        does();
        // SAFETY: the child leaves at once.
        unsafe { libc::_exit(7) };
    }
    let child = rustix::process::Pid::from_raw(child);
    let (_, status) = waitpid(child, WaitOptions::empty()).unwrap().unwrap();
    (status.exit_status(), status.terminating_signal())
}

/// A finalizer may free its event, and one that was finalized may be deleted, though both are forgotten.
fn finalize(events: &Loop) {
    unsafe extern "C" fn nothing(_: *mut Event, _: *mut c_void) {}
    unsafe extern "C" fn free(event: *mut Event, _: *mut c_void) {
        // SAFETY: nobody uses the event any more.
        unsafe { event_free(event) };
    }
    let (event, _) = Ev::noting(events, -1, READ);
    // SAFETY: the base is one.
    let new = unsafe { event_new(events.base(), -1, 0, None, std::ptr::null_mut()) };
    // SAFETY: the event was just made.
    let new = unsafe { &*new };
    // SAFETY: nobody uses the event any more but its finalizer.
    assert_eq!(unsafe { event_finalize(0, new, Some(free)) }, 0);
    // SAFETY: the event is one.
    let finalized = unsafe { event_finalize(0, event.event(), Some(nothing)) };
    assert_eq!(finalized, 0);
    assert_eq!(events.run(0), 1);
    event.del();
}

/// One test, for once there is a base it is too late for the debug mode.
#[test]
fn who_breaks_a_rule_is_stopped_and_nobody_else() {
    let keeps_the_rules: fn() = || {
        let events = Loop::new();
        let (event, notes) = Ev::noting(&events, -1, READ);
        event.add_for(ms(0));
        event.del();
        event.assign(&events, -1, 0);
        event.add_for(ms(0));
        assert_eq!(events.run(0), 1);
        assert_eq!(notes.take().len(), 1);
        // It fired, so it is not added.
        event.assign(&events, -1, 0);
        // SAFETY: the event is idle.
        unsafe { event_debug_unassign(event.event()) };
        // SAFETY: the base is one.
        let new = unsafe { event_new(events.base(), -1, 0, None, std::ptr::null_mut()) };
        // SAFETY: nobody uses the event any more.
        unsafe { event_free(new) };
        finalize(&events);
    };
    assert_eq!(child(keeps_the_rules), WENT_ON);

    let assigns_what_is_added: fn() = || {
        let events = Loop::new();
        let (event, _) = Ev::noting(&events, -1, READ);
        event.add();
        event.assign(&events, -1, 0);
    };
    let uses_what_was_never_assigned: fn() = || {
        let events = Loop::new();
        let (event, _) = Ev::noting(&events, -1, READ);
        // SAFETY: the event is idle.
        unsafe { event_debug_unassign(event.event()) };
        // SAFETY: the memory is that of an event.
        unsafe { event_priority_set(event.event(), 0) };
    };
    let unassigns_what_is_added: fn() = || {
        let events = Loop::new();
        let (event, _) = Ev::noting(&events, -1, READ);
        event.add();
        // SAFETY: the memory is that of an event.
        unsafe { event_debug_unassign(event.event()) };
    };
    let deletes_what_was_never_assigned: fn() = || {
        let events = Loop::new();
        let (event, _) = Ev::noting(&events, -1, READ);
        // SAFETY: the event is idle.
        unsafe { event_debug_unassign(event.event()) };
        event.del();
    };
    for breaks_a_rule in [
        assigns_what_is_added,
        uses_what_was_never_assigned,
        unassigns_what_is_added,
        deletes_what_was_never_assigned,
    ] {
        assert_eq!(child(breaks_a_rule), ABORTED);
    }
    let turns_it_on_twice: fn() = || event_enable_debug_mode();
    assert_eq!(child(turns_it_on_twice), STOPPED);

    drop(Loop::new());
    let is_too_late: fn() = || ();
    assert_eq!(child(is_too_late), STOPPED);
}
