//! How much memory an event takes: its share of every table of the loop, and its callback's record.
//!
//! Its own executable, as its allocator counts.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use allocation_counter::measure;
use evloop::{EventLoop, Interest};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The tables double when they are full. At so many file descriptors all of them are.
const FDS: i32 = 2048;

/// What ARCHITECTURE.md says of an event and its source, beyond its callback; and what the loop takes
/// for itself.
const EVENT: u64 = 140;
const LOOP: u64 = 4096;

#[test]
fn an_idle_event_with_a_timeout_takes_no_more_than_is_said() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { ..limit }).unwrap();

    let mut events = EventLoop::<()>::new().unwrap();
    let (reader, _writer) = rustix::pipe::pipe().unwrap();
    let mut added = 0;
    let held = measure(|| {
        loop {
            let source: OwnedFd = reader.try_clone().unwrap();
            let is_last = source.as_raw_fd() == FDS - 1;
            let event = events.io(source, Interest::READ).persist();
            event
                .timeout(Duration::from_secs(60))
                .add(|_, _, _| ())
                .unwrap();
            added += 1;
            if is_last {
                break;
            }
        }
    });
    let bytes = u64::try_from(held.bytes_current).unwrap();
    assert!(
        bytes <= added * EVENT + LOOP,
        "{bytes} bytes for {added} events"
    );
    events.check_invariants();
}
