//! One loop's share of the handler.

use std::fmt;
use std::sync::Arc;

use evloop_pipe::Waker;
use evloop_signals::{Signal, SignalSet};

use crate::handler::{self, LoopBell};
use crate::slots::Claim;
use crate::{CatchError, SignalInfo, disposition};

/// Counts signals for one event loop, and wakes it.
///
/// A process may have any number of catchers, in any number of threads; each sees every signal that
/// it watches. Dropping one stops watching.
///
/// # Guarantees
///
/// - Every run of the handler is counted once by each catcher that watches its signal, and is
///   taken once, however many come and whether or not the waker's pipe is full. What the kernel
///   merges before it is delivered (a standard signal that is pending already) is one run.
/// - The count is there before [`Waker::wake`] is called: a loop that takes after each
///   [`Waker::awake`] misses none.
/// - With a count comes what the kernel said of the last of these runs. Of those that are at work at
///   the same moment, in several threads, either may count as the last.
/// - The first catcher of a signal installs the handler, the last restores the disposition that was found
///   then. If somebody else has set another one in the meantime, that one stays.
/// - No thread's signal mask is touched.
/// - In a child that `fork(3)` has made it counts from zero: what came before is the parent's. It wakes nobody
///   there before it is [renewed](Catcher::renew).
/// - Once a catcher is dropped no handler uses its waker, not even one that runs in another thread
///   at that moment.
///
/// # Examples
///
/// See the [crate's documentation](crate).
///
/// # Compared with libevent
///
/// `evsig_info` and `evsig_add_`. libevent tells one loop of the process and no other, through a
/// byte for each signal in a pipe that may be full.
pub struct Catcher {
    claim: Claim<'static, LoopBell>,
}

impl Catcher {
    /// A catcher that watches nothing, for the loop that this waker wakes.
    ///
    /// Allocates the first time that so many catchers live at once; makes no system call but for
    /// the first [`ForkStamp`](crate::ForkStamp) of the process.
    #[must_use]
    pub fn new(waker: Arc<Waker>) -> Self {
        let bell = Arc::new(LoopBell::new(waker));
        // With the dispositions in hand, so that no fork comes in between.
        let _dispositions = disposition::lock();
        Self {
            claim: handler::claim(bell),
        }
    }

    /// Makes it this process's own, in a forked child: it wakes the loop of this waker from now on. It watches
    /// what it watched, and what it has counted is to be taken.
    ///
    /// What was counted while `fork(3)` itself ran is forgotten. (In a child that was made by a system call
    /// without `fork(3)` there is also what the parent had not taken.)
    ///
    /// No system call. Waits for handlers in other threads as [`Catcher::unwatch`] does.
    pub fn renew(&mut self, waker: Arc<Waker>) {
        self.claim.replace_bell(Arc::new(LoopBell::new(waker)));
    }

    /// Counts this signal from now on. If it is watched already, nothing changes.
    ///
    /// If somebody has taken the handler away since another catcher installed it, it is installed again.
    ///
    /// Costs one `sigaction(2)`.
    ///
    /// # Errors
    ///
    /// The system refuses the handler: the C library keeps the signal for itself (32 and 33, with
    /// musl 34 as well). Nothing has changed.
    pub fn watch(&self, signal: Signal) -> Result<(), CatchError> {
        let mut dispositions = disposition::lock();
        if self.claim.is_watched(signal) {
            return Ok(());
        }
        // Before the handler is there, so that none of its runs goes uncounted.
        self.claim.watch(signal);
        dispositions
            .acquire(signal)
            .inspect_err(|_| self.claim.unwatch(signal))
    }

    /// Counts this signal no longer, and forgets what was not taken. If it is not watched, nothing
    /// changes.
    ///
    /// Waits for handlers that are counting the signal in other threads at this moment: less than
    /// a microsecond, unless such a thread was preempted. Costs two calls of `sigaction(2)` for the
    /// last catcher of the process that watches the signal, and no system call for the others.
    ///
    /// # Errors
    ///
    /// The system refuses to restore the disposition, which no system is known to do. The signal is
    /// watched still.
    pub fn unwatch(&self, signal: Signal) -> Result<(), CatchError> {
        let mut dispositions = disposition::lock();
        if self.claim.is_watched(signal) {
            // Before counting ends, so that none is swallowed: it is counted, or somebody else's.
            dispositions.release(signal)?;
            self.claim.unwatch(signal);
        }
        Ok(())
    }

    /// The signals that are watched.
    #[must_use]
    pub fn watched(&self) -> SignalSet {
        self.claim.watched()
    }

    /// Takes what came: calls `f` for each signal that did since it was last taken, by number.
    ///
    /// To be called after each [`Waker::awake`]. If `f` panics the signals it was not called for
    /// are kept for the next time. So is a signal while a handler in another thread is in the middle
    /// of telling of it: that handler is going to wake the loop.
    ///
    /// Costs a load for each signal that is watched, and one atomic operation and a few loads more for each
    /// that came.
    pub fn take(&self, mut f: impl FnMut(Signal, Deliveries)) {
        self.claim.take(|signal, count, said| {
            let last = SignalInfo::unpack(signal, said);
            f(signal, Deliveries { count, last });
        });
    }
}

/// What is taken of one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deliveries {
    /// How often it came: runs of the handler. At least 1.
    pub count: u64,
    /// What the kernel said of the last of them; of the others that is not kept. (Of one that comes
    /// while this is taken, and is counted the next time, it may be this already.)
    pub last: SignalInfo,
}

impl Drop for Catcher {
    fn drop(&mut self) {
        let mut dispositions = disposition::lock();
        for signal in self.watched() {
            // A refusal leaves the handler in place, with nothing to do.
            _ = dispositions.release(signal);
        }
        // Counting ends when the claim is dropped, which comes next.
    }
}

impl fmt::Debug for Catcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catcher")
            .field("watched", &self.watched())
            .finish_non_exhaustive()
    }
}
