//! Conformance through the facade alone, on the real kernel: scenario in, trace of callbacks out.
//!
//! One module a topic. README.md says which test of libevent's each of these answers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod children;
mod deferred;
mod early;
mod edge;
mod errors;
mod fork;
mod ghosts;
mod hangup;
mod inspect;
mod io;
mod kernel;
mod leaks;
mod life;
mod limits;
mod loops;
mod making;
mod panics;
mod priorities;
mod programs;
mod raw_programs;
mod raw_sources;
mod refused;
mod regressions;
mod runs;
mod signals;
mod sources;
pub(crate) mod support;
mod syscalls;
mod threads;
mod time;
mod timeouts;
mod timers;
mod transfer;
mod watchers;
