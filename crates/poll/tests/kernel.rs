//! What the backend promises, on the real kernel, one fact a test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "kernel/changes.rs"]
mod changes;
#[path = "kernel/numbers.rs"]
mod numbers;
#[path = "kernel/waits.rs"]
mod waits;

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use evloop_backend::{Backend, Capabilities, ControlError, Report};
use evloop_changelist::{Change, Entry, Interest, RawFd, Ready, Token, Trigger};
use evloop_poll::Poll;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use rustix::pipe::pipe;

const A: Token = Token {
    slot: 1,
    generation: 7,
};
const B: Token = Token {
    slot: u32::MAX,
    generation: u32::MAX,
};
const NONE: Interest = Interest::empty();
const READ_WRITE: Interest = Interest::READ.union(Interest::WRITE);

fn sockets() -> (OwnedFd, OwnedFd) {
    let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
    socketpair(family, SocketType::STREAM, flags, None).unwrap()
}

/// An eventfd that can be read and written.
fn ready_eventfd() -> OwnedFd {
    eventfd(1, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap()
}

/// A backend that holds this.
fn holding(fd: &OwnedFd, token: Token, interest: Interest) -> Poll {
    let mut poll = Poll::new();
    poll.add(fd.as_raw_fd(), token, interest, Trigger::Level)
        .unwrap();
    poll
}

/// A change that adds to what is held.
fn adding(fd: RawFd, token: Token, held: Interest, interest: Interest) -> Entry {
    let mut change = Change::new(held, Trigger::Level);
    change.add(interest);
    Entry { fd, token, change }
}

/// A change that deletes what is held.
fn deleting(fd: RawFd, token: Token, held: Interest) -> Entry {
    let mut change = Change::new(held, Trigger::Level);
    change.delete(held);
    Entry { fd, token, change }
}

fn report(token: Token, ready: Ready, errno: i32) -> Report {
    Report {
        token,
        ready,
        errno,
    }
}

fn look(poll: &mut Poll, changes: &[Entry]) -> Vec<Report> {
    let mut reports = Vec::new();
    poll.wait(changes, Some(Duration::ZERO), &mut reports)
        .unwrap();
    poll.check_invariants();
    reports
}

fn held(poll: &Poll) -> Vec<(RawFd, Token, Interest)> {
    let held = poll.interest_set().unwrap().unwrap();
    let told = held.iter().map(|held| {
        assert_eq!(held.trigger, Trigger::Level);
        (held.fd, held.token, held.interest)
    });
    told.collect()
}

/// What a look reports of a file in which there is this interest.
fn ready_for(fd: &OwnedFd, interest: Interest) -> Ready {
    let reports = look(&mut holding(fd, A, interest), &[]);
    reports.iter().fold(Ready::empty(), |all, report| {
        assert_eq!((report.token, report.errno), (A, 0));
        all | report.ready
    })
}

fn refusal(result: Result<(), ControlError>) -> (&'static str, RawFd, Option<i32>) {
    let error = result.unwrap_err();
    (error.call, error.fd, error.source.raw_os_error())
}
