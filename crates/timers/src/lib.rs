//! Deadlines of an event loop: an indexed min-heap with lazy re-arming, and lanes for common
//! timeouts.
//!
//! [`Timers`] is a set of deadlines, each with a value, that says which is first and what is due. It
//! leaves the clock, the waiting and the callbacks to its user: times are numbers of nanoseconds from
//! an origin of the user's choosing. [`Deadlines`] are the same without handles and values, for a user
//! who has a table of what the timers are for.
//!
//! # Examples
//!
//! The timer part of an event loop, with a clock that jumps to the next deadline:
//!
//! ```
//! use evloop_timers::Timers;
//! use std::time::Duration;
//!
//! let mut timers = Timers::new();
//! let minute = timers.lane(Duration::from_secs(60));
//! let second_ns = 1_000_000_000;
//!
//! timers.insert(90 * second_ns, "report");
//! let idle = timers.insert_in_lane(minute, 0, "idle"); // due after 60 s
//! timers.rearm_in_lane(idle, minute, 45 * second_ns); // there was a request: due after 105 s
//!
//! let mut fired = Vec::new();
//! while let Some((_, deadline_ns, _)) = timers.peek() {
//!     let now_ns = deadline_ns; // a real loop waits here, until then or for something else
//!     while let Some((deadline_ns, name)) = timers.pop_due(now_ns) {
//!         fired.push((deadline_ns / second_ns, name));
//!     }
//! }
//! assert_eq!(fired, [(90, "report"), (105, "idle")]);
//! ```
//!
//! # Why a heap that is out of date
//!
//! Most timeouts of a server never come: they are pushed on with every byte, or cancelled. A heap that
//! follows each push does `O(log n)` work for nothing. This one holds a deadline that may be too early.
//! Moving a timer later writes the true deadline beside the heap and leaves the heap alone; when the old
//! deadline comes up as the first, the timer is put back to where it belongs, once, however
//! often it was moved.
//!
//! A cancelled timer leaves its entry, and the next timer of its slot takes it over if that is not due
//! before: as if the one had been moved later. What nobody takes over goes when it comes up, or in one
//! sweep with the others when such entries are more than three quarters of the heap. It goes before anybody is
//! told when to look again, so nobody wakes for a timer that was cancelled.
//!
//! Where many timers run for the same duration, even that is too much: they are due in the order in which
//! they were armed, so a list keeps them sorted for nothing. A lane is such a list; its head alone is in
//! the heap. When the head leaves, the next one takes over its place, which is too early for it and so
//! found out in the same way.
//!
//! To take the first out of a heap is `O(log n)`, however many are due. So once some dozens were taken
//! one by one, and by a look at up to 64 of the others more than an eighth are due, all that are due are taken
//! out in one pass and sorted: a quarter of the work where a hundred thousand are due at a time.
//!
//! The order is exact all the same: nothing is shown before it has been settled.
//!
//! # Order
//!
//! By deadline; among equal deadlines in the order of arming, where inserting and re-arming both arm.
//! This holds across all lanes and what is in none. A timer is never given out before its deadline.
//!
//! # Costs
//!
//! *n* is the number of timers outside lanes and of lanes that are not empty, *l* the number of lanes.
//!
//! | operation | time | allocates |
//! |---|---|---|
//! | [`Timers::insert`] | `O(log n)` | when the table of timers or the heap is full |
//! | [`Timers::insert_in_lane`] | `O(1)`; `O(log n)` into an empty lane, or with an earlier time than many there | the same |
//! | [`Timers::remove`] | `O(1)` on average | no |
//! | [`Timers::rearm`], later | `O(1)` | no |
//! | [`Timers::rearm`], earlier | `O(log n)` | no |
//! | [`Timers::rearm`] out of a lane | `O(log n)` | when the heap is full |
//! | [`Timers::rearm_in_lane`] | `O(1)`; `O(log n)` if it was in no lane or is alone in one | when the heap is full |
//! | [`Timers::look_again_ns`] | `O(1)`; `O(log n)` for each timer that went as the first | no |
//! | [`Timers::peek`] | `O(1)`; `O(log n)` for each timer to be put back, or that has gone | no |
//! | [`Timers::peek_due`] | the same; `O(n)` now and then, where much is due together | for as much, until so much was once |
//! | [`Timers::pop_due`] | `O(1)` if nothing is due, else `O(log n)`; the same to put back | as `peek_due` |
//! | [`Timers::lane`] | `O(log l)` | the first time for each duration |
//! | [`Timers::get`], [`Timers::deadline`], [`Timers::len`] | `O(1)` | no |
//!
//! The costs of [`Deadlines`] are the same under other names.
//!
//! A timer takes its value and 8 to 16 bytes in the table of slots, 16 bytes more for its key and place, 16 in
//! the heap if it is not in a lane, and 12 for its links in lanes where there are any; 16 while it is due together
//! with much else. Each of these lies in an array that doubles when it is full.
//!
//! Giving memory back after a burst is paid for by the removals of the burst: `O(1)` each on average,
//! with one that moves what is left now and then, as growing does.
//!
//! # Features
//!
//! - `proptest`: strategies for any history of timer operations, in the module `strategy`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod deadlines;
mod entry;
mod heap;
mod lane;
mod run;
mod shrink;
mod slots;
#[cfg(feature = "proptest")]
pub mod strategy;
mod timer_id;
mod timers;

pub use deadlines::Deadlines;
pub use lane::LaneId;
pub use timer_id::TimerId;
pub use timers::Timers;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
