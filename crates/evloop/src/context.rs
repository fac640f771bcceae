//! What a callback gets.

use std::io;

use evloop_catcher::SignalInfo;
use evloop_changelist::Ready;
use evloop_core::EventId;
use evloop_signals::Signal;

use crate::EventLoop;

/// What a callback gets: the user's state, and the loop, each to be used on its own.
///
/// # Compared with libevent
///
/// The `void *arg` of a callback, with a type.
#[derive(Debug)]
pub struct Cx<'a, S> {
    /// The state that was given to [`EventLoop::run`].
    pub state: &'a mut S,
    /// The loop: to add, delete and change events, this one too, and to end the run. (One that is replaced
    /// here ends its run.)
    pub events: &'a mut EventLoop<S>,
    pub(crate) id: EventId,
    pub(crate) ready: Ready,
}

impl<S> Cx<'_, S> {
    /// The event whose callback this is.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_get_running_event`, and `event_self_cbarg`.
    #[must_use]
    pub const fn id(&self) -> EventId {
        self.id
    }

    /// Why the kernel refused a change of interest in the event's source, if this is why the callback
    /// runs with [`Ready::ERROR`]. The kernel then holds no interest
    /// in it; [`EventLoop::add`] asks it again.
    ///
    /// # Compared with libevent
    ///
    /// There is no counterpart: with its changelist, libevent writes a warning and forgets it.
    #[must_use]
    pub fn refusal(&self) -> Option<io::Error> {
        let errno = self.events.core.news().errno;
        (errno != 0).then(|| io::Error::from_raw_os_error(errno))
    }
}

/// A signal that was caught.
///
/// # Compared with libevent
///
/// The callback is called as often as the signal came, and is not told who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caught {
    /// Which one.
    pub signal: Signal,
    /// How often since the callback ran last: every run of the handler counts. 1 at the most where the
    /// callback runs for [each](crate::NewEvent::each) delivery. 0 when it runs because the event's
    /// timeout expired, or by [`EventLoop::activate`].
    pub count: u64,
    /// Who sent it, and why: what the kernel said of the last delivery that the loop has taken.
    ///
    /// Of the deliveries before that one nothing is kept, so where the callback runs for each,
    /// `None` comes with these. `None` also where there was no delivery: with a count of 0, and by
    /// [`EventLoop::activate_signal`].
    pub last: Option<SignalInfo>,
}
