//! A base's end.
#![expect(unsafe_code, reason = "bases come and go by C's pointers")]

use std::ptr;

use evloop_core::EventId;

use crate::abi::{EVLIST_FINALIZING, EVLIST_THERE};
use crate::base::Base;
use crate::call::Finalizer;
use crate::current::{current, set_current};
use crate::lock::Entered;
use crate::{debug, log, mm};

/// Frees a base; null: the current one. Its events are deleted, and not freed; finalizers that wait to
/// run are run. File descriptors stay open. A base that runs stays as it is.
///
/// # Safety
///
/// `base` is a base that is not used any more, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_free(base: *mut Base) {
    // SAFETY: the caller vouches for the base.
    unsafe { free(base, Finalizers::Run) };
}

/// [`event_base_free`], without running finalizers.
///
/// # Safety
///
/// As [`event_base_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_free_nofinalize(base: *mut Base) {
    // SAFETY: the caller vouches for the base.
    unsafe { free(base, Finalizers::Drop) };
}

/// What becomes of finalizers that wait to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finalizers {
    Run,
    Drop,
}

/// See [`event_base_free`].
///
/// # Safety
///
/// As [`event_base_free`].
unsafe fn free(base: *mut Base, finalizers: Finalizers) {
    let base = if base.is_null() {
        current().map_or(ptr::null_mut(), |base| ptr::from_ref(base).cast_mut())
    } else {
        base
    };
    // SAFETY: the pointer must be null or that of a base: the caller vouches for it.
    let Some(opened) = (unsafe { base.as_ref() }) else {
        log::warn("event_base_free: there is no base");
        return;
    };
    let state = opened.enter();
    if state.runner.is_some() && !state.stamp.is_child() {
        drop(state);
        log::warn("event_base_free: the loop runs, and would go on in memory that is freed");
        return;
    }
    drop(state);
    // A finalizer may have another one run.
    while let Some(finalizer) = opened.enter().take_out() {
        if finalizers == Finalizers::Run {
            finalizer.run();
        }
    }
    let once = std::mem::take(&mut opened.enter().once);
    for once in once {
        // SAFETY: the memory came from `event_base_once`, and nobody has it: it has not run, and now is
        // deleted.
        unsafe { mm::event_mm_free_(once.as_ptr().cast()) };
    }
    if current().is_some_and(|other| ptr::eq(other, base)) {
        set_current(ptr::null());
    }
    // SAFETY: the base came from `event_base_new`; the caller does not use it any more.
    unsafe { Base::close(base) };
}

impl Entered<'_> {
    /// Deletes everything, up to the first finalizer, which is taken out to be run.
    fn take_out(mut self) -> Option<Finalizer> {
        let ids: Vec<EventId> = self.core.iter().map(|info| info.id).collect();
        for id in ids {
            let Some(callback) = self.callback(id) else {
                if self.keeper == Some(id) {
                    self.keeper = None;
                }
                self.take_out_slot(id);
                continue;
            };
            if callback.has(EVLIST_FINALIZING) {
                let finalizer = self.finalizer(callback, id);
                self.take_out_slot(id);
                return Some(finalizer);
            }
            if let Some(event) = self.event(id) {
                debug::deleted(event);
                event.result.set(0);
            }
            callback.id.set(0);
            callback.clear(EVLIST_THERE);
            self.take_out_slot(id);
        }
        None
    }

    /// Frees a slot. The kernel's side is not told: it goes with the base.
    fn take_out_slot(&mut self, id: EventId) {
        let left = self.core.remove(id);
        debug_assert!(left.is_ok(), "the slot is in use");
    }
}
