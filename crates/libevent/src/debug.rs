//! The debug mode: which events were assigned and which are added, so that a program that breaks
//! libevent's rules is stopped where it does.
#![expect(
    unsafe_code,
    reason = "two flags are variables that the rest of libevent sees"
)]

use std::collections::HashMap;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::abi::Event;
use crate::log;

/// Not 0: the debug mode is on.
#[unsafe(no_mangle)]
pub static mut event_debug_mode_on_: c_int = 0;

/// Not 0: something was made that locks should have been set up for before.
#[unsafe(no_mangle)]
pub static mut event_debug_created_threadable_ctx_: c_int = 0;

/// A base or an event was made without the debug mode.
static IS_TOO_LATE: AtomicBool = AtomicBool::new(false);

/// The events that were assigned, by address; whether each is added.
static EVENTS: Mutex<Option<HashMap<usize, bool>>> = Mutex::new(None);

/// Turns the debug mode on, for the events that are assigned from now on. To be called before anything
/// else, once; another call ends the process.
#[unsafe(no_mangle)]
pub extern "C" fn event_enable_debug_mode() {
    if is_on() {
        log::fatal("event_enable_debug_mode: the debug mode is on already");
    }
    if IS_TOO_LATE.load(Ordering::Relaxed) {
        log::fatal("event_enable_debug_mode: too late, there are bases or events already");
    }
    *EVENTS.lock().unwrap_or_else(PoisonError::into_inner) = Some(HashMap::new());
    set_on(1);
}

/// Turns the debug mode off, and forgets what it knew.
#[unsafe(no_mangle)]
pub extern "C" fn event_disable_debug_mode() {
    *EVENTS.lock().unwrap_or_else(PoisonError::into_inner) = None;
    set_on(0);
}

/// libevent exports the hash table of its debug mode, which no program has a table for: does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn event_debug_map_HT_CLEAR(_: *mut c_void) {}

/// As [`event_debug_map_HT_CLEAR`]; -1, as when there is no memory.
#[unsafe(no_mangle)]
pub extern "C" fn event_debug_map_HT_GROW(_: *mut c_void, _: c_uint) -> c_int {
    -1
}

pub(crate) fn is_on() -> bool {
    // SAFETY: nobody may write the variable meanwhile: it is set before anything else happens.
    let on = unsafe { event_debug_mode_on_ };
    on != 0
}

fn set_on(on: c_int) {
    // SAFETY: nobody may read or write the variable meanwhile: see `is_on`.
    unsafe { event_debug_mode_on_ = on };
}

/// It is too late for the debug mode.
pub(crate) fn too_late() {
    IS_TOO_LATE.store(true, Ordering::Relaxed);
}

/// It is too late to set up locks.
pub(crate) fn created_threadable() {
    // SAFETY: the variable is one that the rest of libevent sets to the same value, in the same way.
    unsafe { event_debug_created_threadable_ctx_ = 1 };
}

/// An event was assigned.
pub(crate) fn setup(event: &Event) {
    if !is_on() {
        too_late();
        return;
    }
    with(|events| _ = events.insert(address(event), false));
}

/// An event is forgotten: its memory goes.
pub(crate) fn teardown(event: &Event) {
    with(|events| _ = events.remove(&address(event)));
}

/// An event was added.
pub(crate) fn added(event: &Event) {
    note(event, true);
}

/// An event was deleted, or was one-shot and has run.
pub(crate) fn deleted(event: &Event) {
    note(event, false);
}

fn note(event: &Event, is_added: bool) {
    with(|events| {
        if let Some(known) = events.get_mut(&address(event)) {
            *known = is_added;
        }
    });
}

/// Ends the process unless the event was assigned.
pub(crate) fn assert_setup(event: &Event, function: &str) {
    let mut is_known = true;
    with(|events| is_known = events.contains_key(&address(event)));
    if !is_known {
        let fd = event.fd.get();
        log::abort(format_args!(
            "{function}: event {event:p} (file descriptor {fd}) was never assigned"
        ));
    }
}

/// Ends the process if the event is added.
pub(crate) fn assert_not_added(event: &Event) {
    let mut is_added = false;
    with(|events| is_added = events.get(&address(event)) == Some(&true));
    if is_added {
        log::abort(format_args!(
            "event_assign: event {event:p} is added, and must be deleted first"
        ));
    }
}

fn with(f: impl FnOnce(&mut HashMap<usize, bool>)) {
    if is_on()
        && let Some(events) = &mut *EVENTS.lock().unwrap_or_else(PoisonError::into_inner)
    {
        f(events);
    }
}

fn address(event: &Event) -> usize {
    std::ptr::from_ref(event).addr()
}
