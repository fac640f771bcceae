//! Deadlines of an event loop: an indexed min-heap with lazy re-arming, and lanes for common timeouts.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod heap;
mod lane;
mod shrink;
mod slots;
#[cfg(feature = "proptest")]
pub mod strategy;
mod timer_id;
mod timers;

pub use lane::LaneId;
pub use timer_id::TimerId;
pub use timers::Timers;
