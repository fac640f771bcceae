//! `event_add`, and what takes a timeout away again.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::c_int;
use std::ptr::NonNull;
use std::time::Duration;

use evloop_changelist::Ready;
use evloop_core::{AddError, EventId, Kind};
use libc::timeval;

use crate::abi::{EV_PERSIST, EVLIST_FINALIZING, EVLIST_INSERTED, EVLIST_TIMEOUT, Event};
use crate::activate::When;
use crate::base::{State, Subject};
use crate::kernel::{Refusal, grant};
use crate::lock::Entered;
use crate::{clock, debug, log, mm};

/// Makes an event pending: what it waits for is watched, its timeout runs from now. Without a time one
/// that runs already stays as it is. -1, with `errno`, where it cannot be: then nothing has changed.
///
/// # Safety
///
/// `event` is an event; `time` is null or a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_add(event: &Event, time: Option<&timeval>) -> c_int {
    let Some(base) = event.its_base() else {
        log::warn("event_add: the event has no base");
        return -1;
    };
    debug::assert_setup(event, "event_add");
    let mut state = base.enter();
    let timeout = time.map(|time| state.timeout(*time));
    match state.add(event, timeout) {
        Ok(()) => 0,
        Err(errno) => {
            drop(state);
            mm::set_errno(errno);
            -1
        }
    }
}

/// Takes an event's timeout away; what else it waits for it goes on waiting for. -1 if it has no base.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_remove_timer(event: &Event) -> c_int {
    let Some(base) = event.its_base() else {
        log::warn("event_remove_timer: the event has no base");
        return -1;
    };
    debug::assert_setup(event, "event_remove_timer");
    let mut state = base.enter();
    if let Some(id) = state.slot(&event.callback)
        && event.callback.has(EVLIST_TIMEOUT)
    {
        state.remove_timer(event, id);
    }
    0
}

impl Entered<'_> {
    /// See [`event_add`].
    pub(crate) fn add(&mut self, event: &Event, timeout: Option<Duration>) -> Result<(), i32> {
        if event.callback.has(EVLIST_FINALIZING) {
            return Err(libc::EINVAL);
        }
        let is_for_more = event.waits_for_more();
        if !is_for_more && timeout.is_none() {
            return Ok(());
        }
        let kind = event.kind().map_err(|error| {
            log::warn_later(format_args!("event_add: {error}"));
            libc::EINVAL
        })?;
        if self.stamp.is_child() {
            self.adopt();
        }
        match self.slot(&event.callback) {
            Some(id) if self.is_still(event, kind, id) => {
                self.add_again(event, kind, timeout, id)?;
            }
            // The program has changed it while it was pending.
            Some(id) => {
                let ready = self.core.standing(id).and_then(|standing| standing.active);
                self.remove(event, id);
                self.add_new(event, kind, timeout)?;
                if let (Some(ready), Some(id)) = (ready, self.slot(&event.callback)) {
                    let activated = self.core.activate(id, ready);
                    debug_assert!(activated.is_ok());
                }
            }
            None => self.add_new(event, kind, timeout)?,
        }
        if timeout.is_some() {
            event.callback.set(EVLIST_TIMEOUT);
        }
        self.count_peaks();
        debug::added(event);
        self.notify();
        Ok(())
    }

    /// Whether the slot is for what the event waits for now.
    fn is_still(&self, event: &Event, kind: Kind, id: EventId) -> bool {
        let persistent = self.core.standing(id).map(|standing| standing.persistent);
        self.core.kind(id) == Some(kind) && persistent == Some(event.has(EV_PERSIST))
    }

    /// Adds an event that has a slot: it is pending, or active, or its callback runs.
    fn add_again(
        &mut self,
        event: &Event,
        kind: Kind,
        timeout: Option<Duration>,
        id: EventId,
    ) -> Result<(), i32> {
        let pending = self
            .core
            .standing(id)
            .is_some_and(|standing| standing.pending);
        if let Some(timeout) = timeout {
            let set = self.core.set_timeout(id, Some(timeout), clock::now_ns);
            debug_assert!(set.is_ok(), "the slot is in use");
        } else if !pending && self.core.timeout_of(id).is_some() {
            // A timeout that it was once added with.
            self.stop_timer(event, id);
        }
        if !pending {
            self.register(kind, id)
                .map_err(|error| refuse(event, error))?;
        }
        self.count_inserted(event, id);
        Ok(())
    }

    /// Adds an event that has no slot.
    fn add_new(&mut self, event: &Event, kind: Kind, timeout: Option<Duration>) -> Result<(), i32> {
        let id = self.insert(event, kind, timeout);
        if let Err(error) = self.register(kind, id) {
            let errno = refuse(event, error);
            self.remove(event, id);
            return Err(errno);
        }
        self.count_inserted(event, id);
        Ok(())
    }

    /// Gives an event a slot.
    pub(crate) fn insert(
        &mut self,
        event: &Event,
        kind: Kind,
        timeout: Option<Duration>,
    ) -> EventId {
        let subject = Subject {
            callback: NonNull::from(&event.callback),
            is_inserted: false,
        };
        let id = self.core.insert(event.spec(kind, timeout), subject);
        let id = id.unwrap_or_else(|_| unreachable!("a negative file descriptor is no such kind"));
        event.callback.id.set(id.to_bits());
        id
    }

    /// Makes a slot pending.
    fn register(&mut self, kind: Kind, id: EventId) -> Result<(), AddError<Refusal>> {
        if matches!(kind, Kind::Signal(_)) {
            self.ready_signals();
        }
        let State {
            core,
            kernel,
            signals,
            ..
        } = &mut **self;
        core.add(id, clock::now_ns, |demand| {
            grant(kernel, signals.as_ref(), demand)
        })
    }

    fn remove_timer(&mut self, event: &Event, id: EventId) {
        event.callback.clear(EVLIST_TIMEOUT);
        if !event.waits_for_more() {
            // It was pending for its time alone.
            let is_active_for_more = self
                .core
                .standing(id)
                .and_then(|standing| standing.active)
                .is_some_and(|ready| ready.is_empty());
            if !is_active_for_more {
                self.remove(event, id);
                return;
            }
        }
        self.stop_timer(event, id);
    }

    /// Takes a timeout away. One that has expired has not, if its callback has not run.
    fn stop_timer(&mut self, event: &Event, id: EventId) {
        let is_active = |state: &Self| {
            state
                .core
                .standing(id)
                .is_some_and(|standing| standing.active.is_some())
        };
        let was_active = is_active(self);
        let set = self.core.set_timeout(id, None, || 0);
        debug_assert!(set.is_ok(), "the slot is in use");
        if was_active && !is_active(self) && event.result.get() != 0 {
            // It was activated by hand as well.
            self.activate_slot(id, Ready::empty(), When::Now);
        }
    }

    /// Counts an event, which has this slot, among those that wait for more than a time, if it does.
    fn count_inserted(&mut self, event: &Event, id: EventId) {
        if !event.waits_for_more() {
            return;
        }
        event.callback.set(EVLIST_INSERTED);
        if let Some(subject) = self.core.payload_mut(id)
            && !subject.is_inserted
        {
            subject.is_inserted = true;
            self.counts.inserted += 1;
        }
    }
}

/// Says why an event was refused, and gives the reason as C does.
fn refuse(event: &Event, error: AddError<Refusal>) -> i32 {
    let fd = event.fd.get();
    match error {
        AddError::Refused(refusal) => {
            log::warn_later(format_args!("event_add: {refusal}"));
            refusal.errno()
        }
        AddError::MixedTrigger(_) => {
            log::warn_later(format_args!(
                "event_add: file descriptor {fd} has events with and without EV_ET"
            ));
            libc::EINVAL
        }
        error => {
            log::warn_later(format_args!("event_add: file descriptor {fd}: {error}"));
            libc::EINVAL
        }
    }
}

impl State {
    /// The time that a timeout of C means: a common one means what it was made of.
    pub(crate) fn timeout(&self, time: timeval) -> Duration {
        if crate::common::is_common(&self.common, time) {
            return clock::duration(crate::common::plain(time));
        }
        clock::duration(time)
    }
}
