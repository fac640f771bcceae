//! The backend: one epoll instance, and the array that it reports into.

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use evloop_backend::{Backend, Capabilities, ControlError, Held, Report, WaitError};
use evloop_changelist::{Entry, Interest, RawFd, Ready, Token, Trigger};
use libc::epoll_event;
use rustix::event::epoll::{self, CreateFlags};
use rustix::io::{DupFlags, Errno};

use crate::apply::apply;
use crate::fdinfo;
use crate::growth::Growth;
use crate::registry::Registry;
use crate::sys;
use crate::wait::Resolution;

/// An epoll instance as a [`Backend`].
///
/// It keeps no record of what the kernel holds: that is the loop's, which can so rebuild it after a
/// fork by adding everything to a new `Epoll`. Dropping it closes the instance and deletes nothing,
/// so that a forked child may drop what it shares with its parent.
///
/// # Examples
///
/// See the [crate's documentation](crate).
///
/// # Compared with libevent
///
/// The `epollops` and `epollops_changelist` backends. See the crate's documentation for what is
/// different.
pub struct Epoll {
    epoll: OwnedFd,
    events: Vec<epoll_event>,
    growth: Growth,
    resolution: Resolution,
}

impl Epoll {
    /// Makes an epoll instance, close-on-exec.
    ///
    /// # Errors
    ///
    /// The limit of open file descriptors, or of memory, is reached.
    pub fn new() -> Result<Self, CreateError> {
        let epoll = create()?;
        let growth = Growth::new();
        Ok(Self {
            epoll,
            events: vec![sys::NO_EVENT; growth.len()],
            growth,
            resolution: Resolution::Nanosecond,
        })
    }

    /// Replaces the instance by a new one that holds nothing, under the same number.
    ///
    /// To a program that handles file descriptors by number, one that moves is a danger: it may have
    /// just closed the number that the new instance would get, and be about to put another file
    /// there. For a moment there are two instances. What shares the old one, a parent or a child,
    /// keeps it.
    ///
    /// # Errors
    ///
    /// As of [`new`](Self::new); then nothing has changed.
    pub fn renew(&mut self) -> Result<(), CreateError> {
        let fresh = create()?;
        if fresh.as_raw_fd() == self.epoll.as_raw_fd() {
            // Somebody had closed the number, as a daemon does with all that it does not know. It is the
            // new instance's already, and is closed once.
            _ = mem::replace(&mut self.epoll, fresh).into_raw_fd();
            return Ok(());
        }
        rustix::io::dup3(&fresh, &mut self.epoll, DupFlags::CLOEXEC)
            .map_err(|errno| CreateError::of("dup3", errno))
    }

    fn registry(&self) -> Registry<'_> {
        Registry::new(self.epoll.as_fd())
    }

    /// Gives the array the length that it should have. Allocates only when that is another one.
    #[inline]
    fn fit(&mut self, used: usize) {
        self.growth.note(used);
        if self.growth.len() != self.events.len() {
            self.resize();
        }
    }

    #[cold]
    fn resize(&mut self) {
        self.events.resize(self.growth.len(), sys::NO_EVENT);
        self.events.shrink_to_fit();
    }
}

impl Backend for Epoll {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::EDGE | Capabilities::EARLY_CLOSE
    }

    fn add(
        &mut self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> Result<(), ControlError> {
        self.registry().add(fd, token, interest, trigger)
    }

    fn delete(&mut self, fd: RawFd) -> Result<(), ControlError> {
        self.registry().delete(fd)
    }

    fn apply(&mut self, changes: &[Entry], reports: &mut Vec<Report>) -> Result<(), WaitError> {
        for entry in changes {
            if let Err(refusal) = apply(&mut self.epoll.as_fd(), entry) {
                let (token, errno) = (entry.token, refusal.errno);
                reports.push(Report::refused(token, errno));
            }
        }
        Ok(())
    }

    /// Compiled into its caller, down to the system call (with a timeout, to the C library's function for it):
    /// a turn of the facade with one event takes 6 % less. Where the kernel returns by the Safe RET mitigation
    /// the first return from a function after a system call costs 150 to 210 ns.
    #[inline(always)]
    fn wait(
        &mut self,
        changes: &[Entry],
        timeout: Option<Duration>,
        reports: &mut Vec<Report>,
    ) -> Result<(), WaitError> {
        let before = reports.len();
        if !changes.is_empty() {
            self.apply(changes, reports)?;
        }
        // There is something to report already.
        let timeout = if reports.len() > before {
            Some(Duration::ZERO)
        } else {
            timeout
        };
        let used = self
            .resolution
            .wait(&mut self.epoll.as_fd(), &mut self.events, timeout)?;
        match &self.events[..used] {
            [] => {}
            // To extend by one takes 37 instructions more than this.
            [event] => reports.push(report(event)),
            events => reports.extend(events.iter().map(report)),
        }
        self.fit(used);
        Ok(())
    }

    /// What `/proc/thread-self/fdinfo` tells of the instance. `None` where there is no such file, or
    /// where it has no registration in it: an instance that holds nothing is not told from a system
    /// that does not list what one holds.
    fn interest_set(&self) -> io::Result<Option<Vec<Held>>> {
        fdinfo::interest_set(self.epoll.as_fd())
    }
}

impl AsFd for Epoll {
    /// The epoll instance. It is readable while something is ready, so that one loop can be
    /// watched by another.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl fmt::Debug for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoll")
            .field("epoll", &self.epoll)
            .field("events", &self.events.len())
            .field("resolution", &self.resolution)
            .finish_non_exhaustive()
    }
}

/// An instance for a new backend, or in the place of another.
fn create() -> Result<OwnedFd, CreateError> {
    epoll::create(CreateFlags::CLOEXEC).map_err(|errno| CreateError::of("epoll_create1", errno))
}

/// There is no epoll instance to be had.
#[derive(Debug)]
#[non_exhaustive]
pub struct CreateError {
    /// The call that failed: `"epoll_create1"`, or `"dup3"` where an instance was to be renewed.
    pub call: &'static str,
    /// The kernel's reason: `EMFILE`, `ENFILE` or `ENOMEM`.
    pub source: io::Error,
}

impl CreateError {
    fn of(call: &'static str, errno: Errno) -> Self {
        Self {
            call,
            source: errno.into(),
        }
    }
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.call)
    }
}

impl std::error::Error for CreateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// What the kernel wrote, in our words. Only what it said: a hang-up is not turned into readiness
/// to read.
#[inline]
fn report(event: &epoll_event) -> Report {
    let closed = if event.events & EPOLLRDHUP == 0 {
        Ready::empty()
    } else {
        Ready::CLOSED
    };
    Report::ready(
        Token::from_bits(event.u64),
        SAID[(event.events & SAID_BITS) as usize].union(closed),
    )
}

/// The bits of an event that the table is for: all that may be reported, but for `EPOLLRDHUP`, are
/// the lowest five.
const SAID_BITS: u32 = 31;

/// What each combination of them says.
static SAID: [Ready; SAID_BITS as usize + 1] = {
    let mut said = [Ready::empty(); SAID_BITS as usize + 1];
    let mut bits = 0;
    while bits <= SAID_BITS {
        let mut kind = 0;
        while kind < KINDS.len() {
            if bits & KINDS[kind].0.cast_unsigned() != 0 {
                said[bits as usize] = said[bits as usize].union(KINDS[kind].1);
            }
            kind += 1;
        }
        bits += 1;
    }
    said
};

const KINDS: [(libc::c_int, Ready); 4] = [
    (libc::EPOLLIN, Ready::READ),
    (libc::EPOLLOUT, Ready::WRITE),
    (libc::EPOLLHUP, Ready::HANGUP),
    (libc::EPOLLERR, Ready::ERROR),
];

const EPOLLRDHUP: u32 = libc::EPOLLRDHUP.cast_unsigned();

const _: () = assert!(
    (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR).cast_unsigned() & !SAID_BITS
        == 0
);
