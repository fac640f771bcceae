//! What the backend promises, on the real kernel, one fact a test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "kernel/changes.rs"]
mod changes;
#[path = "support/held.rs"]
mod held;
#[path = "kernel/waits.rs"]
mod waits;

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use evloop_backend::{Backend, Capabilities, ControlError, Report};
use evloop_changelist::{Change, Entry, Interest, RawFd, Ready, Token, Trigger};
use evloop_epoll::Epoll;
use held::held;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, read, write};
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
    socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap()
}

/// An eventfd that can be read and written.
fn ready_eventfd() -> OwnedFd {
    eventfd(1, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap()
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

fn look(epoll: &mut Epoll, changes: &[Entry]) -> Vec<Report> {
    let mut reports = Vec::new();
    epoll
        .wait(changes, Some(Duration::ZERO), &mut reports)
        .unwrap();
    reports
}

/// What a look reports of a file in which there is this interest.
fn ready_for(fd: &OwnedFd, interest: Interest) -> Ready {
    let mut epoll = Epoll::new().unwrap();
    epoll
        .add(fd.as_raw_fd(), A, interest, Trigger::Level)
        .unwrap();
    look(&mut epoll, &[])
        .iter()
        .fold(Ready::empty(), |all, report| {
            assert_eq!((report.token, report.errno), (A, 0));
            all | report.ready
        })
}

fn refusal(result: Result<(), ControlError>) -> (&'static str, RawFd, Option<i32>) {
    let error = result.unwrap_err();
    (error.call, error.fd, error.source.raw_os_error())
}
