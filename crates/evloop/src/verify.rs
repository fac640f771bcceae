//! Whether all is in order: the loop's records held against each other, and against the kernel.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::io;

use evloop_backend::Held;
use evloop_changelist::{RawFd, Token};
use evloop_core::{Defect, Kind, Ownership};

use crate::builder::INTERNAL;
use crate::event_loop::EventLoop;

impl<S> EventLoop<S> {
    /// Checks everything that the loop records against everything else, and against what the kernel
    /// says that it holds. What the kernel was not told yet does not count, nor that it does not know
    /// a file of [`EventLoop::io_raw`], which somebody else may close.
    ///
    /// The kernel is asked where the backend can ask it: epoll where there is `/proc`, poll always.
    /// Elsewhere the loop's own records are all that is checked.
    ///
    /// Costs `O(n)` in all that there is, and reads a file of a line for each source. For a program
    /// that checks itself now and then, or when something is strange; may be called in a callback.
    ///
    /// # Errors
    ///
    /// See [`VerifyError`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::UdpSocket;
    ///
    /// use evloop::{EventLoop, Interest};
    ///
    /// let mut events = EventLoop::<()>::new()?;
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// events.io(socket, Interest::READ).add(|_, _, _| ())?;
    /// events.verify()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Compared with libevent
    ///
    /// `event_base_assert_ok_`, which is internal there, knows nothing of the kernel and aborts the
    /// program.
    pub fn verify(&self) -> Result<(), VerifyError> {
        self.core.verify().map_err(VerifyError::Records)?;
        if self.stamp.is_child() {
            return Err(VerifyError::Forked);
        }
        match self.backend.interest_set() {
            Ok(None) => Ok(()),
            Ok(Some(held)) => self.compare(held),
            Err(error) => Err(VerifyError::Unanswered(error)),
        }
    }

    /// Whether the kernel holds what it was told, and nothing else.
    fn compare(&self, mut held: Vec<Held>) -> Result<(), VerifyError> {
        let all = held.len();
        held.retain(|held| held.token != INTERNAL);
        let own = usize::from(self.outside.waker_fd(&self.waker).is_some());
        if held.len() + own != all {
            return Err(VerifyError::InternalPipe);
        }
        let told = self.core.held().map(|(fd, interest, trigger, token)| Held {
            fd,
            token,
            interest,
            trigger,
        });
        let mut told: HashMap<(RawFd, Token), Held> =
            told.map(|told| ((told.fd, told.token), told)).collect();
        // What is somebody else's may have been closed.
        let is_lent = |fd| {
            self.core.iter().any(|event| {
                matches!(event.kind, Kind::Io { fd: its, ownership: Ownership::Borrowed, .. }
                    if its == fd)
            })
        };
        let mut mismatches = Vec::new();
        for held in held {
            let told = told.remove(&(held.fd, held.token));
            if told != Some(held) {
                let held = Some(held);
                mismatches.push(Mismatch { told, held });
            }
        }
        let missing = told.into_values().filter(|told| !is_lent(told.fd));
        mismatches.extend(missing.map(|told| Mismatch {
            told: Some(told),
            held: None,
        }));
        if mismatches.is_empty() {
            return Ok(());
        }
        mismatches.sort_by_key(Mismatch::fd);
        Err(VerifyError::Kernel(mismatches))
    }
}

/// Something is not in order. See [`EventLoop::verify`].
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifyError {
    /// The loop's own records contradict each other: a defect of this library, to be reported to those
    /// who maintain it.
    Records(Defect),
    /// The kernel does not hold what the loop told it, by file descriptor. Mostly somebody has closed
    /// a file descriptor that is the loop's, by its number.
    Kernel(Vec<Mismatch>),
    /// The kernel does not hold the loop's internal pipe, or holds it twice: nothing wakes the loop.
    /// Mostly somebody has closed file descriptors by their numbers.
    InternalPipe,
    /// The kernel did not say what it holds, or was not understood: `/proc` could not be read for
    /// lack of file descriptors, say.
    Unanswered(io::Error),
    /// The loop's own records are in order. But this process was forked off from the one that the loop
    /// is of, and [`EventLoop::after_fork`] was not called: the kernel's side is the parent's.
    Forked,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(_) => f.write_str("the loop's records contradict each other"),
            Self::Kernel(mismatches) => {
                for (position, mismatch) in mismatches.iter().enumerate() {
                    let separator = if position == 0 { "" } else { "; " };
                    write!(f, "{separator}{mismatch}")?;
                }
                Ok(())
            }
            Self::InternalPipe => f.write_str("the kernel does not hold the internal pipe"),
            Self::Unanswered(_) => f.write_str("the kernel did not say what it holds"),
            Self::Forked => f.write_str(crate::error::FORKED),
        }
    }
}

impl Error for VerifyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Records(defect) => Some(defect),
            Self::Unanswered(error) => Some(error),
            Self::Kernel(_) | Self::InternalPipe | Self::Forked => None,
        }
    }
}

/// A registration on which the loop and the kernel do not agree. See [`VerifyError::Kernel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// What the kernel was told; `None`: nothing, or that it is to hold nothing any more.
    pub told: Option<Held>,
    /// What the kernel holds; `None`: nothing.
    pub held: Option<Held>,
}

impl Mismatch {
    /// The file descriptor's number. What the kernel holds may be a file that had it before.
    fn fd(&self) -> Option<RawFd> {
        self.told.or(self.held).map(|held| held.fd)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.told, self.held) {
            (Some(told), Some(held)) => write!(f, "told to hold {told}, the kernel holds {held}"),
            (Some(told), None) => write!(f, "told to hold {told}, the kernel holds nothing"),
            (None, Some(held)) => write!(f, "not told to, the kernel holds {held}"),
            (None, None) => f.write_str("the kernel holds nothing, as it was told"),
        }
    }
}
