//! What wakes a base: from another thread, and from the handler of signals.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use evloop_changelist::{Interest, Token, Trigger};
use evloop_pipe::{PipeError, Waker};

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
    pub(crate) published: Option<Arc<OwnedFd>>,
}

impl Notifier {
    fn new() -> Result<Self, PipeError> {
        Ok(Self {
            waker: Arc::new(Waker::new()?),
            published: None,
        })
    }

    /// Makes the duplicate, if there is none. Which number it has.
    fn publish(&mut self) -> io::Result<RawFd> {
        if let Some(published) = &self.published {
            return Ok(published.as_raw_fd());
        }
        let published = self.waker.as_fd().try_clone_to_owned()?;
        let fd = published.as_raw_fd();
        self.published = Some(Arc::new(published));
        Ok(fd)
    }
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
        let mut notifier = Notifier::new()
            .inspect_err(|error| log::warn_later(describe_pipe(error)))
            .ok()?;
        let published = notifier.publish();
        let published = published.inspect_err(|error| log::warn_later(error)).ok()?;
        self.hold_waker(&notifier.waker, NOTIFIER).then_some(())?;
        self.base().notify_fd.set(published);
        self.notifier = Some(notifier);
        Some(())
    }

    /// What signals are caught by, made when it is first needed.
    pub(crate) fn ready_signals(&mut self) {
        if self.signals.is_some() {
            return;
        }
        match Waker::new().map(Arc::new) {
            Ok(waker) if self.hold_waker(&waker, SIGNALS) => self.set_signals(waker),
            Ok(_) => {}
            Err(error) => log::warn_later(describe_pipe(&error)),
        }
    }

    fn set_signals(&mut self, waker: Arc<Waker>) {
        self.base().signal_fd.set(waker.as_fd().as_raw_fd());
        self.signals = Some(Signals::new(waker));
    }

    /// Has a waker waited for; whether the system agreed.
    fn hold_waker(&mut self, waker: &Waker, token: Token) -> bool {
        let held = self.kernel.hold(registration(waker, token));
        held.inspect_err(|error| log::warn_later(describe(error)))
            .is_ok()
    }

    /// Makes, in a child, what wakes the base, where it is not made yet. Nobody waits for it yet.
    ///
    /// # Errors
    ///
    /// The system refuses one; the others are there.
    pub(crate) fn renew_wakers(&mut self, parents: &Parents) -> Result<(), String> {
        if parents.has_signals && self.signals.is_none() {
            let waker = Waker::new().map_err(|error| describe_pipe(&error))?;
            self.set_signals(Arc::new(waker));
        }
        if parents.has_notifier && self.notifier.is_none() {
            self.notifier = Some(Notifier::new().map_err(|error| describe_pipe(&error))?);
        }
        Ok(())
    }

    /// Publishes what another thread wakes the base by, if one can.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub(crate) fn publish(&mut self) -> Result<(), String> {
        if let Some(notifier) = &mut self.notifier {
            let published = notifier.publish().map_err(|error| error.to_string())?;
            self.base().notify_fd.set(published);
        }
        Ok(())
    }

    /// Has the wakers waited for, with a kernel that holds nothing; whether the system agreed.
    pub(crate) fn hold_wakers(&mut self) -> bool {
        let notifier = self.notifier.as_ref().map(|notifier| &notifier.waker);
        let signals = self.signals.as_ref().map(Signals::waker);
        let wakers = [
            (notifier.map(Arc::clone), NOTIFIER),
            (signals.map(Arc::clone), SIGNALS),
        ];
        let mut all = true;
        for (waker, token) in wakers {
            all &= waker.is_none_or(|waker| self.hold_waker(&waker, token));
        }
        all
    }
}

/// What a child's base had of its parent's to be woken by.
#[derive(Debug)]
pub(crate) struct Parents {
    has_notifier: bool,
    has_signals: bool,
    pub(crate) notifier: Option<Notifier>,
    pub(crate) signals: Option<Signals>,
}

impl Parents {
    /// Takes it out of the base.
    pub(crate) fn take(base: &mut Entered<'_>) -> Self {
        base.base().notify_fd.set(-1);
        base.base().signal_fd.set(-1);
        let (notifier, signals) = (base.notifier.take(), base.signals.take());
        Self {
            has_notifier: notifier.is_some(),
            has_signals: signals.is_some(),
            notifier,
            signals,
        }
    }

    /// Sees to it that no number is closed that the child has closed already, as a daemon does with all
    /// that it does not know: it is going to be another file's.
    pub(crate) fn spare_closed(&self) {
        if let Some(notifier) = &self.notifier {
            spare(&notifier.waker);
            if let Some(published) = &notifier.published {
                spare(published);
            }
        }
        if let Some(signals) = &self.signals {
            spare(signals.waker());
        }
    }
}

/// Never closes the file, if it is closed.
fn spare<T: AsFd>(file: &Arc<T>) {
    let duplicate = file.as_fd().try_clone_to_owned();
    if duplicate.is_err_and(|error| error.raw_os_error() == Some(libc::EBADF)) {
        // One owner for ever.
        _ = Arc::into_raw(Arc::clone(file));
    }
}

fn describe_pipe(error: &PipeError) -> String {
    format!("{error}: {}", error.source)
}
