//! The poll backend: the same behaviour as with epoll, where there is no epoll or a sandbox refuses
//! it.
//!
//! [`Poll`] is a [`Backend`] on `poll(2)`. A loop gives it what has changed and a timeout, and is
//! told what is ready, as by `evloop-epoll`; one can take the other's place while the loop runs on.
//!
//! `poll` is handed everything that is waited for at each call, and the kernel forgets it after. So
//! the backend keeps the table itself, and a change is made true by writing to it. That makes two
//! things different from epoll: a wait costs as much as is held, not as much as is ready; and what
//! is held is a number, not a file. See [*Files and numbers*](#files-and-numbers).
//!
//! # Examples
//!
//! ```
//! use std::io::Write;
//! use std::os::fd::AsRawFd;
//! use std::os::unix::net::UnixStream;
//! use std::time::Duration;
//!
//! use evloop_poll::{Backend, Changelist, Interest, Poll, Ready, Token, Trigger};
//!
//! let (near, mut far) = UnixStream::pair()?;
//! let mut poll = Poll::new();
//! let mut reports = Vec::new();
//!
//! // The first registration is made at once: what is wrong with the number, we hear now.
//! let token = Token { slot: 0, generation: 0 };
//! poll.add(near.as_raw_fd(), token, Interest::READ, Trigger::Level)?;
//!
//! // What changes later is recorded, and told with the next wait.
//! let mut changes = Changelist::new();
//! changes.record(near.as_raw_fd(), token, Interest::READ, Trigger::Level).add(Interest::WRITE);
//! far.write_all(b"ping")?;
//! poll.wait(changes.entries(), Some(Duration::from_secs(1)), &mut reports)?;
//! changes.clear();
//! assert_eq!(reports[0].token, token);
//! assert_eq!(reports[0].ready, Ready::READ | Ready::WRITE);
//!
//! // Before the file is closed.
//! poll.delete(near.as_raw_fd())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it can do
//!
//! Level-triggered readiness, and [`Capabilities::EARLY_CLOSE`]. [`Trigger::Edge`] is refused with
//! `EOPNOTSUPP`, by [`Backend::add`] as its error, of a change as a report. A loop therefore adds
//! its waker level-triggered, and empties it each time that it is reported.
//!
//! # Costs
//!
//! | call | system calls | time |
//! |---|---|---|
//! | [`Poll::new`] | 0 | O(1) |
//! | [`Backend::add`] | 1 | O(1), amortised |
//! | [`Backend::delete`] | 0 | O(1) |
//! | [`Backend::wait`] | 1, and 1 for a change of a number more than twice as high as any that was held | O(n + changes) for n held |
//!
//! The n is what `poll` cannot do without, and the one promise of a backend that it does not keep. A
//! look at a thousand idle sockets took 80 µs where this was written, and with epoll 0.2 µs.
//!
//! The first call on a system that refuses `ppoll` costs a second system call, once.
//!
//! An entry takes 16 bytes, and the index that finds it 4 for every number up to the highest that
//! was held, at most as much again in reserve. The memory of the most that was ever held is kept.
//! Beyond that, and the vector of reports, nothing allocates.
//!
//! # Order
//!
//! Changes take effect in the order of their entries. Of the reports, changes that are refused
//! come first, in the order of their entries; then all that is ready or not open, in the order of
//! the table: the one in which it was added, but that what is deleted leaves its place to the
//! last. Each wait reports all of it, so none is left out.
//!
//! # Files and numbers
//!
//! The contract of a backend asks that a file descriptor is deleted before it is closed. Of a loop
//! that keeps to it, this backend and epoll report the same. Of one that does not:
//!
//! - A number that is held and not open is reported by the next wait, with [`Ready::ERROR`] and
//!   `EBADF`, once, and is held no longer. epoll says nothing, or goes on to report a file that lives
//!   on in a duplicate; such ghosts do not exist here.
//! - A number that was closed and opened again reports the new file under the old token, until it is
//!   added again. epoll does not know the new file.
//! - A change of a number that is not open is refused with `EBADF`, as by epoll; unless what is held
//!   is deleted, which is a success.
//!
//! A regular file and a directory are always ready to read and to write; epoll refuses them
//! (`EPERM`). A file opened with `O_PATH` is refused by both (`EBADF`).
//!
//! # Timeouts
//!
//! A wait never ends before its timeout without a report, unless a signal interrupted it, which is
//! no error. It is stated in nanoseconds, by `ppoll`. A sandbox may refuse that; a first refusal
//! (`ENOSYS`, `EPERM`) is remembered, and from then on timeouts are stated to `poll` in
//! milliseconds, rounded up. There the longest is 2³¹ - 1 of them, 24.8 days: a wait with a longer
//! timeout ends then, with nothing to report.
//!
//! # Compared with libevent
//!
//! libevent's `poll` backend has the same table, and the same features less one: that a regular
//! file may be waited for (`EV_FEATURE_FDS`) is no capability here, as nothing asks for it. There
//! timeouts are in milliseconds, a wait begins to look at a random place of the table, a hang-up
//! and an error become readiness, and so does a number that is not open, at every wait.

mod bits;
mod poll;
mod sys;
mod table;
mod wait;

pub use evloop_backend::{Backend, Capabilities, ControlError, Report, WaitError};
pub use evloop_changelist::{Change, Changelist, Entry, Interest, RawFd, Ready, Token, Trigger};

pub use self::poll::Poll;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
