//! The one place from which [`gate`](crate::gate), [`last`](crate::last) and [`slots`](crate::slots)
//! take what several threads share, so that a model checker can stand in.

pub(crate) use std::sync::Arc;

#[cfg(not(loom))]
pub(crate) use std::hint::spin_loop;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

#[cfg(loom)]
pub(crate) use loom::hint::spin_loop;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// Waits a little for a handler that is at work in another thread, for the `round`th time.
///
/// A handler takes less than a microsecond, unless its thread was preempted: then this one gives
/// up the processor, even where its priority is above that of the other.
pub(crate) fn wait(round: u32) {
    if round < 100 {
        spin_loop();
    } else {
        std::thread::sleep(std::time::Duration::from_micros(50));
    }
}
