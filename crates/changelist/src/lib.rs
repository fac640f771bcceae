//! What must be told to the kernel before the next wait.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod change;
mod epoll_op;
mod interest;
mod list;
mod ready;
mod recovery;
mod token;

pub use change::{Change, Edit, Edits};
pub use epoll_op::{EpollOp, Op, epoll_op};
pub use interest::{Interest, Trigger};
pub use list::{Changelist, Entry};
pub use ready::Ready;
pub use recovery::{Recovery, recover};
pub use token::Token;

/// A file descriptor's number, as the kernel counts them.
pub type RawFd = core::ffi::c_int;
