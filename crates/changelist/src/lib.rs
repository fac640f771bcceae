//! What must be told to the kernel before the next wait.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod interest;
mod ready;
mod token;

pub use interest::{Interest, Trigger};
pub use ready::Ready;
pub use token::Token;

/// A file descriptor's number, as the kernel counts them.
pub type RawFd = core::ffi::c_int;
