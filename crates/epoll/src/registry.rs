//! What can be done with an instance while a thread waits with it.

use std::os::fd::BorrowedFd;

#[cfg(doc)]
use evloop_backend::Backend;
use evloop_backend::ControlError;
use evloop_changelist::{Interest, Op, RawFd, Token, Trigger};

#[cfg(doc)]
use crate::Epoll;
use crate::apply::{event, tell};
use crate::sys;

/// What an epoll instance holds, apart from its waits.
///
/// A wait has its [`Epoll`] to itself. The kernel lets others change meanwhile what the instance
/// holds; the wait sees it at once. For a loop whose other threads want to know at once whether a
/// file is refused: they need the file descriptor of the instance, no more.
///
/// # Examples
///
/// ```
/// use std::os::fd::{AsFd, AsRawFd};
/// use std::os::unix::net::UnixStream;
/// use std::thread;
///
/// use evloop_epoll::{Backend, Epoll, Interest, Registry, Token, Trigger};
///
/// let (near, far) = UnixStream::pair()?;
/// let mut epoll = Epoll::new()?;
/// let instance = epoll.as_fd().try_clone_to_owned()?;
/// let waiting = thread::spawn(move || {
///     let mut reports = Vec::new();
///     epoll.wait(&[], None, &mut reports).map(|()| reports)
/// });
/// let token = Token { slot: 1, generation: 1 };
/// let registry = Registry::new(instance.as_fd());
/// registry.add(near.as_raw_fd(), token, Interest::WRITE, Trigger::Level)?;
/// assert_eq!(waiting.join().unwrap().unwrap()[0].token, token);
///
/// let refused = registry.add(-1, token, Interest::READ, Trigger::Level);
/// assert!(refused.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Registry<'a> {
    epoll: BorrowedFd<'a>,
}

impl<'a> Registry<'a> {
    /// That of the epoll instance of this file descriptor.
    #[must_use]
    pub const fn new(epoll: BorrowedFd<'a>) -> Self {
        Self { epoll }
    }

    /// As [`Backend::add`].
    ///
    /// # Errors
    ///
    /// The kernel refuses the file; nothing has changed.
    pub fn add(
        mut self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> Result<(), ControlError> {
        let event = event(token, interest, trigger);
        tell(&mut self.epoll, Op::Add, fd, event).map_err(|refusal| refusal.of(fd))
    }

    /// As [`Backend::delete`].
    ///
    /// # Errors
    ///
    /// The kernel refuses, for another reason than that it holds nothing of this number.
    pub fn delete(mut self, fd: RawFd) -> Result<(), ControlError> {
        tell(&mut self.epoll, Op::Delete, fd, sys::NO_EVENT).map_err(|refusal| refusal.of(fd))
    }
}
