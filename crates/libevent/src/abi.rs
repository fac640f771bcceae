//! What programs were compiled against: the layout of `struct event`, and the numbers of the flags.
//!
//! Every field is a cell, so that a shared reference is all that is ever made of a pointer from C, and
//! reading and writing one is safe code. Programs see some of the fields (`ev_base`, `ev_fd`,
//! `ev_events`, `ev_flags`); the others hold what this library needs: there is nothing of the loop's
//! in an event but the handle of its slot.
#![expect(
    unsafe_code,
    reason = "a callback is one of several types of function, and may be a part of an event"
)]

use std::cell::Cell;
use std::ffi::{c_int, c_short, c_void};
use std::ptr;

use libc::timeval;

use crate::base::Base;

/// `event_callback_fn`: file descriptor (or signal), what happened, argument.
pub type EventFn = unsafe extern "C" fn(c_int, c_short, *mut c_void);
/// `deferred_cb_fn`, and the finalizer of a bare callback.
pub type SelfFn = unsafe extern "C" fn(*mut EventCallback, *mut c_void);
/// `event_finalize_callback_fn`.
pub type FinalizeFn = unsafe extern "C" fn(*mut Event, *mut c_void);

/// `struct event_callback`: the part that events and bare callbacks have in common.
#[repr(C)]
#[derive(Debug)]
pub struct EventCallback {
    /// libevent has a link of a queue here.
    pub(crate) id: Cell<u64>,
    /// libevent has the other one here.
    unused: Cell<u64>,
    pub(crate) flags: Cell<c_short>,
    pub(crate) priority: Cell<u8>,
    pub(crate) closure: Cell<u8>,
    pub(crate) function: Cell<Function>,
    pub(crate) argument: Cell<*mut c_void>,
}

/// `struct event`.
#[repr(C)]
#[derive(Debug)]
pub struct Event {
    pub(crate) callback: EventCallback,
    unused_timeout: [Cell<u64>; 2],
    pub(crate) fd: Cell<c_int>,
    pub(crate) base: Cell<*const Base>,
    unused_union: [Cell<u64>; 4],
    pub(crate) events: Cell<c_short>,
    /// What it was activated for by hand: what the kernel reports is the core's to know.
    pub(crate) result: Cell<c_short>,
    unused_deadline: Cell<timeval>,
}

/// What is called: which of these it is, the `closure` of its `EventCallback` says.
#[repr(C)]
#[derive(Clone, Copy)]
pub union Function {
    pub(crate) event: Option<EventFn>,
    pub(crate) itself: Option<SelfFn>,
    pub(crate) finalize: Option<FinalizeFn>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Function")
    }
}

impl Function {
    /// The function of an event, as `event_get_callback` tells it.
    pub(crate) const fn event(self) -> Option<EventFn> {
        // SAFETY: the field must be a value of its type: all three are nullable pointers to
        // functions, of one layout, and this one is not called but by who looked at the closure.
        unsafe { self.event }
    }

    /// As [`Function::event`], for a bare callback.
    pub(crate) const fn itself(self) -> Option<SelfFn> {
        // SAFETY: as in `Function::event`.
        unsafe { self.itself }
    }

    /// As [`Function::event`], for a finalizer.
    pub(crate) const fn finalize(self) -> Option<FinalizeFn> {
        // SAFETY: as in `Function::event`.
        unsafe { self.finalize }
    }
}

impl EventCallback {
    /// Makes all fields new. What was there before is not looked at: it may be anything.
    pub(crate) fn write(&self, closure: u8, function: Function, argument: *mut c_void) {
        self.id.set(0);
        self.unused.set(0);
        self.flags.set(0);
        self.priority.set(0);
        self.closure.set(closure);
        self.function.set(function);
        self.argument.set(argument);
    }

    pub(crate) fn has(&self, flag: c_short) -> bool {
        self.flags.get() & flag != 0
    }

    pub(crate) fn set(&self, flag: c_short) {
        self.flags.set(self.flags.get() | flag);
    }

    pub(crate) fn clear(&self, flag: c_short) {
        self.flags.set(self.flags.get() & !flag);
    }

    /// The event that this is the first part of, if it is one.
    #[inline]
    pub(crate) fn event(&self) -> Option<&Event> {
        if !self.has(EVLIST_INIT) {
            return None;
        }
        // SAFETY: the pointer must be that of an event: only what is the first part of one has the
        // flag, and it lives as long as that.
        Some(unsafe { &*ptr::from_ref(self).cast::<Event>() })
    }
}

impl Event {
    /// As [`EventCallback::write`], for an event that is assigned.
    pub(crate) fn write(
        &self,
        base: *const Base,
        fd: c_int,
        events: c_short,
        function: Option<EventFn>,
        argument: *mut c_void,
    ) {
        let closure = match events {
            _ if events & EV_SIGNAL != 0 => CLOSURE_SIGNAL,
            _ if events & EV_PERSIST != 0 => CLOSURE_PERSIST,
            _ => CLOSURE_EVENT,
        };
        let function = Function { event: function };
        self.callback.write(closure, function, argument);
        self.callback.flags.set(EVLIST_INIT);
        for word in self.unused_timeout.iter().chain(&self.unused_union) {
            word.set(0);
        }
        self.fd.set(fd);
        self.base.set(base);
        self.events.set(events);
        self.result.set(0);
        self.unused_deadline.set(timeval {
            tv_sec: 0,
            tv_usec: 0,
        });
    }

    pub(crate) fn has(&self, events: c_short) -> bool {
        self.events.get() & events != 0
    }
}

// What an event waits for and is told.
pub(crate) const EV_TIMEOUT: c_short = 0x01;
pub(crate) const EV_READ: c_short = 0x02;
pub(crate) const EV_WRITE: c_short = 0x04;
pub(crate) const EV_SIGNAL: c_short = 0x08;
pub(crate) const EV_PERSIST: c_short = 0x10;
pub(crate) const EV_ET: c_short = 0x20;
pub(crate) const EV_FINALIZE: c_short = 0x40;
pub(crate) const EV_CLOSED: c_short = 0x80;
/// What a file descriptor can be ready for.
pub(crate) const EV_IO: c_short = EV_READ | EV_WRITE | EV_CLOSED;

// What state an event is in.
pub(crate) const EVLIST_TIMEOUT: c_short = 0x01;
pub(crate) const EVLIST_INSERTED: c_short = 0x02;
pub(crate) const EVLIST_ACTIVE: c_short = 0x08;
pub(crate) const EVLIST_INTERNAL: c_short = 0x10;
pub(crate) const EVLIST_ACTIVE_LATER: c_short = 0x20;
pub(crate) const EVLIST_FINALIZING: c_short = 0x40;
pub(crate) const EVLIST_INIT: c_short = 0x80;
/// Added or active.
pub(crate) const EVLIST_THERE: c_short =
    EVLIST_TIMEOUT | EVLIST_INSERTED | EVLIST_ACTIVE | EVLIST_ACTIVE_LATER;

// How a callback is called.
pub(crate) const CLOSURE_EVENT: u8 = 0;
pub(crate) const CLOSURE_SIGNAL: u8 = 1;
pub(crate) const CLOSURE_PERSIST: u8 = 2;
pub(crate) const CLOSURE_SELF: u8 = 3;
pub(crate) const CLOSURE_FINALIZE: u8 = 4;
pub(crate) const CLOSURE_EVENT_FINALIZE: u8 = 5;
pub(crate) const CLOSURE_EVENT_FINALIZE_FREE: u8 = 6;

// How a loop runs.
pub(crate) const EVLOOP_ONCE: c_int = 0x01;
pub(crate) const EVLOOP_NONBLOCK: c_int = 0x02;
pub(crate) const EVLOOP_NO_EXIT_ON_EMPTY: c_int = 0x04;

// How a base is made.
pub(crate) const BASE_NOLOCK: c_int = 0x01;
pub(crate) const BASE_IGNORE_ENV: c_int = 0x02;
pub(crate) const BASE_NO_CACHE_TIME: c_int = 0x08;
pub(crate) const BASE_USE_CHANGELIST: c_int = 0x10;

// What a backend can do.
pub(crate) const FEATURE_ET: c_int = 0x01;
pub(crate) const FEATURE_O1: c_int = 0x02;
pub(crate) const FEATURE_FDS: c_int = 0x04;
pub(crate) const FEATURE_EARLY_CLOSE: c_int = 0x08;

// What is counted.
pub(crate) const COUNT_ACTIVE: u32 = 1;
pub(crate) const COUNT_VIRTUAL: u32 = 2;
pub(crate) const COUNT_ADDED: u32 = 4;

const _: () = {
    assert!(size_of::<EventCallback>() == 40 && align_of::<EventCallback>() == 8);
    assert!(size_of::<Event>() == 128 && align_of::<Event>() == 8);
};

#[cfg(test)]
mod layout;
