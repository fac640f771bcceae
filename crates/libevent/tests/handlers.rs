//! A program's own signal handlers, which ask for the end of a loop: in a process of their own, for
//! signals are the process's.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "the functions are C's")]

#[expect(dead_code, reason = "other tests need the rest of it")]
#[path = "front/support.rs"]
mod support;

use std::cell::RefCell;
use std::ffi::c_int;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::thread;

use evloop_libevent::{Base, event_base_got_break, event_base_loopbreak};

use support::{Ev, Loop, PERSIST, READ, ms};

/// Whose loop the handler ends, and how often it has asked for that.
static BASE: AtomicPtr<Base> = AtomicPtr::new(ptr::null_mut());
static ASKED: AtomicU32 = AtomicU32::new(0);

extern "C" fn break_loop(_: c_int) {
    // SAFETY: the pointer must be null or that of a base: it is one, which is there while signals come.
    let base = unsafe { BASE.load(Ordering::Relaxed).as_ref() };
    // SAFETY: the base is one.
    assert_eq!(unsafe { event_base_loopbreak(base) }, 0);
    ASKED.fetch_add(1, Ordering::Relaxed);
}

/// Does something while another thread sends this one signals, each when the one before was handled.
fn under_signals(events: &Loop, does: impl FnOnce()) {
    let base = events.base().unwrap();
    BASE.store(ptr::from_ref(base).cast_mut(), Ordering::Relaxed);
    let handler: extern "C" fn(c_int) = break_loop;
    // SAFETY: the handler does what handlers may.
    unsafe { libc::signal(libc::SIGUSR1, handler as usize) };
    let is_over = AtomicBool::new(false);
    // SAFETY: no precondition.
    let this = unsafe { libc::pthread_self() };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let asked = ASKED.load(Ordering::Relaxed);
                // SAFETY: the thread is there: it waits for this one.
                assert_eq!(unsafe { libc::pthread_kill(this, libc::SIGUSR1) }, 0);
                while ASKED.load(Ordering::Relaxed) == asked {
                    thread::yield_now();
                }
            }
        });
        does();
        is_over.store(true, Ordering::Relaxed);
    });
}

fn got_break(events: &Loop) -> bool {
    // SAFETY: the base is one.
    unsafe { event_base_got_break(events.base()) == 1 }
}

/// One test: the handler is the process's.
#[test]
fn handler_ends_a_run_whatever_it_interrupts() {
    // The library, for most of the time: the callback is active again when it ends.
    for events in Loop::each() {
        let own: Rc<RefCell<Option<Ev>>> = Rc::default();
        let itself = Rc::clone(&own);
        let (other, _) = Ev::noting(&events, -1, 0);
        let event = Ev::new(&events, -1, 0, move |_, _| {
            other.add_for(ms(5_000));
            other.del();
            if let Some(event) = &*itself.borrow() {
                event.activate(READ);
            }
        });
        event.activate(READ);
        *own.borrow_mut() = Some(event);
        under_signals(&events, || {
            for _ in 0..100 {
                assert_eq!(events.run(0), 0);
                assert!(got_break(&events));
            }
        });
        let own = own.take().unwrap();
        own.del();
    }
    // The wait.
    for events in Loop::each() {
        let (event, calls) = Ev::noting(&events, -1, READ | PERSIST);
        event.add();
        under_signals(&events, || {
            for _ in 0..100 {
                assert_eq!(events.run(0), 0);
                assert!(got_break(&events));
            }
        });
        assert_eq!(calls.len(), 0);
        event.del();
    }
}
