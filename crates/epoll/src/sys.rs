//! The system calls for which no safe wrapper fits, as safe functions: all the `unsafe` there is.
//!
//! rustix has `epoll_ctl`, for borrowed file descriptors. A number in a changelist is not one: its
//! file may have been closed by now, and to be told so by the kernel is the point. rustix has the
//! wait too, and where there is nothing to round it is taken: it is the system call itself, which
//! saves some 40 instructions of the C library's function. Which system call it makes, and so whether it
//! rounds, is decided by a feature that any crate of the build may set; where that one is refused, the C
//! library makes the oldest.
#![expect(
    unsafe_code,
    reason = "four calls through libc, and one cast, one block each"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::slice;

use evloop_changelist::{Op, RawFd};
use libc::{c_int, c_long, epoll_event, timespec};
use rustix::event::epoll::{self, Event};
use rustix::io::Errno;

/// An event that asks for nothing and says nothing: what a buffer is made of.
pub(crate) const NO_EVENT: epoll_event = epoll_event { events: 0, u64: 0 };

/// Linux's `struct __kernel_timespec`: 64 bits each, also where C's `struct timespec` has 32.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timespec {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: i64,
}

/// `epoll_ctl(2)`. The error is the `errno`.
pub(crate) fn epoll_ctl(
    epoll: BorrowedFd<'_>,
    op: Op,
    fd: RawFd,
    mut event: epoll_event,
) -> Result<(), i32> {
    let op = match op {
        Op::Add => libc::EPOLL_CTL_ADD,
        Op::Modify => libc::EPOLL_CTL_MOD,
        Op::Delete => libc::EPOLL_CTL_DEL,
    };
    // SAFETY: the kernel copies `event`, which is alive for the call, and keeps no pointer to it.
    // `fd` may be any number: the kernel looks it up, and touches no memory of ours for it.
    let result = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), op, fd, &raw mut event) };
    count(result.into()).map(|_| ())
}

/// `epoll_wait(2)`, or what says the same: how many of `events`, from the first on, were written. The
/// error is the `errno`.
#[inline]
pub(crate) fn epoll_wait(
    epoll: BorrowedFd<'_>,
    events: &mut [epoll_event],
    timeout_ms: c_int,
) -> Result<usize, i32> {
    let nothing_to_round = match timeout_ms {
        ..0 => None,
        0 => Some(&NOW),
        1.. => return epoll_wait_by_libc(epoll, events, timeout_ms),
    };
    match epoll::wait(epoll, for_rustix(events), nothing_to_round) {
        Ok(count) => Ok(count),
        // There is no such call, or a sandbox forbids it.
        Err(Errno::NOSYS | Errno::PERM) => epoll_wait_by_libc(epoll, events, timeout_ms),
        Err(errno) => Err(errno.raw_os_error()),
    }
}

/// rustix has a type of its own for it, which may hold a pointer.
#[inline]
const fn for_rustix(events: &mut [epoll_event]) -> &mut [Event] {
    const { assert!(size_of::<Event>() == size_of::<epoll_event>()) };
    const { assert!(align_of::<Event>() == align_of::<epoll_event>()) };
    // SAFETY: both are the kernel's `struct epoll_event`: 32 bits of flags, all of which may be set, and
    // 64 bits of the user's choosing. The borrow is passed on.
    unsafe { slice::from_raw_parts_mut(events.as_mut_ptr().cast(), events.len()) }
}

const NOW: rustix::event::Timespec = rustix::event::Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

fn epoll_wait_by_libc(
    epoll: BorrowedFd<'_>,
    events: &mut [epoll_event],
    timeout_ms: c_int,
) -> Result<usize, i32> {
    let (epoll, len) = (epoll.as_raw_fd(), len(events));
    // SAFETY: the kernel writes at most `len` events to the start of `events`, which is borrowed
    // mutably and at least as long.
    let result = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), len, timeout_ms) };
    count(result.into())
}

/// `epoll_pwait2(2)` with no signal mask; otherwise as [`epoll_wait`].
///
/// By its number: the C library has had the function only since glibc 2.35.
#[inline(always)]
pub(crate) fn epoll_pwait2(
    epoll: BorrowedFd<'_>,
    events: &mut [epoll_event],
    timeout: &Timespec,
) -> Result<usize, i32> {
    const MASK_BYTES: usize = 0;
    let (epoll, len) = (c_long::from(epoll.as_raw_fd()), c_long::from(len(events)));
    // SAFETY: the six arguments are those of the system call, each as wide as a register. The
    // kernel writes at most `len` events to the start of `events`, which is borrowed mutably and at
    // least as long; it reads `timeout`, which is laid out as it expects and alive for the call;
    // it reads no mask, as there is none.
    let result = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll,
            events.as_mut_ptr(),
            len,
            ptr::from_ref(timeout),
            ptr::null::<libc::sigset_t>(),
            MASK_BYTES,
        )
    };
    count(result)
}

/// `clock_gettime(2)` of `CLOCK_MONOTONIC`, in nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    let mut time = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the C library writes to `time`, which is of its type and alive for the call. (It fails
    // for an unknown clock only, and Linux knows this one.)
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    #[expect(
        clippy::useless_conversion,
        reason = "the fields are narrower on some machines"
    )]
    let (seconds, nanoseconds) = (i64::from(time.tv_sec), i64::from(time.tv_nsec));
    // It counts from 0 upwards.
    seconds.cast_unsigned() * 1_000_000_000 + nanoseconds.cast_unsigned()
}

/// As many events as the kernel may write.
#[inline]
fn len(events: &[epoll_event]) -> c_int {
    c_int::try_from(events.len()).unwrap_or(c_int::MAX)
}

/// What a system call returned: a count, or -1 with the reason in `errno`.
#[inline]
fn count(result: c_long) -> Result<usize, i32> {
    // The last OS error always is an errno.
    usize::try_from(result).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap_or(0))
}
