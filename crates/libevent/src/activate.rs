//! Activation by hand.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::{c_int, c_short};

use evloop_core::{EventId, Kind};
use evloop_signals::Signal;

use crate::abi::{
    EV_CLOSED, EV_READ, EV_TIMEOUT, EV_WRITE, EVLIST_ACTIVE, EVLIST_ACTIVE_LATER,
    EVLIST_FINALIZING, Event,
};
use crate::base::Base;
use crate::lock::Entered;
use crate::spec::ready_by_hand;
use crate::{debug, log};
use evloop_changelist::Ready;

/// Makes an event active, pending or not: its callback is told `result`, together with what else happens
/// until then. The last argument is ignored, as libevent documents it; there it says how often the callback of
/// a signal's event is called.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_active(event: &Event, result: c_int, _: c_short) {
    activate(event, result, When::Now);
}

/// Makes an event active in the next turn.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_active_later_(event: &Event, result: c_int) {
    activate(event, result, When::Later);
}

/// In which turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    Later,
}

fn activate(event: &Event, result: c_int, when: When) {
    let Some(base) = event.its_base() else {
        log::warn("event_active: the event has no base");
        return;
    };
    debug::assert_setup(event, "event_active");
    let result = c_short::try_from(result & 0x7fff).unwrap_or(0);
    base.enter().activate(event, result, when);
}

impl Entered<'_> {
    pub(crate) fn activate(&mut self, event: &Event, result: c_short, when: When) {
        if event.callback.has(EVLIST_FINALIZING) {
            return;
        }
        let id = self.slot(&event.callback).unwrap_or_else(|| {
            // One that cannot be added can be activated.
            let kind = event.kind().unwrap_or(Kind::Plain);
            self.insert(event, kind, None)
        });
        event.result.set(event.result.get() | result);
        self.activate_slot(id, ready_by_hand(result), when);
        match when {
            When::Now => {
                event.callback.set(EVLIST_ACTIVE);
                event.callback.clear(EVLIST_ACTIVE_LATER);
            }
            When::Later if event.callback.has(EVLIST_ACTIVE) => {}
            When::Later => event.callback.set(EVLIST_ACTIVE_LATER),
        }
        self.count_peaks();
        self.notify();
    }

    pub(crate) fn activate_slot(&mut self, id: EventId, ready: Ready, when: When) {
        let activated = match when {
            When::Now => self.core.activate(id, ready),
            When::Later => self.core.activate_later(id, ready),
        };
        debug_assert!(activated.is_ok(), "the slot is in use");
    }
}

/// Makes active the events of a file descriptor that wait for any of `events`; with `EV_TIMEOUT` those
/// whose timeout runs.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_active_by_fd(base: Option<&Base>, fd: c_int, events: c_short) {
    let Some(base) = base else {
        return;
    };
    let mut state = base.enter();
    let mut ready = Ready::empty();
    ready.set(Ready::READ, events & EV_READ != 0);
    ready.set(Ready::WRITE, events & EV_WRITE != 0);
    ready.set(Ready::CLOSED, events & EV_CLOSED != 0);
    ready.set(Ready::TIMEOUT, events & EV_TIMEOUT != 0);
    state.core.activate_fd(fd, ready);
    if ready.contains(Ready::TIMEOUT) {
        // Timers may have been assigned a file descriptor that they do not wait for.
        let timers: Vec<EventId> = state
            .core
            .iter()
            .filter(|info| info.kind == Kind::Plain && info.deadline_ns.is_some())
            .map(|info| info.id)
            .collect();
        for id in timers {
            if state.event(id).is_some_and(|event| event.fd.get() == fd) {
                state.activate_slot(id, Ready::TIMEOUT, When::Now);
            }
        }
    }
    state.count_peaks();
    state.notify();
}

/// Makes active the events that wait for a signal, as if it had come once.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_active_by_signal(base: Option<&Base>, signal: c_int) {
    if let (Some(base), Ok(signal)) = (base, Signal::new(signal)) {
        let mut state = base.enter();
        state.core.activate_signal(signal, 1);
        state.count_peaks();
        state.notify();
    }
}
