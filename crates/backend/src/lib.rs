//! The traits that plug an event loop into the world: [`Backend`], the kernel mechanism that
//! reports readiness, and [`Clock`], the time.
//!
//! Through these two a loop learns everything that it does not decide itself. The real kernel can
//! stand behind them, or a model of it; the loop's code is the same.
//!
//! The contract is written for whoever implements one. What a loop may rely on is under
//! *Guarantees*, what it must be prepared for under *Liberties*. [`Checked`] holds a backend to it; with
//! the feature `proptest` the module `conformance` tries one on random histories, in ten lines.
//!
//! # Guarantees
//!
//! - [`Backend::add`] and [`Backend::delete`] take effect at once; the entries handed to
//!   [`Backend::wait`] take effect, in their order, before it blocks.
//! - After [`Backend::wait`] the interest held for each entry's file descriptor is the interest
//!   that the entry wanted, or the entry's token was reported, once, with an
//!   [`errno`](Report::errno). Nothing refused goes unreported, and a wait with a refusal to report
//!   does not block.
//! - After [`Backend::delete`], and after an entry that wants nothing, no report carries the token
//!   again, provided that the file was not closed before: one that lives on in a duplicate may be
//!   out of reach.
//! - A report says no more than was asked for, [`Ready::ALWAYS`] apart.
//! - Level-triggered readiness that still holds is reported again by the next wait.
//! - A wait never returns before its timeout without a report, unless it was interrupted, or the
//!   timeout is longer than the mechanism can be told. A backend says how long that is.
//!
//! # Liberties
//!
//! - A report may be spurious: the readiness may be gone, or never have been there.
//! - A wait may report only a part of what is ready; the rest comes at the next. It may report a
//!   token more than once.
//! - An interrupted wait is a wait that reported nothing.
//! - A report of a token that the loop has given up in another way than by [`Backend::delete`]
//!   (its file was closed elsewhere) may still come: the loop compares the token's generation.
//!
//! # Examples
//!
//! A backend for a test that decides itself what is ready:
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//!
//! use evloop_backend::{
//!     Backend, Capabilities, Change, ControlError, Entry, Interest, RawFd, Ready, Report, Token,
//!     Trigger, WaitError,
//! };
//!
//! #[derive(Debug, Default)]
//! struct Manual {
//!     held: BTreeMap<RawFd, (Token, Interest)>,
//!     /// What the test says.
//!     ready: BTreeMap<RawFd, Ready>,
//! }
//!
//! impl Backend for Manual {
//!     fn name(&self) -> &'static str {
//!         "manual"
//!     }
//!
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities::EARLY_CLOSE
//!     }
//!
//!     fn add(
//!         &mut self,
//!         fd: RawFd,
//!         token: Token,
//!         interest: Interest,
//!         _: Trigger,
//!     ) -> Result<(), ControlError> {
//!         self.held.insert(fd, (token, interest));
//!         Ok(())
//!     }
//!
//!     fn delete(&mut self, fd: RawFd) -> Result<(), ControlError> {
//!         self.held.remove(&fd);
//!         Ok(())
//!     }
//!
//!     fn wait(
//!         &mut self,
//!         changes: &[Entry],
//!         _: Option<Duration>,
//!         reports: &mut Vec<Report>,
//!     ) -> Result<(), WaitError> {
//!         for entry in changes.iter().filter(|entry| entry.change.op().is_some()) {
//!             match entry.change.wanted() {
//!                 nothing if nothing.is_empty() => self.held.remove(&entry.fd),
//!                 wanted => self.held.insert(entry.fd, (entry.token, wanted)),
//!             };
//!         }
//!         for (fd, (token, interest)) in &self.held {
//!             let ready = self.ready.get(fd).copied().unwrap_or_default().for_interest(*interest);
//!             if !ready.is_empty() {
//!                 reports.push(Report::ready(*token, ready));
//!             }
//!         }
//!         Ok(()) // without having waited: a wait that was interrupted
//!     }
//! }
//!
//! let mut backend = Manual::default();
//! let token = Token { slot: 0, generation: 0 };
//! backend.add(3, token, Interest::READ, Trigger::Level)?;
//! backend.ready.insert(3, Ready::READ | Ready::WRITE);
//!
//! let mut change = Change::new(Interest::READ, Trigger::Level);
//! change.add(Interest::WRITE);
//! let mut reports = Vec::new();
//! backend.wait(&[Entry { fd: 3, token, change }], None, &mut reports)?;
//! assert_eq!(reports, [Report::ready(token, Ready::READ | Ready::WRITE)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Other worlds
//!
//! A loop learns of signals and of wakeups too, and serves what has a file descriptor. A [`World`]
//! stands for all of it, so that a whole loop can run in a model; a [`Source`] is what it can wait
//! for, there or here.
//!
//! # Whose numbers
//!
//! A file descriptor comes as a bare number, because that is what the kernel takes and what a
//! record of it outlives: that it may have been closed is part of the contract. Nothing is read
//! from it or written to it. The loop is to own what it names, or to borrow it.
//!
//! # Costs
//!
//! | call | cost |
//! |---|---|
//! | [`Backend::add`], [`Backend::delete`] | one system call or two |
//! | [`Backend::wait`] | one system call, and those that the changes need; in time what the changes and the reports cost; a backend whose mechanism has to be told everything each time says so |
//! | [`Backend::interest_set`] | what it takes to list everything: for checks, not for the turn of a loop |
//!
//! # Order
//!
//! Changes take effect in the order of their entries. The order of the reports is the backend's.
#![forbid(unsafe_code)]

mod checked;
#[cfg(feature = "proptest")]
pub mod conformance;
mod world;

use std::fmt;
use std::io;
use std::time::Duration;

use bitflags::bitflags;

pub use evloop_changelist::{Change, Entry, Interest, RawFd, Ready, Token, Trigger};

pub use self::checked::Checked;
pub use self::world::{Bell, Descriptor, Source, World};
pub use evloop_signals::Signal;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;

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

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bitflags::parser::to_writer(self, f)
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

    /// Tells the kernel the changes, without waiting, and appends what it refused to `reports`, and
    /// readiness if it cannot do one without the other. A [`Backend::wait`] tells them as well.
    ///
    /// # Errors
    ///
    /// As for [`Backend::wait`].
    fn apply(&mut self, changes: &[Entry], reports: &mut Vec<Report>) -> Result<(), WaitError> {
        self.wait(changes, Some(Duration::ZERO), reports)
    }

    /// Tells the kernel the changes, then waits until something is ready or `timeout` has passed
    /// (`None`: for ever), and appends what it learnt to `reports`.
    ///
    /// An entry of which [`Change::op`] is `None` tells nothing.
    ///
    /// The cost is that of the changes and of the reports, whatever the number of file descriptors
    /// held, unless the backend says that its mechanism knows no better.
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

    /// Everything that the kernel holds for this backend, as the kernel itself says; `None` where
    /// it cannot be asked, which is what this does unless a backend can do better.
    ///
    /// This is what a loop's own record is held against, so it must not come from another record of
    /// what the kernel was told. A file that was closed while a duplicate of it lives is still held,
    /// under the number that it had; so one number may come twice. In no order.
    ///
    /// For checks: costs `O(n)` at least, allocates, and may need a file descriptor for a while.
    ///
    /// # Errors
    ///
    /// The kernel was asked, and did not answer or was not understood.
    fn interest_set(&self) -> io::Result<Option<Vec<Held>>> {
        Ok(None)
    }
}

/// What the kernel holds for one file descriptor. See [`Backend::interest_set`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// The number under which the file was registered. It may be another file's by now.
    pub fd: RawFd,
    /// The name under which it is reported.
    pub token: Token,
    /// The readiness that is reported, besides [`Ready::ALWAYS`].
    pub interest: Interest,
    /// When it is reported again.
    pub trigger: Trigger,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fd, interest) = (self.fd, self.interest);
        let Token { slot, generation } = self.token;
        let trigger = match self.trigger {
            Trigger::Level => "level",
            Trigger::Edge => "edge",
        };
        write!(
            f,
            "{interest} of file descriptor {fd} ({trigger}-triggered, token {slot}.{generation})"
        )
    }
}

/// One thing a wait learnt about a registered file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The registration.
    pub token: Token,
    /// What is ready. Contains [`Ready::ERROR`] where `errno` is set.
    pub ready: Ready,
    /// Not 0: the kernel refused a change of this file descriptor for this reason, or says that it
    /// is not open, and no longer holds any interest in it.
    pub errno: i32,
}

impl Report {
    /// That this is ready.
    #[inline]
    #[must_use]
    pub const fn ready(token: Token, ready: Ready) -> Self {
        Self {
            token,
            ready,
            errno: 0,
        }
    }

    /// That the kernel refused a change for this reason, which is not 0, and holds nothing.
    #[must_use]
    pub const fn refused(token: Token, errno: i32) -> Self {
        Self {
            token,
            ready: Ready::ERROR,
            errno,
        }
    }
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
