//! What can go wrong, one type per operation, each with the kernel's reason as its source.

use std::error::Error;
use std::fmt;
use std::io;

use evloop_backend::{Capabilities, ControlError, WaitError};
use evloop_catcher::CatchError;
use evloop_changelist::RawFd;
use evloop_core::NoSuchEvent;
use evloop_epoll::CreateError;
use evloop_pipe::PipeError;
use evloop_signals::Signal;
use rustix::io::Errno;

/// A loop could not be made. See [`EventLoop::new`](crate::EventLoop::new).
///
/// # Compared with libevent
///
/// `event_base_new` returns a null pointer.
#[derive(Debug)]
#[non_exhaustive]
pub enum NewError {
    /// The backend could not be made: no more file descriptors or memory, or none to be had here.
    Backend(CreateError),
    /// The backend cannot do what [`Builder::require`](crate::Builder::require) asks for.
    Unsupported {
        /// What it cannot do.
        needed: Capabilities,
        /// Its name.
        backend: &'static str,
    },
    /// The internal pipe could not be made.
    Pipe(PipeError),
    /// The backend does not take the internal pipe.
    Control(ControlError),
    /// The [`World`](crate::World) has no backend to give.
    World(io::Error),
}

impl fmt::Display for NewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backend(error) => error.fmt(f),
            Self::Unsupported { needed, backend } => {
                write!(f, "the {backend} backend cannot do {needed}")
            }
            Self::Pipe(_) => f.write_str("the internal pipe could not be made"),
            Self::Control(_) => f.write_str("the internal pipe could not be registered"),
            Self::World(_) => f.write_str("the world has no backend to give"),
        }
    }
}

impl Error for NewError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Backend(error) => error.source(),
            Self::Unsupported { .. } => None,
            Self::Pipe(source) => Some(source),
            Self::Control(source) => Some(source),
            Self::World(source) => Some(source),
        }
    }
}

/// An event could not be added, or its interest not be changed. Nothing has changed.
///
/// # Compared with libevent
///
/// `event_add` returns -1.
#[derive(Debug)]
#[non_exhaustive]
pub enum AddError {
    /// The event was freed.
    NoSuchEvent,
    /// The source's file descriptor is negative.
    BadFd(RawFd),
    /// The events on a file descriptor are all level-triggered or all edge-triggered; those that
    /// are on this one are of the other kind.
    MixedTrigger(RawFd),
    /// The loop's backend cannot do what the event needs.
    Unsupported {
        /// What it cannot do.
        needed: Capabilities,
        /// Its name.
        backend: &'static str,
    },
    /// The kernel does not hold interest in this file descriptor: it is not open (`EBADF`), a
    /// regular file or a directory (`EPERM`), or there is no more room (`ENOMEM`, `ENOSPC`).
    Control(ControlError),
    /// The file descriptor could not be made non-blocking.
    Nonblocking {
        /// The file descriptor.
        fd: RawFd,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The signal cannot be caught.
    Catch(CatchError),
    /// The [`World`](crate::World) that the loop runs in does not let the signal be caught.
    World {
        /// The signal.
        signal: Signal,
        /// The world's reason.
        source: io::Error,
    },
    /// This process was forked off from the one that the loop is of, and
    /// [`EventLoop::after_fork`](crate::EventLoop::after_fork) was not called.
    Forked,
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchEvent => f.write_str("the event was freed"),
            Self::Forked => f.write_str(FORKED),
            Self::BadFd(fd) => write!(f, "{fd} is not a file descriptor"),
            Self::MixedTrigger(fd) => write!(
                f,
                "file descriptor {fd} has events of the other trigger (level and edge do not mix)"
            ),
            Self::Unsupported { needed, backend } => {
                write!(f, "the {backend} backend cannot do {needed}")
            }
            // These two name call and file descriptor, or signal, themselves.
            Self::Control(error) if is_always_ready(error) => {
                write!(
                    f,
                    "{error} (for a regular file, see NewEvent::or_always_ready)"
                )
            }
            Self::Control(error) => error.fmt(f),
            Self::Catch(error) => error.fmt(f),
            Self::World { signal, .. } => write!(f, "{signal:?} cannot be caught here"),
            Self::Nonblocking { fd, .. } => {
                write!(f, "ioctl(FIONBIO) failed for file descriptor {fd}")
            }
        }
    }
}

/// Whether the kernel would not wait for a file because it need not.
fn is_always_ready(error: &ControlError) -> bool {
    error.source.raw_os_error() == Some(Errno::PERM.raw_os_error())
}

impl Error for AddError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoSuchEvent
            | Self::Forked
            | Self::BadFd(_)
            | Self::MixedTrigger(_)
            | Self::Unsupported { .. } => None,
            Self::Control(error) => error.source(),
            Self::Catch(error) => error.source(),
            Self::Nonblocking { source, .. } | Self::World { source, .. } => Some(source),
        }
    }
}

/// A new event could not be added. Gives back the source that was to belong to it.
pub struct InsertError<F> {
    /// Why.
    pub reason: AddError,
    /// The source, as it was.
    pub source: F,
}

impl<F> fmt::Debug for InsertError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsertError")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Display for InsertError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<F> Error for InsertError<F> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}

/// An event could not be deleted or removed.
///
/// # Compared with libevent
///
/// `event_del` returns -1.
#[derive(Debug)]
#[non_exhaustive]
pub enum RemoveError {
    /// It was freed before.
    NoSuchEvent,
    /// It is gone, but the kernel would not stop holding interest in its file descriptor.
    Control(ControlError),
    /// It is gone, but the disposition that its signal had before could not be restored.
    Catch(CatchError),
}

impl fmt::Display for RemoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchEvent => f.write_str("the event was freed"),
            Self::Control(error) => error.fmt(f),
            Self::Catch(error) => error.fmt(f),
        }
    }
}

impl Error for RemoveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoSuchEvent => None,
            Self::Control(error) => error.source(),
            Self::Catch(error) => error.source(),
        }
    }
}

/// An event's source could not be taken back. Nothing has changed, unless it says so.
#[derive(Debug)]
#[non_exhaustive]
pub enum IntoSourceError {
    /// The event was freed.
    NoSuchEvent,
    /// The event has no source of this type.
    WrongType,
    /// Its own callback runs, and has it as an argument.
    Running,
    /// The kernel would not stop holding interest in it. The event is gone, and so is the source.
    Control(ControlError),
}

impl fmt::Display for IntoSourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchEvent => f.write_str("the event was freed"),
            Self::WrongType => f.write_str("the event has no source of this type"),
            Self::Running => f.write_str("the event's own callback has the source"),
            Self::Control(error) => error.fmt(f),
        }
    }
}

impl Error for IntoSourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoSuchEvent | Self::WrongType | Self::Running => None,
            Self::Control(error) => error.source(),
        }
    }
}

/// A run could not be begun, or could not go on. The events are all there, and what was active
/// still is; another run can be begun.
///
/// # Compared with libevent
///
/// `event_base_loop` returns -1.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// The loop is running already: a callback cannot run it.
    Reentrant,
    /// This process was forked off from the one that the loop is of, and
    /// [`EventLoop::after_fork`](crate::EventLoop::after_fork) was not called.
    Forked,
    /// The kernel could not wait.
    Wait(WaitError),
    /// The kernel reports a file that was closed behind the loop's back, and the backend could not
    /// be made anew to be rid of it.
    Renew(NewError),
    /// An event was over, and what it held in the kernel could not be given back.
    Remove(RemoveError),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reentrant => f.write_str("the loop is running already"),
            Self::Forked => f.write_str(FORKED),
            Self::Renew(error) => error.fmt(f),
            Self::Wait(error) => error.fmt(f),
            Self::Remove(error) => error.fmt(f),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Reentrant | Self::Forked => None,
            Self::Renew(error) => error.source(),
            Self::Wait(error) => error.source(),
            Self::Remove(error) => error.source(),
        }
    }
}

impl From<NoSuchEvent> for AddError {
    fn from(_: NoSuchEvent) -> Self {
        Self::NoSuchEvent
    }
}

impl From<NoSuchEvent> for RemoveError {
    fn from(_: NoSuchEvent) -> Self {
        Self::NoSuchEvent
    }
}

/// The source is dropped: for `?`, where nobody wants it back.
impl<F> From<InsertError<F>> for AddError {
    fn from(error: InsertError<F>) -> Self {
        error.reason
    }
}

impl From<evloop_core::AddError<Self>> for AddError {
    fn from(error: evloop_core::AddError<Self>) -> Self {
        match error {
            evloop_core::AddError::MixedTrigger(fd) => Self::MixedTrigger(fd),
            evloop_core::AddError::Refused(error) => error,
            _ => Self::NoSuchEvent,
        }
    }
}

impl From<evloop_core::InsertError> for AddError {
    fn from(error: evloop_core::InsertError) -> Self {
        match error {
            evloop_core::InsertError::BadFd(fd) => Self::BadFd(fd),
            _ => Self::NoSuchEvent,
        }
    }
}

pub(crate) const FORKED: &str = "the loop is the parent process's (see EventLoop::after_fork)";

/// The loop was dropped. See [`Remote`](crate::Remote).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopGone;

impl fmt::Display for LoopGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the loop was dropped")
    }
}

impl Error for LoopGone {}

/// There is no answer to a command: the loop was dropped before it took the command, the command has
/// panicked, or the answer was given before. See [`Reply`](crate::Reply).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no answer: the loop was dropped, the command panicked, or it was given before")
    }
}

impl Error for NoAnswer {}

/// An event was not deleted from elsewhere. See
/// [`Remote::delete_and_wait`](crate::Remote::delete_and_wait).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeleteAndWaitError {
    /// This thread runs the loop.
    OwnThread,
    /// The loop was dropped.
    LoopGone,
}

impl fmt::Display for DeleteAndWaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnThread => f.write_str("this thread runs the loop, and cannot wait for it"),
            Self::LoopGone => LoopGone.fmt(f),
        }
    }
}

impl Error for DeleteAndWaitError {}

impl From<LoopGone> for DeleteAndWaitError {
    fn from(_: LoopGone) -> Self {
        Self::LoopGone
    }
}
