//! Who has to make the system call of a wakeup: one atomic with three states.
//!
//! ```text
//!            sleep               wake (writes)
//!   AWAKE ──────────▶ ASLEEP ───────────────────▶ WOKEN
//!     │ ▲                │                        ▲ │ │
//!     │ └─────awake──────┘          wake (silent) └─┘ │
//!     ├─────────────────wake (silent)────────────────▶│
//!     ◀─────────────────────awake─────────────────────┘
//! ```
//!
//! Each transition is one read-modify-write of the same atomic, so all of them, of all threads,
//! stand in one order (its modification order), and nothing else is needed to see that no wakeup is
//! lost. Take a `wake`. Either the loop's next `awake` comes after it in that order: it finds
//! `WOKEN` and says so. Or it came before it: then the loop's next `sleep` comes after the `wake`,
//! fails, and the loop does not block. And if the loop was in between, asleep, the `wake` found
//! `ASLEEP` and its caller writes.
//!
//! The memory orders are as weak as that allows; with any weaker one the tests under loom fail.
//! `wake` releases and `awake` acquires: what the waking thread did before is visible to the loop
//! after. A second `wake` that overwrites `WOKEN` with `WOKEN` hides nothing, because a
//! read-modify-write carries on the release sequence of the one before. It must therefore be made
//! every time: a `wake` that looked first and left when it saw `WOKEN` would publish nothing, and
//! its work could be missed.

use crate::sync::{AtomicU8, Ordering};

/// The loop is running, and will look for work before it blocks.
const AWAKE: u8 = 0;
/// The loop blocks, or is about to; it must be woken by a write.
const ASLEEP: u8 = 1;
/// There is a wakeup that the loop has not taken note of.
const WOKEN: u8 = 2;

#[derive(Debug)]
pub(crate) struct WakeState(AtomicU8);

impl WakeState {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(AWAKE))
    }

    /// Leaves a wakeup. True: the loop is asleep, and it is for this caller to write.
    pub(crate) fn wake(&self) -> bool {
        self.0.swap(WOKEN, Ordering::Release) == ASLEEP
    }

    /// The loop is about to block. False: it must not, there is a wakeup.
    pub(crate) fn sleep(&self) -> bool {
        // Nothing is looked at on the strength of it before the `awake` that follows.
        self.0
            .compare_exchange(AWAKE, ASLEEP, Ordering::Relaxed, Ordering::Relaxed)
            .map_or_else(|found| found == ASLEEP, |_| true)
    }

    /// The loop runs again. True: it was woken.
    pub(crate) fn awake(&self) -> bool {
        self.0.swap(AWAKE, Ordering::Acquire) == WOKEN
    }

    /// Whether there is a wakeup that no `awake` has taken yet.
    #[inline]
    pub(crate) fn is_woken(&self) -> bool {
        // Nothing is looked at on the strength of it before the `awake` that follows.
        self.0.load(Ordering::Relaxed) == WOKEN
    }
}

#[cfg(all(test, loom))]
mod interleavings;
