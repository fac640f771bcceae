//! What only shows in a real process: each test runs in one of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/process.rs"]
mod process;
#[path = "../support/queue.rs"]
mod queue;
#[path = "../support/signals.rs"]
mod signals;

mod child;
mod counts;
mod dispositions;
mod forks;
mod infos;
mod senders;
mod storms;
mod thread_state;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evloop_catcher::{Catcher, Signal, Waker};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A catcher of these signals, and its waker.
fn watching(signals: &[Signal]) -> (Catcher, Arc<Waker>) {
    let waker = Arc::new(Waker::new().unwrap());
    let catcher = Catcher::new(Arc::clone(&waker));
    for &signal in signals {
        catcher.watch(signal).unwrap();
    }
    (catcher, waker)
}

fn taken(catcher: &Catcher) -> Vec<(Signal, u64)> {
    let mut taken = Vec::new();
    catcher.take(|signal, came| taken.push((signal, came.count)));
    taken
}

/// Whether somebody has written to the waker's file descriptor.
fn is_written(waker: &Waker) -> bool {
    const NOT_AT_ALL: Option<&Timespec> = Some(&Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    });
    poll(&mut [PollFd::new(waker, PollFlags::IN)], NOT_AT_ALL).unwrap() == 1
}

/// Set when this is dropped, be it by a panic: the threads that look at it end.
struct IsOver<'a>(&'a AtomicBool);

impl Drop for IsOver<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
