//! The kernel's side of a base, made anew in a forked child.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::c_int;
use std::ptr;

use evloop_catcher::ForkStamp;

use crate::base::Base;
use crate::lock::Entered;
use crate::log;

/// Makes a base the child's own: what it has of the kernel's is its parent's. Its events are as they
/// were. -1 where the system refuses, or refuses a file descriptor.
///
/// A child that uses the base without asking gets the same, when it first adds or deletes an event or
/// runs the loop: nothing that it does reaches its parent.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_reinit(base: Option<&Base>) -> c_int {
    match base {
        Some(base) if base.enter().adopt() => 0,
        _ => -1,
    }
}

impl Entered<'_> {
    /// Makes the kernel's side anew; whether all that the base waits for could be held.
    pub(crate) fn adopt(&mut self) -> bool {
        self.stamp = ForkStamp::new();
        // What another thread of the parent had left undone, the table says again.
        self.late.clear();
        if !self.is_runner() {
            // The thread that runs the loop is the parent's.
            self.runner = None;
            self.current = ptr::null();
            self.current_event = ptr::null();
            self.core.abort();
        }
        self.waiters = 0;
        let backend = self.renew_backend();
        let wakers = self.renew_wakers();
        if !(backend && wakers) {
            log::warn("event_reinit: not everything could be held anew");
        }
        backend && wakers
    }
}
