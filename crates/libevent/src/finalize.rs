//! Finalizers: the last callback of an event, which the loop runs when no other can.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::{c_int, c_uint};
use std::ptr;
use std::slice;

use evloop_changelist::Ready;

use crate::abi::{
    CLOSURE_EVENT_FINALIZE, CLOSURE_EVENT_FINALIZE_FREE, CLOSURE_FINALIZE, EVLIST_ACTIVE,
    EVLIST_FINALIZING, Event, EventCallback, FinalizeFn, Function, SelfFn,
};
use crate::activate::When;
use crate::base::Base;
use crate::lock::Entered;
use crate::{current, debug, log};

/// Deletes an event, without waiting for its callback, and has the loop call the finalizer, after which
/// the event may be freed. Until then it can be neither added nor activated. -1 if it has no base.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_finalize(
    _: c_uint,
    event: &Event,
    finalizer: Option<FinalizeFn>,
) -> c_int {
    finalize(event, finalizer, CLOSURE_EVENT_FINALIZE)
}

/// [`event_finalize`], after which the event is freed.
///
/// # Safety
///
/// `event` came from [`event_new`](crate::event_new) and is not used any more but by the finalizer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_free_finalize(
    _: c_uint,
    event: &Event,
    finalizer: Option<FinalizeFn>,
) -> c_int {
    finalize(event, finalizer, CLOSURE_EVENT_FINALIZE_FREE)
}

fn finalize(event: &Event, finalizer: Option<FinalizeFn>, closure: u8) -> c_int {
    let Some(base) = event.its_base() else {
        log::warn("event_finalize: the event has no base");
        return -1;
    };
    debug::assert_setup(event, "event_finalize");
    let mut state = base.enter();
    state.delete(event);
    let function = Function {
        finalize: finalizer,
    };
    state.begin_finalizer(&event.callback, closure, function);
    0
}

/// Deletes a callback, or the event that it is of, and has the loop call the finalizer.
///
/// # Safety
///
/// `base` is a base, or null for the current one; `callback` is a bare callback or the first part of an
/// event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_callback_finalize_(
    base: Option<&Base>,
    _: c_uint,
    callback: &EventCallback,
    finalizer: Option<SelfFn>,
) {
    if let Some(base) = current::or_current(base) {
        base.enter().finalize_callback(callback, finalizer);
    }
}

/// Deletes several callbacks, and has the loop call one finalizer when none of them can run any more:
/// for the one that runs, or for the first. 0.
///
/// # Safety
///
/// `base` is a base, or null for the current one; `callbacks` are as many pointers, each as for
/// [`event_callback_finalize_`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_callback_finalize_many_(
    base: Option<&Base>,
    number: c_int,
    callbacks: *const &EventCallback,
    finalizer: Option<SelfFn>,
) -> c_int {
    let (Some(base), Ok(number)) = (current::or_current(base), usize::try_from(number)) else {
        return 0;
    };
    if number == 0 {
        return 0;
    }
    // SAFETY: the pointer must be that of so many callbacks: the caller vouches for them.
    let callbacks = unsafe { slice::from_raw_parts(callbacks, number) };
    let mut state = base.enter();
    let current = state.current;
    let running = callbacks
        .iter()
        .find(|callback| ptr::eq(**callback, current));
    let last = *running.unwrap_or(&callbacks[0]);
    for callback in callbacks {
        if !ptr::eq(*callback, last) {
            state.cancel(callback);
        }
    }
    state.finalize_callback(last, finalizer);
    0
}

impl Entered<'_> {
    fn finalize_callback(&mut self, callback: &EventCallback, finalizer: Option<SelfFn>) {
        self.cancel(callback);
        let function = Function { itself: finalizer };
        self.begin_finalizer(callback, CLOSURE_FINALIZE, function);
    }

    /// Has a function called in the place of a callback that is neither pending nor active.
    fn begin_finalizer(&mut self, callback: &EventCallback, closure: u8, function: Function) {
        if callback.has(EVLIST_FINALIZING) {
            return;
        }
        callback.closure.set(closure);
        callback.function.set(function);
        let id = self.callback_slot(callback);
        self.activate_slot(id, Ready::empty(), When::Now);
        callback.set(EVLIST_ACTIVE | EVLIST_FINALIZING);
        self.notify();
    }
}
