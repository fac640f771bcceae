//! What the process does at a signal, as the tests see and set it.
#![expect(unsafe_code, reason = "no safe wrappers of these calls are at hand")]

use std::mem::MaybeUninit;
use std::ptr;

use evloop_catcher::Signal;

pub(crate) fn disposition(signal: Signal) -> libc::sigaction {
    let mut action = blank();
    // SAFETY: null leaves the disposition, and what is there is written where it may be.
    let result = unsafe { libc::sigaction(signal.number(), ptr::null(), &raw mut action) };
    assert_eq!(result, 0);
    action
}

/// Installs `SIG_DFL`, `SIG_IGN`, or the address of a handler that is async-signal-safe.
pub(crate) fn set_disposition(signal: Signal, handler: libc::sighandler_t, flags: i32) {
    let mut action = blank();
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the set is borrowed mutably, and all of it is initialized.
    unsafe { libc::sigaddset(&raw mut action.sa_mask, libc::SIGALRM) };
    // SAFETY: the tests install nothing else than what is asked for above.
    let result = unsafe { libc::sigaction(signal.number(), &raw const action, ptr::null_mut()) };
    assert_eq!(result, 0);
}

/// The parts of a disposition that can be compared.
pub(crate) fn parts(action: &libc::sigaction) -> (libc::sighandler_t, i32, Vec<i32>) {
    // The C library sets this flag on x86, for the stub through which a handler returns.
    const SA_RESTORER: i32 = 0x0400_0000;
    let flags = action.sa_flags & !SA_RESTORER;
    (action.sa_sigaction, flags, members(&action.sa_mask))
}

/// The signals of a set.
pub(crate) fn members(set: &libc::sigset_t) -> Vec<i32> {
    (1..=64)
        .filter(|&number| {
            // SAFETY: the set is borrowed, and the number is one that a set may have.
            unsafe { libc::sigismember(set, number) == 1 }
        })
        .collect()
}

fn blank() -> libc::sigaction {
    // SAFETY: the structure is made of integers, arrays of them, and an optional function, all of
    // which may be zero.
    unsafe { MaybeUninit::zeroed().assume_init() }
}
