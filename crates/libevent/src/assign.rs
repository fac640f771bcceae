//! Events made and looked at: what needs no base to be entered.
#![expect(unsafe_code, reason = "memory comes from C and goes back to it")]

use std::ffi::{c_char, c_int, c_short, c_void};
use std::ptr;
use std::sync::atomic::AtomicU8;

use crate::abi::{EV_IO, EV_SIGNAL, EVLIST_INIT, Event, EventFn};
use crate::base::Base;
use crate::delete::{Blocking, delete};
use crate::{current, debug, log, mm};

/// Its address is the argument that stands for the event itself.
static SELF_ARGUMENT: AtomicU8 = AtomicU8::new(0);

/// The argument with which an event's callback is handed the event.
#[unsafe(no_mangle)]
pub extern "C" fn event_self_cbarg() -> *mut c_void {
    SELF_ARGUMENT.as_ptr().cast()
}

/// Makes an event of memory, whatever was there before. -1 for a signal and a file descriptor at once.
///
/// # Safety
///
/// `event` is memory for one, which is not pending or active; `base` is a base, or null for the current
/// one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_assign(
    event: &Event,
    base: Option<&Base>,
    fd: c_int,
    events: c_short,
    function: Option<EventFn>,
    argument: *mut c_void,
) -> c_int {
    let base = current::or_current(base);
    debug::assert_not_added(event);
    let argument = if argument == event_self_cbarg() {
        ptr::from_ref(event).cast_mut().cast()
    } else {
        argument
    };
    event.write(
        base.map_or(ptr::null(), ptr::from_ref),
        fd,
        events,
        function,
        argument,
    );
    if events & EV_SIGNAL != 0 && events & EV_IO != 0 {
        log::warn(
            "event_assign: one event waits for a signal or for a file descriptor, not for both",
        );
        return -1;
    }
    event.callback.priority.set(middle(base));
    debug::setup(event);
    0
}

/// The priority that an event has unless it is given another.
fn middle(base: Option<&Base>) -> u8 {
    let priorities = base.map_or(0, |base| base.priorities.get());
    u8::try_from(priorities / 2).unwrap_or(0)
}

/// Has another base for an event that is neither pending nor active; else -1.
///
/// # Safety
///
/// `base` is a base; `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_set(base: Option<&Base>, event: &Event) -> c_int {
    if event.callback.flags.get() != EVLIST_INIT {
        return -1;
    }
    debug::assert_setup(event, "event_base_set");
    event.base.set(base.map_or(ptr::null(), ptr::from_ref));
    // A handle means nothing to another base.
    event.callback.id.set(0);
    event.callback.priority.set(middle(base));
    0
}

/// Makes an event in new memory; null where there is none, or where [`event_assign`] refuses.
///
/// # Safety
///
/// As [`event_assign`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_new(
    base: Option<&Base>,
    fd: c_int,
    events: c_short,
    function: Option<EventFn>,
    argument: *mut c_void,
) -> *mut Event {
    let memory = mm::event_mm_calloc_(1, size_of::<Event>()).cast::<Event>();
    // SAFETY: the pointer must be null or that of memory that is valid for an event: it was just made,
    // all zeroes, which every field has among its values.
    let Some(event) = (unsafe { memory.as_ref() }) else {
        return memory;
    };
    // SAFETY: nobody else has the event; the caller vouches for the rest.
    if unsafe { event_assign(event, base, fd, events, function, argument) } != 0 {
        // SAFETY: the memory was just made, and nobody has it.
        unsafe { mm::event_mm_free_(memory.cast()) };
        return ptr::null_mut();
    }
    memory
}

/// Deletes an event and frees its memory. Its own callback may do so.
///
/// # Safety
///
/// `event` came from [`event_new`] and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_free(event: *mut Event) {
    // SAFETY: the pointer must be null or that of an event: the caller says so.
    if let Some(event) = unsafe { event.as_ref() } {
        delete(event, Blocking::IfAsked);
        debug::teardown(event);
    }
    // SAFETY: the caller vouches for the memory, and nothing of the loop points to it any more.
    unsafe { mm::event_mm_free_(event.cast()) };
}

/// Forgets what the debug mode knows of an event, before its memory is freed.
///
/// # Safety
///
/// `event` is an event, neither pending nor active.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_debug_unassign(event: &Event) {
    debug::assert_not_added(event);
    debug::teardown(event);
    event.callback.clear(EVLIST_INIT);
}

/// Whether an event was assigned; memory of zeroes was not.
///
/// # Safety
///
/// `event` is memory for an event, with something in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_initialized(event: &Event) -> c_int {
    c_int::from(event.callback.has(EVLIST_INIT))
}

/// An event's file descriptor, or signal.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_get_fd(event: &Event) -> c_int {
    debug::assert_setup(event, "event_get_fd");
    event.fd.get()
}

/// An event's base.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_get_base(event: &Event) -> *const Base {
    debug::assert_setup(event, "event_get_base");
    event.base.get()
}

/// What an event waits for.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_get_events(event: &Event) -> c_short {
    debug::assert_setup(event, "event_get_events");
    event.events.get()
}

/// An event's callback.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_get_callback(event: &Event) -> Option<EventFn> {
    debug::assert_setup(event, "event_get_callback");
    event.callback.function.get().event()
}

/// The argument of an event's callback.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_get_callback_arg(event: &Event) -> *mut c_void {
    debug::assert_setup(event, "event_get_callback_arg");
    event.callback.argument.get()
}

/// An event's priority.
///
/// # Safety
///
/// `event` is an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_get_priority(event: &Event) -> c_int {
    debug::assert_setup(event, "event_get_priority");
    c_int::from(event.callback.priority.get())
}

/// All that an event was assigned; each may be null where it is not wanted.
///
/// # Safety
///
/// `event` is an event; the others are null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_get_assignment(
    event: &Event,
    base: Option<&mut *const Base>,
    fd: Option<&mut c_int>,
    events: Option<&mut c_short>,
    function: Option<&mut Option<EventFn>>,
    argument: Option<&mut *mut c_void>,
) {
    debug::assert_setup(event, "event_get_assignment");
    if let Some(base) = base {
        *base = event.base.get();
    }
    if let Some(fd) = fd {
        *fd = event.fd.get();
    }
    if let Some(events) = events {
        *events = event.events.get();
    }
    if let Some(function) = function {
        *function = event.callback.function.get().event();
    }
    if let Some(argument) = argument {
        *argument = event.callback.argument.get();
    }
}

/// The size of `struct event`.
#[unsafe(no_mangle)]
pub extern "C" fn event_get_struct_event_size() -> usize {
    size_of::<Event>()
}

/// The version of libevent whose place this takes.
#[unsafe(no_mangle)]
pub extern "C" fn event_get_version() -> *const c_char {
    c"2.1.12-stable".as_ptr()
}

/// That version as a number.
#[unsafe(no_mangle)]
pub extern "C" fn event_get_version_number() -> u32 {
    0x0201_0c00
}

impl Event {
    /// The base of an event; `None` where it has none.
    pub(crate) fn its_base<'a>(&self) -> Option<&'a Base> {
        // SAFETY: the pointer must be null or that of a base that is not freed yet: a program that uses
        // an event of a base has not freed that.
        unsafe { self.base.get().as_ref() }
    }
}
