//! A file that was closed while a duplicate lives is reported for ever, where no file descriptor is left to
//! be rid of it. In a process of its own, whose file descriptors and stderr these are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "the functions are C's")]

#[expect(dead_code, reason = "other tests need the rest of it")]
#[path = "front/support.rs"]
mod support;

use std::io::{PipeReader, Read, pipe};
use std::os::fd::AsRawFd;

use rustix::io::{dup, write};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use support::{Ev, Loop, NONBLOCK, PERSIST, READ};

/// What is written to stderr from now on.
fn stderr() -> PipeReader {
    let (reader, writer) = pipe().unwrap();
    // SAFETY: both numbers are open.
    assert_eq!(unsafe { libc::dup2(writer.as_raw_fd(), 2) }, 2);
    reader
}

#[test]
fn that_it_cannot_be_got_rid_of_is_said_once_until_it_is() {
    let events = Loop::new();
    let (reader, writer) = pipe().unwrap();
    let (event, _) = Ev::noting(&events, reader.as_raw_fd(), READ | PERSIST);
    let (other, _) = Ev::noting(&events, -1, READ);
    event.add();
    other.add();
    write(&writer, b"x").unwrap();
    let duplicate = dup(&reader).unwrap();
    drop(reader);
    event.del();
    let mut said = stderr();
    let before = getrlimit(Resource::Nofile);
    // As many as are open.
    let next = dup(&writer).unwrap();
    let limit = Rlimit {
        current: next.as_raw_fd().try_into().ok(),
        ..before
    };
    drop(next);
    setrlimit(Resource::Nofile, limit).unwrap();
    for _ in 0..20 {
        events.run(NONBLOCK);
    }
    setrlimit(Resource::Nofile, before).unwrap();
    events.run(NONBLOCK);
    other.del();
    // SAFETY: it is open, and everything has been said.
    assert_eq!(unsafe { libc::close(2) }, 0);
    let mut all = String::new();
    said.read_to_string(&mut all).unwrap();
    assert_eq!(all.lines().count(), 1, "{all}");
    assert!(all.contains("epoll_create1"), "{all}");
    drop(duplicate);
}
