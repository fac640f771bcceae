//! The kernel's mechanisms: which there are, which one a base gets, and what it can do.
#![expect(
    unsafe_code,
    reason = "the environment is asked as C does, and names are C's"
)]

use std::env;
use std::ffi::{CStr, c_char, c_int};
use std::os::fd::{AsFd, AsRawFd, RawFd};

use evloop_backend::Backend;
use evloop_epoll::{CreateError, Epoll};
use evloop_poll::Poll;

use crate::abi::{
    BASE_IGNORE_ENV, BASE_USE_CHANGELIST, FEATURE_EARLY_CLOSE, FEATURE_ET, FEATURE_FDS, FEATURE_O1,
};
use crate::config::Config;
use crate::log;

/// How a base waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// `epoll(7)`, told of each change at once.
    Epoll,
    /// `epoll(7)`, told at the wait of what has changed since the last.
    EpollChangelist,
    /// `poll(2)`.
    Poll,
}

impl Method {
    /// What programs know it by.
    pub(crate) const fn name(self) -> &'static CStr {
        match self {
            Self::Epoll => c"epoll",
            Self::EpollChangelist => c"epoll (with changelist)",
            Self::Poll => c"poll",
        }
    }

    pub(crate) const fn features(self) -> c_int {
        match self {
            Self::Epoll | Self::EpollChangelist => FEATURE_ET | FEATURE_O1 | FEATURE_EARLY_CLOSE,
            Self::Poll => FEATURE_FDS | FEATURE_EARLY_CLOSE,
        }
    }

    /// Whether it knows edges. Where it does not, `EV_ET` is as if it were not there.
    pub(crate) const fn has_edges(self) -> bool {
        self.features() & FEATURE_ET != 0
    }

    /// A backend of this kind.
    pub(crate) fn open(self) -> Result<Mechanism, CreateError> {
        match self {
            Self::Poll => Ok(Mechanism::Poll(Poll::new())),
            Self::Epoll | Self::EpollChangelist => Epoll::new().map(Mechanism::Epoll),
        }
    }
}

/// A backend that can be begun anew.
#[derive(Debug)]
pub(crate) enum Mechanism {
    Epoll(Epoll),
    Poll(Poll),
}

impl Mechanism {
    #[inline]
    pub(crate) fn backend(&mut self) -> &mut dyn Backend {
        match self {
            Self::Epoll(epoll) => epoll,
            Self::Poll(poll) => poll,
        }
    }

    /// Has the kernel hold nothing. Its file descriptor, if it has one, keeps its number, which a
    /// program may rely on without knowing.
    pub(crate) fn renew(&mut self) -> Result<(), CreateError> {
        match self {
            Self::Poll(poll) => *poll = Poll::new(),
            Self::Epoll(epoll) => epoll.renew()?,
        }
        Ok(())
    }

    /// The file descriptor by which the kernel is told, where there is one.
    pub(crate) fn instance(&self) -> Option<RawFd> {
        match self {
            Self::Epoll(epoll) => Some(epoll.as_fd().as_raw_fd()),
            Self::Poll(_) => None,
        }
    }
}

/// The best mechanism that nobody objects to, and a backend of it.
pub(crate) fn choose(config: &Config) -> Option<(Method, Mechanism)> {
    let asks_environment = config.flags & BASE_IGNORE_ENV == 0;
    let epoll = if config.flags & BASE_USE_CHANGELIST != 0
        || (asks_environment && is_set(c"EVENT_EPOLL_USE_CHANGELIST"))
    {
        Method::EpollChangelist
    } else {
        Method::Epoll
    };
    let candidates = [
        (epoll, c"epoll", c"EVENT_NOEPOLL"),
        (Method::Poll, c"poll", c"EVENT_NOPOLL"),
    ];
    let chosen = candidates.into_iter().find_map(|(method, name, variable)| {
        let is_avoided = config.avoided.iter().any(|avoided| **avoided == *name)
            || (asks_environment && is_set(variable))
            || config.features & !method.features() != 0;
        let opened = (!is_avoided).then(|| method.open())?;
        opened
            .inspect_err(|error| log::warn(format_args!("{error}: {}", error.source)))
            .ok()
            .map(|backend| (method, backend))
    });
    if let Some((method, _)) = chosen
        && is_set(c"EVENT_SHOW_METHOD")
    {
        log::message(format_args!(
            "the event_base waits by {}",
            method.name().to_string_lossy()
        ));
    }
    chosen
}

/// Whether an environment variable is set, and the program may be influenced by one.
pub(crate) fn is_set(name: &CStr) -> bool {
    // SAFETY: no precondition.
    let is_privileged = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    !is_privileged && name.to_str().is_ok_and(|name| env::var_os(name).is_some())
}

/// A list of names as C has it.
#[repr(transparent)]
struct Names([*const c_char; 3]);

// SAFETY: sharing must not race: the pointers are those of constants.
unsafe impl Sync for Names {}

static SUPPORTED: Names = Names([c"epoll".as_ptr(), c"poll".as_ptr(), std::ptr::null()]);

/// The names of the mechanisms that are built in, the best first; a null at the end.
#[unsafe(no_mangle)]
pub extern "C" fn event_get_supported_methods() -> *const *const c_char {
    SUPPORTED.0.as_ptr()
}
