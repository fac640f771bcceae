//! The current base, which the functions of libevent 1 use, and these functions.
#![expect(
    unsafe_code,
    reason = "the current base is a variable that programs can see"
)]

use std::ffi::{c_char, c_int, c_short, c_void};
use std::ptr;

use libc::timeval;

use crate::abi::{Event, EventFn};
use crate::assign::event_assign;
use crate::base::{Base, event_base_get_method, event_base_new, event_base_priority_init};
use crate::exit::{event_base_loopbreak, event_base_loopexit};
use crate::log;
use crate::once::event_base_once;
use crate::run::{event_base_dispatch, event_base_loop};

/// The base that [`event_init`] made last; null if there is none.
#[unsafe(no_mangle)]
pub static mut event_global_current_base_: *const Base = ptr::null();

/// The current base.
pub(crate) fn current<'a>() -> Option<&'a Base> {
    // SAFETY: nobody may write the variable meanwhile: it is for programs that use one base, in one
    // thread.
    let base = unsafe { event_global_current_base_ };
    // SAFETY: the pointer must be null or that of a base that outlives what is done with it here:
    // it is set to null when the base is freed.
    unsafe { base.as_ref() }
}

/// This base, or the current one in its place.
pub(crate) fn or_current(base: Option<&Base>) -> Option<&Base> {
    base.or_else(current)
}

/// Changes which base is the current one.
pub(crate) fn set_current(base: *const Base) {
    // SAFETY: nobody may read or write the variable meanwhile: see `current`.
    unsafe { event_global_current_base_ = base };
}

/// Makes a base and makes it the current one. Ends the process where it cannot be made.
#[unsafe(no_mangle)]
pub extern "C" fn event_init() -> *mut Base {
    let base = event_base_new();
    if base.is_null() {
        log::fatal("event_init: no base could be made");
    }
    set_current(base);
    base
}

/// [`event_base_dispatch`] of the current base.
#[unsafe(no_mangle)]
pub extern "C" fn event_dispatch() -> c_int {
    // SAFETY: the current base is a base.
    unsafe { event_base_dispatch(current()) }
}

/// [`event_base_loop`] of the current base.
#[unsafe(no_mangle)]
pub extern "C" fn event_loop(flags: c_int) -> c_int {
    // SAFETY: the current base is a base.
    unsafe { event_base_loop(current(), flags) }
}

/// [`event_base_loopexit`] of the current base.
///
/// # Safety
///
/// `time` is null or a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_loopexit(time: Option<&timeval>) -> c_int {
    // SAFETY: the current base is a base; the caller vouches for the time.
    unsafe { event_base_loopexit(current(), time) }
}

/// [`event_base_loopbreak`] of the current base.
#[unsafe(no_mangle)]
pub extern "C" fn event_loopbreak() -> c_int {
    // SAFETY: the current base is a base.
    unsafe { event_base_loopbreak(current()) }
}

/// [`event_base_once`] of the current base.
///
/// # Safety
///
/// As [`event_base_once`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_once(
    fd: c_int,
    events: c_short,
    function: Option<EventFn>,
    argument: *mut c_void,
    time: Option<&timeval>,
) -> c_int {
    // SAFETY: the current base is a base; the caller vouches for the rest.
    unsafe { event_base_once(current(), fd, events, function, argument, time) }
}

/// [`event_base_priority_init`] of the current base.
#[unsafe(no_mangle)]
pub extern "C" fn event_priority_init(number: c_int) -> c_int {
    // SAFETY: the current base is a base.
    unsafe { event_base_priority_init(current(), number) }
}

/// [`event_base_get_method`] of the current base.
#[unsafe(no_mangle)]
pub extern "C" fn event_get_method() -> *const c_char {
    // SAFETY: the current base is a base.
    unsafe { event_base_get_method(current()) }
}

/// [`event_assign`] with the current base.
///
/// # Safety
///
/// As [`event_assign`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_set(
    event: &Event,
    fd: c_int,
    events: c_short,
    function: Option<EventFn>,
    argument: *mut c_void,
) {
    // SAFETY: the current base is a base; the caller vouches for the rest.
    let assigned = unsafe { event_assign(event, current(), fd, events, function, argument) };
    if assigned != 0 {
        log::abort("event_set: a signal cannot be waited for together with a file descriptor");
    }
}
