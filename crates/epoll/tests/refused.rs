//! Kernels and sandboxes that refuse what we ask: each system call, with each errno that its manual
//! names or that is a sandbox's.
//!
//! | call | errno | outcome |
//! |---|---|---|
//! | `epoll_create1` | any | `new` and `renew` are errors that name it; the instance is as before |
//! | `dup3` | any | `renew` is an error that names it; the instance is as before |
//! | `epoll_ctl` (`ADD`) | `EEXIST` | made as `MOD`, whose refusal counts |
//! | `epoll_ctl` (`MOD`) | `ENOENT` | made as `ADD`, whose refusal counts |
//! | `epoll_ctl` (`DEL`) | `ENOENT`, `EBADF`, `EPERM` | it is true already |
//! | `epoll_ctl` | any other | reported as `ERROR` with it; nothing is held; all other changes are made |
//! | `epoll_wait`, `epoll_pwait2` | `EINTR` | nothing was reported |
//! | `epoll_pwait2` | `ENOSYS`, `EPERM` | `epoll_wait` from now on |
//! | `epoll_pwait` | `ENOSYS`, `EPERM` | `epoll_wait` this time |
//! | `epoll_wait`, `epoll_pwait2` | any other | an error that names it; what is ready is reported later |
//!
//! `src/apply/tests.rs` has every sequence of refusals of one change, `src/wait/tests.rs` a refusal at
//! each wait of many.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "they measure waits")]

#[path = "support/held.rs"]
mod held;
#[path = "support/refuse.rs"]
mod refuse;

use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use evloop_backend::{Backend, Interest, Report, Token, Trigger};
use evloop_changelist::{Change, Entry, RawFd, Ready};
use evloop_epoll::{CreateError, Epoll};
use libc::c_long;
use rustix::event::{EventfdFlags, eventfd};

use held::{Held, held};
use refuse::{in_own_thread, refuse, refuse_of};

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

/// Elsewhere the C library has no older call to make.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_wait_whose_call_is_refused_is_made_by_the_older_one() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        let waiting = thread::spawn(move || {
            let mut epoll = Epoll::new().unwrap();
            let file = ready();
            let (fd, both) = (file.as_raw_fd(), Interest::READ | Interest::WRITE);
            epoll.add(fd, token(1), both, Trigger::Level).unwrap();
            refuse(libc::SYS_epoll_pwait, errno);
            for timeout in [Some(Duration::ZERO), None] {
                let mut reports = Vec::new();
                epoll.wait(&[], timeout, &mut reports).unwrap();
                assert_eq!(reports.len(), 1);
            }
        });
        waiting.join().unwrap();
    }
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

/// What `epoll_create1` and `dup3` can answer, for an instance that is there.
const CREATE: [i32; 6] = [
    libc::EINVAL,
    libc::EMFILE,
    libc::ENFILE,
    libc::ENOMEM,
    libc::ENOSYS,
    libc::EPERM,
];
const DUP3: [i32; 6] = [
    libc::EBADF,
    libc::EBUSY,
    libc::EINTR,
    libc::EINVAL,
    libc::EMFILE,
    libc::EPERM,
];

fn assert_names(error: &CreateError, call: &str, errno: i32) {
    assert_eq!(error.call, call);
    assert_eq!(error.to_string(), format!("{call} failed"));
    assert_eq!(error.source.raw_os_error(), Some(errno));
    let source = std::error::Error::source(error).unwrap();
    assert_eq!(source.to_string(), error.source.to_string());
}

#[test]
fn no_instance_is_an_error() {
    for errno in CREATE {
        in_own_thread(move || {
            refuse(libc::SYS_epoll_create1, errno);
            assert_names(&Epoll::new().unwrap_err(), "epoll_create1", errno);
        });
    }
}

#[test]
fn instance_that_cannot_be_renewed_stays_as_it_is() {
    let create = CREATE.map(|errno| (libc::SYS_epoll_create1, "epoll_create1", errno));
    let dup3 = DUP3.map(|errno| (libc::SYS_dup3, "dup3", errno));
    for (call, name, errno) in create.into_iter().chain(dup3) {
        in_own_thread(move || {
            let source = ready();
            let mut epoll = Epoll::new().unwrap();
            epoll
                .add(source.as_raw_fd(), token(7), Interest::READ, Trigger::Level)
                .unwrap();
            let held = epoll.interest_set().unwrap();
            refuse(call, errno);
            assert_names(&epoll.renew().unwrap_err(), name, errno);
            assert_eq!(epoll.interest_set().unwrap(), held);
            let mut reports = Vec::new();
            epoll.wait(&[], Some(Duration::ZERO), &mut reports).unwrap();
            assert_eq!(reports.len(), 1);
        });
    }
}

/// Where there is no `/proc`, or it may not be looked into, what is held is not known; that is no error.
#[test]
fn interest_set_that_is_not_listed_is_not_known() {
    for (errno, is_error) in [
        (libc::ENOENT, false),
        (libc::EACCES, false),
        (libc::EMFILE, true),
    ] {
        let looking = thread::spawn(move || {
            let source = ready();
            let mut epoll = Epoll::new().unwrap();
            epoll
                .add(source.as_raw_fd(), token(7), Interest::READ, Trigger::Level)
                .unwrap();
            refuse(libc::SYS_openat, errno);
            let said = epoll.interest_set();
            assert_eq!(said.is_err(), is_error);
            assert_eq!(said.ok().flatten(), None);
        });
        looking.join().unwrap();
    }
}

/// What `epoll_ctl` can answer.
const CONTROL: [i32; 8] = [
    libc::EBADF,
    libc::EEXIST,
    libc::EINVAL,
    libc::ELOOP,
    libc::ENOENT,
    libc::ENOMEM,
    libc::ENOSPC,
    libc::EPERM,
];

/// An eventfd that can be read and written.
fn ready() -> OwnedFd {
    eventfd(1, EventfdFlags::CLOEXEC).unwrap()
}

fn token(slot: u32) -> Token {
    Token {
        slot,
        generation: 1,
    }
}

/// What is held of a file descriptor, what is added, what is deleted.
type Wish = (Interest, Interest, Interest);

const NONE: Interest = Interest::empty();
const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;

/// Of several file descriptors at once, each in another way: new, more, other, less, none.
const WISHES: [Wish; 7] = [
    (NONE, READ, NONE),
    (READ, WRITE, NONE),
    (WRITE, READ, WRITE),
    (READ.union(WRITE), NONE, WRITE),
    (READ, NONE, READ),
    (NONE, READ.union(WRITE), NONE),
    // This one is left alone.
    (READ, NONE, NONE),
];

/// The call that makes a wish true, as the kernel numbers it.
fn op(wish: Wish) -> Option<i32> {
    let (held, add, delete) = wish;
    let wanted = held.union(add).difference(delete);
    match (held.is_empty(), wanted.is_empty()) {
        _ if held == wanted => None,
        (true, _) => Some(libc::EPOLL_CTL_ADD),
        (_, true) => Some(libc::EPOLL_CTL_DEL),
        _ => Some(libc::EPOLL_CTL_MOD),
    }
}

/// One wait with all wishes, of which one is refused.
fn wait_with_refusal(refused: usize, errno: i32) {
    let files: Vec<OwnedFd> = WISHES.map(|_| ready()).into();
    let fds: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let mut epoll = Epoll::new().unwrap();
    let mut changes = Vec::new();
    let mut wanted: Vec<Option<Held>> = Vec::new();
    for ((slot, &fd), (held, add, delete)) in (0..).zip(&fds).zip(WISHES) {
        let token = token(slot);
        if !held.is_empty() {
            epoll.add(fd, token, held, Trigger::Level).unwrap();
        }
        let mut change = Change::new(held, Trigger::Level);
        change.add(add);
        change.delete(delete);
        changes.push(Entry { fd, token, change });
        let interest = held.union(add).difference(delete);
        wanted.push((!interest.is_empty()).then_some((fd, token, interest, Trigger::Level)));
    }
    let Some(op) = op(WISHES[refused]) else {
        return;
    };
    refuse_of(libc::SYS_epoll_ctl, &[(1, op), (2, fds[refused])], errno);

    let mut reports = Vec::new();
    // Without end: what is ready has to end it.
    epoll.wait(&changes, None, &mut reports).unwrap();
    let seen = format!("{op} of {refused} refused with {errno}: {reports:?}");
    let told: Vec<&Report> = reports.iter().filter(|report| report.errno != 0).collect();
    if told.is_empty() {
        // Mended, or true already, as the kernel said so.
        let is_mended = op == libc::EPOLL_CTL_DEL;
        assert!(is_mended, "{seen}");
        assert!(
            [libc::ENOENT, libc::EBADF, libc::EPERM].contains(&errno),
            "{seen}"
        );
    } else {
        assert_eq!(told.len(), 1, "{seen}");
        let slot = u32::try_from(refused).unwrap();
        assert_eq!((told[0].token, told[0].ready), (token(slot), Ready::ERROR));
        // The mended call's refusal is the truth: this file is held already, or is not yet.
        let expected = match (op, errno) {
            (libc::EPOLL_CTL_ADD, libc::EEXIST) => libc::ENOENT,
            (libc::EPOLL_CTL_MOD, libc::ENOENT) => libc::EEXIST,
            _ => errno,
        };
        assert_eq!(told[0].errno, expected, "{seen}");
        wanted[refused] = None;
    }
    let mut held = held(&epoll);
    if op == libc::EPOLL_CTL_DEL {
        // What the kernel would not let go it holds, whatever it says.
        let (before, ..) = WISHES[refused];
        let key = (
            fds[refused],
            token(u32::try_from(refused).unwrap()),
            before,
            Trigger::Level,
        );
        assert_eq!(held.remove(&key), Some(1), "{seen}");
    }
    let wanted: std::collections::HashMap<_, _> =
        wanted.into_iter().flatten().map(|held| (held, 1)).collect();
    assert_eq!(held, wanted, "{seen}");
    for (_, token, interest, _) in wanted.keys() {
        let is_told = |report: &Report| {
            report.token == *token && report.ready == Ready::from(*interest) && report.errno == 0
        };
        assert!(
            reports.iter().any(is_told),
            "{token:?} is not reported: {seen}"
        );
    }
}

#[test]
fn refused_change_is_reported_and_the_others_are_made() {
    for refused in 0..WISHES.len() {
        for errno in CONTROL {
            in_own_thread(move || wait_with_refusal(refused, errno));
        }
    }
}

/// Nothing is ready, and the wait would last.
#[test]
fn refusal_alone_ends_the_wait() {
    for timeout in [None, Some(FOR_HOURS[0])] {
        in_own_thread(move || {
            let file = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
            let mut change = Change::new(NONE, Trigger::Level);
            change.add(READ);
            let (fd, token) = (file.as_raw_fd(), token(1));
            refuse(libc::SYS_epoll_ctl, libc::ENOSPC);
            let mut epoll = Epoll::new().unwrap();
            let mut reports = Vec::new();
            epoll
                .wait(&[Entry { fd, token, change }], timeout, &mut reports)
                .unwrap();
            let told = Report::refused(token, libc::ENOSPC);
            assert_eq!(reports, [told]);
        });
    }
}

#[test]
fn refused_registration_is_an_error_with_nothing_held() {
    for errno in CONTROL {
        in_own_thread(move || {
            let (file, other) = (ready(), ready());
            let mut epoll = Epoll::new().unwrap();
            let add = (1, libc::EPOLL_CTL_ADD);
            refuse_of(libc::SYS_epoll_ctl, &[add, (2, file.as_raw_fd())], errno);
            let mut add = |fd: &OwnedFd| epoll.add(fd.as_raw_fd(), token(1), READ, Trigger::Level);
            let error = add(&file).unwrap_err();
            assert_eq!(error.fd, file.as_raw_fd());
            let expected = match errno {
                libc::EEXIST => libc::ENOENT,
                errno => errno,
            };
            assert_eq!(error.source.raw_os_error(), Some(expected));
            add(&other).unwrap();
            assert_eq!(held(&epoll).len(), 1);
        });
    }
}
