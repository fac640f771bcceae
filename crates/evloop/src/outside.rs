//! What is outside of a loop: this process on its kernel, or a [`World`] of the user's.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::sync::Arc;

use evloop_backend::{Bell, ControlError, Descriptor, World};
use evloop_catcher::{CatchError, Catcher, SignalInfo};
use evloop_changelist::RawFd;
use evloop_pipe::Waker;
use evloop_signals::{Signal, SignalSet};
use rustix::io::Errno;

use crate::builder::Choice;
use crate::error::{AddError, NewError};
use crate::kernel::Kernel;

/// Where backends come from, and signals.
pub(crate) enum Outside {
    Process { choice: Choice, catcher: Catcher },
    World(Rc<dyn World>),
}

impl Outside {
    pub(crate) fn process(choice: Choice, waker: &Arc<Waker>) -> Self {
        let catcher = Catcher::new(Arc::clone(waker));
        Self::Process { choice, catcher }
    }

    /// Makes a backend which the waker can wake.
    pub(crate) fn make_backend(&self, waker: &Arc<Waker>) -> Result<Kernel, NewError> {
        match self {
            Self::Process { choice, .. } => choice.make(waker),
            Self::World(world) => {
                let backend = world.backend().map_err(NewError::World)?;
                world.attach(Box::new(WakerBell(Arc::clone(waker))));
                Ok(Kernel::Other(backend))
            }
        }
    }

    /// In a forked child: has signals wake this waker, and forgets those that came before the fork. The loop
    /// catches these; others that the parent catches it has given up.
    pub(crate) fn renew(&mut self, waker: &Arc<Waker>, caught: SignalSet) {
        match self {
            Self::Process { catcher, .. } => {
                catcher.renew(Arc::clone(waker));
                let watched = catcher.watched().into_iter();
                for given_up in watched.filter(|signal| !caught.contains(*signal)) {
                    let unwatched = catcher.unwatch(given_up);
                    debug_assert!(unwatched.is_ok(), "{unwatched:?}");
                }
            }
            Self::World(world) => {
                for signal in caught {
                    world.unwatch(signal);
                    // What could be caught in the parent can be caught here.
                    let watched = world.watch(signal);
                    debug_assert!(watched.is_ok(), "{watched:?}");
                }
            }
        }
    }

    /// The file descriptor under which the backend holds the waker, if it does.
    pub(crate) fn waker_fd(&self, waker: &Waker) -> Option<RawFd> {
        matches!(self, Self::Process { .. }).then(|| waker.as_fd().as_raw_fd())
    }

    /// The number of a source, if that is of the world that the loop is in. It means nothing in
    /// another.
    pub(crate) fn number(&self, source: Descriptor<'_>) -> Result<RawFd, AddError> {
        match (self, source) {
            (Self::Process { .. }, Descriptor::Process(fd)) => Ok(fd.as_raw_fd()),
            (Self::World(_), Descriptor::World(number)) => Ok(number),
            (_, Descriptor::Process(fd)) => Err(foreign(fd.as_raw_fd())),
            (_, Descriptor::World(number)) => Err(foreign(number)),
        }
    }

    pub(crate) fn watch(&self, signal: Signal) -> Result<(), AddError> {
        match self {
            Self::Process { catcher, .. } => catcher.watch(signal).map_err(AddError::Catch),
            Self::World(world) => world
                .watch(signal)
                .map_err(|source| AddError::World { signal, source }),
        }
    }

    pub(crate) fn unwatch(&self, signal: Signal) -> Result<(), CatchError> {
        match self {
            Self::Process { catcher, .. } => catcher.unwatch(signal),
            Self::World(world) => {
                world.unwatch(signal);
                Ok(())
            }
        }
    }

    /// Takes the signals that came: each, how often, and what is known of the last.
    pub(crate) fn take(&self, mut f: impl FnMut(Signal, u64, Option<SignalInfo>)) {
        match self {
            Self::Process { catcher, .. } => {
                catcher.take(|signal, came| f(signal, came.count, Some(came.last)));
            }
            Self::World(world) => world.take(&mut |signal, count| f(signal, count, None)),
        }
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { choice, .. } => choice.fmt(f),
            Self::World(world) => world.fmt(f),
        }
    }
}

/// The refusal of a source of another world: here it is not open.
fn foreign(fd: RawFd) -> AddError {
    AddError::Control(ControlError {
        call: "EventLoop::io, with a source of another world,",
        fd,
        source: io::Error::from_raw_os_error(Errno::BADF.raw_os_error()),
    })
}

/// A loop's waker, as a world sees it.
#[derive(Debug)]
struct WakerBell(Arc<Waker>);

impl Bell for WakerBell {
    fn wake(&self) {
        self.0.wake();
    }

    fn is_woken(&self) -> bool {
        self.0.is_woken()
    }
}
