//! In steady state nothing allocates, and a number that is no file descriptor never does.

use std::os::fd::AsRawFd;
use std::time::Duration;

use allocation_counter::measure;
use evloop_backend::Backend;
use evloop_changelist::{Change, Entry, Interest, RawFd, Token, Trigger};
use evloop_poll::Poll;
use rustix::event::{EventfdFlags, eventfd};

fn token(slot: u32) -> Token {
    Token {
        slot,
        generation: 0,
    }
}

fn add(fd: RawFd, token: Token) -> Entry {
    let mut change = Change::new(Interest::empty(), Trigger::Level);
    change.add(Interest::READ);
    Entry { fd, token, change }
}

#[test]
fn waits_adds_and_deletes_allocate_nothing_once_the_table_is_long_enough() {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let fds: Vec<_> = (0..100).map(|_| eventfd(1, flags).unwrap()).collect();
    let mut poll = Poll::new();
    let mut entries = Vec::new();
    for (slot, fd) in (0..).zip(&fds) {
        let number = fd.as_raw_fd();
        poll.add(number, token(slot), Interest::READ, Trigger::Level)
            .unwrap();
        entries.push(add(number, token(slot)));
    }
    let mut reports = Vec::with_capacity(128);

    let counts = measure(|| {
        for _ in 0..200 {
            reports.clear();
            poll.delete(fds[0].as_raw_fd()).unwrap();
            poll.delete(fds[99].as_raw_fd()).unwrap();
            let number = fds[99].as_raw_fd();
            poll.add(number, token(99), Interest::READ, Trigger::Level)
                .unwrap();
            poll.wait(&entries, Some(Duration::from_secs(1)), &mut reports)
                .unwrap();
            assert_eq!(reports.len(), 100);
        }
    });
    assert_eq!(counts.count_total, 0);
}

#[test]
fn a_number_that_is_no_file_descriptor_allocates_nothing() {
    let counts = measure(|| {
        let mut poll = Poll::new();
        let mut reports = Vec::new();
        reports.reserve_exact(4);
        let changes = [RawFd::MAX, 1_000_000_000, -1].map(|fd| add(fd, token(0)));
        poll.wait(&changes, None, &mut reports).unwrap();
        assert_eq!(reports.len(), 3);
    });
    assert_eq!(counts.count_total, 1, "the vector of reports");
}
