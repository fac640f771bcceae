//! Bare callbacks: what evbuffers and bufferevents have the loop call, with no event around it.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use evloop_changelist::Ready;
use evloop_core::{EventId, Kind, Priority, Spec};

use crate::abi::{
    CLOSURE_SELF, EVLIST_ACTIVE, EVLIST_ACTIVE_LATER, EVLIST_FINALIZING, EVLIST_INTERNAL,
    EVLIST_THERE, EventCallback, Function, SelfFn,
};
use crate::activate::When;
use crate::base::{Base, Subject};
use crate::current;
use crate::lock::Entered;

/// Makes a bare callback of memory, whatever was there before.
///
/// # Safety
///
/// `callback` is memory for one, which is not active.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_deferred_cb_init_(
    callback: &EventCallback,
    priority: u8,
    function: Option<SelfFn>,
    argument: *mut c_void,
) {
    let function = Function { itself: function };
    callback.write(CLOSURE_SELF, function, argument);
    callback.priority.set(priority);
}

/// Changes the priority of a bare callback that is not active.
///
/// # Safety
///
/// `callback` is a bare callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_deferred_cb_set_priority_(callback: &EventCallback, priority: u8) {
    callback.priority.set(priority);
}

/// Makes a bare callback active, or active in the next turn if very many are already. Whether it was
/// not active before.
///
/// # Safety
///
/// `base` is a base, or null for the current one; `callback` is a bare callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_deferred_cb_schedule_(
    base: Option<&Base>,
    callback: &EventCallback,
) -> c_int {
    activate(base, callback, How::Deferred)
}

/// Makes a bare callback active. Whether it was not before.
///
/// # Safety
///
/// `base` is a base, or null for the current one; `callback` is a bare callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_callback_activate_(
    base: Option<&Base>,
    callback: &EventCallback,
) -> c_int {
    activate(base, callback, How::Now)
}

/// Makes a bare callback not active.
///
/// # Safety
///
/// `base` is a base, or null for the current one; `callback` is a bare callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_deferred_cb_cancel_(base: Option<&Base>, callback: &EventCallback) {
    // SAFETY: the caller vouches for both.
    unsafe { event_callback_cancel_(base, callback) };
}

/// Makes a bare callback, or an event, not active. 0.
///
/// # Safety
///
/// `base` is a base, or null for the current one; `callback` is a bare callback or the first part of an
/// event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_callback_cancel_(
    base: Option<&Base>,
    callback: &EventCallback,
) -> c_int {
    if let Some(base) = current::or_current(base) {
        base.enter().cancel(callback);
    }
    0
}

/// How a callback is made active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Now,
    Deferred,
}

fn activate(base: Option<&Base>, callback: &EventCallback, how: How) -> c_int {
    let Some(base) = current::or_current(base) else {
        return 0;
    };
    let mut state = base.enter();
    if callback.has(EVLIST_FINALIZING) {
        return 0;
    }
    let id = state.callback_slot(callback);
    let was_active = state
        .core
        .standing(id)
        .is_some_and(|standing| standing.active.is_some());
    if was_active && callback.has(EVLIST_ACTIVE) {
        return 0;
    }
    match how {
        How::Now => state.activate_slot(id, Ready::empty(), When::Now),
        How::Deferred if was_active => {}
        How::Deferred => {
            let deferred = state.core.defer(id);
            debug_assert!(deferred.is_ok(), "the slot is in use");
        }
    }
    callback.set(EVLIST_ACTIVE);
    state.notify();
    c_int::from(!was_active)
}

impl Entered<'_> {
    /// The slot of a callback, which gets one if it has none.
    pub(crate) fn callback_slot(&mut self, callback: &EventCallback) -> EventId {
        if let Some(id) = self.slot(callback) {
            return id;
        }
        let spec = Spec {
            internal: callback.has(EVLIST_INTERNAL),
            priority: Priority(callback.priority.get()),
            ..Spec::new(Kind::Plain)
        };
        let subject = Subject {
            callback: NonNull::from(callback),
            is_inserted: false,
        };
        let id = self.core.insert(spec, subject);
        let id = id.unwrap_or_else(|_| unreachable!("it is for no file descriptor"));
        callback.id.set(id.to_bits());
        id
    }

    /// Makes a callback not active, and if it is an event's not pending.
    pub(crate) fn cancel(&mut self, callback: &EventCallback) {
        if callback.has(EVLIST_FINALIZING) {
            return;
        }
        match self.slot(callback) {
            Some(id) => {
                if let Some(event) = self.event(id) {
                    self.delete(event);
                } else {
                    self.remove_callback(callback, id);
                }
            }
            None => callback.clear(EVLIST_THERE & !EVLIST_ACTIVE_LATER),
        }
    }
}
