//! What must be told to the kernel before the next wait.
//!
//! Between two waits of an event loop the interest in a file descriptor may change many times: an
//! event is deleted and added again, another one on the same file wants to write and is done
//! before the kernel has heard of it. A [`Changelist`] writes this down, one [`Change`] for each file
//! descriptor, and when the loop is about to wait, the op table ([`epoll_op`]) makes of each change
//! one call of `epoll_ctl`, or none. If the kernel refuses the call, [`recover`] says what to do.
//!
//! The crate makes no system call and knows no clock; it is `no_std`, with `alloc`. The call is its
//! user's.
//!
//! # Examples
//!
//! One turn of a loop. The map stands for the kernel's interest set:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use evloop_changelist::{
//!     Changelist, EpollOp, Interest, Op, RawFd, Recovery, Token, Trigger, recover,
//! };
//!
//! type Kernel = BTreeMap<RawFd, Interest>;
//! const ENOENT: i32 = 2;
//! const EEXIST: i32 = 17;
//!
//! // Stands for `epoll_ctl`.
//! fn control(kernel: &mut Kernel, call: EpollOp, fd: RawFd) -> Result<(), i32> {
//!     match (call.op, kernel.contains_key(&fd)) {
//!         (Op::Add, true) => return Err(EEXIST),
//!         (Op::Modify | Op::Delete, false) => return Err(ENOENT),
//!         (Op::Add | Op::Modify, _) => kernel.insert(fd, call.interest),
//!         (Op::Delete, true) => kernel.remove(&fd),
//!     };
//!     Ok(())
//! }
//!
//! // What a backend does with each entry of the list.
//! fn tell(kernel: &mut Kernel, call: EpollOp, fd: RawFd) -> Result<(), i32> {
//!     let Err(errno) = control(kernel, call, fd) else { return Ok(()) };
//!     match recover(call.op, errno) {
//!         Recovery::Retry(op) => control(kernel, EpollOp { op, ..call }, fd),
//!         Recovery::Done => Ok(()),
//!         Recovery::Fail => Err(errno),
//!     }
//! }
//!
//! let mut kernel = Kernel::from([(4, Interest::READ), (5, Interest::READ)]);
//! let mut changes = Changelist::new();
//! let token = |slot| Token { slot, generation: 0 };
//!
//! // A reply did not fit into file 4, and then it did.
//! changes.record(4, token(0), Interest::READ, Trigger::Level).add(Interest::WRITE);
//! changes.record(4, token(0), Interest::READ, Trigger::Level).delete(Interest::WRITE);
//!
//! // File 5 was closed without a word, and its number given to another that wants to write.
//! kernel.remove(&5);
//! let change = changes.record(5, token(1), Interest::READ, Trigger::Level);
//! change.delete(Interest::READ);
//! change.add(Interest::WRITE);
//!
//! let mut told = Vec::new();
//! for entry in changes.entries() {
//!     if let Some(call) = entry.change.op() {
//!         tell(&mut kernel, call, entry.fd)?;
//!         told.push(format!("{call} of {}", entry.fd));
//!     }
//! }
//! changes.clear();
//!
//! assert_eq!(told, ["MOD write of 5"]);
//! assert_eq!(kernel, Kernel::from([(4, Interest::READ), (5, Interest::WRITE)]));
//! # Ok::<(), i32>(())
//! ```
//!
//! # Why changes are coalesced
//!
//! A callback does not know what the next one will do, so it asks for what it needs and takes it
//! back when it is done. Told at once, each of these is a system call; told before the wait, only
//! the difference is, and where there is none nothing is. The kernel reports readiness in a wait
//! and nowhere else, so nobody sees that it learnt of the interest late.
//!
//! # Why an add after a delete does not cancel it
//!
//! An event that is deleted and added again leaves the interest as it was, and yet
//! [`Change::op`] is a modify. Between the two its owner may have closed the file and opened
//! another one, which got the same number; closing took the kernel's interest away without a word
//! to the loop. The modify finds out: of a file that is still held it changes nothing, for another
//! one the kernel answers `ENOENT`, and [`recover`] turns the modify into an add. A delete after an
//! add does cancel it, back to what the kernel held.
//!
//! Who owns the file knows that nobody closed it, and need not ask. [`Change::is_needed`] is for
//! such a caller: `false` where the kernel already is as is wanted. Everyone who works with
//! borrowed numbers goes by [`Change::op`].
//!
//! # Costs
//!
//! | operation | time | allocates |
//! |---|---|---|
//! | [`Changelist::record`] | O(1), amortised | when the list is longer, or the number higher, than ever before |
//! | [`Changelist::get`], [`entries`](Changelist::entries), [`len`](Changelist::len) | O(1) | |
//! | [`Changelist::clear`] | O(1) | |
//! | [`Changelist::remove`] | O(entries behind it) | |
//! | [`Changelist::retain`] | O(entries) | |
//! | any operation of a [`Change`] | O(1) | |
//! | [`epoll_op`] | one load | |
//!
//! A [`Changelist`] takes 20 bytes for each entry and 4 bytes for each number up to the highest
//! file descriptor ever recorded; it gives memory back when it is dropped.
//!
//! # Order
//!
//! Entries are in the order in which their file descriptors were first touched since they last left
//! the list; [`remove`](Changelist::remove) and [`retain`](Changelist::retain) keep it for those that
//! stay. Of the edits of one kind of interest the last one wins.
//!
//! # Features
//!
//! `proptest` adds the module `strategy`: any interest, any change, any history of edits, for
//! property tests of a backend or a table of one's own.
//!
//! # Compared with libevent
//!
//! `changelist-internal.h`, `epolltable-internal.h` and `epoll_apply_one_change`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod change;
mod epoll_op;
mod interest;
mod list;
mod ready;
mod recovery;
#[cfg(feature = "proptest")]
pub mod strategy;
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

// What the cost table says.
const _: () = assert!(size_of::<Entry>() == 20);

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
