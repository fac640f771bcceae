//! Signals for bases, one of which has them at a time.
//!
//! libevent tells one base of a signal: the one that has last added an event for a signal, or begun to
//! run with one. Programs with several bases are written to that, and so are libevent's tests. The
//! catcher tells every base; those whose turn it is not drop what they are told. So a signal that
//! several bases watch keeps its handler until the last of them lets it go.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use evloop_catcher::{CatchError, Catcher};
use evloop_pipe::Waker;
use evloop_signals::Signal;

use crate::log;

/// One base's share.
pub(crate) struct Signals(Arc<Share>);

struct Share {
    waker: Arc<Waker>,
    catcher: Catcher,
    /// What came while the signals were this base's, and was not taken before they were another's.
    owed: Mutex<Vec<(Signal, u64)>>,
}

/// The base that has the signals, if one has them.
static OWNER: Mutex<Option<Arc<Share>>> = Mutex::new(None);

impl Signals {
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        let catcher = Catcher::new(Arc::clone(&waker));
        Self(Arc::new(Share {
            waker,
            catcher,
            owed: Mutex::new(Vec::new()),
        }))
    }

    pub(crate) fn waker(&self) -> &Arc<Waker> {
        &self.0.waker
    }

    /// Watches a signal, and has the signals from now on.
    pub(crate) fn watch(&self, signal: Signal) -> Result<(), CatchError> {
        self.0.catcher.watch(signal)?;
        self.claim();
        Ok(())
    }

    pub(crate) fn unwatch(&self, signal: Signal) -> Result<(), CatchError> {
        self.0.catcher.unwatch(signal)
    }

    /// Has the signals from now on, if it watches any.
    pub(crate) fn claim(&self) {
        if self.0.catcher.watched().is_empty() {
            return;
        }
        let mut owner = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        if owner
            .as_ref()
            .is_some_and(|owner| Arc::ptr_eq(owner, &self.0))
        {
            return;
        }
        // What came before was not for this base.
        self.0.catcher.take(|_, _| ());
        let before = owner.replace(Arc::clone(&self.0));
        if let Some(before) = before.filter(|before| !before.catcher.watched().is_empty()) {
            let mut owed = before.owed.lock().unwrap_or_else(PoisonError::into_inner);
            before
                .catcher
                .take(|signal, came| owed.push((signal, came.count)));
            before.waker.wake();
            drop(owed);
            log::warn(
                "signals go to the event_base that was last to add or to run with an event for one; \
                 another one has such events, and gets none",
            );
        }
    }

    /// Takes what came for this base.
    pub(crate) fn take(&self, mut f: impl FnMut(Signal, u64)) {
        let owed = mem::take(&mut *self.0.owed.lock().unwrap_or_else(PoisonError::into_inner));
        for (signal, count) in owed {
            f(signal, count);
        }
        let is_another = {
            let owner = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
            owner.as_ref().is_some_and(|owner| {
                !Arc::ptr_eq(owner, &self.0) && !owner.catcher.watched().is_empty()
            })
        };
        self.0.catcher.take(|signal, came| {
            if !is_another {
                f(signal, came.count);
            }
        });
    }

    /// In a child: watches what its parent's share watched. Whether the system agreed.
    pub(crate) fn take_over(&self, parents: &Self) -> bool {
        let mut all = true;
        for signal in parents.0.catcher.watched() {
            all &= self.0.catcher.watch(signal).is_ok();
        }
        let mut owner = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = &mut *owner
            && Arc::ptr_eq(owner, &parents.0)
        {
            *owner = Arc::clone(&self.0);
        }
        all
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let mut owner = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        if owner
            .as_ref()
            .is_some_and(|owner| Arc::ptr_eq(owner, &self.0))
        {
            *owner = None;
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("catcher", &self.0.catcher)
            .finish_non_exhaustive()
    }
}
