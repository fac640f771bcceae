//! The internal pipe of an event loop, and the waker on top of it.
//!
//! An event loop sleeps in the kernel. Another thread, or a signal handler, that has something for
//! it must make that wait return, and there is one way to do so everywhere: make a file descriptor
//! readable that the loop waits for. [`Pipe`] is such a pair of file descriptors, got from whatever
//! the system has. [`Waker`] is what a loop really wants: a call that any thread and any signal
//! handler may make, and that costs a system call only when the loop is asleep and nobody else has
//! woken it.
//!
//! What the wakeup is about, the crate leaves to its user: a queue of posts, a set of counters.
//!
//! # Examples
//!
//! A loop, reduced to its waker:
//!
//! ```
//! use std::sync::{Arc, mpsc};
//! use std::thread;
//!
//! use evloop_pipe::Waker;
//! use rustix::event::{PollFd, PollFlags, Timespec, poll};
//!
//! const FOR_EVER: Option<&Timespec> = None;
//! const NOT_AT_ALL: Option<&Timespec> = Some(&Timespec { tv_sec: 0, tv_nsec: 0 });
//!
//! let waker = Arc::new(Waker::new()?);
//! let (sender, inbox) = mpsc::channel();
//! let worker = thread::spawn({
//!     let waker = Arc::clone(&waker);
//!     move || {
//!         for number in [2, 3, 5] {
//!             sender.send(number).expect("the inbox lives as long as the loop");
//!             waker.wake(); // after the work is there to be found
//!         }
//!     }
//! });
//!
//! let mut sum = 0;
//! while sum < 10 {
//!     let timeout = if waker.sleep() { FOR_EVER } else { NOT_AT_ALL };
//!     let reported = poll(&mut [PollFd::new(&waker, PollFlags::IN)], timeout)? == 1;
//!     waker.awake(); // before the work is looked for
//!     if reported {
//!         waker.drain(); // poll is level-triggered; an edge-triggered epoll needs no drain
//!     }
//!     sum += inbox.try_iter().sum::<i32>();
//! }
//! worker.join().expect("the worker does not panic");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why a state beside the file descriptor
//!
//! A file descriptor alone would do: write at each wakeup, read at each report. That is two system
//! calls for each wakeup, made by a busy loop as well as by a sleeping one. One atomic that says
//! *awake*, *asleep* or *woken* leaves the write to the first waker of a sleeping loop, and an
//! eventfd that is registered edge-triggered never has to be read.
//!
//! # Costs
//!
//! | call | loop awake | loop asleep | woken already |
//! |---|---|---|---|
//! | [`Waker::wake`] | 1 atomic exchange | 1 atomic exchange, 1 `write` | 1 atomic exchange |
//! | [`Waker::sleep`], [`Waker::awake`] | 1 atomic operation | 1 atomic operation | 1 atomic operation |
//! | [`Waker::drain`], eventfd | | | 1 `read` |
//! | [`Waker::drain`], pipe | | | 2 `read` |
//! | [`Waker::new`], [`Pipe::new`] | 1 system call | | |
//!
//! Nothing allocates, and nothing blocks.
//!
//! # Order
//!
//! What a thread did before [`Waker::wake`] happens before what the loop does after the
//! [`Waker::awake`] that returned true. Wakeups have no order among themselves and are not counted.
//!
//! # Forks
//!
//! A child shares the file descriptors with its parent: what it writes wakes the parent's loop. A
//! child that goes on with the loop makes itself a new waker.
#![forbid(unsafe_code)]

mod error;
mod pipe;
#[cfg(test)]
#[path = "../tests/support/process.rs"]
mod process;
mod state;
mod sync;
mod waker;

pub use error::PipeError;
pub use pipe::{Method, Pipe};
pub use waker::{Waker, WakerKind};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
