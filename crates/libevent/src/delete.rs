//! `event_del`, which also waits until a callback that runs in another thread is over.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::c_int;
use std::ptr;

use evloop_core::EventId;

use crate::abi::{EV_FINALIZE, EVLIST_FINALIZING, EVLIST_THERE, Event, EventCallback};
use crate::lock::Entered;
use crate::{debug, log};

/// Whether a delete waits for the event's callback, if that runs in another thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocking {
    Always,
    Never,
    /// Unless the event was assigned `EV_FINALIZE`.
    IfAsked,
}

/// Makes an event not pending and not active. If its callback runs in another thread, it is over when
/// this returns, unless the event was assigned with `EV_FINALIZE`. -1 if it has no base, or the system
/// refused.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_del(event: &Event) -> c_int {
    delete(event, Blocking::IfAsked)
}

/// [`event_del`], which always waits for the callback.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_del_block(event: &Event) -> c_int {
    delete(event, Blocking::Always)
}

/// [`event_del`], which never waits for the callback.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_del_noblock(event: &Event) -> c_int {
    delete(event, Blocking::Never)
}

pub(crate) fn delete(event: &Event, blocking: Blocking) -> c_int {
    let Some(base) = event.its_base() else {
        log::warn("event_del: the event has no base");
        return -1;
    };
    let mut state = base.enter();
    if event.callback.has(EVLIST_FINALIZING) {
        // Its finalizer runs, whatever happens, or has run; then the debug mode does not know the event.
        return 0;
    }
    debug::assert_setup(event, "event_del");
    let is_blocking = match blocking {
        Blocking::Always => true,
        Blocking::Never => false,
        Blocking::IfAsked => !event.has(EV_FINALIZE),
    };
    let done = state.delete(event);
    if is_blocking {
        state.await_callback(&event.callback);
    }
    if done { 0 } else { -1 }
}

impl Entered<'_> {
    /// Makes an event not pending and not active; whether the system agreed.
    pub(crate) fn delete(&mut self, event: &Event) -> bool {
        debug::deleted(event);
        let Some(id) = self.slot(&event.callback) else {
            event.callback.clear(EVLIST_THERE);
            return true;
        };
        let done = self.remove(event, id);
        self.notify();
        done
    }

    /// Frees an event's slot; whether the system agreed.
    pub(crate) fn remove(&mut self, event: &Event, id: EventId) -> bool {
        event.result.set(0);
        self.remove_callback(&event.callback, id)
    }

    /// Frees a callback's slot; whether the system agreed.
    pub(crate) fn remove_callback(&mut self, callback: &EventCallback, id: EventId) -> bool {
        callback.id.set(0);
        callback.clear(EVLIST_THERE);
        self.free_slot(id)
    }

    /// Frees a slot, whatever it is of; whether the system agreed.
    pub(crate) fn free_slot(&mut self, id: EventId) -> bool {
        if self.stamp.is_child() {
            // What the slot is of may be held by the parent's side of the kernel.
            self.adopt();
        }
        let left = if self.base().is_lazy() {
            self.core.retire(id)
        } else {
            self.core.remove(id)
        };
        let Ok(leaving) = left else {
            return true;
        };
        if leaving.payload.is_some_and(|subject| subject.is_inserted) {
            self.counts.inserted -= 1;
        }
        self.release(leaving.release)
    }

    /// Waits until a callback that runs in another thread is over.
    fn await_callback(self, callback: &EventCallback) {
        let mut state = self;
        let run = state.runs;
        while ptr::eq(state.current, callback)
            && state.runs == run
            && !state.is_runner()
            // There the thread is not.
            && !state.stamp.is_child()
        {
            state.waiters += 1;
            let (again, waited) = state.wait();
            state = again;
            state.waiters -= 1;
            if !waited {
                return;
            }
        }
    }
}
