//! One process-wide signal handler that feeds any number of event loops.
//!
//! A signal's disposition belongs to the process, an event loop to a thread, and a program may have
//! several. A [`Catcher`] is one loop's share of the handler: it says which signals the loop
//! watches, counts them, remembers what the kernel said of the last one, and wakes the loop by its
//! [`Waker`]. Dispositions are changed when the first catcher watches a signal, and restored when the
//! last one no longer does.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use evloop_catcher::{Catcher, Signal, Waker};
//! use rustix::event::{PollFd, PollFlags, poll};
//! use rustix::process::{self, getpid, kill_process};
//!
//! let waker = Arc::new(Waker::new()?);
//! let catcher = Catcher::new(Arc::clone(&waker));
//! catcher.watch(Signal::USR1)?;
//!
//! // Somebody sends the process a signal.
//! kill_process(getpid(), process::Signal::USR1)?;
//!
//! // The loop, reduced to signals.
//! let mut sender = None;
//! while sender.is_none() {
//!     if waker.sleep() {
//!         match poll(&mut [PollFd::new(&waker, PollFlags::IN)], None) {
//!             Ok(_) => waker.drain(),
//!             Err(interrupted) => assert_eq!(interrupted, rustix::io::Errno::INTR),
//!         }
//!     }
//!     waker.awake();
//!     catcher.take(|signal, came| {
//!         assert_eq!((signal, came.count), (Signal::USR1, 1));
//!         sender = came.last.pid();
//!     });
//! }
//! assert_eq!(sender, Some(getpid().as_raw_pid()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why a handler and not `signalfd`
//!
//! A `signalfd(2)` is read by one loop, and needs the signal blocked in every thread; the mask is
//! inherited by the children that the process starts. A handler needs no mask, can tell any number
//! of loops, and an `exec` resets it. What it may do is little, though: it adds to counters, in
//! memory where there is always room, and the pipe or eventfd of the waker says only *look*.
//!
//! # Costs
//!
//! *c* is the greatest number of catchers that were alive at a time.
//!
//! | operation | time | system calls |
//! |---|---|---|
//! | a run of the handler | `O(c)`: a load for a catcher that does not watch the signal, 4 atomic operations, 4 stores and a wakeup for one that does | 1 `write` for each loop that is asleep |
//! | [`Catcher::take`] | a load for each signal that is watched, and an atomic operation and 5 loads for each that came | none |
//! | [`Catcher::watch`] | `O(1)`, with a lock | 1 `sigaction` |
//! | [`Catcher::unwatch`] | `O(1)`, with a lock | 2 `sigaction` for the last catcher of a signal |
//! | [`Catcher::new`] | `O(c)`, with a lock | none, but 2 for the first of the process |
//! | [`ForkStamp::is_child`] | a load | none |
//!
//! Only [`Catcher::new`] allocates. A catcher's shared half takes 3 KiB; it is used again by the
//! next catcher, and never freed, as a handler may look at it at any time.
//!
//! # Order
//!
//! Signals have no order among themselves: they are counted, and taken by number. Of the deliveries
//! of one signal between two takes only the last one's [`SignalInfo`] is kept. What a thread did
//! before it sent a signal is visible to the loop that took it, as far as the kernel's delivery
//! orders the two.
//!
//! # The handler
//!
//! It is installed with `SA_SIGINFO`, with `SA_RESTART`, so that interrupted system calls go on,
//! with `SA_ONSTACK`, and with a full mask, so that no other handler interrupts it. It keeps `errno`.
//! The handler that was there before is not called.
//!
//! # Forks
//!
//! A child inherits the dispositions and a copy of each catcher. There the handler counts, but never
//! writes to what belongs to the parent's loops; the copies may be dropped, with no effect on the
//! parent. [`ForkStamp`] is how it knows, and how others may. A child that is made without
//! `fork(3)`, by a system call of one's own, may do nothing with a catcher but leave it alone.
//!
//! # Limits
//!
//! Linux, on the architectures that share its signal numbers; elsewhere the crate does not compile.

mod catcher;
mod disposition;
mod error;
mod fork;
mod gate;
mod handler;
mod info;
mod last;
mod slots;
mod sync;

pub use catcher::{Catcher, Deliveries};
pub use error::CatchError;
pub use fork::ForkStamp;
pub use info::{ChildState, Origin, SignalInfo, SignalValue};

// What a catcher is made of and asked for, so that it can be used alone.
pub use evloop_pipe::{PipeError, Waker};
pub use evloop_signals::{Signal, SignalError, SignalSet};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
