//! Sandboxes and kernels that refuse what we ask, with each errno that the manual names or that is a
//! sandbox's:
//!
//! | call | errno | outcome |
//! |---|---|---|
//! | `ppoll` | `EINTR` | nothing was reported |
//! | `ppoll` | `ENOSYS`, `EPERM` | `poll` from now on |
//! | `ppoll`, waiting | any other | an error that names it |
//! | `ppoll`, looking at what is added | any other | an error that names it; nothing is held |
//!
//! They are made with a seccomp filter: it answers one system call of one
//! thread with an errno, and cannot be taken off again, so each test has a thread of its own for
//! it.
#![cfg(target_arch = "x86_64")] // elsewhere poll may be no system call, but ppoll by another name
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "prctl(2) has no safe wrapper for a filter")]
#![expect(clippy::disallowed_methods, reason = "they measure waits")]

use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use evloop_backend::{Backend, Report};
use evloop_changelist::{Interest, Ready, Token, Trigger};
use evloop_epoll::Epoll;
use evloop_poll::Poll;
use libc::{c_long, c_ulong, sock_filter, sock_fprog};
use rustix::event::{EventfdFlags, eventfd};

/// From now on the kernel answers this system call of this thread with this errno.
fn refuse(call: c_long, errno: i32) {
    // `offsetof(struct seccomp_data, nr)` is 0, and the number of a system call is 32 bits wide.
    let load_number = filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0);
    let number = u32::try_from(call).unwrap();
    let unless_it_skip_one = filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number, 1);
    let errno = u32::try_from(errno).unwrap();
    let answer = filter(
        libc::BPF_RET | libc::BPF_K,
        libc::SECCOMP_RET_ERRNO | errno,
        0,
    );
    let allow = filter(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0);
    let mut program = [load_number, unless_it_skip_one, answer, allow];
    let program = sock_fprog {
        len: 4,
        filter: program.as_mut_ptr(),
    };
    let (on, none): (c_ulong, c_ulong) = (1, 0);
    // SAFETY: it takes numbers only. The thread gives up gaining privileges, for the filter's sake.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, on, none, none, none) };
    assert_eq!(result, 0, "no new privileges");
    let mode = c_ulong::from(libc::SECCOMP_MODE_FILTER);
    // SAFETY: the kernel copies the program, which is alive for the call and four filters long.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
    assert_eq!(result, 0, "seccomp: {}", std::io::Error::last_os_error());
}

fn filter(code: u32, k: u32, jf: u8) -> sock_filter {
    sock_filter {
        code: code.try_into().unwrap(),
        jt: 0,
        jf,
        k,
    }
}

/// Runs on a thread whose kernel refuses.
fn refused(call: c_long, errno: i32, test: impl FnOnce() + Send + 'static) {
    let refused = thread::spawn(move || {
        refuse(call, errno);
        test();
    });
    refused.join().unwrap();
}

/// Waits for nothing, with each of these timeouts.
fn waits() {
    let mut poll = Poll::new();
    for timeout in [1, 1_001_000, 3_000_000].map(Duration::from_nanos) {
        let start = Instant::now();
        let mut reports = Vec::new();
        poll.wait(&[], Some(timeout), &mut reports).unwrap();
        assert_eq!(reports, []);
        assert!(start.elapsed() >= timeout, "{timeout:?}");
    }
}

/// Adds a file and hears of it, with no epoll to be had.
fn serves() {
    assert!(Epoll::new().is_err());
    hears();
}

fn hears() {
    let fd = eventfd(1, EventfdFlags::CLOEXEC).unwrap();
    let token = Token {
        slot: 0,
        generation: 0,
    };
    let mut poll = Poll::new();
    let mut reports = Vec::new();
    poll.add(fd.as_raw_fd(), token, Interest::READ, Trigger::Level)
        .unwrap();
    poll.wait(&[], None, &mut reports).unwrap();
    let ready = Report::ready(token, Ready::READ);
    assert_eq!(reports, [ready]);
}

#[test]
fn a_sandbox_without_epoll_is_served() {
    refused(libc::SYS_epoll_create1, libc::ENOSYS, serves);
}

#[test]
fn a_sandbox_without_ppoll_is_served_and_waited_on_in_milliseconds() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        refused(libc::SYS_ppoll, errno, hears);
        refused(libc::SYS_ppoll, errno, waits);
    }
}

#[test]
fn an_interrupted_wait_reported_nothing() {
    refused(libc::SYS_ppoll, libc::EINTR, || {
        let mut reports = Vec::new();
        Poll::new().wait(&[], None, &mut reports).unwrap();
        assert_eq!(reports, []);
    });
}

#[test]
fn a_wait_that_cannot_be_done_is_an_error() {
    for errno in ERRNOS {
        refused(libc::SYS_ppoll, errno, move || {
            let error = Poll::new().wait(&[], None, &mut Vec::new()).unwrap_err();
            let told = error.source.raw_os_error();
            assert_eq!((error.call, told), ("ppoll", Some(errno)));
        });
    }
}

const ERRNOS: [i32; 3] = [libc::EFAULT, libc::EINVAL, libc::ENOMEM];

#[test]
fn an_add_that_cannot_be_looked_at_is_an_error_and_holds_nothing() {
    for errno in ERRNOS {
        refused(libc::SYS_ppoll, errno, move || {
            let mut poll = Poll::new();
            let token = Token {
                slot: 0,
                generation: 0,
            };
            let error = poll
                .add(1, token, Interest::READ, Trigger::Level)
                .unwrap_err();
            assert_eq!((error.call, error.fd), ("ppoll", 1));
            assert_eq!(error.source.raw_os_error(), Some(errno));
            assert_eq!(poll.held().count(), 0);
        });
    }
}
