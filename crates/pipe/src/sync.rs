//! The one place from which this crate takes its atomics, so that a model checker can stand in.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU8, Ordering};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU8, Ordering};
