//! libevent's event core as libevent 2.1 has it in C, on the evloop core.
//!
//! Programs that were built against libevent run on this library without being built anew: it exports
//! the functions of libevent's core by their names, with the layout that programs were compiled
//! against. What is above the core (evbuffers, bufferevents, DNS, HTTP) stays libevent's own, and calls
//! these.
//!
//! The functions are documented in libevent's words, `event2/event.h`; what is said of them here is
//! what they do and what the caller vouches for. The README says what is as in libevent, what is not,
//! and why this is sound.
//!
//! | module | holds |
//! |---|---|
//! | `abi` | the layout of `struct event`, and numbers |
//! | `base`, `lock`, `kernel`, `wakers` | a loop: its state, how it is entered, what it waits with, what wakes it |
//! | `assign`, `spec` | events, and what they are in the core's words |
//! | `add`, `delete`, `activate`, `once` | their life |
//! | `run`, `wait`, `call`, `exit`, `wishes` | the loop, run, and told to end |
//! | `signals`, `common`, `time` | signals, common timeouts, the time of a turn |
//! | `deferred`, `finalize` | what the rest of libevent has the loop call |
//! | `inspect`, `debug` | looking at events, and who breaks rules |
//! | `config`, `method`, `mm`, `host`, `log`, `fit` | what is chosen, and what the program offers |
//! | `fork`, `free`, `shutdown`, `current` | a base's child, its end; libevent 1 |

mod abi;
mod activate;
mod add;
mod assign;
mod base;
mod call;
mod clock;
mod common;
mod config;
mod current;
mod debug;
mod deferred;
mod delete;
mod exit;
mod finalize;
mod fit;
mod fork;
mod free;
mod host;
mod inspect;
mod kernel;
mod lock;
mod log;
mod method;
mod mm;
mod once;
mod run;
mod shutdown;
mod signals;
mod spec;
#[cfg(test)]
mod threaded;
mod time;
mod wait;
mod wakers;
mod wishes;

pub use abi::*;
pub use activate::*;
pub use add::*;
pub use assign::*;
pub use base::*;
pub use common::*;
pub use config::*;
pub use current::*;
pub use debug::*;
pub use deferred::*;
pub use delete::*;
pub use exit::*;
pub use finalize::*;
pub use fork::*;
pub use free::*;
pub use inspect::*;
pub use method::*;
pub use mm::*;
pub use once::*;
pub use run::*;
pub use shutdown::*;
pub use time::*;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
