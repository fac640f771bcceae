//! The front as C programs see it, through the functions that they call, on the real kernel.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "the functions are C's")]

mod exported;
mod files;
mod finalizers;
mod forks;
mod inspection;
mod life;
mod runs;
mod signals;
mod support;
mod timers;
