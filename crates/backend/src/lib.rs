//! The traits that plug an event loop into the world: [`Backend`], the kernel mechanism that
//! reports readiness, and [`Clock`], the time.
//!
//! The contract is written for whoever implements one. What a loop may rely on is under
//! *Guarantees*, what it must be prepared for under *Liberties*.
//!
//! # Guarantees
//!
//! - [`Backend::add`] and [`Backend::delete`] take effect at once; the entries handed to
//!   [`Backend::wait`] take effect, in their order, before it blocks.
//! - After [`Backend::wait`] the interest held for each entry's file descriptor is the interest
//!   that the entry wanted, or the entry's token was reported with an [`errno`](Report::errno).
//!   Nothing refused goes unreported.
//! - After [`Backend::delete`] no report carries the token again.
//! - Level-triggered readiness that still holds is reported again by the next wait.
//! - A wait never returns before its timeout without a report, unless it was interrupted.
//!
//! # Liberties
//!
//! - A report may be spurious: the readiness may be gone, or never have been there.
//! - A wait may report only a part of what is ready; the rest comes at the next.
//! - An interrupted wait is a wait that reported nothing.
//! - A report of a token that the loop has given up in another way than by [`Backend::delete`]
//!   (its file was closed elsewhere) may still come: the loop compares the token's generation.

use std::fmt;
use std::io;
use std::time::Duration;

use bitflags::bitflags;
use evloop_changelist::{Entry, Interest, RawFd, Ready, Token, Trigger};

bitflags! {
    /// What a backend can do beyond level-triggered readiness to read and to write.
    ///
    /// # Compared with libevent
    ///
    /// `EV_FEATURE_ET` and `EV_FEATURE_EARLY_CLOSE`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Capabilities: u8 {
        /// [`Trigger::Edge`].
        const EDGE = 1;
        /// [`Interest::CLOSED`] without reading.
        const EARLY_CLOSE = 2;
    }
}

/// The kernel mechanism that holds interest and reports readiness.
///
/// A loop owns one backend and calls it from one thread at a time.
pub trait Backend: fmt::Debug {
    /// The mechanism's name, in lower case: `"epoll"`.
    fn name(&self) -> &'static str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Starts to hold interest in a file descriptor that the kernel does not hold yet.
    ///
    /// # Errors
    ///
    /// The kernel's refusal; then nothing has changed. A file descriptor whose file the kernel
    /// already holds under this number is taken over, not refused.
    fn add(
        &mut self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> Result<(), ControlError>;

    /// Stops holding interest in a file descriptor, before its owner gives it up.
    ///
    /// A file descriptor that the kernel no longer holds is a success.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    fn delete(&mut self, fd: RawFd) -> Result<(), ControlError>;

    /// Tells the kernel the changes, then waits until something is ready or `timeout` has passed
    /// (`None`: for ever), and appends what it learnt to `reports`.
    ///
    /// The cost is that of the changes and of the reports, whatever the number of file descriptors.
    ///
    /// # Errors
    ///
    /// A wait that cannot be done at all. The changes have been told by then, and what they
    /// brought stands in `reports`.
    fn wait(
        &mut self,
        changes: &[Entry],
        timeout: Option<Duration>,
        reports: &mut Vec<Report>,
    ) -> Result<(), WaitError>;
}

/// One thing a wait learnt about a registered file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The registration.
    pub token: Token,
    /// What is ready. Contains [`Ready::ERROR`] where `errno` is set.
    pub ready: Ready,
    /// Not 0: the kernel refused a change of this file descriptor for this reason, and no longer
    /// holds any interest in it.
    pub errno: i32,
}

/// A monotonic clock.
pub trait Clock: fmt::Debug {
    /// Nanoseconds since an origin of the clock's choosing. Never less than the call before
    /// returned.
    fn now_ns(&self) -> u64;
}

/// The kernel refused to change what it holds for a file descriptor.
#[derive(Debug)]
pub struct ControlError {
    /// The call that was refused, as it stands in its manual: `"epoll_ctl(EPOLL_CTL_ADD)"`.
    pub call: &'static str,
    /// The file descriptor.
    pub fd: RawFd,
    /// The kernel's reason.
    pub source: io::Error,
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed for file descriptor {}", self.call, self.fd)
    }
}

impl std::error::Error for ControlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The kernel could not wait.
#[derive(Debug)]
pub struct WaitError {
    /// The call that failed: `"epoll_pwait2"`.
    pub call: &'static str,
    /// The kernel's reason.
    pub source: io::Error,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.call)
    }
}

impl std::error::Error for WaitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
