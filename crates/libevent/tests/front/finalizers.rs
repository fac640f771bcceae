//! Finalizers and bare callbacks.

use std::cell::Cell;
use std::ffi::c_void;

use evloop_libevent::{
    Event, EventCallback, event_callback_finalize_, event_callback_finalize_many_,
    event_deferred_cb_cancel_, event_deferred_cb_init_, event_deferred_cb_schedule_,
    event_finalize,
};

use crate::support::{Ev, Loop, NONBLOCK, READ, ms};

/// Memory of a bare callback, and how often it was called: by itself, and by a finalizer.
struct Bare {
    memory: Box<[u64; 5]>,
    calls: Box<(Cell<u32>, Cell<u32>)>,
}

unsafe extern "C" fn itself(_: *mut EventCallback, calls: *mut c_void) {
    // SAFETY: the argument is the counters of a `Bare`.
    let calls = unsafe { &*calls.cast::<(Cell<u32>, Cell<u32>)>() };
    calls.0.set(calls.0.get() + 1);
}

unsafe extern "C" fn finalizer(_: *mut EventCallback, calls: *mut c_void) {
    // SAFETY: as above.
    let calls = unsafe { &*calls.cast::<(Cell<u32>, Cell<u32>)>() };
    calls.1.set(calls.1.get() + 1);
}

impl Bare {
    fn new() -> Self {
        let new = Self {
            memory: Box::new([0xa5a5_a5a5_a5a5_a5a5; 5]),
            calls: Box::default(),
        };
        let argument = (&raw const *new.calls).cast_mut().cast();
        // SAFETY: the memory is that of a callback, and the argument is what `itself` takes.
        unsafe { event_deferred_cb_init_(new.callback(), 0, Some(itself), argument) };
        new
    }

    fn callback(&self) -> &EventCallback {
        let memory: *const u64 = self.memory.as_ptr();
        // SAFETY: the memory is as long and as aligned as a callback, and lives as long; its fields
        // are cells, and any bytes are values of theirs.
        unsafe { &*memory.cast::<EventCallback>() }
    }

    fn schedule(&self, events: &Loop) -> i32 {
        // SAFETY: base and callback are there.
        unsafe { event_deferred_cb_schedule_(events.base(), self.callback()) }
    }

    fn calls(&self) -> (u32, u32) {
        (self.calls.0.get(), self.calls.1.get())
    }
}

#[test]
fn bare_callback_is_called_once_however_often_it_is_scheduled() {
    let events = Loop::new();
    let bare = Bare::new();
    assert_eq!((bare.schedule(&events), bare.schedule(&events)), (1, 0));
    assert_eq!(events.run(0), 1);
    assert_eq!(bare.calls(), (1, 0));
    assert_eq!(bare.schedule(&events), 1);
    // SAFETY: base and callback are there.
    unsafe { event_deferred_cb_cancel_(events.base(), bare.callback()) };
    assert_eq!(events.run(0), 1);
    assert_eq!(bare.calls(), (1, 0));
}

#[test]
fn many_bare_callbacks_are_all_called() {
    let events = Loop::new();
    let all: Vec<Bare> = (0..100).map(|_| Bare::new()).collect();
    assert!(all.iter().all(|bare| bare.schedule(&events) == 1));
    assert_eq!(events.run(0), 1);
    assert!(all.iter().all(|bare| bare.calls() == (1, 0)));
}

#[test]
fn finalizer_takes_the_place_of_what_it_finalizes() {
    let events = Loop::new();
    let (idle, active) = (Bare::new(), Bare::new());
    active.schedule(&events);
    for bare in [&idle, &active] {
        // SAFETY: base and callback are there.
        unsafe { event_callback_finalize_(events.base(), 0, bare.callback(), Some(finalizer)) };
        assert_eq!(bare.schedule(&events), 0);
    }
    assert_eq!(events.run(0), 1);
    assert_eq!((idle.calls(), active.calls()), ((0, 1), (0, 1)));
}

#[test]
fn of_many_one_is_told_when_none_can_run_any_more() {
    let events = Loop::new();
    let all = [Bare::new(), Bare::new(), Bare::new()];
    all[1].schedule(&events);
    let callbacks = [all[0].callback(), all[1].callback(), all[2].callback()];
    // SAFETY: base and callbacks are there.
    let done = unsafe {
        event_callback_finalize_many_(events.base(), 3, callbacks.as_ptr(), Some(finalizer))
    };
    assert_eq!(done, 0);
    assert_eq!(events.run(0), 1);
    assert_eq!(all.map(|bare| bare.calls()), [(0, 1), (0, 0), (0, 0)]);
}

thread_local! {
    static FINALIZED: Cell<u32> = const { Cell::new(0) };
}

unsafe extern "C" fn count(_: *mut Event, _: *mut c_void) {
    FINALIZED.set(FINALIZED.get() + 1);
}

#[test]
fn finalized_event_can_be_neither_added_nor_activated_and_is_called_no_more() {
    let events = Loop::new();
    let (event, notes) = Ev::noting(&events, -1, 0);
    event.add_for(ms(0));
    event.activate(READ);
    let before = FINALIZED.get();
    // SAFETY: the event is one.
    assert_eq!(unsafe { event_finalize(0, event.event(), Some(count)) }, 0);
    assert_eq!(event.try_add(Some(ms(0))), -1);
    event.activate(READ);
    event.del();
    assert_eq!(events.run(NONBLOCK), 1);
    assert_eq!((FINALIZED.get() - before, notes.take()), (1, vec![]));
}

#[test]
fn finalizer_that_waits_is_run_when_the_base_is_freed() {
    let events = Loop::new();
    let (event, _) = Ev::noting(&events, -1, 0);
    let before = FINALIZED.get();
    // SAFETY: the event is one.
    assert_eq!(unsafe { event_finalize(0, event.event(), Some(count)) }, 0);
    drop(events);
    assert_eq!(FINALIZED.get() - before, 1);
}
