//! The kernel's side of a base: the backend, what wakes it, and what it is told while it waits.
//!
//! The thread that waits takes the backend with it. What another thread changes meanwhile it leaves in
//! a list, and wakes it: the first thing that the thread does when it is back is to tell the backend.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use evloop_backend::{Backend, ControlError, Report, WaitError};
use evloop_catcher::CatchError;
use evloop_changelist::{Entry, Interest, RawFd, Token, Trigger};
use evloop_core::{Demand, Release};
use evloop_pipe::Waker;

use crate::base::{Base, State};
use crate::lock::Entered;
use crate::log;
use crate::method::Mechanism;
use crate::signals::Signals;

/// What the thread that waits takes with it.
pub(crate) struct Kernel {
    pub(crate) mechanism: Mechanism,
    /// What the backend is told: a copy, for the core may change while it waits.
    entries: Vec<Entry>,
    /// What a wait learnt; kept for its memory.
    reports: Vec<Report>,
}

/// What the backend is to be told when its thread is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    Add(RawFd, Token, Interest, Trigger),
    Delete(RawFd),
}

/// What wakes a base from another thread.
#[derive(Debug)]
pub(crate) struct Notifier {
    pub(crate) waker: Arc<Waker>,
    /// A duplicate of what the waker writes to, for who looks at it or even waits for it: the waker's
    /// own registration stays its own.
    published: OwnedFd,
}

/// The names of the wakers: no file descriptor has this number.
const NOTIFIER: Token = Token {
    slot: u32::MAX,
    generation: 0,
};
const SIGNALS: Token = Token {
    slot: u32::MAX,
    generation: 1,
};

/// Why an event could not be added.
#[derive(Debug)]
pub(crate) enum Refusal {
    Fd(ControlError),
    Signal(CatchError),
    /// There is nothing to wake the loop by.
    NoWaker,
}

impl Kernel {
    pub(crate) const fn new(mechanism: Mechanism) -> Self {
        Self {
            mechanism,
            entries: Vec::new(),
            reports: Vec::new(),
        }
    }
}

impl Base {
    /// The trigger that the backend is told: one without edges takes levels in their place, as
    /// libevent's do.
    const fn trigger(&self, trigger: Trigger) -> Trigger {
        if self.method.has_edges() {
            trigger
        } else {
            Trigger::Level
        }
    }

    /// Holds interest in a file descriptor from now on, or, where the backend is away with the thread
    /// that waits, from when it is back.
    fn hold(
        &self,
        kernel: Option<&mut Kernel>,
        late: &mut Vec<Late>,
        (fd, token, interest, trigger): (RawFd, Token, Interest, Trigger),
    ) -> Result<(), ControlError> {
        let trigger = self.trigger(trigger);
        match kernel {
            Some(kernel) => kernel.mechanism.backend().add(fd, token, interest, trigger),
            None => {
                late.push(Late::Add(fd, token, interest, trigger));
                Ok(())
            }
        }
    }

    /// Does what an event demands of the system.
    pub(crate) fn grant(
        &self,
        kernel: Option<&mut Kernel>,
        late: &mut Vec<Late>,
        signals: Option<&Signals>,
        demand: Demand,
    ) -> Result<(), Refusal> {
        match demand {
            Demand::Fd {
                fd,
                token,
                interest,
                trigger,
            } => self
                .hold(kernel, late, (fd, token, interest, trigger))
                .map_err(Refusal::Fd),
            Demand::Signal(signal) => match signals {
                Some(signals) => signals.watch(signal).map_err(Refusal::Signal),
                None => Err(Refusal::NoWaker),
            },
        }
    }
}

impl State {
    /// Does in the system's name what an event no longer needs. Whether the system agreed.
    pub(crate) fn release(&mut self, release: Option<Release>) -> bool {
        let refused = match release {
            None => return true,
            Some(Release::Signal(signal)) => match &self.signals {
                Some(signals) => signals.unwatch(signal).map_err(|error| error.to_string()),
                None => Ok(()),
            },
            Some(Release::Fd(fd)) => self.give_up(fd).map_err(|error| describe(&error)),
        };
        if let Err(refused) = &refused {
            log::warn(refused);
        }
        refused.is_ok()
    }

    /// Holds interest in a file descriptor no longer.
    fn give_up(&mut self, fd: RawFd) -> Result<(), ControlError> {
        if let Some(kernel) = &mut self.kernel {
            return kernel.mechanism.backend().delete(fd);
        }
        let is_its = |late: &Late| matches!(*late, Late::Add(added, ..) if added == fd);
        match self.late.iter().rposition(is_its) {
            // It was not told yet, and need not be.
            Some(at) => _ = self.late.remove(at),
            None => self.late.push(Late::Delete(fd)),
        }
        Ok(())
    }
}

impl Entered<'_> {
    /// Makes it possible to wake the loop from another thread; false where the system refuses.
    pub(crate) fn make_notifiable(mut self) -> bool {
        if self.notifier.is_some() {
            return true;
        }
        let Some(notifier) = self.new_notifier() else {
            return false;
        };
        let base = self.base();
        base.notify_fd.set(notifier.published.as_raw_fd());
        self.notifier = Some(notifier);
        true
    }

    /// A waker that is registered.
    fn new_notifier(&mut self) -> Option<Notifier> {
        let waker = self.new_waker(NOTIFIER)?;
        let published = waker.as_fd().try_clone_to_owned();
        let published = published.inspect_err(|error| log::warn(error)).ok()?;
        Some(Notifier { waker, published })
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
            .inspect_err(|error| log::warn(error))
            .ok()
            .map(Arc::new)?;
        let base = self.base();
        let State { kernel, late, .. } = &mut **self;
        let registration = (
            waker.as_fd().as_raw_fd(),
            token,
            Interest::READ,
            Trigger::Edge,
        );
        base.hold(kernel.as_deref_mut(), late, registration)
            .inspect_err(|error| log::warn(describe(error)))
            .ok()?;
        Some(waker)
    }

    /// Items 5 and 6 of the turn: tells the kernel the changes, waits with nothing in hand, and
    /// reports what came.
    pub(crate) fn await_readiness(
        mut self,
        timeout: Option<Duration>,
    ) -> (Self, Result<(), WaitError>) {
        let base = self.base();
        let Some(mut kernel) = self.kernel.take() else {
            unreachable!(
                "the thread that runs the loop has the kernel's side, or is waiting with it"
            );
        };
        let Kernel {
            mechanism,
            entries,
            reports,
        } = &mut *kernel;
        entries.clear();
        entries.extend(self.core.changes());
        for entry in &mut *entries {
            entry
                .change
                .set_trigger(base.trigger(entry.change.trigger()));
        }
        self.core.told();
        self.cached = None;
        let mut timeout = timeout;
        if timeout != Some(Duration::ZERO) && !self.sleep() {
            timeout = Some(Duration::ZERO);
        }
        drop(self);
        let waited = mechanism.backend().wait(entries, timeout, reports);
        let mut state = base.enter();
        let (notified, signalled) = state.awake();
        state.core.waited();
        let ghosts = state.core.stats().ghosts;
        for report in reports.drain(..) {
            match report.token {
                // Read at each wakeup: its file descriptor is published, and who waits for it would
                // be told for ever.
                NOTIFIER => state.drain_notifier(),
                SIGNALS => state.drain_signals(base.method.has_edges()),
                token if report.errno == 0 => state.core.report(token, report.ready),
                token => state.core.refuse(token, report.errno),
            }
        }
        let is_haunted = state.core.stats().ghosts > ghosts;
        if notified {
            state.core.count_wakeup();
        }
        if signalled {
            state.take_signals();
        }
        let was_changed = !state.late.is_empty();
        state.tell_late(mechanism.backend());
        state.kernel = Some(kernel);
        // A file that was given up while this thread waited may have been reported in the same wait.
        if is_haunted && !was_changed {
            state.renew_backend();
        }
        (state, waited)
    }

    /// Tells the backend what was left for it while its thread waited.
    fn tell_late(&mut self, backend: &mut dyn Backend) {
        let mut left = std::mem::take(&mut self.late);
        for late in left.drain(..) {
            match late {
                Late::Delete(fd) => {
                    if let Err(error) = backend.delete(fd) {
                        log::warn(describe(&error));
                    }
                }
                Late::Add(fd, token, interest, trigger) => {
                    if let Err(error) = backend.add(fd, token, interest, trigger) {
                        log::warn(describe(&error));
                        self.core.refuse(token, errno(&error));
                    }
                }
            }
        }
        // For its memory.
        self.late = left;
    }

    /// Has the kernel hold what the base wants and nothing else: after a fork, or to be rid of a file
    /// that was closed while a duplicate of it lives. Whether all of it could be held.
    pub(crate) fn renew_backend(&mut self) -> bool {
        let base = self.base();
        if self.kernel.is_none() {
            // In a child whose parent had a thread waiting with it.
            let new = base.method.open();
            self.kernel = new.map(|new| Box::new(Kernel::new(new)));
        } else if let Some(kernel) = &mut self.kernel
            && !kernel.mechanism.renew()
        {
            return false;
        }
        let Some(mut kernel) = self.kernel.take() else {
            return false;
        };
        let wakers = [
            (
                NOTIFIER,
                self.notifier.as_ref().map(|notifier| &notifier.waker),
            ),
            (SIGNALS, self.signals.as_ref().map(Signals::waker)),
        ];
        let mut all = true;
        let mut hold = |registration| {
            let held = base.hold(Some(&mut kernel), &mut Vec::new(), registration);
            held.map_err(|error| {
                all = false;
                log::warn(describe(&error));
                errno(&error)
            })
        };
        for (token, waker) in wakers {
            if let Some(waker) = waker {
                let fd = waker.as_fd().as_raw_fd();
                _ = hold((fd, token, Interest::READ, Trigger::Edge));
            }
        }
        self.core
            .restore_fds(|fd, token, interest, trigger| hold((fd, token, interest, trigger)));
        self.kernel = Some(kernel);
        all
    }

    /// Makes what wakes the base anew, in a child: what it has is its parent's.
    pub(crate) fn renew_wakers(&mut self) -> bool {
        let base = self.base();
        let (had_notifier, had_signals) = (self.notifier.take(), self.signals.take());
        base.notify_fd.set(-1);
        base.signal_fd.set(-1);
        let mut done = true;
        if had_notifier.is_some() {
            done &= match self.new_notifier() {
                Some(notifier) => {
                    base.notify_fd.set(notifier.published.as_raw_fd());
                    self.notifier = Some(notifier);
                    true
                }
                None => false,
            };
        }
        if let Some(before) = had_signals {
            self.ready_signals();
            done &= self
                .signals
                .as_ref()
                .is_some_and(|now| now.take_over(&before));
        }
        done
    }

    /// Says that the loop is about to block; false if it must not.
    fn sleep(&self) -> bool {
        let notifier = self.notifier.as_ref().map(|notifier| &notifier.waker);
        let signals = self.signals.as_ref().map(Signals::waker);
        // Both are told, even if the first says no: both are told that the loop is awake.
        let may = [notifier, signals].map(|waker| waker.is_none_or(|waker| waker.sleep()));
        may == [true, true]
    }

    /// Says that the loop runs again; whether another thread or a signal has woken it.
    fn awake(&self) -> (bool, bool) {
        let notifier = self.notifier.as_ref().map(|notifier| &notifier.waker);
        let signals = self.signals.as_ref().map(Signals::waker);
        (
            notifier.is_some_and(|waker| waker.awake()),
            signals.is_some_and(|waker| waker.awake()),
        )
    }

    fn drain_notifier(&self) {
        if let Some(notifier) = &self.notifier {
            notifier.waker.drain();
        }
    }

    fn drain_signals(&self, is_edge: bool) {
        if let Some(signals) = &self.signals
            && (!is_edge || signals.waker().needs_drain())
        {
            signals.waker().drain();
        }
    }

    fn take_signals(&mut self) {
        let State { signals, core, .. } = &mut **self;
        if let Some(signals) = signals {
            signals.take(|signal, count| core.catch(signal, count));
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fd(error) => f.write_str(&describe(error)),
            Self::Signal(error) => write!(f, "{error}: {}", error.source),
            Self::NoWaker => f.write_str("there is nothing to wake the loop by"),
        }
    }
}

impl Refusal {
    /// The system's reason, as C tells it.
    pub(crate) fn errno(&self) -> i32 {
        match self {
            Self::Fd(error) => errno(error),
            Self::Signal(error) => error.source.raw_os_error().unwrap_or(libc::EINVAL),
            Self::NoWaker => libc::EMFILE,
        }
    }
}

fn describe(error: &ControlError) -> String {
    format!("{error}: {}", error.source)
}

fn errno(error: &ControlError) -> i32 {
    error.source.raw_os_error().unwrap_or(libc::EIO)
}
