//! The internal pipe of an event loop, and the waker on top of it.
//!
//! An event loop sleeps in the kernel. Another thread, or a signal handler, that has something for
//! it must make that wait return, and there is one way to do so everywhere: make a file descriptor
//! readable that the loop waits for. [`Pipe`] is such a pair of file descriptors, got from whatever
//! the system has. [`Waker`] is what a loop really wants: a call that any thread and any signal
//! handler may make, and that costs a system call only when the loop is asleep and nobody else has
//! woken it.
#![forbid(unsafe_code)]

mod error;
mod pipe;
mod state;
mod sync;
mod waker;

pub use error::PipeError;
pub use pipe::{Method, Pipe};
pub use waker::{Waker, WakerKind};
