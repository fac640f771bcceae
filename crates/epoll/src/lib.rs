//! The epoll backend: applies changes through the op table, waits to the nanosecond.
//!
//! [`Epoll`] is the [`Backend`] on Linux. A loop records what it wants in a [`Changelist`] and gives
//! that, with a timeout, to [`Backend::wait`]; the wait tells the kernel what is needed, once for
//! each file descriptor, then blocks, and appends what it learnt to a vector of [`Report`]s. What
//! the loop is told is what the kernel said: a hang-up or an error is a bit of its own, not
//! readiness to read and to write.
//!
//! The backend keeps no table of file descriptors. Which interest is held is the loop's to know, and
//! its record may be wrong: behind its back files are closed, duplicated, and their numbers given
//! to others. So an operation is a guess, and a refusal says which guess would have been right
//! ([`recover`](evloop_changelist::recover)). What stays refused is reported, with its `errno`.
//!
//! # Examples
//!
//! ```
//! use std::io::Write;
//! use std::os::fd::AsRawFd;
//! use std::os::unix::net::UnixStream;
//! use std::time::Duration;
//!
//! use evloop_epoll::{Backend, Changelist, Epoll, Interest, Ready, Token, Trigger};
//!
//! let (near, mut far) = UnixStream::pair()?;
//! let mut epoll = Epoll::new()?;
//! let mut reports = Vec::new();
//!
//! // The first registration is made at once: what is wrong with the file, we hear now.
//! let token = Token { slot: 0, generation: 0 };
//! epoll.add(near.as_raw_fd(), token, Interest::READ, Trigger::Level)?;
//!
//! // What changes later is recorded, and told by the next wait, in one call: read and write.
//! let mut changes = Changelist::new();
//! changes.record(near.as_raw_fd(), token, Interest::READ, Trigger::Level).add(Interest::WRITE);
//! far.write_all(b"ping")?;
//! epoll.wait(changes.entries(), Some(Duration::from_secs(1)), &mut reports)?;
//! changes.clear();
//! assert_eq!(reports[0].token, token);
//! assert_eq!(reports[0].ready, Ready::READ | Ready::WRITE);
//!
//! // Before the file is closed.
//! epoll.delete(near.as_raw_fd())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Costs
//!
//! | call | system calls | time |
//! |---|---|---|
//! | [`Backend::add`], [`Backend::delete`], those of [`Registry`] | 1, 2 when mended | O(log n) in the kernel, for n held |
//! | [`Backend::wait`] | 1, and 1 for each change that is not a no-op (2 when mended, 3 when refused) | O(changes · log n + reports) |
//! | [`Backend::interest_set`] | those that read a file | O(n) |
//! | [`MonotonicClock`] | none where the kernel offers the clock in user space | O(1) |
//!
//! The first finite timeout on a kernel that refuses `epoll_pwait2` costs a second system call, once.
//!
//! The kernel writes into an array of 32 events, which doubles each time that it came back full, up
//! to 1024, and halves after 64 waits in a row that used less than a quarter of it. Beyond that,
//! and the vector of reports, nothing allocates.
//!
//! # Order
//!
//! Changes are told in the order of their entries. Of the reports, refused changes come first, in
//! the order of their entries; then what is ready, in the kernel's order. When more is ready than
//! the array holds, the rest comes with the next waits; the kernel takes turns, so none is left
//! out for ever.
//!
//! # Timeouts
//!
//! A wait never ends before its timeout without a report, unless a signal interrupted it, which is
//! no error. It is stated in nanoseconds by `epoll_pwait2`; that takes Linux 5.11 and, in a sandbox,
//! a permission, so a first refusal (`ENOSYS`, `EPERM`) is remembered, and from then on timeouts are
//! stated to `epoll_wait` in milliseconds, rounded up. There the longest is 2³¹ - 1 of them, 24.8
//! days: a wait with a longer timeout ends then, with nothing to report.
//!
//! # Compared with libevent
//!
//! The same retries. The same array, which never shrinks there. libevent's timeouts are of one
//! kind, chosen when it is built, so that a program built with `epoll_pwait2` fails on a kernel
//! without. It gives the kernel the file descriptor to be reported with; here that is a token with
//! a generation, so that a late report about a file that is gone is known for what it is. A change
//! that libevent's changelist cannot apply is dropped, here it is reported.

mod apply;
mod clock;
mod epoll;
mod fdinfo;
mod growth;
mod registry;
mod sys;
mod wait;

pub use evloop_backend::{Backend, Capabilities, ControlError, Report, WaitError};
pub use evloop_changelist::{Change, Changelist, Entry, Interest, RawFd, Ready, Token, Trigger};

pub use self::clock::MonotonicClock;
pub use self::epoll::{CreateError, Epoll};
pub use self::registry::Registry;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
