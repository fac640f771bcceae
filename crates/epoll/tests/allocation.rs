//! In steady state a wait allocates nothing.

use std::os::fd::AsRawFd;
use std::time::Duration;

use allocation_counter::measure;
use evloop_backend::Backend;
use evloop_changelist::{Change, Entry, Interest, Token, Trigger};
use evloop_epoll::Epoll;
use rustix::event::{EventfdFlags, eventfd};

#[test]
fn waits_allocate_nothing_once_the_arrays_are_long_enough() {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let fds: Vec<_> = (0..100).map(|_| eventfd(1, flags).unwrap()).collect();
    let mut epoll = Epoll::new().unwrap();
    let mut entries = Vec::new();
    for (slot, fd) in (0..).zip(&fds) {
        let token = Token {
            slot,
            generation: 0,
        };
        epoll
            .add(fd.as_raw_fd(), token, Interest::READ, Trigger::Level)
            .unwrap();
        let mut change = Change::new(Interest::READ, Trigger::Level);
        change.add(Interest::READ);
        entries.push(Entry {
            fd: fd.as_raw_fd(),
            token,
            change,
        });
    }
    let mut reports = Vec::with_capacity(128);
    let mut wait = |timeout| {
        reports.clear();
        epoll.wait(&entries, Some(timeout), &mut reports).unwrap();
        reports.len()
    };
    // 32 events, then 64, then all.
    let grown = [(); 3].map(|()| wait(Duration::ZERO));
    assert_eq!(grown, [32, 64, 100]);

    let counts = measure(|| {
        for _ in 0..200 {
            assert_eq!(wait(Duration::from_secs(1)), 100);
        }
    });
    assert_eq!(counts.count_total, 0);
}
