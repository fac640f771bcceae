//! Events without a handle, that run once.
#![expect(unsafe_code, reason = "callbacks are functions of C, with memory of C")]

use std::cell::Cell;
use std::ffi::{c_int, c_short, c_void};
use std::ptr::NonNull;

use libc::timeval;

use crate::abi::{EV_IO, EV_PERSIST, EV_SIGNAL, EV_TIMEOUT, Event, EventFn};
use crate::activate::When;
use crate::assign::event_assign;
use crate::base::{Base, State};
use crate::{debug, mm};

/// An event that nobody has a handle of, and what it is to call.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Once {
    event: Event,
    function: Cell<Option<EventFn>>,
    argument: Cell<*mut c_void>,
    /// Where it stands in its base's list.
    position: Cell<usize>,
}

impl State {
    fn list_once(&mut self, once: &Once) {
        once.position.set(self.once.len());
        self.once.push(NonNull::from(once));
    }

    fn unlist_once(&mut self, once: &Once) {
        let position = once.position.get();
        self.once.swap_remove(position);
        if let Some(moved) = self.once.get(position) {
            // SAFETY: the pointer must be that of a value that is not freed: all in the list are.
            unsafe { moved.as_ref() }.position.set(position);
        }
    }
}

/// Calls a function when a file descriptor is ready or a time has passed, once. Null or nothing for a
/// time alone: in this turn. -1 for a signal or a persistent event, for neither descriptor nor time, and
/// where the system refuses.
///
/// # Safety
///
/// `base` is a base; `time` is null or a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_once(
    base: Option<&Base>,
    fd: c_int,
    events: c_short,
    function: Option<EventFn>,
    argument: *mut c_void,
    time: Option<&timeval>,
) -> c_int {
    let Some(base) = base else {
        return -1;
    };
    if events & (EV_SIGNAL | EV_PERSIST) != 0 {
        return -1;
    }
    let waits_for_fd = events & EV_IO != 0;
    let is_timer = events & (EV_TIMEOUT | EV_SIGNAL | EV_IO | EV_PERSIST) == EV_TIMEOUT;
    if !waits_for_fd && !is_timer {
        return -1;
    }
    let memory: *mut Once = mm::event_mm_calloc_(1, size_of::<Once>()).cast();
    // SAFETY: the pointer must be null or that of memory that is valid for the value: it was just
    // made, all zeroes, which every field has among its values.
    let Some(once) = (unsafe { memory.as_ref() }) else {
        return -1;
    };
    once.function.set(function);
    once.argument.set(argument);
    let (fd, kinds) = if is_timer {
        (-1, 0)
    } else {
        (fd, events & EV_IO)
    };
    let itself = memory.cast();
    // SAFETY: the event is in memory of its own, and the base is one; the argument is what `run` takes.
    let assigned = unsafe { event_assign(&once.event, Some(base), fd, kinds, Some(run), itself) };
    debug_assert_eq!(assigned, 0);
    let mut state = base.enter();
    let timeout = time.map(|time| state.timeout(*time));
    let is_now = is_timer && timeout.is_none_or(|timeout| timeout.is_zero());
    let added = if is_now {
        state.activate(&once.event, EV_TIMEOUT, When::Now);
        Ok(())
    } else {
        state.add(&once.event, timeout)
    };
    match added {
        Ok(()) => {
            state.list_once(once);
            0
        }
        Err(errno) => {
            drop(state);
            debug::teardown(&once.event);
            // SAFETY: the memory was just made, and nothing of the loop points to it.
            unsafe { mm::event_mm_free_(itself) };
            mm::set_errno(errno);
            -1
        }
    }
}

/// Calls what is to be called, and frees the memory.
unsafe extern "C" fn run(fd: c_int, events: c_short, once: *mut c_void) {
    let memory: *mut Once = once.cast();
    // SAFETY: the pointer must be null or that of what `event_base_once` made: it was assigned so.
    let Some(once) = (unsafe { memory.as_ref() }) else {
        return;
    };
    let base = once.event.its_base();
    if let Some(function) = once.function.get() {
        // SAFETY: the program has handed over function and argument to be called like this.
        unsafe { function(fd, events, once.argument.get()) };
    }
    debug::teardown(&once.event);
    if let Some(base) = base {
        base.enter().unlist_once(once);
    }
    // SAFETY: the memory came from `event_base_once`; nobody else has it, and the loop, whose callback
    // this was, does not look at it again.
    unsafe { mm::event_mm_free_(memory.cast()) };
}
