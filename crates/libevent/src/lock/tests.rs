//! Threads: what one does to a loop that runs in another.

use std::cell::Cell;
use std::ffi::{c_int, c_short, c_void};
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc;
use std::thread;

use rustix::io::write;
use rustix::pipe::pipe;

use crate::abi::{EV_FINALIZE, EV_PERSIST, EV_READ, EV_WRITE, Event, EventFn};
use crate::host::tests::held;
use crate::{
    Base, event_active, event_add, event_base_free, event_base_get_running_event, event_base_loop,
    event_base_loopbreak, event_base_new, event_base_once, event_del, event_del_noblock,
    event_free, event_new, event_reinit,
};

/// Goes to other threads, as a pointer of C does.
struct Shared<'a, T>(&'a T);

impl<T> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<'_, T> {}

// SAFETY: what is shared is a base or an event of a base with a lock, which is made to be used from
// several threads, and nothing but libevent's functions is done with it.
unsafe impl<T> Send for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    fn get(&self) -> &'a T {
        self.0
    }
}

/// Runs a loop in a thread of its own while `outside` runs in this one; then ends it.
fn with_loop(outside: impl FnOnce(&Base)) {
    let base = event_base_new();
    // SAFETY: the base is there until it is freed, below.
    let opened = unsafe { &*base };
    assert!(opened.lock.is_there());
    thread::scope(|scope| {
        let shared = Shared(opened);
        let (ready, is_ready) = mpsc::channel();
        scope.spawn(move || {
            ready.send(()).unwrap();
            // SAFETY: the base is one. 4: it stays though nothing is pending.
            unsafe { event_base_loop(Some(shared.get()), 4) }
        });
        is_ready.recv().unwrap();
        outside(opened);
        // Until it has begun there is nothing to break.
        // SAFETY: the base is one.
        while opened.enter().runner.is_none() {
            thread::yield_now();
        }
        // SAFETY: the base is one.
        unsafe { event_base_loopbreak(Some(opened)) };
    });
    // SAFETY: nobody uses the base any more.
    unsafe { event_base_free(base) };
}

fn new_event<'a>(
    base: &Base,
    fd: c_int,
    what: c_short,
    function: EventFn,
    argument: *const c_void,
) -> &'a Event {
    let argument = argument.cast_mut();
    // SAFETY: the base is one, and the argument is what the function takes.
    let event = unsafe { event_new(Some(base), fd, what, Some(function), argument) };
    // SAFETY: it was just made, and is freed when the test is through with it.
    unsafe { &*event }
}

fn free(event: &Event) {
    // SAFETY: the event came from `event_new`, and is not used any more.
    unsafe { event_free(ptr::from_ref(event).cast_mut()) };
}

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
    with_loop(|base| {
        let (reader, writer) = pipe().unwrap();
        let reading = new_event(base, reader.as_raw_fd(), EV_READ, send, argument);
        for _ in 0..100 {
            // SAFETY: the event is one.
            unsafe { event_active(reading, c_int::from(EV_WRITE), 1) };
            assert_eq!(sent(&receiver), EV_WRITE);
            // The loop waits, or is about to; what it is told now, it has to look at.
            // SAFETY: the event is one.
            assert_eq!(unsafe { event_add(reading, None) }, 0);
            write(&writer, b"x").unwrap();
            assert_eq!(sent(&receiver), EV_READ);
            rustix::io::read(&reader, &mut [0]).unwrap();
        }
        free(reading);
    });
}

#[test]
fn file_that_is_deleted_while_the_loop_waits_is_not_reported() {
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument = (&raw const sender).cast();
    with_loop(|base| {
        for _ in 0..100 {
            let (reader, writer) = pipe().unwrap();
            let what = EV_READ | EV_PERSIST;
            let reading = new_event(base, reader.as_raw_fd(), what, send, argument);
            // SAFETY: the event is one.
            assert_eq!(unsafe { event_add(reading, None) }, 0);
            // SAFETY: the event is one.
            assert_eq!(unsafe { event_del(reading) }, 0);
            write(&writer, b"x").unwrap();
            free(reading);
        }
    });
    assert_eq!(receiver.try_iter().count(), 0);
}

#[test]
fn child_of_a_thread_beside_the_loop_has_the_loop_to_itself() {
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument = (&raw const sender).cast();
    with_loop(|base| {
        let (reader, writer) = pipe().unwrap();
        let reading = new_event(base, reader.as_raw_fd(), EV_READ, send, argument);
        // SAFETY: the event is one.
        assert_eq!(unsafe { event_add(reading, None) }, 0);
        // The loop's thread waits with the kernel's side.
        while base.enter().kernel.is_some() {
            thread::yield_now();
        }
        // SAFETY: the child goes on with what this thread has, and the base's lock is free: the other
        // thread waits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: the base is one.
            let reinit = unsafe { event_reinit(Some(base)) };
            write(&writer, b"x").unwrap();
            // SAFETY: the base is one.
            let ran = unsafe { event_base_loop(Some(base), 0) };
            let is_good = (reinit, ran, receiver.try_recv()) == (0, 1, Ok(EV_READ));
            // SAFETY: the child leaves at once.
            unsafe { libc::_exit(i32::from(!is_good)) };
        }
        let mut status = 0;
        // SAFETY: the pointer is that of a variable.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!(sent(&receiver), EV_READ);
        free(reading);
    });
}

/// A callback that stays until it is let go.
struct Gate {
    is_in: AtomicBool,
    may_leave: AtomicBool,
    left: AtomicI32,
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
    let gate = Gate {
        is_in: AtomicBool::new(false),
        may_leave: AtomicBool::new(false),
        left: AtomicI32::new(0),
    };
    let was_over = Cell::new(false);
    with_loop(|base| {
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
    with_loop(|base| {
        // SAFETY: the base is one, and the function is not called.
        let asked = unsafe { event_base_once(Some(base), 1, 8, Some(send), ptr::null_mut(), None) };
        assert_eq!((asked, held()), (-1, 0));
        let event = new_event(base, 64, 8, send, ptr::null());
        event.fd.set(-1);
        // SAFETY: the event is one.
        assert_eq!((unsafe { event_add(event, None) }, held()), (-1, 0));
        free(event);
    });
}

#[test]
fn many_threads_add_to_one_loop() {
    const THREADS: usize = 8;
    const EACH: usize = 100;
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument: *const c_void = (&raw const sender).cast();
    with_loop(|base| {
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
                            let now = libc::timeval {
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
