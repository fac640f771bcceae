//! What the handler and one catcher share: which signals are watched, how often each came, and what
//! is known of its last delivery.
//!
//! A [`Slot`] lives for ever, because a handler may look at it at any time. A catcher claims one
//! for as long as it lives, and what belongs to the catcher alone, its [`Bell`], is reached by
//! handlers only through a [`Gate`], which the catcher closes before the bell goes.
//!
//! # Why no run of the handler is lost or counted twice
//!
//! A handler first counts, then rings. [`Claim::take`] looks at the count of each signal that is
//! watched, and takes it by one exchange. So a run is taken by the take that its ring leads to, or by
//! one before that, which somebody else has rung for.
//!
//! # Why a count comes with what is known of one of its runs, or of a later one
//!
//! Before it counts a handler stores what the kernel said of its run, or gives way to another
//! handler that is just storing in another thread. So behind a count that it has found, a take finds
//! what was stored by one of the runs counted or by a later one, or else a handler that is storing.
//! Then it tries again, as it does when somebody counts in between; after a few tries it leaves the
//! count to that handler, which has yet to count and to ring.
//!
//! The tests under loom try both; they fail with any weaker memory order.
#![expect(
    unsafe_code,
    reason = "a handler reaches its catcher's bell through a pointer"
)]

use core::ptr;

use evloop_signals::{Signal, SignalSet};

use crate::gate::Gate;
use crate::last::{Last, Words};
use crate::sync::{Arc, AtomicBool, AtomicPtr, AtomicU64, Ordering, spin_loop};

/// What a handler does when it has counted.
pub(crate) trait Bell: Send + Sync {
    /// Tells the catcher's loop. Async-signal-safe.
    fn ring(&self);
}

/// The shared half of a catcher.
#[derive(Debug)]
pub(crate) struct Slot<B> {
    is_claimed: AtomicBool,
    /// The claim's bell: valid while a gate is open or has a visitor.
    bell: AtomicPtr<B>,
    /// The signals whose gates are open, for the claim.
    watched: AtomicU64,
    /// By [`Signal::index`].
    tallies: [Tally; 64],
}

/// One signal of a [`Slot`].
#[derive(Debug)]
struct Tally {
    /// Open while the signal is watched.
    gate: Gate,
    /// What the kernel said of the last run. It means something where there is a run.
    last: Last,
    /// Runs of the handler that were not taken yet.
    runs: AtomicU64,
}

/// How often a take looks, while handlers are at work, before it leaves the signal to them.
const TRIES: u32 = if cfg!(loom) { 2 } else { 100 };

impl<B: Bell> Slot<B> {
    pub(crate) fn new() -> Self {
        Self {
            is_claimed: AtomicBool::new(false),
            bell: AtomicPtr::new(ptr::null_mut()),
            watched: AtomicU64::new(0),
            tallies: std::array::from_fn(|_| Tally {
                gate: Gate::new(),
                last: Last::new(),
                runs: AtomicU64::new(0),
            }),
        }
    }

    /// The handler's part: counts a run, of which the kernel said this, and rings. Nothing, if the
    /// signal is not watched.
    ///
    /// Async-signal-safe, and wait-free if the bell's [`ring`](Bell::ring) is.
    pub(crate) fn record(&self, signal: Signal, said: Words) {
        let tally = &self.tallies[signal.index()];
        let Some(_visit) = tally.gate.enter() else {
            return;
        };
        tally.last.store(said);
        // Releases that to the take that finds the run.
        tally.runs.fetch_add(1, Ordering::Release);
        // The gate has ordered this load after the store in `Claim::new`. The store in `Claim::replace_bell` it
        // may find at any time, and acquires the bell with it.
        let bell = self.bell.load(Ordering::Acquire);
        // SAFETY: the pointer must be that of a live bell. `Claim::new` stores that of the claim's
        // bell before the claim opens any gate; the claim holds the bell until it has closed all
        // gates, and this visitor keeps one from being closed. `Claim::replace_bell` drops the bell before
        // only when every visitor has left that may have found it here.
        unsafe { &*bell }.ring();
    }

    /// For a forked child, before it does anything else: the handlers that were at work in other
    /// threads when it was forked off are not at work in it, and what was counted is its parent's.
    pub(crate) fn begin_child(&self) {
        for tally in &self.tallies {
            tally.gate.forget_visitors();
            tally.last.forget_turn();
            tally.runs.store(0, Ordering::Relaxed);
        }
    }
}

/// The owned half of a catcher: a [`Slot`], for as long as this lives.
#[derive(Debug)]
pub(crate) struct Claim<'a, B: Bell> {
    slot: &'a Slot<B>,
    /// Only handlers use it. It goes when all gates are closed: fields are dropped after the whole.
    bell: Arc<B>,
}

impl<'a, B: Bell> Claim<'a, B> {
    /// Claims a slot that nobody has; gives the bell back if somebody has.
    pub(crate) fn new(slot: &'a Slot<B>, bell: Arc<B>) -> Result<Self, Arc<B>> {
        // Acquires what the claim before left behind: closed gates and no counts.
        if slot.is_claimed.swap(true, Ordering::Acquire) {
            return Err(bell);
        }
        slot.bell
            .store(Arc::as_ptr(&bell).cast_mut(), Ordering::Relaxed);
        Ok(Self { slot, bell })
    }

    /// Has handlers ring another bell from now on; those that ring the one before are waited for. What is
    /// watched and counted stays so.
    pub(crate) fn replace_bell(&mut self, bell: Arc<B>) {
        self.slot
            .bell
            .store(Arc::as_ptr(&bell).cast_mut(), Ordering::Release);
        for signal in self.watched() {
            self.slot.tallies[signal.index()].gate.turn_over();
        }
        self.bell = bell;
    }

    pub(crate) fn is_watched(&self, signal: Signal) -> bool {
        self.watched().contains(signal)
    }

    pub(crate) fn watched(&self) -> SignalSet {
        SignalSet::from_bits(self.slot.watched.load(Ordering::Relaxed))
    }

    /// Lets handlers count a signal. The count starts from zero.
    pub(crate) fn watch(&self, signal: Signal) {
        // Before the gate is opened, which makes it known to whoever is rung for.
        self.slot.watched.fetch_or(signal.bit(), Ordering::Relaxed);
        self.slot.tallies[signal.index()].gate.open();
    }

    /// Lets no handler count a signal any more, waits for those that do, and forgets the count.
    pub(crate) fn unwatch(&self, signal: Signal) {
        let tally = &self.slot.tallies[signal.index()];
        tally.gate.close();
        tally.runs.store(0, Ordering::Relaxed);
        self.slot
            .watched
            .fetch_and(!signal.bit(), Ordering::Relaxed);
    }

    /// Takes each count that is not zero, by signal number, with what is known of the last run.
    ///
    /// One signal at a time, so that a panic of `f` leaves the others for the next take.
    pub(crate) fn take(&self, mut f: impl FnMut(Signal, u64, Words)) {
        for signal in self.watched() {
            if let Some((runs, said)) = self.slot.tallies[signal.index()].take() {
                f(signal, runs, said);
            }
        }
    }
}

impl Tally {
    /// None: there is no run to be taken, or a handler is at work that is going to ring.
    #[inline]
    fn take(&self) -> Option<(u64, Words)> {
        for _ in 0..TRIES {
            let runs = self.runs.load(Ordering::Acquire);
            if runs == 0 {
                return None;
            }
            // In this order: what is known is not older than what is counted. And the count is what
            // it was, or else somebody has counted meanwhile, or taken.
            if let Some(said) = self.last.load()
                && self
                    .runs
                    .compare_exchange(runs, 0, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                return Some((runs, said));
            }
            spin_loop();
        }
        None
    }
}

impl<B: Bell> Drop for Claim<'_, B> {
    fn drop(&mut self) {
        for signal in self.watched() {
            self.unwatch(signal);
        }
        self.slot.is_claimed.store(false, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod interleavings;
#[cfg(test)]
mod tests;
