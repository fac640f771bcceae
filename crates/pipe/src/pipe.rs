//! A pair of file descriptors: what is written to one can be read from the other.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use crate::PipeError;

/// How a [`Pipe`] is got from the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `pipe2(2)`: one call.
    Pipe2,
    /// `pipe(2)`, then `fcntl(2)` on both ends: five calls. A program that another thread starts
    /// between them inherits the ends.
    Pipe,
    /// `socketpair(2)`: one call, and a pair that would carry bytes in both directions.
    Socketpair,
}

impl Method {
    /// All of them, in the order in which [`Pipe::new`] tries them.
    pub const ALL: [Self; 3] = [Self::Pipe2, Self::Pipe, Self::Socketpair];
}

/// A pipe of which both ends are non-blocking and close-on-exec.
///
/// Dropping it closes both ends.
///
/// # Examples
///
/// ```
/// use std::fs::File;
/// use std::io::{Read, Write};
///
/// use evloop_pipe::Pipe;
///
/// let (reader, writer) = Pipe::new()?.into_parts();
/// File::from(writer).write_all(b"ping")?;
/// let mut text = String::new();
/// File::from(reader).read_to_string(&mut text)?;
/// assert_eq!(text, "ping");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Compared with libevent
///
/// `evutil_make_internal_pipe_`.
#[derive(Debug)]
pub struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    method: Method,
}

impl Pipe {
    /// Makes a pipe by the first [`Method`] that the system has.
    ///
    /// Costs one system call wherever there is `pipe2(2)`.
    ///
    /// # Errors
    ///
    /// The refusal of the last method. Where file descriptors or memory have run out (`EMFILE`,
    /// `ENFILE`, `ENOMEM`) that of the first, as the others would need the same.
    pub fn new() -> Result<Self, PipeError> {
        Self::by_first(&Kernel)
    }

    /// Makes a pipe by this method, or not at all.
    ///
    /// # Errors
    ///
    /// The refusal, with the name of the call that failed.
    pub fn with_method(method: Method) -> Result<Self, PipeError> {
        Self::by(method, &Kernel)
    }

    /// How the pipe was got.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The end to read from.
    #[must_use]
    pub fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// The end to write to.
    #[must_use]
    pub fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }

    /// The two ends: the reader, then the writer.
    #[must_use]
    pub fn into_parts(self) -> (OwnedFd, OwnedFd) {
        (self.reader, self.writer)
    }

    pub(crate) fn by_first(calls: &impl Calls) -> Result<Self, PipeError> {
        let [first, others @ ..] = Method::ALL;
        let mut made = Self::by(first, calls);
        for next in others {
            match &made {
                Err(refusal) if !is_exhaustion(refusal) => made = Self::by(next, calls),
                _ => break,
            }
        }
        made
    }

    fn by(method: Method, calls: &impl Calls) -> Result<Self, PipeError> {
        // An early return drops, and so closes, the ends that are there by then.
        let (reader, writer) = match method {
            Method::Pipe2 => calls.pipe2().map_err(refused("pipe2"))?,
            Method::Pipe => {
                let (reader, writer) = calls.pipe().map_err(refused("pipe"))?;
                // Close-on-exec first: it is the one that races with other threads.
                for end in [&reader, &writer] {
                    calls
                        .set_cloexec(end.as_fd())
                        .map_err(refused("fcntl(F_SETFD)"))?;
                }
                for end in [&reader, &writer] {
                    calls
                        .set_nonblocking(end.as_fd())
                        .map_err(refused("fcntl(F_SETFL)"))?;
                }
                (reader, writer)
            }
            Method::Socketpair => calls.socketpair().map_err(refused("socketpair"))?,
        };
        Ok(Self {
            reader,
            writer,
            method,
        })
    }
}

/// The system calls that make a pipe; a test makes them fail.
pub(crate) trait Calls {
    fn pipe2(&self) -> Result<(OwnedFd, OwnedFd), Errno>;
    fn pipe(&self) -> Result<(OwnedFd, OwnedFd), Errno>;
    fn set_cloexec(&self, fd: BorrowedFd<'_>) -> Result<(), Errno>;
    fn set_nonblocking(&self, fd: BorrowedFd<'_>) -> Result<(), Errno>;
    fn socketpair(&self) -> Result<(OwnedFd, OwnedFd), Errno>;
}

pub(crate) struct Kernel;

impl Calls for Kernel {
    fn pipe2(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
    }

    fn pipe(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        rustix::pipe::pipe()
    }

    fn set_cloexec(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        fcntl_setfd(fd, FdFlags::CLOEXEC)
    }

    fn set_nonblocking(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        // A pipe that was just made has no other status flag that this could clear.
        fcntl_setfl(fd, OFlags::NONBLOCK)
    }

    fn socketpair(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
    }
}

fn refused(call: &'static str) -> impl Fn(Errno) -> PipeError {
    move |errno| PipeError::new(call, errno)
}

/// Whether the other methods would be refused for the same reason.
fn is_exhaustion(refusal: &PipeError) -> bool {
    let exhaustion = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    exhaustion
        .iter()
        .any(|errno| refusal.source.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests;
