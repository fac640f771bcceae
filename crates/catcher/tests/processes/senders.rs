//! Who sends signals: this thread, a process with a value, a timer, an alarm.
#![expect(unsafe_code, reason = "no safe wrappers of these calls are at hand")]

use std::mem::MaybeUninit;
use std::ptr;

use evloop_catcher::Signal;

/// Sends a signal to the calling thread; if it is not blocked the handler has run on return.
pub(crate) fn raise(signal: Signal) {
    // SAFETY: this call has no precondition but that what it makes run is sound.
    let result = unsafe { libc::raise(signal.number()) };
    assert_eq!(result, 0);
}

/// Sends the parent of this process a signal, with an address for a value.
pub(crate) fn queue_to_parent(signal: Signal, address: usize) {
    // SAFETY: this call has no precondition.
    let parent = unsafe { libc::getppid() };
    let value = sigval(address);
    // SAFETY: this call has no precondition.
    let result = unsafe { libc::sigqueue(parent, signal.number(), value) };
    assert_eq!(result, 0);
}

/// Makes a timer of this value expire, whose signal goes to this process.
pub(crate) fn expire_timer(signal: Signal, address: usize) {
    // SAFETY: the structure is made of integers and a pointer, all of which may be zero.
    let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = signal.number();
    event.sigev_value = sigval(address);
    let mut timer = ptr::null_mut();
    // SAFETY: both are borrowed mutably.
    let result =
        unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
    assert_eq!(result, 0);
    let soon = libc::timespec {
        tv_sec: 0,
        tv_nsec: 1,
    };
    let once = libc::itimerspec {
        it_interval: libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: soon,
    };
    // SAFETY: the timer is the one just made, and the time is borrowed.
    let result = unsafe { libc::timer_settime(timer, 0, &raw const once, ptr::null_mut()) };
    assert_eq!(result, 0);
}

/// Makes the alarm of this process expire, which sends it `SIGALRM`.
pub(crate) fn expire_alarm() {
    let once = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: libc::timeval {
            tv_sec: 0,
            tv_usec: 1,
        },
    };
    // SAFETY: the time is borrowed.
    let result = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const once, ptr::null_mut()) };
    assert_eq!(result, 0);
}

fn sigval(address: usize) -> libc::sigval {
    libc::sigval {
        sival_ptr: ptr::without_provenance_mut(address),
    }
}
