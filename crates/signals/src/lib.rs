//! The signal map of an event loop: which events wait for which signal, and when a handler is
//! wanted.
//!
//! A program has one disposition per signal, an event loop any number of events. [`SignalMap`] is
//! what stands between: it keeps the events of each signal in order, and says at each change whether
//! the signal's handler has to be installed ([`Inserted::First`]) or taken away ([`Removed::Last`]).
//! It makes no system call and knows no kernel; [`Signal`] is the one thing it shares with those who
//! do.
//!
//! # Examples
//!
//! ```
//! use evloop_signals::{Inserted, Removed, Signal, SignalMap};
//!
//! let mut map = SignalMap::new();
//! assert_eq!(map.insert(Signal::INT, "stop"), Inserted::First); // install a handler
//! assert_eq!(map.insert(Signal::INT, "log"), Inserted::Another);
//!
//! // SIGINT came: these events are to run, in this order.
//! assert_eq!(map.events(Signal::INT), ["stop", "log"]);
//!
//! assert_eq!(map.remove(Signal::INT, "stop"), Removed::Others);
//! assert_eq!(map.remove(Signal::INT, "log"), Removed::Last); // take the handler away
//! ```
//!
//! # Order
//!
//! The events of one signal stand in the order of their insertion. Signals are iterated by number.
//!
//! # Cost
//!
//! *k* is the number of events of the signal in question.
//!
//! | operation | time | allocates |
//! |---|---|---|
//! | [`SignalMap::new`], [`SignalMap::signals`], [`SignalMap::is_watched`], [`SignalMap::events`] | `O(1)` | no |
//! | [`SignalMap::insert`] | `O(k)`, to see that the event is new | only when a signal has more events than ever before |
//! | [`SignalMap::remove`] | `O(k)`, to keep the order | no |
//! | all of [`Signal`] and [`SignalSet`] | `O(1)` | no |
//!
//! # Numbers
//!
//! Signal numbers are those of Linux on the architectures that share them: x86, Arm, RISC-V, POWER and
//! others. MIPS and SPARC count differently, and so do other systems; there the named
//! constants are not the system's. This crate never hands a number to a system; who does so has to
//! compare them (`evloop-catcher` does, when it is compiled).
//!
//! # Features
//!
//! - `proptest`: strategies for any signal and any history of a map, in the module `strategy`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod map;
mod number;
mod set;
#[cfg(feature = "proptest")]
pub mod strategy;

pub use map::{Inserted, Removed, SignalMap};
pub use number::{Signal, SignalError};
pub use set::{SignalSet, Signals};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
