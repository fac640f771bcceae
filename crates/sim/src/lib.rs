//! A deterministic [`Backend`] and [`Clock`] for tests: a model kernel, virtual time, seeded
//! disorder.
//!
//! An event loop that knows the world only through a backend and a clock can be given another
//! world. In this one, files are a model of Linux' pipes, stream sockets and eventfds; time stands
//! still until nothing is left to do, then jumps to what comes next; and a seed decides whatever a
//! real kernel leaves open: the order of the reports, which of them come now, a report too many, an
//! interruption, a late return. An hour takes microseconds, and a run that failed fails again.
//!
//! Everything is one thread and no system call.
//!
//! # A server in it
//!
//! An `evloop` loop is built in a [`Sim`] by `Builder::build_in`, and then is as it is elsewhere: sources
//! are [`SimFile`]s, signals come by [`Sim::raise`], the process forks by [`Sim::fork`]. The last chapter
//! of that crate's guide tests a server so, finds a bug in its idle timeout that one seed in some
//! shows, and shows that it is gone. (The loop's waker is an eventfd there too, and the one thing that
//! is real.)
//!
//! # Examples
//!
//! What is underneath, a backend and a clock, can be had by itself. A wait of an hour:
//!
//! ```
//! use std::time::Duration;
//!
//! use evloop_sim::{Backend, Clock, Interest, Ready, Sim, Token, Trigger};
//!
//! const HOUR: Duration = Duration::from_secs(3600);
//!
//! let sim = Sim::new(1);
//! let (mut backend, clock) = (sim.backend(), sim.clock());
//!
//! // A loop waits for one end of a pipe, and in an hour somebody writes to the other.
//! let (reader, writer) = sim.pipe();
//! let token = Token { slot: 0, generation: 0 };
//! backend.add(reader, token, Interest::READ, Trigger::Level)?;
//! sim.at(HOUR, move |sim| {
//!     sim.write(writer, b"tick").expect("the pipe is empty");
//! });
//!
//! let mut reports = Vec::new();
//! backend.wait(&[], None, &mut reports)?;
//! assert_eq!((reports[0].token, reports[0].ready), (token, Ready::READ));
//! assert_eq!(u128::from(clock.now_ns()), HOUR.as_nanos());
//!
//! // With that read and nothing else planned, waiting on would be a deadlock: an error, no hang.
//! let mut buf = [0; 8];
//! assert_eq!(sim.read(reader, &mut buf)?, 4);
//! assert!(backend.wait(&[], None, &mut reports).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is modelled
//!
//! - Numbers and open files: `dup`, `close`, the lowest free number given out again, interest held
//!   for a number and a file together, and the *ghosts* that follow from it ([`Held::is_ghost`]).
//! - Level and edge: an edge-triggered file is reported once for each thing that happens to it,
//!   and when its interest is set. Which thing counts is Linux' choice, quirks included.
//! - Hang-up and error of pipes, half-closed and reset connections, full buffers, sockets that listen
//!   with a backlog.
//! - Several backends, each with its own set of interest; processes that fork, with the parent's files
//!   and the parent's set left to it.
//! - Signals that are watched: counted, each run of the handler, and interrupting the wait.
//! - Refusals: `EBADF` for a number that is not open, `EPERM` for a regular file; and whatever a test
//!   wants to see refused, at a call it names or by the seed ([`Call`], [`Faults`]).
//!
//! Random histories on the model and on the running kernel give the same results, the same interest
//! and the same reports in the same order; that is this crate's main test. The model shares no
//! code with what it is to judge: from a change it takes the edits, reads what is wanted off them
//! itself, and has no use for the operation that would bring it about.
//!
//! Sockets follow the rules of Unix-domain ones, where a close reaches the peer at once and as a
//! whole.
//!
//! # Order
//!
//! Without disorder reports come first come, first served: in the order in which the files became
//! ready, where a level-triggered file that was reported joins the end of the queue. Actions run in
//! the order of their times, among equals in the order of planning.
//!
//! # Costs
//!
//! With n numbers held, r of them ready or reported by the wait before, and p plans:
//!
//! | call | time |
//! |---|---|
//! | [`Backend::add`], [`Backend::delete`], an entry of a wait | O(log n) |
//! | [`Backend::wait`] | O(r log n), O(n) more when a spurious report is drawn; a look at the ready ones for each action on the way |
//! | [`Sim::read`], [`Sim::write`] | O(bytes + log n) |
//! | [`Sim::at`], [`Sim::raise`] | O(log p), O(1) |
//! | [`Sim::fork`] | O(n) |
//! | [`Sim::interest_set`], [`Sim::check_invariants`] | O(n log n), O(n²) |
#![forbid(unsafe_code)]

mod backend;
mod clock;
mod errno;
mod faults;
mod file;
mod kernel;
mod schedule;
mod sim;
mod world;

pub use evloop_backend::{
    Backend, Bell, Capabilities, Clock, ControlError, Descriptor, Report, Source, WaitError, World,
};
pub use evloop_changelist::{Change, Edit, Edits, Entry, Interest, RawFd, Ready, Token, Trigger};
pub use evloop_signals::Signal;

pub use self::backend::SimBackend;
pub use self::clock::SimClock;
pub use self::faults::{Call, Faults};
pub use self::file::SimFile;
pub use self::kernel::Held;
pub use self::schedule::Disorder;
pub use self::sim::{Counts, Sim};
pub use self::world::SimParent;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
