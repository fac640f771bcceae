//! Waiting, to the nanosecond where the kernel has `epoll_pwait2`, else to the next whole
//! millisecond.
//!
//! Whether it has is not known before it is tried: the system call came with Linux 5.11, and
//! sandboxes refuse calls that are newer than their list. The first refusal is remembered.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use evloop_backend::WaitError;
use libc::{c_int, epoll_event};

use crate::sys::{self, Timespec};

/// How finely this kernel lets us state a timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// By `epoll_pwait2`, as far as is known.
    Nanosecond,
    /// By `epoll_wait`, as `epoll_pwait2` was refused.
    Millisecond,
}

impl Resolution {
    /// Waits once, and returns how many of `events` were written. An interrupted wait reported
    /// nothing. Compiled into its caller, as that is into its own.
    #[inline(always)]
    pub(crate) fn wait(
        &mut self,
        calls: &mut impl Calls,
        events: &mut [epoll_event],
        timeout: Option<Duration>,
    ) -> Result<usize, WaitError> {
        match timeout {
            // Where there is nothing to round, the older call says the same.
            None => reported("epoll_wait", calls.epoll_wait(events, FOR_EVER)),
            Some(Duration::ZERO) => reported("epoll_wait", calls.epoll_wait(events, 0)),
            Some(timeout) => self.wait_for(calls, events, timeout),
        }
    }

    #[inline(always)]
    fn wait_for(
        &mut self,
        calls: &mut impl Calls,
        events: &mut [epoll_event],
        timeout: Duration,
    ) -> Result<usize, WaitError> {
        if *self == Self::Nanosecond {
            match calls.epoll_pwait2(events, &timespec(timeout)) {
                // No such call, or a sandbox forbids it.
                Err(libc::ENOSYS | libc::EPERM) => *self = Self::Millisecond,
                result => return reported("epoll_pwait2", result),
            }
        }
        reported("epoll_wait", calls.epoll_wait(events, whole_ms(timeout)))
    }
}

/// The system calls that wait; a test answers in the kernel's place.
pub(crate) trait Calls {
    fn epoll_wait(&mut self, events: &mut [epoll_event], timeout_ms: c_int) -> Result<usize, i32>;

    fn epoll_pwait2(
        &mut self,
        events: &mut [epoll_event],
        timeout: &Timespec,
    ) -> Result<usize, i32>;
}

impl Calls for BorrowedFd<'_> {
    #[inline]
    fn epoll_wait(&mut self, events: &mut [epoll_event], timeout_ms: c_int) -> Result<usize, i32> {
        sys::epoll_wait(*self, events, timeout_ms)
    }

    #[inline]
    fn epoll_pwait2(
        &mut self,
        events: &mut [epoll_event],
        timeout: &Timespec,
    ) -> Result<usize, i32> {
        sys::epoll_pwait2(*self, events, timeout)
    }
}

#[inline]
fn reported(call: &'static str, result: Result<usize, i32>) -> Result<usize, WaitError> {
    match result {
        Ok(count) => Ok(count),
        Err(libc::EINTR) => Ok(0),
        Err(errno) => Err(WaitError {
            call,
            source: io::Error::from_raw_os_error(errno),
        }),
    }
}

/// Exact; the longest that the kernel can be told (292 thousand million years) for what is longer.
#[inline]
fn timespec(timeout: Duration) -> Timespec {
    Timespec {
        seconds: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: timeout.subsec_nanos().into(),
    }
}

/// Rounded up, for a wait must not end early; the longest that the call takes (24.8 days) for what
/// is longer.
fn whole_ms(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
}

/// The timeout of an `epoll_wait` that has none.
const FOR_EVER: c_int = -1;

#[cfg(test)]
mod tests;
