//! A loop in a thread of its own, for unit tests.
#![expect(unsafe_code, reason = "bases and events are C's")]

use std::ffi::{c_int, c_short, c_void};
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::abi::{BASE_USE_CHANGELIST, EVLOOP_NO_EXIT_ON_EMPTY};
use crate::{
    Base, Event, EventFn, event_add, event_base_free, event_base_loop, event_base_loopbreak,
    event_base_new_with_config, event_config_avoid_method, event_config_free, event_config_new,
    event_config_set_flag, event_del, event_free, event_new,
};

/// Goes to other threads, as a pointer of C does.
pub(crate) struct Shared<'a, T>(pub(crate) &'a T);

impl<T> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<'_, T> {}

// SAFETY: what is shared is a base or an event of a base with a lock, which is made to be used from
// several threads, and nothing but libevent's functions is done with it.
unsafe impl<T> Send for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn get(&self) -> &'a T {
        self.0
    }
}

/// Ends the process if it is still there after some time: a thread that nobody wakes fails no test.
#[derive(Debug)]
pub(crate) struct Deadline(#[expect(dead_code, reason = "to be dropped")] mpsc::Sender<()>);

impl Deadline {
    /// Long for what is tried, on a busy machine too, and shorter than what a test runner waits.
    const TIME: Duration = Duration::from_secs(40);

    pub(crate) fn new() -> Self {
        let (alive, dropped) = mpsc::channel();
        let test = thread::current().name().map(str::to_owned);
        thread::spawn(move || {
            if dropped.recv_timeout(Self::TIME) == Err(RecvTimeoutError::Timeout) {
                let test = test.unwrap_or_default();
                _ = writeln!(io::stderr(), "{test}: not over after {:?}", Self::TIME);
                std::process::abort();
            }
        });
        Self(alive)
    }
}

/// Signals are the process's, and one base at a time has them: one test at a time.
pub(crate) fn signals_alone() -> MutexGuard<'static, ()> {
    static TESTS: Mutex<()> = Mutex::new(());
    TESTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a base is to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Epoll,
    Changelist,
    Poll,
}

pub(crate) const EACH: [By; 3] = [By::Epoll, By::Changelist, By::Poll];

pub(crate) fn new_base(by: By, flags: c_int) -> *mut Base {
    let config = event_config_new();
    // SAFETY: the configuration was just made, and nobody else has it.
    let said = unsafe { &mut *config };
    let mut flags = flags;
    match by {
        By::Epoll => {}
        By::Changelist => flags |= BASE_USE_CHANGELIST,
        By::Poll => {
            // SAFETY: the configuration is one.
            unsafe { event_config_avoid_method(Some(said), c"epoll".as_ptr()) };
        }
    }
    // SAFETY: the configuration is one.
    unsafe { event_config_set_flag(Some(said), flags) };
    // SAFETY: the configuration is one.
    let base = unsafe { event_base_new_with_config(Some(said)) };
    // SAFETY: nobody uses it any more.
    unsafe { event_config_free(config) };
    assert!(!base.is_null());
    base
}

/// Runs a loop in a thread of its own while `outside` runs in this one; then ends it.
pub(crate) fn with_loop(by: By, outside: impl FnOnce(&Base)) {
    let _deadline = Deadline::new();
    let base = new_base(by, 0);
    // SAFETY: the base is there until it is freed, below.
    let opened = unsafe { &*base };
    assert!(opened.lock.is_there());
    thread::scope(|scope| {
        let shared = Shared(opened);
        let (ready, is_ready) = mpsc::channel();
        scope.spawn(move || {
            ready.send(()).unwrap();
            // SAFETY: the base is one.
            unsafe { event_base_loop(Some(shared.get()), EVLOOP_NO_EXIT_ON_EMPTY) }
        });
        is_ready.recv().unwrap();
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| outside(opened)));
        // Until it has begun there is nothing to break.
        while opened.enter().runner.is_none() {
            thread::yield_now();
        }
        // SAFETY: the base is one.
        unsafe { event_base_loopbreak(Some(opened)) };
        if let Err(panic) = outcome {
            panic::resume_unwind(panic);
        }
    });
    // SAFETY: nobody uses the base any more.
    unsafe { event_base_free(base) };
}

/// Returns when the loop's thread waits with the means, and was not woken yet: it does not come back, and take
/// the lock, before somebody wakes it.
pub(crate) fn until_it_waits(base: &Base) {
    let waits = || {
        let state = base.enter();
        let notifier = state.notifier.as_ref();
        !state.kernel.is_here() && notifier.is_none_or(|notifier| !notifier.waker.is_woken())
    };
    while !waits() {
        thread::yield_now();
    }
}

pub(crate) fn new_event<'a>(
    base: &Base,
    fd: c_int,
    what: c_short,
    function: EventFn,
    argument: *const c_void,
) -> &'a Event {
    let argument = argument.cast_mut();
    // SAFETY: the base is one, and the argument is what the function takes.
    let event = unsafe { event_new(Some(base), fd, what, Some(function), argument) };
    // SAFETY: it was just made, and is freed when the test is through with it.
    unsafe { &*event }
}

/// Adds an event without a time.
pub(crate) fn add(event: &Event) -> c_int {
    // SAFETY: the event is one.
    unsafe { event_add(event, None) }
}

pub(crate) fn del(event: &Event) -> c_int {
    // SAFETY: the event is one.
    unsafe { event_del(event) }
}

pub(crate) fn free(event: &Event) {
    // SAFETY: the event came from `event_new`, and is not used any more.
    unsafe { event_free(ptr::from_ref(event).cast_mut()) };
}

/// Does something in a child, which ends well if it says so. The base's lock must be free.
pub(crate) fn child(does: impl FnOnce() -> bool) -> c_int {
    // SAFETY: the child goes on with what this thread has, and the C library frees the memory's lock in it.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // Ended by the signal, where it hangs.
        // SAFETY: no precondition.
        unsafe { libc::alarm(40) };
        let code = i32::from(!does());
        // SAFETY: the child leaves at once.
        unsafe { libc::_exit(code) };
    }
    child
}

/// How a child ended.
pub(crate) fn status(child: c_int) -> c_int {
    let mut status = 0;
    // SAFETY: the pointer is that of a variable.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    status
}
