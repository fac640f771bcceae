//! Items 5 and 6 of the turn: the wait, and what it brought.

use std::time::Duration;

use evloop_backend::WaitError;

use crate::base::State;
use crate::lock::Entered;
use crate::signals::Signals;
use crate::wakers::{NOTIFIER, SIGNALS};

impl Entered<'_> {
    /// Tells the kernel the changes, waits with nothing in hand, and reports what came.
    pub(crate) fn await_readiness(
        mut self,
        timeout: Option<Duration>,
    ) -> (Self, Result<(), WaitError>) {
        let base = self.base();
        let State { core, kernel, .. } = &mut *self;
        let Some(mut means) = kernel.lend() else {
            unreachable!("the thread that runs the loop has the means, or is waiting with them");
        };
        // With the lock in hand: what others tell the kernel comes after it, as it was asked for.
        let told = means.tell(core.changes());
        core.told();
        self.cached = None;
        let mut timeout = timeout;
        let may_block = means.reports.is_empty() && base.wishes.begin_wait();
        if !may_block || (timeout != Some(Duration::ZERO) && !self.sleep()) {
            timeout = Some(Duration::ZERO);
        }
        drop(self);
        // As near to the wait as can be: a handler that runs in it ends it.
        if !base.wishes.may_block() {
            timeout = Some(Duration::ZERO);
        }
        let waited = told.and_then(|()| means.wait(timeout));
        let mut state = base.enter();
        let (notified, signalled) = state.awake();
        state.core.waited();
        let ghosts = state.core.stats().ghosts;
        for report in means.reports.drain(..) {
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
            state.core.woken();
        }
        if signalled {
            state.take_signals();
        }
        let State { core, kernel, .. } = &mut *state;
        let has_let_go = kernel.take_back(means, |token, errno| core.refuse(token, errno));
        // A file that was given up while this thread waited may have been reported in the same wait.
        if is_haunted && !has_let_go {
            state.exorcise();
        }
        (state, waited)
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
