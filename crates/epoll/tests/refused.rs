//! Kernels and sandboxes that refuse what we ask, made with a seccomp filter: it answers one system
//! call of one thread with an errno, and cannot be taken off again, so each test has a thread of
//! its own for it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "prctl(2) has no safe wrapper for a filter")]
#![expect(clippy::disallowed_methods, reason = "they measure waits")]

use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use evloop_backend::{Backend, Interest, Token, Trigger};
use evloop_epoll::Epoll;
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

/// Waits for nothing, with each of these timeouts, on a thread whose kernel refuses.
fn waits(call: c_long, errno: i32, timeouts: &'static [Duration]) {
    let waiting = thread::spawn(move || {
        let mut epoll = Epoll::new().unwrap();
        refuse(call, errno);
        for timeout in timeouts {
            let start = Instant::now();
            let mut reports = Vec::new();
            epoll.wait(&[], Some(*timeout), &mut reports).unwrap();
            assert_eq!(reports, []);
            let interrupted = errno == libc::EINTR;
            assert!(interrupted || start.elapsed() >= *timeout, "{timeout:?}");
        }
    });
    waiting.join().unwrap();
}

const SHORT: &[Duration] = &[
    Duration::from_nanos(1),
    Duration::from_micros(1001),
    Duration::from_millis(3),
];
/// So long that a wait which was not interrupted is noticed.
const FOR_HOURS: &[Duration] = &[Duration::from_secs(10_000)];

#[test]
fn a_kernel_without_pwait2_is_waited_on_in_milliseconds() {
    waits(libc::SYS_epoll_pwait2, libc::ENOSYS, SHORT);
}

#[test]
fn a_sandbox_without_pwait2_is_waited_on_in_milliseconds() {
    waits(libc::SYS_epoll_pwait2, libc::EPERM, SHORT);
}

#[test]
fn an_interrupted_wait_reported_nothing() {
    waits(libc::SYS_epoll_pwait2, libc::EINTR, FOR_HOURS);
}

#[test]
fn a_wait_that_cannot_be_done_is_an_error() {
    let waiting = thread::spawn(|| {
        let mut epoll = Epoll::new().unwrap();
        refuse(libc::SYS_epoll_pwait2, libc::ENOMEM);
        let error = epoll
            .wait(&[], Some(Duration::from_nanos(1)), &mut Vec::new())
            .unwrap_err();
        assert_eq!(
            (error.call, error.source.raw_os_error()),
            ("epoll_pwait2", Some(libc::ENOMEM))
        );
    });
    waiting.join().unwrap();
}

#[test]
fn no_instance_is_an_error() {
    let creating = thread::spawn(|| {
        refuse(libc::SYS_epoll_create1, libc::EMFILE);
        let error = Epoll::new().unwrap_err();
        assert_eq!(error.to_string(), "epoll_create1 failed");
        assert_eq!(error.source.raw_os_error(), Some(libc::EMFILE));
    });
    creating.join().unwrap();
}

#[test]
fn instance_that_cannot_be_renewed_stays_as_it_is() {
    for (call, name, errno) in [
        (libc::SYS_epoll_create1, "epoll_create1", libc::ENFILE),
        (libc::SYS_epoll_create1, "epoll_create1", libc::ENOMEM),
        (libc::SYS_dup3, "dup3", libc::EBUSY),
    ] {
        let renewing = thread::spawn(move || {
            let source = eventfd(1, EventfdFlags::CLOEXEC).unwrap();
            let token = Token {
                slot: 7,
                generation: 1,
            };
            let mut epoll = Epoll::new().unwrap();
            epoll
                .add(source.as_raw_fd(), token, Interest::READ, Trigger::Level)
                .unwrap();
            let held = epoll.interest_set().unwrap();
            refuse(call, errno);
            let error = epoll.renew().unwrap_err();
            assert_eq!(error.call, name);
            assert_eq!(error.source.raw_os_error(), Some(errno));
            assert_eq!(epoll.interest_set().unwrap(), held);
            let mut reports = Vec::new();
            epoll.wait(&[], Some(Duration::ZERO), &mut reports).unwrap();
            assert_eq!(reports.len(), 1);
        });
        renewing.join().unwrap();
    }
}
