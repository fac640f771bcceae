//! The waker of a loop, for those who hold on to it: always the one that the loop has now.
//!
//! In a forked child the loop gets a waker of its own, and who held the parent's finds it from there,
//! by one load and without a lock. The wakers are the loop's: one that it has no more is closed.

use std::sync::{Arc, OnceLock, Weak};

use evloop_catcher::ForkStamp;
use evloop_pipe::Waker;

/// Wakes a loop, by whatever waker it has.
pub(crate) struct CurrentWaker {
    waker: Weak<Waker>,
    /// The process whose waker it is.
    stamp: ForkStamp,
    /// The waker that came after this one, in a child.
    next: OnceLock<Box<Self>>,
}

impl CurrentWaker {
    /// That of a loop which has this waker now.
    pub(crate) fn new(waker: &Arc<Waker>) -> Self {
        Self {
            waker: Arc::downgrade(waker),
            stamp: ForkStamp::new(),
            next: OnceLock::new(),
        }
    }

    /// Wakes the loop, if it is there. Not that of the parent, in a child that has not made the loop its own: what
    /// there is to do is found then.
    pub(crate) fn wake(&self) {
        let last = self.last();
        if !last.stamp.is_child()
            && let Some(waker) = last.waker.upgrade()
        {
            waker.wake();
        }
    }

    /// From now on the loop has this waker.
    pub(crate) fn set(&self, waker: &Arc<Waker>) {
        let set = self.last().next.set(Box::new(Self::new(waker)));
        debug_assert!(set.is_ok(), "only the loop does this, on its thread");
    }

    fn last(&self) -> &Self {
        let mut last = self;
        while let Some(next) = last.next.get() {
            last = next;
        }
        last
    }
}
