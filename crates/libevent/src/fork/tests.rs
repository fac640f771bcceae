//! Children that have no file descriptors left.

use std::ffi::{c_int, c_short, c_void};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::mpsc;

use rustix::io::{dup, write};
use rustix::pipe::pipe;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::abi::{BASE_NOLOCK, EV_READ, EV_SIGNAL};
use crate::threaded::{
    By, Deadline, EACH, add, child, del, free, new_base, new_event, signals_alone, status,
    until_it_waits, with_loop,
};
use crate::{Base, event_base_free, event_base_loop, event_reinit};

unsafe extern "C" fn send(_: c_int, what: c_short, sender: *mut c_void) {
    // SAFETY: the argument is a sender that is there while the loop runs.
    let sender = unsafe { &*sender.cast::<mpsc::Sender<c_short>>() };
    sender.send(what).unwrap();
}

/// Whether a child says that all is well.
fn in_child(does: impl FnOnce() -> bool) -> bool {
    status(child(does)) == 0
}

/// The numbers that a child may use end here.
const END: c_int = 512;

/// Opens files until so many numbers are left.
fn use_up(file: impl AsFd, left: c_int) {
    let most = END.try_into().ok();
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    while let Ok(duplicate) = dup(&file) {
        _ = duplicate.into_raw_fd();
    }
    for fd in END - left..END {
        // SAFETY: nobody may own it: it is a number that was just taken, for such are the last.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}

fn reinit(base: &Base) -> c_int {
    // SAFETY: the base is one.
    unsafe { event_reinit(Some(base)) }
}

fn run(base: &Base) -> c_int {
    // SAFETY: the base is one.
    unsafe { event_base_loop(Some(base), 0) }
}

#[test]
fn child_begins_anew_with_the_numbers_that_it_inherits_if_no_others_are_left() {
    let _alone = signals_alone();
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument: *const c_void = (&raw const sender).cast();
    let mut cases = Vec::new();
    for by in EACH {
        for flags in [0, BASE_NOLOCK] {
            for all in [&[EV_READ][..], &[EV_READ, EV_SIGNAL]] {
                cases.extend([0, 1, 2, 3].map(|left| (by, flags, all, left)));
            }
        }
    }
    // Signals are caught by the parent's waker until the child's own is there: a base that has nothing else
    // to give up needs a number for it.
    cases.retain(|case| !matches!(case, (By::Poll, BASE_NOLOCK, [_, _], 0)));
    for (by, flags, all, left) in cases {
        let _deadline = Deadline::new();
        let base = new_base(by, flags);
        // SAFETY: the base is there until it is freed, below.
        let opened = unsafe { &*base };
        let (reader, writer) = pipe().unwrap();
        let reading = new_event(opened, reader.as_raw_fd(), EV_READ, send, argument);
        let signal = new_event(opened, libc::SIGUSR1, EV_SIGNAL, send, argument);
        assert_eq!(add(reading), 0);
        if all.contains(&EV_SIGNAL) {
            assert_eq!(add(signal), 0);
        }
        let is_well = in_child(|| {
            use_up(&reader, left);
            let done = reinit(opened);
            write(&writer, b"x").unwrap();
            if all.contains(&EV_SIGNAL) {
                // SAFETY: there is a handler.
                unsafe { libc::raise(libc::SIGUSR1) };
            }
            let ended = run(opened);
            let mut told: Vec<_> = receiver.try_iter().collect();
            told.sort_unstable();
            let is_published = opened.notify_fd.get() >= 0;
            (done, ended, is_published) == (0, 1, flags == 0) && told == all
        });
        assert!(is_well, "{by:?}, {flags}, {all:?}, {left}");
        assert_eq!((del(reading), del(signal)), (0, 0));
        free(reading);
        free(signal);
        // SAFETY: nobody uses the base any more.
        unsafe { event_base_free(base) };
    }
}

#[test]
fn so_does_the_child_of_a_thread_beside_the_loop() {
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument = (&raw const sender).cast();
    for by in EACH {
        with_loop(by, |base| {
            let (reader, writer) = pipe().unwrap();
            let reading = new_event(base, reader.as_raw_fd(), EV_READ, send, argument);
            assert_eq!(add(reading), 0);
            until_it_waits(base);
            let is_well = in_child(|| {
                use_up(&reader, 0);
                let done = reinit(base);
                write(&writer, b"x").unwrap();
                (done, run(base)) == (0, 1) && receiver.try_recv() == Ok(EV_READ)
            });
            assert!(is_well, "{by:?}");
            assert_eq!(del(reading), 0);
            free(reading);
        });
    }
}
