//! What wakes a base: from another thread, and from the handler of signals.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use evloop_changelist::{Interest, Token, Trigger};
use evloop_pipe::Waker;

use crate::kernel::{Registration, describe};
use crate::lock::Entered;
use crate::log;
use crate::signals::Signals;

/// What wakes a base from another thread.
#[derive(Debug)]
pub(crate) struct Notifier {
    pub(crate) waker: Arc<Waker>,
    /// A duplicate of what the waker writes to, for who looks at it or even waits for it: the waker's
    /// own registration stays its own.
    pub(crate) published: Arc<OwnedFd>,
}

/// The names of the wakers: no file descriptor has this number.
pub(crate) const NOTIFIER: Token = Token {
    slot: u32::MAX,
    generation: 0,
};
pub(crate) const SIGNALS: Token = Token {
    slot: u32::MAX,
    generation: 1,
};

/// What a waker is held for.
pub(crate) fn registration(waker: &Waker, token: Token) -> Registration {
    Registration {
        fd: waker.as_fd().as_raw_fd(),
        token,
        interest: Interest::READ,
        trigger: Trigger::Edge,
    }
}

impl Entered<'_> {
    /// Makes it possible to wake the loop from another thread; false where the system refuses.
    pub(crate) fn make_notifiable(mut self) -> bool {
        if self.stamp.is_child() {
            self.adopt();
        }
        if self.notifier.is_some() {
            return true;
        }
        self.ready_notifier().is_some()
    }

    fn ready_notifier(&mut self) -> Option<()> {
        let waker = self.new_waker(NOTIFIER)?;
        let published = waker.as_fd().try_clone_to_owned();
        let published = published.inspect_err(|error| log::warn_later(error)).ok()?;
        self.base().notify_fd.set(published.as_raw_fd());
        self.notifier = Some(Notifier {
            waker,
            published: Arc::new(published),
        });
        Some(())
    }

    /// What signals are caught by, made when it is first needed.
    pub(crate) fn ready_signals(&mut self) {
        if self.signals.is_none()
            && let Some(waker) = self.new_waker(SIGNALS)
        {
            self.base().signal_fd.set(waker.as_fd().as_raw_fd());
            self.signals = Some(Signals::new(waker));
        }
    }

    /// Makes a waker and has it waited for.
    fn new_waker(&mut self, token: Token) -> Option<Arc<Waker>> {
        let waker = Waker::new()
            .inspect_err(|error| log::warn_later(error))
            .ok()
            .map(Arc::new)?;
        self.kernel
            .hold(registration(&waker, token))
            .inspect_err(|error| log::warn_later(describe(error)))
            .ok()?;
        Some(waker)
    }

    /// Makes what wakes the base anew, in a child: what it had is its parent's.
    pub(crate) fn renew_wakers(&mut self, parents: &(Option<Notifier>, Option<Signals>)) -> bool {
        let base = self.base();
        base.notify_fd.set(-1);
        base.signal_fd.set(-1);
        let mut done = parents.0.is_none() || self.ready_notifier().is_some();
        if let Some(before) = &parents.1 {
            self.ready_signals();
            let now = self.signals.as_ref();
            done &= now.is_some_and(|now| now.take_over(before));
        }
        done
    }
}
