//! The loop's backend: epoll itself where it is that, so that its wait is compiled into the run, and a
//! turn neither calls through a table for it nor returns from it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use evloop_backend::{Backend, Report, WaitError};
use evloop_changelist::Entry;
use evloop_epoll::Epoll;

/// A backend: epoll, or any.
pub(crate) enum Kernel {
    Epoll(Epoll),
    Other(Box<dyn Backend>),
}

impl Kernel {
    /// [`Backend::wait`].
    #[inline]
    pub(crate) fn wait(
        &mut self,
        changes: &[Entry],
        timeout: Option<Duration>,
        reports: &mut Vec<Report>,
    ) -> Result<(), WaitError> {
        match self {
            Self::Epoll(epoll) => epoll.wait(changes, timeout, reports),
            Self::Other(backend) => backend.wait(changes, timeout, reports),
        }
    }
}

impl Deref for Kernel {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Epoll(epoll) => epoll,
            Self::Other(backend) => &**backend,
        }
    }
}

impl DerefMut for Kernel {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Epoll(epoll) => epoll,
            Self::Other(backend) => &mut **backend,
        }
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
