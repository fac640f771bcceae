//! Waiting, to the nanosecond where the kernel lets us have `ppoll`, else to the next whole
//! millisecond.
//!
//! Every kernel has it. But this backend is for sandboxes too, and one that refuses epoll may allow
//! no more than the plain `poll`. The first refusal is remembered.

use std::io;
use std::time::Duration;

use evloop_backend::{ControlError, WaitError};
use evloop_changelist::RawFd;
use libc::{c_int, pollfd, time_t, timespec};

use crate::sys;

/// How finely this kernel lets us state a timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// By `ppoll`, as far as is known.
    #[default]
    Nanosecond,
    /// By `poll`, as `ppoll` was refused.
    Millisecond,
}

impl Resolution {
    /// Waits once, and returns how many of `fds` were found to be something. An interrupted wait
    /// found nothing.
    pub(crate) fn wait(
        &mut self,
        calls: &mut impl Calls,
        fds: &mut [pollfd],
        timeout: Option<Duration>,
    ) -> Result<usize, Refusal> {
        if *self == Self::Nanosecond {
            match calls.ppoll(fds, timeout.map(exact)) {
                // A sandbox forbids it.
                Err(libc::ENOSYS | libc::EPERM) => *self = Self::Millisecond,
                result => return found("ppoll", result),
            }
        }
        found("poll", calls.poll(fds, timeout.map_or(FOR_EVER, whole_ms)))
    }
}

/// The system calls that wait; a test answers in the kernel's place.
pub(crate) trait Calls {
    fn ppoll(&mut self, fds: &mut [pollfd], timeout: Option<timespec>) -> Result<usize, i32>;

    fn poll(&mut self, fds: &mut [pollfd], timeout_ms: c_int) -> Result<usize, i32>;
}

/// The kernel itself.
pub(crate) struct Kernel;

impl Calls for Kernel {
    fn ppoll(&mut self, fds: &mut [pollfd], timeout: Option<timespec>) -> Result<usize, i32> {
        sys::ppoll(fds, timeout)
    }

    fn poll(&mut self, fds: &mut [pollfd], timeout_ms: c_int) -> Result<usize, i32> {
        sys::poll(fds, timeout_ms)
    }
}

/// A call that was refused, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) call: &'static str,
    pub(crate) errno: i32,
}

impl Refusal {
    /// As the error of a file descriptor.
    pub(crate) fn of(self, fd: RawFd) -> ControlError {
        ControlError {
            call: self.call,
            fd,
            source: io::Error::from_raw_os_error(self.errno),
        }
    }
}

impl From<Refusal> for WaitError {
    fn from(refusal: Refusal) -> Self {
        Self {
            call: refusal.call,
            source: io::Error::from_raw_os_error(refusal.errno),
        }
    }
}

fn found(call: &'static str, result: Result<usize, i32>) -> Result<usize, Refusal> {
    match result {
        Ok(count) => Ok(count),
        Err(libc::EINTR) => Ok(0),
        Err(errno) => Err(Refusal { call, errno }),
    }
}

/// Exact; the longest that the kernel can be told (292 thousand million years) for what is longer.
fn exact(timeout: Duration) -> timespec {
    timespec {
        tv_sec: time_t::try_from(timeout.as_secs()).unwrap_or(time_t::MAX),
        // Less than 2^30, and so signed as well; the field has 32 bits or 64.
        tv_nsec: timeout.subsec_nanos().cast_signed().into(),
    }
}

/// Rounded up, for a wait must not end early; the longest that the call takes (24.8 days) for what
/// is longer.
fn whole_ms(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
}

/// The timeout of a `poll` that has none.
const FOR_EVER: c_int = -1;

#[cfg(test)]
mod tests;
