//! Signals for bases, one of which has them at a time.
//!
//! libevent tells one base of a signal: the one that has last added an event for a signal, or begun to
//! run with one. Programs with several bases are written to that, and so are libevent's tests. The
//! catcher tells every base; those whose turn it is not drop what they are told. So a signal that
//! several bases watch keeps its handler until the last of them lets it go.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

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

/// Whose signals they are.
struct Turns {
    /// The base that has the signals. While none has them, every base gets what it watches.
    owner: Option<Arc<Share>>,
    all: Vec<Weak<Share>>,
}

static TURNS: Mutex<Turns> = Mutex::new(Turns {
    owner: None,
    all: Vec::new(),
});

fn turns() -> MutexGuard<'static, Turns> {
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turns {
    fn is_owner(&self, share: &Arc<Share>) -> bool {
        self.owner
            .as_ref()
            .is_some_and(|owner| Arc::ptr_eq(owner, share))
    }

    /// Nobody has the signals from now on. What came before was the owner's.
    fn end(&mut self) {
        let Some(owner) = self.owner.take() else {
            return;
        };
        let others = self.all.iter().filter_map(Weak::upgrade);
        for other in others.filter(|other| !Arc::ptr_eq(other, &owner)) {
            other.catcher.take(|_, _| ());
        }
    }
}

impl Share {
    fn owed(&self) -> MutexGuard<'_, Vec<(Signal, u64)>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signals {
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        let share = Arc::new(Share {
            catcher: Catcher::new(Arc::clone(&waker)),
            waker,
            owed: Mutex::new(Vec::new()),
        });
        let mut turns = turns();
        turns.all.retain(|other| other.strong_count() > 0);
        turns.all.push(Arc::downgrade(&share));
        Self(share)
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
        self.0.catcher.unwatch(signal)?;
        if self.0.catcher.watched().is_empty() {
            self.give_up();
        }
        Ok(())
    }

    /// Has the signals from now on, if it watches any.
    pub(crate) fn claim(&self) {
        let mut turns = turns();
        if self.0.catcher.watched().is_empty() || turns.is_owner(&self.0) {
            return;
        }
        let Some(before) = turns.owner.replace(Arc::clone(&self.0)) else {
            return;
        };
        // What came before was not for this base, but for the other.
        self.0.catcher.take(|_, _| ());
        let mut owed = before.owed();
        // For each of them the handler has woken it, and it has not taken it yet.
        before
            .catcher
            .take(|signal, came| owed.push((signal, came.count)));
        drop(owed);
        drop(turns);
        log::warn_later(
            "signals go to the event_base that was last to add or to run with an event for one; \
             another one has such events, and gets none",
        );
    }

    /// Takes what came for this base.
    pub(crate) fn take(&self, mut f: impl FnMut(Signal, u64)) {
        let turns = turns();
        for (signal, count) in mem::take(&mut *self.0.owed()) {
            f(signal, count);
        }
        let is_anothers = turns.owner.is_some() && !turns.is_owner(&self.0);
        self.0.catcher.take(|signal, came| {
            if !is_anothers {
                f(signal, came.count);
            }
        });
    }

    /// In a child: watches what its parent's share watched, and has what the child got since the fork. Whether the
    /// system agreed.
    pub(crate) fn take_over(&self, parents: &Self) -> bool {
        let mut all = true;
        for signal in parents.0.catcher.watched() {
            all &= self.0.catcher.watch(signal).is_ok();
        }
        let mut turns = turns();
        if turns.is_owner(&parents.0) {
            turns.owner = Some(Arc::clone(&self.0));
        }
        if turns.owner.is_none() || turns.is_owner(&self.0) {
            // The other share has counted that as well.
            self.0.catcher.take(|_, _| ());
            let mut owed = self.0.owed();
            parents
                .0
                .catcher
                .take(|signal, came| owed.push((signal, came.count)));
            self.0.waker.wake();
        }
        all
    }

    fn give_up(&self) {
        let mut turns = turns();
        if turns.is_owner(&self.0) {
            turns.end();
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("catcher", &self.0.catcher)
            .finish_non_exhaustive()
    }
}
