//! Looking at events: one by one, counted, or all.
#![expect(
    unsafe_code,
    reason = "functions are exported by their name in C, and call C's"
)]

use std::ffi::{c_int, c_short, c_uint, c_void};
use std::fmt::Write;
use std::ptr;
use std::time::Duration;

use evloop_core::{EventId, EventInfo, Priority};
use libc::{FILE, timeval};

use crate::abi::{
    COUNT_ACTIVE, COUNT_ADDED, COUNT_VIRTUAL, EV_CLOSED, EV_ET, EV_IO, EV_PERSIST, EV_READ,
    EV_SIGNAL, EV_TIMEOUT, EV_WRITE, EVLIST_ACTIVE_LATER, EVLIST_INTERNAL, Event,
};
use crate::base::{Base, State};
use crate::lock::Entered;
use crate::{clock, debug, log};

/// What of `events` an event is pending or active for; when its timeout expires, by the wall clock, if
/// it is pending for that.
///
/// # Safety
///
/// `event` is an event; `expiry` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_pending(
    event: &Event,
    events: c_short,
    expiry: Option<&mut timeval>,
) -> c_int {
    let Some(base) = event.its_base() else {
        log::warn("event_pending: the event has no base");
        return 0;
    };
    debug::assert_setup(event, "event_pending");
    let state = base.enter();
    let Some(info) = state
        .slot(&event.callback)
        .and_then(|id| state.core.info(id))
    else {
        return 0;
    };
    let mut there = 0;
    if info.pending {
        there |= event.events.get() & (EV_IO | EV_SIGNAL);
    }
    if info.active.is_some() {
        there |= state.result(event, &info);
    }
    if info.deadline_ns.is_some() {
        there |= EV_TIMEOUT;
    }
    there &= events & (EV_TIMEOUT | EV_IO | EV_SIGNAL);
    if there & EV_TIMEOUT != 0
        && let (Some(expiry), Some(deadline_ns)) = (expiry, info.deadline_ns)
    {
        *expiry = by_wall_clock(deadline_ns);
    }
    c_int::from(there)
}

/// Gives an event another priority. -1 if it is active, or there is no such priority.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_priority_set(event: &Event, priority: c_int) -> c_int {
    debug::assert_setup(event, "event_priority_set");
    let Some(base) = event.its_base() else {
        return -1;
    };
    let mut state = base.enter();
    let Ok(priority) = u8::try_from(priority) else {
        return -1;
    };
    if c_int::from(priority) >= base.priorities.get() {
        return -1;
    }
    if let Some(id) = state.slot(&event.callback) {
        let standing = state.core.standing(id);
        let is_active = standing.is_some_and(|standing| standing.active.is_some());
        if is_active && !event.callback.has(EVLIST_ACTIVE_LATER) {
            return -1;
        }
        let set = state.core.set_priority(id, Priority(priority));
        debug_assert!(set.is_ok(), "the slot is in use");
    }
    event.callback.priority.set(priority);
    0
}

/// The event whose callback runs, for who asks in that callback's thread; else null.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_get_running_event(base: Option<&Base>) -> *const Event {
    let Some(base) = base else {
        return ptr::null();
    };
    let state = base.enter();
    if state.is_runner() {
        state.current_event
    } else {
        ptr::null()
    }
}

/// How many there are: 1 active, 2 virtual, 4 added, or a sum of these.
///
/// An event counts among the added once for what it waits for, once more for its timeout, and once more
/// while it is active.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_get_num_events(base: Option<&Base>, which: c_uint) -> c_int {
    let Some(base) = base else {
        return 0;
    };
    let state = base.enter();
    let mut number = 0;
    if which & COUNT_ACTIVE != 0 {
        number += state.core.active();
    }
    if which & COUNT_VIRTUAL != 0 {
        number += usize::try_from(state.counts.virtuals).unwrap_or(0);
    }
    if which & COUNT_ADDED != 0 {
        number += state.added();
    }
    c_int::try_from(number).unwrap_or(c_int::MAX)
}

/// As [`event_base_get_num_events`], the most there were; with `clear` these marks are 0 from now on.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_get_max_events(
    base: Option<&Base>,
    which: c_uint,
    clear: c_int,
) -> c_int {
    let Some(base) = base else {
        return 0;
    };
    let mut state = base.enter();
    let counts = &mut state.counts;
    let mut number = 0;
    if which & COUNT_ACTIVE != 0 {
        number += counts.most_active;
        counts.most_active *= usize::from(clear == 0);
    }
    if which & COUNT_VIRTUAL != 0 {
        number += usize::try_from(counts.most_virtual).unwrap_or(0);
        counts.most_virtual *= c_int::from(clear == 0);
    }
    if which & COUNT_ADDED != 0 {
        number += counts.most_added;
        counts.most_added *= usize::from(clear == 0);
    }
    c_int::try_from(number).unwrap_or(c_int::MAX)
}

/// `event_base_foreach_event_cb`.
pub type ForeachFn = unsafe extern "C" fn(*const Base, *const Event, *mut c_void) -> c_int;

/// Calls a function for each event that is pending or active, with the base's lock in hand, until one
/// call gives something other than 0, which is given back. -1 for null.
///
/// # Safety
///
/// `base` is a base; the function frees no event, and deletes or adds none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_foreach_event(
    base: Option<&Base>,
    function: Option<ForeachFn>,
    argument: *mut c_void,
) -> c_int {
    let (Some(base), Some(function)) = (base, function) else {
        return -1;
    };
    let mut state = base.enter();
    let ids: Vec<EventId> = state.core.iter().map(|info| info.id).collect();
    for id in ids {
        if state.is_shown(id)
            && let Some(event) = state.event(id)
        {
            let result;
            (state, result) = state.unborrowed(|| {
                // SAFETY: the caller vouches for function and argument; base and event are there.
                unsafe { function(base, event, argument) }
            });
            if result != 0 {
                return result;
            }
        }
    }
    0
}

/// Writes a line for each event that is pending, and for each that is active.
///
/// # Safety
///
/// `base` is a base; `file` is open for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_dump_events(base: Option<&Base>, file: *mut FILE) {
    let Some(base) = base else {
        return;
    };
    let text = base.enter().dump();
    // SAFETY: the caller vouches for the file; the bytes are the text's.
    unsafe { libc::fwrite(text.as_ptr().cast(), 1, text.len(), file) };
}

/// Ends the process if what the base records contradicts itself.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_assert_ok_(base: Option<&Base>) {
    if let Some(base) = base {
        let verified = base.enter().core.verify();
        if let Err(defect) = verified {
            log::abort(format_args!("event_base_assert_ok_: {defect}"));
        }
    }
}

/// Keeps the base running for something that is no event.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_add_virtual_(base: Option<&Base>) {
    change_virtuals(base, 1);
}

/// Takes back what [`event_base_add_virtual_`] did.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_del_virtual_(base: Option<&Base>) {
    change_virtuals(base, -1);
}

fn change_virtuals(base: Option<&Base>, by: c_int) {
    let Some(base) = base else {
        return;
    };
    let mut state = base.enter();
    state.counts.virtuals += by;
    state.counts.most_virtual = state.counts.most_virtual.max(state.counts.virtuals);
    let keep = state.stays || state.counts.virtuals > 0;
    state.keep_running(keep);
    if state.counts.virtuals == 0 {
        state.notify();
    }
}

impl State {
    /// How many there are, counted as C does.
    fn added(&self) -> usize {
        self.counts.inserted + self.core.timers() + self.core.active()
    }

    /// Notes how many there are now.
    pub(crate) fn count_peaks(&mut self) {
        self.counts.most_added = self.counts.most_added.max(self.added());
        self.counts.most_active = self.counts.most_active.max(self.core.active());
    }

    /// What an active event is going to be told.
    fn result(&self, event: &Event, info: &EventInfo) -> c_short {
        let ready = info.active.unwrap_or_default();
        event.result.get() | event.told(ready, false)
    }

    /// Whether a slot is of something that is pending or active, not merely running.
    fn is_shown(&self, id: EventId) -> bool {
        self.core
            .standing(id)
            .is_some_and(|standing| standing.pending || standing.active.is_some())
    }
}

impl Entered<'_> {
    fn dump(&self) -> String {
        let mut text = String::from("Inserted events:\n");
        for info in self.core.iter().filter(|info| info.pending) {
            if let Some(event) = self.event(info.id) {
                self.describe(&mut text, event);
                text.push_str(&flags(
                    event.events.get(),
                    [
                        (EV_READ, " Read"),
                        (EV_WRITE, " Write"),
                        (EV_CLOSED, " EOF"),
                        (EV_SIGNAL, " Signal"),
                        (EV_PERSIST, " Persist"),
                        (EV_ET, " ET"),
                    ],
                ));
                text.push_str(if event.callback.has(EVLIST_INTERNAL) {
                    " Internal"
                } else {
                    ""
                });
                if let Some(deadline_ns) = info.deadline_ns {
                    let time = by_wall_clock(deadline_ns);
                    _ = write!(text, " Timeout={}.{:06}", time.tv_sec, time.tv_usec);
                }
                text.push('\n');
            }
        }
        text.push_str("Active events:\n");
        for info in self.core.iter().filter(|info| info.active.is_some()) {
            if let Some(event) = self.event(info.id) {
                self.describe(&mut text, event);
                // The closing bracket comes behind the priority.
                text.pop();
                _ = write!(text, ", priority={}]", event.callback.priority.get());
                text.push_str(&flags(
                    self.result(event, &info),
                    [
                        (EV_READ, " Read"),
                        (EV_WRITE, " Write"),
                        (EV_CLOSED, " EOF"),
                        (EV_SIGNAL, " Signal"),
                        (EV_TIMEOUT, " Timeout"),
                    ],
                ));
                text.push_str(" active");
                text.push_str(if event.callback.has(EVLIST_INTERNAL) {
                    " [Internal]"
                } else {
                    ""
                });
                text.push_str(if event.callback.has(EVLIST_ACTIVE_LATER) {
                    " [NextTime]"
                } else {
                    ""
                });
                text.push('\n');
            }
        }
        text
    }

    fn describe(&self, text: &mut String, event: &Event) {
        let what = if event.has(EV_SIGNAL) { "sig" } else { "fd " };
        _ = write!(text, "  {event:p} [{what} {}]", event.fd.get());
    }
}

fn flags<const N: usize>(flags: c_short, names: [(c_short, &str); N]) -> String {
    let named = names.into_iter().filter(|(flag, _)| flags & flag != 0);
    named.map(|(_, name)| name).collect()
}

/// A time of the monotonic clock, as the wall clock will have it.
fn by_wall_clock(deadline_ns: u64) -> timeval {
    let (now_ns, now) = (clock::now_ns(), clock::wall());
    let ahead = Duration::from_nanos(deadline_ns.saturating_sub(now_ns));
    let behind = Duration::from_nanos(now_ns.saturating_sub(deadline_ns));
    clock::timeval((now + ahead).saturating_sub(behind))
}
