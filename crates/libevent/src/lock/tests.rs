//! Threads: what one does to a loop that runs in another.

use std::cell::Cell;
use std::ffi::{c_int, c_short, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc;
use std::thread;

use libc::timeval;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, write};
use rustix::pipe::pipe;

use crate::abi::{EV_FINALIZE, EV_PERSIST, EV_READ, EV_SIGNAL, EV_TIMEOUT, EV_WRITE, Event};
use crate::host::tests::{held, interrupt};
use crate::threaded::{
    By, EACH, Shared, add, child, del, free, new_base, new_event, signals_alone, status,
    until_it_waits, with_loop,
};
use crate::{
    Base, event_active, event_add, event_base_free, event_base_get_running_event,
    event_base_got_break, event_base_got_exit, event_base_loop, event_base_loopbreak,
    event_base_loopcontinue, event_base_loopexit, event_base_once, event_del, event_del_noblock,
    event_free, event_reinit,
};

fn sent(receiver: &mpsc::Receiver<c_short>) -> c_short {
    receiver.recv().unwrap()
}

/// Sends what it is told; with no lock in hand.
unsafe extern "C" fn send(_: c_int, what: c_short, sender: *mut c_void) {
    assert_eq!(held(), 0);
    // SAFETY: the argument is a sender that is there while the loop runs.
    let sender = unsafe { &*sender.cast::<mpsc::Sender<c_short>>() };
    sender.send(what).unwrap();
}

#[test]
fn loop_that_waits_is_woken_for_what_another_thread_does() {
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument = (&raw const sender).cast();
    for by in EACH {
        with_loop(by, |base| {
            let (reader, writer) = pipe().unwrap();
            let reading = new_event(base, reader.as_raw_fd(), EV_READ, send, argument);
            let soon = timeval {
                tv_sec: 0,
                tv_usec: 1,
            };
            for _ in 0..50 {
                // The loop waits, or is about to; what it is told now, it has to look at.
                // SAFETY: the event is one.
                unsafe { event_active(reading, c_int::from(EV_WRITE), 1) };
                assert_eq!(sent(&receiver), EV_WRITE);
                // SAFETY: the event is one.
                assert_eq!(unsafe { event_add(reading, Some(&soon)) }, 0);
                assert_eq!(sent(&receiver), EV_TIMEOUT);
                assert_eq!(add(reading), 0);
                write(&writer, b"x").unwrap();
                assert_eq!(sent(&receiver), EV_READ);
                rustix::io::read(&reader, &mut [0]).unwrap();
            }
            free(reading);
        });
    }
}

#[test]
fn what_else_is_asked_of_a_file_while_the_loop_waits_is_told_to_the_kernel() {
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument = (&raw const sender).cast();
    for by in EACH {
        with_loop(by, |base| {
            let fd = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
            let reading = new_event(base, fd.as_raw_fd(), EV_READ, send, argument);
            let writing = new_event(base, fd.as_raw_fd(), EV_WRITE, send, argument);
            assert_eq!(add(reading), 0);
            for _ in 0..50 {
                until_it_waits(base);
                assert_eq!(add(writing), 0);
                assert_eq!(sent(&receiver), EV_WRITE);
            }
            free(reading);
            free(writing);
        });
    }
}

#[test]
fn file_that_is_deleted_while_the_loop_waits_is_not_reported() {
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument = (&raw const sender).cast();
    for by in EACH {
        with_loop(by, |base| {
            for _ in 0..100 {
                let (reader, writer) = pipe().unwrap();
                let what = EV_READ | EV_PERSIST;
                let reading = new_event(base, reader.as_raw_fd(), what, send, argument);
                assert_eq!(add(reading), 0);
                assert_eq!(del(reading), 0);
                write(&writer, b"x").unwrap();
                free(reading);
            }
        });
    }
    assert_eq!(receiver.try_iter().count(), 0);
}

#[test]
fn child_of_a_thread_beside_the_loop_has_the_loop_to_itself() {
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument = (&raw const sender).cast();
    for asks in [true, false] {
        with_loop(By::Epoll, |base| {
            let (reader, writer) = pipe().unwrap();
            let reading = new_event(base, reader.as_raw_fd(), EV_READ, send, argument);
            assert_eq!(add(reading), 0);
            until_it_waits(base);
            let child = child(|| {
                // SAFETY: the base is one.
                let reinit = asks.then(|| unsafe { event_reinit(Some(base)) });
                write(&writer, b"x").unwrap();
                // SAFETY: the base is one.
                let ran = unsafe { event_base_loop(Some(base), 0) };
                (reinit.unwrap_or(0), ran, receiver.try_recv()) == (0, 1, Ok(EV_READ))
            });
            assert_eq!(status(child), 0);
            assert_eq!(sent(&receiver), EV_READ);
            free(reading);
        });
    }
}

#[test]
fn child_that_activates_or_breaks_does_not_wake_its_parents_loop() {
    with_loop(By::Epoll, |base| {
        let event = new_event(base, -1, 0, nothing, ptr::null());
        until_it_waits(base);
        let (reader, writer) = pipe().unwrap();
        let child = child(|| {
            rustix::io::read(&reader, &mut [0]).unwrap();
            // SAFETY: the event is one.
            unsafe { event_active(event, c_int::from(EV_READ), 1) };
            // SAFETY: the base is one.
            let asked = unsafe { event_base_loopbreak(Some(base)) };
            // Here the loop does not run, so that nothing is broken.
            // SAFETY: the base is one.
            (asked, unsafe { event_base_loop(Some(base), 0) }) == (0, 1)
        });
        // The loop's thread, if it is woken, does not come so far as to read what it was woken by.
        base.lock.acquire();
        write(&writer, b"x").unwrap();
        let ended = status(child);
        // SAFETY: the file is open: it is closed with the base.
        let notify = unsafe { BorrowedFd::borrow_raw(base.notify_fd.get()) };
        let woken = rustix::io::read(notify, &mut [0; 8]);
        base.lock.release();
        assert_eq!((ended, woken), (0, Err(Errno::AGAIN)));
        free(event);
    });
}

#[test]
fn child_does_not_wait_for_a_callback_of_its_parents() {
    let gate = Gate::new();
    with_loop(By::Epoll, |base| {
        let event = new_event(base, -1, EV_PERSIST, pass, (&raw const gate).cast());
        // SAFETY: the event is one.
        unsafe { event_active(event, c_int::from(EV_READ), 1) };
        while !gate.is_in.load(Ordering::Acquire) {
            thread::yield_now();
        }
        let ended = status(child(|| del(event) == 0));
        gate.may_leave.store(true, Ordering::Release);
        assert_eq!(ended, 0);
        assert_eq!(del(event), 0);
        free(event);
    });
}

#[test]
fn loop_that_waits_is_woken_for_a_signal_though_another_base_has_asked_since() {
    let _alone = signals_alone();
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument = (&raw const sender).cast();
    let what = EV_SIGNAL | EV_PERSIST;
    with_loop(By::Epoll, |base| {
        let other = new_base(By::Epoll, 0);
        // SAFETY: the base is there until it is freed, below.
        let opened = unsafe { &*other };
        let event = new_event(base, libc::SIGUSR2, what, send, argument);
        let rival = new_event(opened, libc::SIGUSR2, what, send, argument);
        for _ in 0..50 {
            assert_eq!(add(event), 0);
            until_it_waits(base);
            // SAFETY: there is a handler.
            assert_eq!(unsafe { libc::raise(libc::SIGUSR2) }, 0);
            assert_eq!(add(rival), 0);
            assert_eq!(sent(&receiver), EV_SIGNAL);
            assert_eq!((del(event), del(rival)), (0, 0));
        }
        free(event);
        free(rival);
        // SAFETY: nobody uses the base any more.
        unsafe { event_base_free(other) };
    });
}

/// A callback that stays until it is let go.
struct Gate {
    is_in: AtomicBool,
    may_leave: AtomicBool,
    left: AtomicI32,
}

impl Gate {
    const fn new() -> Self {
        Self {
            is_in: AtomicBool::new(false),
            may_leave: AtomicBool::new(false),
            left: AtomicI32::new(0),
        }
    }
}

unsafe extern "C" fn pass(_: c_int, _: c_short, gate: *mut c_void) {
    // SAFETY: the argument is a gate that is there while the loop runs.
    let gate = unsafe { &*gate.cast::<Gate>() };
    gate.is_in.store(true, Ordering::Release);
    while !gate.may_leave.load(Ordering::Acquire) {
        thread::yield_now();
    }
    gate.left.fetch_add(1, Ordering::Release);
}

/// Deletes an event while its callback runs, and says whether that was over when the delete was.
fn delete_while_it_runs(what: c_short, delete: unsafe extern "C" fn(&Event) -> c_int) -> bool {
    let gate = Gate::new();
    let was_over = Cell::new(false);
    with_loop(By::Epoll, |base| {
        let event = new_event(base, -1, what, pass, (&raw const gate).cast());
        // SAFETY: the event is one.
        unsafe { event_active(event, c_int::from(EV_READ), 1) };
        while !gate.is_in.load(Ordering::Acquire) {
            thread::yield_now();
        }
        // SAFETY: the base is one. Here nothing runs.
        assert!(unsafe { event_base_get_running_event(Some(base)) }.is_null());
        thread::scope(|scope| {
            let shared = Shared(base);
            let (gate, event) = (&gate, Shared(event));
            let deleting = scope.spawn(move || {
                // SAFETY: the event is one.
                let deleted = unsafe { delete(event.get()) };
                (deleted, gate.left.load(Ordering::Acquire) == 1)
            });
            // Until the other thread waits, or is through without.
            while shared.get().enter().waiters == 0 && !deleting.is_finished() {
                thread::yield_now();
            }
            gate.may_leave.store(true, Ordering::Release);
            let (deleted, over) = deleting.join().unwrap();
            assert_eq!(deleted, 0);
            was_over.set(over);
        });
        while gate.left.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        free(event);
    });
    was_over.get()
}

#[test]
fn delete_waits_for_a_callback_that_runs_in_another_thread() {
    assert!(delete_while_it_runs(0, event_del));
    assert!(delete_while_it_runs(EV_PERSIST, event_del));
}

#[test]
fn delete_that_is_not_to_wait_does_not() {
    assert!(!delete_while_it_runs(0, event_del_noblock));
    assert!(!delete_while_it_runs(EV_FINALIZE, event_del));
}

#[test]
fn call_that_fails_gives_the_lock_back() {
    with_loop(By::Epoll, |base| {
        // SAFETY: the base is one, and the function is not called.
        let asked = unsafe { event_base_once(Some(base), 1, 8, Some(send), ptr::null_mut(), None) };
        assert_eq!((asked, held()), (-1, 0));
        let event = new_event(base, 64, 8, send, ptr::null());
        event.fd.set(-1);
        assert_eq!((add(event), held()), (-1, 0));
        free(event);
    });
}

#[test]
fn many_threads_add_to_one_loop() {
    const THREADS: usize = 8;
    const EACH: usize = 100;
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument: *const c_void = (&raw const sender).cast();
    with_loop(By::Epoll, |base| {
        let shared = Shared(base);
        let argument = argument.addr();
        let events: Vec<Vec<usize>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(move || {
                        let mut all = Vec::new();
                        for _ in 0..EACH {
                            let argument = ptr::with_exposed_provenance(argument);
                            let event = new_event(shared.get(), -1, 0, send, argument);
                            let now = timeval {
                                tv_sec: 0,
                                tv_usec: 1,
                            };
                            // SAFETY: the event is one.
                            assert_eq!(unsafe { event_add(event, Some(&now)) }, 0);
                            all.push(ptr::from_ref(event).expose_provenance());
                        }
                        all
                    })
                })
                .collect();
            threads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for _ in 0..THREADS * EACH {
            sent(&receiver);
        }
        for event in events.into_iter().flatten() {
            // SAFETY: the event came from `event_new`, and has run.
            unsafe { event_free(ptr::with_exposed_provenance_mut(event)) };
        }
    });
}

/// What a handler asks of a base.
type Ask = unsafe extern "C" fn(Option<&Base>) -> c_int;

unsafe extern "C" fn exit_at_once(base: Option<&Base>) -> c_int {
    // SAFETY: the caller vouches for the base.
    unsafe { event_base_loopexit(base, None) }
}

/// Interrupts itself where it has the state of a base.
unsafe extern "C" fn be_interrupted(_: c_int, _: c_short, argument: *mut c_void) {
    // SAFETY: the argument is that of the test below.
    let (base, ask) = unsafe { *argument.cast::<(*const Base, Ask)>() };
    interrupt(move || {
        // SAFETY: the base is there while it runs.
        let base = unsafe { base.as_ref() };
        assert!(base.is_some_and(|base| base.state.try_borrow().is_err()));
        // SAFETY: the base is one.
        assert_eq!(unsafe { ask(base) }, 0);
    });
    // SAFETY: the pointer must be null or that of a base: as above.
    let base = unsafe { base.as_ref() };
    // SAFETY: the base is one, and the function takes null.
    let asked =
        unsafe { event_base_once(base, -1, EV_TIMEOUT, Some(nothing), ptr::null_mut(), None) };
    assert_eq!((asked, held()), (0, 0));
}

unsafe extern "C" fn nothing(_: c_int, _: c_short, _: *mut c_void) {}

#[test]
fn who_interrupts_somebody_in_a_base_has_his_wish_granted_when_the_state_is_given_back() {
    let asks: [(Ask, _); 3] = [
        (event_base_loopbreak, (0, 0, 1)),
        (exit_at_once, (0, 1, 0)),
        (event_base_loopcontinue, (1, 0, 0)),
    ];
    for (ask, expected) in asks {
        let base = new_base(By::Epoll, 0);
        let argument: (*const Base, Ask) = (base, ask);
        // SAFETY: the base is there until it is freed, below.
        let opened = unsafe { base.as_ref() };
        let event = new_event(
            opened.unwrap(),
            -1,
            0,
            be_interrupted,
            (&raw const argument).cast(),
        );
        // SAFETY: the event is one.
        unsafe { event_active(event, c_int::from(EV_READ), 1) };
        // SAFETY: the base is one.
        let ended = unsafe { event_base_loop(opened, 0) };
        // SAFETY: the base is one.
        let got_exit = unsafe { event_base_got_exit(opened) };
        // SAFETY: the base is one.
        let got_break = unsafe { event_base_got_break(opened) };
        assert_eq!((ended, got_exit, got_break), expected);
        free(event);
        // SAFETY: nobody uses the base any more.
        unsafe { event_base_free(base) };
    }
}
