//! What belongs to the calling thread, and is to be left alone: its signal mask, its `errno`.
#![expect(unsafe_code, reason = "no safe wrappers of these calls are at hand")]

use std::mem::MaybeUninit;
use std::ptr;

use evloop_catcher::Signal;

use crate::signals::members;

/// The signals that are blocked.
pub(crate) fn mask() -> Vec<i32> {
    members(&change_mask(libc::SIG_BLOCK, &[]))
}

/// Runs `body` with these signals blocked.
pub(crate) fn blocked(signals: &[Signal], body: impl FnOnce()) {
    change_mask(libc::SIG_BLOCK, signals);
    body();
    change_mask(libc::SIG_UNBLOCK, signals);
}

fn change_mask(how: i32, signals: &[Signal]) -> libc::sigset_t {
    let mut set = empty();
    for signal in signals {
        // SAFETY: the set is borrowed mutably, and all of it is initialized.
        unsafe { libc::sigaddset(&raw mut set, signal.number()) };
    }
    let mut before = empty();
    // SAFETY: both sets are borrowed.
    let result = unsafe { libc::pthread_sigmask(how, &raw const set, &raw mut before) };
    assert_eq!(result, 0);
    before
}

fn empty() -> libc::sigset_t {
    // SAFETY: the structure is an array of integers, which may be zero.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

pub(crate) fn errno() -> i32 {
    // SAFETY: the pointer is that of this thread's errno.
    unsafe { ptr::read(errno_location()) }
}

pub(crate) fn set_errno(value: i32) {
    // SAFETY: the pointer is that of this thread's errno.
    unsafe { ptr::write(errno_location(), value) }
}

fn errno_location() -> *mut i32 {
    // SAFETY: this call has no precondition.
    unsafe { libc::__errno_location() }
}
