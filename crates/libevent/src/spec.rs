//! What an event of C is, in the core's words; and what a callback is told, in C's.

use std::ffi::c_short;
use std::time::Duration;

use evloop_changelist::{Interest, Ready, Trigger};
use evloop_core::{Kind, Ownership, Priority, Spec};
use evloop_signals::{Signal, SignalError};

use crate::abi::{
    EV_CLOSED, EV_ET, EV_IO, EV_PERSIST, EV_READ, EV_SIGNAL, EV_TIMEOUT, EV_WRITE, EVLIST_INTERNAL,
    Event,
};

impl Event {
    /// What the event waits for, as it stands there now: a program may have changed the fields since it
    /// was assigned.
    ///
    /// # Errors
    ///
    /// It is for a signal that nobody can wait for.
    pub(crate) fn kind(&self) -> Result<Kind, SignalError> {
        let fd = self.fd.get();
        if self.has(EV_SIGNAL) {
            return Signal::new(fd).map(Kind::Signal);
        }
        // One for a file descriptor that is none is never ready, and keeps the loop running.
        if !self.has(EV_IO) || fd < 0 {
            return Ok(Kind::Plain);
        }
        let mut interest = Interest::empty();
        interest.set(Interest::READ, self.has(EV_READ));
        interest.set(Interest::WRITE, self.has(EV_WRITE));
        interest.set(Interest::CLOSED, self.has(EV_CLOSED));
        let trigger = if self.has(EV_ET) {
            Trigger::Edge
        } else {
            Trigger::Level
        };
        Ok(Kind::Io {
            fd,
            interest,
            trigger,
            ownership: Ownership::Borrowed,
        })
    }

    pub(crate) fn spec(&self, kind: Kind, timeout: Option<Duration>) -> Spec {
        Spec {
            persistent: self.has(EV_PERSIST),
            each: self.has(EV_SIGNAL),
            internal: self.callback.has(EVLIST_INTERNAL),
            priority: Priority(self.callback.priority.get()),
            timeout,
            ..Spec::new(kind)
        }
    }

    /// Whether the event is for anything but a time.
    pub(crate) fn waits_for_more(&self) -> bool {
        self.has(EV_IO | EV_SIGNAL)
    }

    /// What the kernel's readiness is to this event.
    ///
    /// An error, or a hang-up, is readiness to read and to write, as libevent has it. An event that
    /// asked for neither is told that its file is closed: libevent does not call it, and asks the kernel
    /// again for ever.
    pub(crate) fn told(&self, ready: Ready, has_edges: bool) -> c_short {
        let bit = |bit, name| if ready.contains(bit) { name } else { 0 };
        let mut told = bit(Ready::READ, EV_READ)
            | bit(Ready::WRITE, EV_WRITE)
            | bit(Ready::CLOSED, EV_CLOSED)
            | bit(Ready::TIMEOUT, EV_TIMEOUT)
            | bit(Ready::SIGNAL, EV_SIGNAL);
        if ready.contains(Ready::ERROR)
            || (ready.contains(Ready::HANGUP) && !ready.contains(Ready::CLOSED))
        {
            told |= (EV_READ | EV_WRITE) & self.events.get();
        }
        if ready.intersects(Ready::ALWAYS) && told & EV_IO == 0 {
            told |= EV_IO & self.events.get();
        }
        if told & EV_IO != 0 && has_edges {
            told |= EV_ET & self.events.get();
        }
        told
    }
}

/// What of a by-hand activation the core has to know: it tells a timeout from other reasons. The rest
/// the event itself keeps.
pub(crate) fn ready_by_hand(result: c_short) -> Ready {
    if result & EV_TIMEOUT != 0 {
        Ready::TIMEOUT
    } else {
        Ready::empty()
    }
}
