//! The kernel's side of a base: what it waits with, and how it is told while a thread does.
//!
//! The thread that waits takes the [`Means`] with it. What another thread adds or deletes meanwhile it
//! tells the kernel itself, where the kernel can be told: `epoll_ctl(2)` may be called during a wait. A
//! table for `poll(2)` is away with the thread that waits; then it is left in a list, and is the first
//! thing that the thread sees to when it is back.
#![expect(
    unsafe_code,
    reason = "the instance that is away is known by its number"
)]

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use evloop_backend::{Backend, Capabilities, ControlError, Report, WaitError};
use evloop_catcher::CatchError;
use evloop_changelist::{Entry, Interest, RawFd, Token, Trigger};
use evloop_core::{Demand, Release};
use evloop_epoll::{CreateError, Registry};
use evloop_poll::Poll;

use crate::base::State;
use crate::log;
use crate::method::{Mechanism, Method};
use crate::signals::Signals;

/// The kernel's side of a base.
pub(crate) struct Kernel {
    method: Method,
    /// Away while the thread that runs the loop waits with them; and in a child that got none.
    means: Option<Box<Means>>,
    /// The instance, where there is one: it can be told although the means are away.
    instance: Option<RawFd>,
    /// What the means are to be told when they are back.
    late: Vec<Late>,
    /// A file was given up since the means went away.
    has_let_go: bool,
}

/// What a thread waits with.
pub(crate) struct Means {
    mechanism: Mechanism,
    /// Where the mechanism knows no edges, what it is told in place of the changes.
    entries: Vec<Entry>,
    /// What a wait learnt; kept for its memory.
    pub(crate) reports: Vec<Report>,
}

/// What the means are to be told when they are back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    Add(Registration),
    Delete(RawFd),
}

/// That a file descriptor is to be held, for this, and under which name it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) fd: RawFd,
    pub(crate) token: Token,
    pub(crate) interest: Interest,
    pub(crate) trigger: Trigger,
}

/// Why an event could not be added.
#[derive(Debug)]
pub(crate) enum Refusal {
    Fd(ControlError),
    Signal(CatchError),
    /// There is nothing to wake the loop by.
    NoWaker,
}

impl Kernel {
    pub(crate) fn new(method: Method, mechanism: Mechanism) -> Self {
        Self {
            method,
            instance: mechanism.instance(),
            means: Some(Box::new(Means {
                mechanism,
                entries: Vec::new(),
                reports: Vec::new(),
            })),
            late: Vec::new(),
            has_let_go: false,
        }
    }

    /// Whether the means are here.
    pub(crate) const fn is_here(&self) -> bool {
        self.means.is_some()
    }

    /// The means, for the thread that is about to wait.
    pub(crate) fn lend(&mut self) -> Option<Box<Means>> {
        self.has_let_go = false;
        self.means.take()
    }

    /// Takes the means back and tells them what was left for them; `refused` is told what the system
    /// refuses, with the errno. Whether a file was given up meanwhile, which they may have reported.
    pub(crate) fn take_back(
        &mut self,
        mut means: Box<Means>,
        mut refused: impl FnMut(Token, i32),
    ) -> bool {
        for late in self.late.drain(..) {
            let told = match late {
                Late::Delete(fd) => means.backend().delete(fd),
                Late::Add(Registration {
                    fd,
                    token,
                    interest,
                    trigger,
                }) => means
                    .backend()
                    .add(fd, token, interest, trigger)
                    .inspect_err(|error| refused(token, errno(error))),
            };
            if let Err(error) = told {
                log::warn_later(describe(&error));
            }
        }
        self.means = Some(means);
        self.has_let_go
    }

    /// The trigger that the mechanism is told: one without edges takes levels in their place, as
    /// libevent's do.
    const fn trigger(&self, trigger: Trigger) -> Trigger {
        if self.method.has_edges() {
            trigger
        } else {
            Trigger::Level
        }
    }

    /// Holds interest in a file descriptor from now on, or, where that cannot be said now, from when
    /// the means are back.
    pub(crate) fn hold(&mut self, registration: Registration) -> Result<(), ControlError> {
        let Registration {
            fd,
            token,
            interest,
            ..
        } = registration;
        let trigger = self.trigger(registration.trigger);
        if let Some(means) = &mut self.means {
            return means.backend().add(fd, token, interest, trigger);
        }
        if let Some(registry) = self.registry() {
            return registry.add(fd, token, interest, trigger);
        }
        if self.method != Method::Poll {
            // A child that got no instance of its own.
            return Err(ControlError {
                call: "epoll_ctl(EPOLL_CTL_ADD)",
                fd,
                source: io::Error::from_raw_os_error(libc::EBADF),
            });
        }
        // Another table refuses what that one would.
        Poll::new().add(fd, token, interest, trigger)?;
        self.late.push(Late::Add(Registration {
            trigger,
            ..registration
        }));
        Ok(())
    }

    /// Holds interest in a file descriptor no longer.
    fn give_up(&mut self, fd: RawFd) -> Result<(), ControlError> {
        if let Some(means) = &mut self.means {
            return means.backend().delete(fd);
        }
        self.has_let_go = true;
        if let Some(registry) = self.registry() {
            return registry.delete(fd);
        }
        let is_its = |late: &Late| matches!(late, Late::Add(added) if added.fd == fd);
        match self.late.iter().rposition(is_its) {
            // It was not told yet, and need not be.
            Some(at) => _ = self.late.remove(at),
            None => self.late.push(Late::Delete(fd)),
        }
        Ok(())
    }

    /// What can be told while the means are away.
    fn registry(&self) -> Option<Registry<'_>> {
        let instance = self.instance?;
        // SAFETY: the file descriptor must be open while it is used. It is the means', which are put
        // back before they are dropped; the thread that has them needs the base's lock for that, and
        // who is here has it. In a child it is renewed before anything is told.
        let instance = unsafe { BorrowedFd::borrow_raw(instance) };
        Some(Registry::new(instance))
    }

    /// Forgets what others of the parent's threads had left to be told, in a child: the table says it
    /// again.
    pub(crate) fn forget_late(&mut self) {
        self.late.clear();
    }

    /// Has the kernel hold nothing.
    ///
    /// # Errors
    ///
    /// The system refuses what that takes; then nothing has changed.
    pub(crate) fn renew(&mut self) -> Result<(), CreateError> {
        match &mut self.means {
            Some(means) => means.mechanism.renew(),
            // In a child whose parent had a thread waiting with them.
            None => {
                let mechanism = self.method.open()?;
                self.abandon();
                *self = Self::new(self.method, mechanism);
                Ok(())
            }
        }
    }

    /// Has no means any more: in a child, what is there is the parent's.
    pub(crate) fn abandon(&mut self) {
        if self.means.take().is_none()
            && let Some(instance) = self.instance
        {
            // SAFETY: nobody may own the file descriptor: who did is a thread of the parent's that waits
            // with the means, and in the child there is no such thread.
            drop(unsafe { OwnedFd::from_raw_fd(instance) });
        }
        self.instance = None;
    }

    /// Has means anew that hold nothing, where it had abandoned those that there were.
    ///
    /// # Errors
    ///
    /// The system refuses; then there are still none.
    pub(crate) fn open(&mut self) -> Result<(), CreateError> {
        let mechanism = self.method.open()?;
        *self = Self::new(self.method, mechanism);
        Ok(())
    }
}

impl Means {
    fn backend(&mut self) -> &mut dyn Backend {
        self.mechanism.backend()
    }

    /// Tells the kernel what has changed. What it refuses is reported.
    pub(crate) fn tell(&mut self, changes: &[Entry]) -> Result<(), WaitError> {
        if changes.is_empty() {
            return Ok(());
        }
        let backend = self.mechanism.backend();
        if backend.capabilities().contains(Capabilities::EDGE) {
            return backend.apply(changes, &mut self.reports);
        }
        self.entries.clear();
        self.entries.extend(changes);
        for entry in &mut self.entries {
            entry.change.set_trigger(Trigger::Level);
        }
        backend.apply(&self.entries, &mut self.reports)
    }

    /// Waits, and appends to the reports.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> Result<(), WaitError> {
        let backend = self.mechanism.backend();
        backend.wait(&[], timeout, &mut self.reports)
    }
}

/// Does what an event demands of the system.
pub(crate) fn grant(
    kernel: &mut Kernel,
    signals: Option<&Signals>,
    demand: Demand,
) -> Result<(), Refusal> {
    match demand {
        Demand::Fd {
            fd,
            token,
            interest,
            trigger,
        } => kernel
            .hold(Registration {
                fd,
                token,
                interest,
                trigger,
            })
            .map_err(Refusal::Fd),
        Demand::Signal(signal) => match signals {
            Some(signals) => signals.watch(signal).map_err(Refusal::Signal),
            None => Err(Refusal::NoWaker),
        },
    }
}

impl State {
    /// Does in the system's name what an event no longer needs. Whether the system agreed.
    pub(crate) fn release(&mut self, release: Option<Release>) -> bool {
        let refused = match release {
            None => return true,
            Some(Release::Signal(signal)) => match &self.signals {
                Some(signals) => signals.unwatch(signal).map_err(|error| error.to_string()),
                None => Ok(()),
            },
            Some(Release::Fd(fd)) => self.kernel.give_up(fd).map_err(|error| describe(&error)),
        };
        if let Err(refused) = &refused {
            log::warn_later(refused);
        }
        refused.is_ok()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fd(error) => f.write_str(&describe(error)),
            Self::Signal(error) => write!(f, "{error}: {}", error.source),
            Self::NoWaker => f.write_str("there is nothing to wake the loop by"),
        }
    }
}

impl Refusal {
    /// The system's reason, as C tells it.
    pub(crate) fn errno(&self) -> i32 {
        match self {
            Self::Fd(error) => errno(error),
            Self::Signal(error) => error.source.raw_os_error().unwrap_or(libc::EINVAL),
            Self::NoWaker => libc::EMFILE,
        }
    }
}

pub(crate) fn describe(error: &ControlError) -> String {
    format!("{error}: {}", error.source)
}

pub(crate) fn errno(error: &ControlError) -> i32 {
    error.source.raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests;
