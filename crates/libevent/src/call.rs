//! Item 9 of the turn: runs the callback of an event, with nothing in hand.
#![expect(
    unsafe_code,
    reason = "callbacks are functions of C, reached through events in C's memory"
)]

use std::ffi::{c_int, c_short, c_void};
use std::ptr;
use std::time::Duration;

use evloop_changelist::Ready;
use evloop_core::EventId;

use crate::abi::{
    CLOSURE_EVENT_FINALIZE, CLOSURE_EVENT_FINALIZE_FREE, CLOSURE_FINALIZE, CLOSURE_SELF,
    EVLIST_ACTIVE, EVLIST_ACTIVE_LATER, EVLIST_THERE, Event, EventCallback, EventFn, FinalizeFn,
    SelfFn,
};
use crate::base::{State, Subject};
use crate::lock::Entered;
use crate::{debug, mm};

/// What is to be called, taken out of the memory that holds it: the callback may free that.
enum Call {
    Event(Option<EventFn>, c_int, c_short, *mut c_void),
    Itself(Option<SelfFn>, *mut EventCallback, *mut c_void),
    Finalize(Option<FinalizeFn>, *mut Event, *mut c_void),
    /// As `Finalize`, and the memory of the event is freed after.
    FinalizeAndFree(Option<FinalizeFn>, *mut Event, *mut c_void),
}

impl Call {
    /// Calls it.
    ///
    /// # Safety
    ///
    /// What is called is what the program has assigned, with the argument that it is to have.
    unsafe fn run(self) {
        match self {
            Self::Event(Some(function), fd, result, argument) => {
                // SAFETY: the caller vouches for function and argument.
                unsafe { function(fd, result, argument) }
            }
            Self::Itself(Some(function), callback, argument) => {
                // SAFETY: as above.
                unsafe { function(callback, argument) }
            }
            Self::Finalize(Some(function), event, argument) => {
                // SAFETY: as above.
                unsafe { function(event, argument) }
            }
            Self::FinalizeAndFree(function, event, argument) => {
                if let Some(function) = function {
                    // SAFETY: as above.
                    unsafe { function(event, argument) };
                }
                // SAFETY: the event came from `event_new` and is not used any more: who asked for
                // this finalizer said so.
                unsafe { mm::event_mm_free_(event.cast()) };
            }
            // libevent would jump to null here.
            Self::Event(None, ..) | Self::Itself(None, ..) | Self::Finalize(None, ..) => {}
        }
    }
}

/// A finalizer that was taken out of its base.
pub(crate) struct Finalizer(Call);

impl Finalizer {
    pub(crate) fn run(self) {
        // SAFETY: the program has asked for the finalizer to be called, in the loop or at its end.
        unsafe { self.0.run() };
    }
}

impl State {
    /// The callback that a slot is of.
    ///
    /// `None` where the slot is of nothing in C, and where the program has assigned the event anew
    /// while it was pending: then the slot is left over.
    pub(crate) fn callback<'a>(&self, id: EventId) -> Option<&'a EventCallback> {
        let Subject { callback, .. } = *self.core.payload(id)?;
        if self.keeper == Some(id) {
            return None;
        }
        // SAFETY: the pointer must be that of a callback that is not freed yet: by libevent's rule a
        // program deletes an event before it frees its memory, and then there is no slot.
        let callback = unsafe { callback.as_ref() };
        (callback.id.get() == id.to_bits()).then_some(callback)
    }

    /// The event that a slot is of.
    pub(crate) fn event<'a>(&self, id: EventId) -> Option<&'a Event> {
        self.callback(id)?.event()
    }
}

impl Entered<'_> {
    /// Runs what is active.
    pub(crate) fn call(mut self, id: EventId, ready: Ready) -> Self {
        let base = self.base();
        let Some(callback) = self.callback(id) else {
            self.free_slot(id);
            let left = self.core.finish();
            debug_assert!(left.is_none_or(|left| left.release.is_none()));
            return self;
        };
        let call = self.begin(callback, id, ready);
        self.current = callback;
        self.current_event = callback.event().map_or(ptr::null(), ptr::from_ref);
        self.runs += 1;
        drop(self);
        // SAFETY: the program has assigned the function and its argument to this callback.
        unsafe { call.run() };
        let mut state = base.enter();
        state.current = ptr::null();
        state.current_event = ptr::null();
        if state.waiters > 0 {
            base.lock.broadcast();
        }
        if let Some(left) = state.core.finish() {
            if left.payload.is_some_and(|subject| subject.is_inserted) {
                state.counts.inserted -= 1;
            }
            // The callback may have forked.
            if left.release.is_some() && state.stamp.is_child() {
                state.adopt();
            }
            state.release(left.release);
        }
        state
    }

    /// The finalizer that a slot is active for.
    pub(crate) fn finalizer(&mut self, callback: &EventCallback, id: EventId) -> Finalizer {
        Finalizer(self.begin(callback, id, Ready::empty()))
    }

    /// Prepares what is active to be called: what was one-shot is not pending any more.
    fn begin(&mut self, callback: &EventCallback, id: EventId, ready: Ready) -> Call {
        let argument = callback.argument.get();
        let function = callback.function.get();
        let closure = callback.closure.get();
        callback.clear(EVLIST_ACTIVE | EVLIST_ACTIVE_LATER);
        if closure == CLOSURE_SELF || closure == CLOSURE_FINALIZE {
            return Call::Itself(
                function.itself(),
                ptr::from_ref(callback).cast_mut(),
                argument,
            );
        }
        let Some(event) = callback.event() else {
            return Call::Itself(None, ptr::null_mut(), argument);
        };
        let pointer = ptr::from_ref(event).cast_mut();
        match closure {
            CLOSURE_EVENT_FINALIZE => {
                debug::teardown(event);
                Call::Finalize(function.finalize(), pointer, argument)
            }
            CLOSURE_EVENT_FINALIZE_FREE => {
                debug::teardown(event);
                Call::FinalizeAndFree(function.finalize(), pointer, argument)
            }
            _ => {
                let result = self.begin_event(event, id, ready);
                Call::Event(function.event(), event.fd.get(), result, argument)
            }
        }
    }

    /// The part of [`Entered::begin`] for events proper; what the event is told.
    fn begin_event(&mut self, event: &Event, id: EventId, ready: Ready) -> c_short {
        let has_edges = self.base().method.has_edges();
        let result = event.result.replace(0) | event.told(ready, has_edges);
        let Some(standing) = self.core.standing(id) else {
            return result;
        };
        let left = self.core.news().left;
        let is_over = if standing.persistent {
            // Activated though not pending; or with a timeout of nothing, which libevent does not
            // start again.
            !standing.pending
                || (ready.contains(Ready::TIMEOUT)
                    && self.core.timeout_of(id) == Some(Duration::ZERO))
        } else {
            // What its callback adds again is coalesced with this.
            self.base().is_lazy()
        };
        if is_over && left == 0 {
            self.remove(event, id);
            debug::deleted(event);
        } else if !standing.persistent {
            event.callback.clear(EVLIST_THERE);
            if left > 0 {
                event.callback.set(EVLIST_ACTIVE);
            }
            if let Some(subject) = self.core.payload_mut(id)
                && std::mem::take(&mut subject.is_inserted)
            {
                self.counts.inserted -= 1;
            }
            debug::deleted(event);
        }
        result
    }
}
