//! What can be said of a loop before it is made.

use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

use evloop_backend::{Backend, Capabilities, World};
use evloop_changelist::{Interest, Token, Trigger};
use evloop_core::Limits;
use evloop_epoll::Epoll;
use evloop_pipe::Waker;
use evloop_poll::Poll;
use rustix::io::Errno;

use crate::error::NewError;
use crate::event_loop::EventLoop;
use crate::kernel::Kernel;

/// A kernel mechanism that a loop can wait by.
///
/// # Compared with libevent
///
/// What `event_get_supported_methods` lists, and `event_config_avoid_method` rules out, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// `epoll(7)`: all that there is, at a cost that does not grow with the number of sources.
    Epoll,
    /// `poll(2)`, where there is no epoll: level-triggered only, and each wait costs `O(n)` in the
    /// number of sources. Takes regular files, as always ready.
    Poll,
}

/// Makes an [`EventLoop`] that is not as [`EventLoop::new`] makes it.
///
/// There is nothing to be said of priorities (all 256 are always there), and of the clock (it is
/// always precise).
///
/// # Examples
///
/// ```
/// use evloop::{Builder, Capabilities, EventLoop, Mechanism};
///
/// let events: EventLoop<()> = Builder::new().mechanism(Mechanism::Poll).build()?;
/// assert_eq!(events.backend_name(), "poll");
///
/// let refused = Builder::new().mechanism(Mechanism::Poll).require(Capabilities::EDGE);
/// assert!(refused.build::<()>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Compared with libevent
///
/// `struct event_config`.
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder makes nothing until `build`"]
pub struct Builder {
    pub(crate) choice: Choice,
    limits: Limits,
    capacity: Option<usize>,
    is_at_once: bool,
}

/// How a loop's backend is chosen; it is chosen again after a fork.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// `None`: the best there is.
    mechanism: Option<Mechanism>,
    needed: Capabilities,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// What [`EventLoop::new`] makes.
    ///
    /// # Compared with libevent
    ///
    /// `event_config_new`. A builder is a value like others, and needs no `event_config_free`.
    pub const fn new() -> Self {
        let choice = Choice {
            mechanism: None,
            needed: Capabilities::empty(),
        };
        Self {
            choice,
            limits: Limits::NONE,
            capacity: None,
            is_at_once: false,
        }
    }

    /// This mechanism and no other. By itself a loop takes epoll, and poll where the system has no
    /// epoll or a sandbox refuses it.
    ///
    /// # Compared with libevent
    ///
    /// `event_config_avoid_method`, for all but one.
    pub const fn mechanism(mut self, mechanism: Mechanism) -> Self {
        self.choice.mechanism = Some(mechanism);
        self
    }

    /// No backend that cannot do this. What a backend that was chosen can do is said by
    /// [`EventLoop::capabilities`].
    ///
    /// # Compared with libevent
    ///
    /// `event_config_require_features`.
    pub const fn require(mut self, needed: Capabilities) -> Self {
        self.choice.needed = needed;
        self
    }

    /// Limits of a turn: [`EventLoop::set_limits`].
    ///
    /// # Compared with libevent
    ///
    /// `event_config_set_max_dispatch_interval`.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// There will be so many events, each with a source and a timeout: the tables of the loop get room for
    /// them and for no more. One that is not told grows its tables as events come, by doubling each when
    /// it is full.
    ///
    /// # Compared with libevent
    ///
    /// There is no counterpart.
    pub const fn capacity(mut self, events: usize) -> Self {
        self.capacity = Some(events);
        self
    }

    /// Tells the kernel each change when it is made, and not all that is left of them with the wait.
    ///
    /// For tests, which show that it makes no difference but in the number of system calls.
    #[doc(hidden)]
    pub const fn apply_at_once(mut self) -> Self {
        self.is_at_once = true;
        self
    }

    /// Makes the loop.
    ///
    /// # Errors
    ///
    /// See [`NewError`]. Nothing is left open then.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_new_with_config`.
    pub fn build<S>(self) -> Result<EventLoop<S>, NewError> {
        EventLoop::with_choice(self.choice).map(|events| self.set_up(events))
    }

    /// Makes the loop in another world than this process: a model of it, such as `evloop-sim` has.
    /// It is the same loop, and what it waits for are sources of that world. See the
    /// [guide](crate::guide::chapter_11).
    ///
    /// A [`mechanism`](Self::mechanism) that was chosen says nothing there.
    ///
    /// # Errors
    ///
    /// See [`NewError`].
    ///
    /// # Compared with libevent
    ///
    /// There is no counterpart.
    pub fn build_in<S>(self, world: impl World + 'static) -> Result<EventLoop<S>, NewError> {
        let events = EventLoop::with_world(Rc::new(world))?;
        self.choice.check(&*events.backend)?;
        Ok(self.set_up(events))
    }

    fn set_up<S>(self, mut events: EventLoop<S>) -> EventLoop<S> {
        events.set_limits(self.limits);
        if let Some(capacity) = self.capacity {
            events.core.reserve(capacity);
        }
        events.is_at_once = self.is_at_once;
        events
    }
}

/// The token of the internal pipe: no file descriptor has this number.
pub(crate) const INTERNAL: Token = Token {
    slot: u32::MAX,
    generation: u32::MAX,
};

impl Choice {
    /// Makes the backend, with the waker registered.
    pub(crate) fn make(self, waker: &Waker) -> Result<Kernel, NewError> {
        let poll = || Kernel::Other(Box::new(Poll::new()));
        let mut backend = match self.mechanism {
            Some(Mechanism::Poll) => poll(),
            Some(Mechanism::Epoll) => Kernel::Epoll(Epoll::new().map_err(NewError::Backend)?),
            None => match Epoll::new() {
                Ok(epoll) => Kernel::Epoll(epoll),
                Err(error) if is_no_epoll(error.source.raw_os_error()) => poll(),
                Err(error) => return Err(NewError::Backend(error)),
            },
        };
        self.check(&*backend)?;
        let trigger = if backend.capabilities().contains(Capabilities::EDGE) {
            Trigger::Edge
        } else {
            Trigger::Level
        };
        backend
            .add(waker.as_fd().as_raw_fd(), INTERNAL, Interest::READ, trigger)
            .map_err(NewError::Control)?;
        Ok(backend)
    }

    /// Whether the backend can do what is needed.
    fn check(self, backend: &dyn Backend) -> Result<(), NewError> {
        let missing = self.needed.difference(backend.capabilities());
        if missing.is_empty() {
            Ok(())
        } else {
            Err(NewError::Unsupported {
                needed: missing,
                backend: backend.name(),
            })
        }
    }
}

/// Whether the system does not know epoll, or a sandbox does not allow it.
fn is_no_epoll(errno: Option<i32>) -> bool {
    [Errno::NOSYS, Errno::PERM, Errno::ACCESS]
        .iter()
        .any(|no| errno == Some(no.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lack_of_file_descriptors_is_not_a_lack_of_epoll() {
        assert!(is_no_epoll(Some(Errno::NOSYS.raw_os_error())));
        assert!(is_no_epoll(Some(Errno::PERM.raw_os_error())));
        assert!(!is_no_epoll(Some(Errno::MFILE.raw_os_error())));
        assert!(!is_no_epoll(None));
    }
}
