//! The backend: a table of what is held, handed to the kernel at each wait.

use std::fmt;
use std::io;
use std::time::Duration;

use evloop_backend::{Backend, Capabilities, ControlError, Held, Report, WaitError};
use evloop_changelist::{Entry, EpollOp, Interest, Op, RawFd, Token, Trigger};
use libc::pollfd;

use crate::table::Table;
use crate::wait::{Kernel, Refusal, Resolution};

/// `poll(2)` as a [`Backend`].
///
/// What is held stands in its own table, and nowhere else: it needs no file descriptor, a forked
/// child has a copy of its own, and dropping it frees memory.
///
/// # Examples
///
/// See the [crate's documentation](crate).
///
/// # Compared with libevent
///
/// The `poll` backend. See the crate's documentation for what is different.
#[derive(Default)]
pub struct Poll {
    table: Table,
    resolution: Resolution,
}

impl Poll {
    /// Makes a backend that holds nothing. Allocates nothing, and makes no system call.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            table: Table::new(),
            resolution: Resolution::Nanosecond,
        }
    }

    /// What is held: each file descriptor, once, with its token and the interest in it. In no
    /// order.
    ///
    /// Of an epoll instance the kernel can be asked this (`/proc/self/fdinfo`); here it would not
    /// know.
    pub fn held(&self) -> impl Iterator<Item = (RawFd, Token, Interest)> {
        self.table.held()
    }

    /// Checks that each file descriptor that is held is found, and so that none is held twice.
    /// O(n); meant for tests.
    ///
    /// # Panics
    ///
    /// If the table is broken, which is a defect of this crate.
    pub fn check_invariants(&self) {
        self.table.check_invariants();
    }

    /// Makes one entry of a changelist true. Once it is refused, nothing is held for its file
    /// descriptor.
    fn apply_one(&mut self, entry: &Entry) -> Result<(), Refusal> {
        let Some(EpollOp { op, interest }) = entry.change.op() else {
            return Ok(());
        };
        match op {
            Op::Delete => self.table.remove(entry.fd),
            Op::Add | Op::Modify => self
                .hold(entry, interest)
                .inspect_err(|_| self.table.remove(entry.fd))?,
        }
        Ok(())
    }

    fn hold(&mut self, entry: &Entry, interest: Interest) -> Result<(), Refusal> {
        only_level(entry.change.trigger())?;
        // Whether its file is open the wait will say, at no cost. But no number that never was a
        // file descriptor may make the table's index long.
        if !self.table.has_room_for(entry.fd) {
            self.look(entry.fd)?;
        }
        self.table.set(entry.fd, entry.token, interest);
        Ok(())
    }

    /// Asks the kernel whether it would take this number at a wait.
    fn look(&mut self, fd: RawFd) -> Result<(), Refusal> {
        let mut fds = [pollfd {
            fd,
            events: 0,
            revents: 0,
        }];
        // An interrupted look is an answer too: a signal ends only a call that has found nothing.
        self.resolution
            .wait(&mut Kernel, &mut fds, Some(Duration::ZERO))?;
        // It passes over what is negative.
        if fd < 0 || fds[0].revents & libc::POLLNVAL != 0 {
            return Err(refused(libc::EBADF));
        }
        Ok(())
    }
}

impl Backend for Poll {
    fn name(&self) -> &'static str {
        "poll"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::EARLY_CLOSE
    }

    fn add(
        &mut self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> Result<(), ControlError> {
        only_level(trigger)
            .and_then(|()| self.look(fd))
            .map_err(|refusal| refusal.of(fd))?;
        self.table.set(fd, token, interest);
        Ok(())
    }

    fn delete(&mut self, fd: RawFd) -> Result<(), ControlError> {
        self.table.remove(fd);
        Ok(())
    }

    fn apply(&mut self, changes: &[Entry], reports: &mut Vec<Report>) -> Result<(), WaitError> {
        for entry in changes {
            if let Err(refusal) = self.apply_one(entry) {
                let (token, errno) = (entry.token, refusal.errno);
                reports.push(Report::refused(token, errno));
            }
        }
        Ok(())
    }

    fn wait(
        &mut self,
        changes: &[Entry],
        timeout: Option<Duration>,
        reports: &mut Vec<Report>,
    ) -> Result<(), WaitError> {
        let before = reports.len();
        self.apply(changes, reports)?;
        // There is something to report already.
        let timeout = if reports.len() > before {
            Some(Duration::ZERO)
        } else {
            timeout
        };
        let count = self
            .resolution
            .wait(&mut Kernel, self.table.fds_mut(), timeout)?;
        self.table.report(count, reports);
        Ok(())
    }

    /// What the next wait hands to the kernel, which holds nothing in between.
    fn interest_set(&self) -> io::Result<Option<Vec<Held>>> {
        let held = self.held().map(|(fd, token, interest)| Held {
            fd,
            token,
            interest,
            trigger: Trigger::Level,
        });
        Ok(Some(held.collect()))
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll")
            .field("held", &self.table.len())
            .field("resolution", &self.resolution)
            .finish_non_exhaustive()
    }
}

/// `poll` knows no edges. To report levels in their place would not be what was asked for: who
/// waits for an edge need not read, and would be told again for ever.
fn only_level(trigger: Trigger) -> Result<(), Refusal> {
    match trigger {
        Trigger::Level => Ok(()),
        Trigger::Edge => Err(refused(libc::EOPNOTSUPP)),
    }
}

fn refused(errno: i32) -> Refusal {
    Refusal {
        call: "poll",
        errno,
    }
}
