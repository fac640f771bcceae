//! A base and events as a program of C would have them, with closures for callbacks.

use std::cell::RefCell;
use std::ffi::{c_int, c_short, c_void};
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use evloop_libevent::{
    Base, Config, Event, event_active, event_add, event_assign, event_base_free, event_base_loop,
    event_base_loopexit, event_base_new_with_config, event_config_avoid_method, event_config_free,
    event_config_new, event_config_set_flag, event_del, event_get_base, event_pending,
};
use libc::timeval;

pub(crate) const TIMEOUT: c_short = 0x01;
pub(crate) const READ: c_short = 0x02;
pub(crate) const WRITE: c_short = 0x04;
pub(crate) const SIGNAL: c_short = 0x08;
pub(crate) const PERSIST: c_short = 0x10;
pub(crate) const ET: c_short = 0x20;
pub(crate) const CLOSED: c_short = 0x80;

pub(crate) const ONCE: c_int = 1;
pub(crate) const NONBLOCK: c_int = 2;

/// A base that is freed when it goes out of scope, and ends the process if that is not soon: a loop
/// that waits for ever fails no test.
pub(crate) struct Loop(
    *mut Base,
    #[expect(dead_code, reason = "to be dropped")] Deadline,
);

type Deadline = mpsc::Sender<()>;

fn deadline() -> Deadline {
    let (alive, dropped) = mpsc::channel();
    let test = thread::current().name().map(str::to_owned);
    thread::spawn(move || {
        // Long for any test, on a busy machine too, and shorter than what a test runner waits.
        let time = Duration::from_secs(40);
        if dropped.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
            let test = test.unwrap_or_default();
            _ = writeln!(io::stderr(), "{test}: not over after {time:?}");
            std::process::abort();
        }
    });
    alive
}

impl Loop {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// With what `configure` says.
    pub(crate) fn with(configure: impl FnOnce(Option<&mut Config>)) -> Self {
        let config = event_config_new();
        // SAFETY: the configuration was just made, and nobody else has it.
        configure(unsafe { config.as_mut() });
        // SAFETY: it is still there.
        let said = unsafe { config.as_ref() };
        // SAFETY: the configuration is one.
        let base = unsafe { event_base_new_with_config(said) };
        // SAFETY: nobody uses it any more.
        unsafe { event_config_free(config) };
        assert!(!base.is_null());
        Self(base, deadline())
    }

    /// On poll, and not on epoll.
    pub(crate) fn on_poll() -> Self {
        Self::with(|config| {
            // SAFETY: the configuration is one.
            let avoided = unsafe { event_config_avoid_method(config, c"epoll".as_ptr()) };
            assert_eq!(avoided, 0);
        })
    }

    /// On epoll, with the changelist.
    pub(crate) fn with_changelist() -> Self {
        Self::with(|config| {
            // SAFETY: the configuration is one.
            let set = unsafe { event_config_set_flag(config, 0x10) };
            assert_eq!(set, 0);
        })
    }

    /// One of each kind.
    pub(crate) fn each() -> [Self; 3] {
        [Self::new(), Self::with_changelist(), Self::on_poll()]
    }

    pub(crate) fn base(&self) -> Option<&Base> {
        // SAFETY: the base is there until this is dropped.
        unsafe { self.0.as_ref() }
    }

    /// Asks for the base to be freed, as a callback may.
    pub(crate) fn free_while_it_runs(&self) {
        // SAFETY: the base is one that runs, so that it is not freed.
        unsafe { event_base_free(self.0) };
    }

    pub(crate) fn run(&self, flags: c_int) -> c_int {
        // SAFETY: the base is one.
        unsafe { event_base_loop(self.base(), flags) }
    }

    pub(crate) fn exit(&self) {
        // SAFETY: the base is one.
        let asked = unsafe { event_base_loopexit(self.base(), None) };
        assert_eq!(asked, 0);
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // SAFETY: nobody uses the base any more.
        unsafe { event_base_free(self.0) };
    }
}

type Callback = Box<dyn Fn(c_int, c_short)>;

/// An event in memory of its own, and what it calls.
pub(crate) struct Ev {
    memory: Box<[u64; 16]>,
    callback: Box<Callback>,
}

impl Ev {
    /// Made of memory that was used before.
    pub(crate) fn new(
        events: &Loop,
        fd: c_int,
        what: c_short,
        callback: impl Fn(c_int, c_short) + 'static,
    ) -> Self {
        let callback: Box<Callback> = Box::new(Box::new(callback));
        let new = Self {
            memory: Box::new([0xa5a5_a5a5_a5a5_a5a5; 16]),
            callback,
        };
        new.assign(events, fd, what);
        new
    }

    /// That writes down what it is told.
    pub(crate) fn noting(events: &Loop, fd: c_int, what: c_short) -> (Self, Notes) {
        let notes = Notes::default();
        let noted = notes.clone();
        (
            Self::new(events, fd, what, move |_, what| noted.note(what)),
            notes,
        )
    }

    pub(crate) fn assign(&self, events: &Loop, fd: c_int, what: c_short) {
        let argument = (&raw const *self.callback).cast_mut().cast();
        // SAFETY: the memory is that of an event, and the argument is what `call` takes.
        let assigned =
            unsafe { event_assign(self.event(), events.base(), fd, what, Some(call), argument) };
        assert_eq!(assigned, 0);
    }

    /// To the base that it is of.
    pub(crate) fn assign_anew(&self, fd: c_int, what: c_short) {
        let argument = (&raw const *self.callback).cast_mut().cast();
        // SAFETY: the event is one.
        let base = unsafe { event_get_base(self.event()) };
        // SAFETY: the base is there while its events are used.
        let base = unsafe { base.as_ref() };
        // SAFETY: the memory is that of an event, and the argument is what `call` takes.
        let assigned = unsafe { event_assign(self.event(), base, fd, what, Some(call), argument) };
        assert_eq!(assigned, 0);
    }

    pub(crate) fn event(&self) -> &Event {
        let memory: *const u64 = self.memory.as_ptr();
        // SAFETY: the memory is as long and as aligned as an event, and lives as long; its fields are
        // cells, and any bytes are values of theirs.
        unsafe { &*memory.cast::<Event>() }
    }

    pub(crate) fn try_add(&self, timeout: Option<Duration>) -> c_int {
        let time = timeout.map(time);
        // SAFETY: the event is one.
        unsafe { event_add(self.event(), time.as_ref()) }
    }

    pub(crate) fn add(&self) {
        assert_eq!(self.try_add(None), 0);
    }

    pub(crate) fn add_for(&self, timeout: Duration) {
        assert_eq!(self.try_add(Some(timeout)), 0);
    }

    pub(crate) fn del(&self) {
        // SAFETY: the event is one.
        assert_eq!(unsafe { event_del(self.event()) }, 0);
    }

    pub(crate) fn activate(&self, what: c_short) {
        // SAFETY: the event is one.
        unsafe { event_active(self.event(), c_int::from(what), 1) };
    }

    pub(crate) fn pending(&self) -> c_short {
        let all = TIMEOUT | READ | WRITE | SIGNAL | CLOSED;
        // SAFETY: the event is one.
        let pending = unsafe { event_pending(self.event(), all, None) };
        c_short::try_from(pending).unwrap()
    }

    /// Writes into the memory as a program of C may, at this place.
    pub(crate) fn poke(&mut self, offset: usize, value: u16) {
        let (word, shift) = (offset / 8, 8 * (offset % 8));
        self.memory[word] &= !(0xffff << shift);
        self.memory[word] |= u64::from(value) << shift;
    }
}

unsafe extern "C" fn call(fd: c_int, what: c_short, callback: *mut c_void) {
    // SAFETY: the argument is the callback of an `Ev`, which is there while its event is.
    let callback = unsafe { &*callback.cast::<Callback>() };
    callback(fd, what);
}

/// What callbacks were told, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Rc<RefCell<Vec<c_short>>>);

impl Notes {
    pub(crate) fn note(&self, what: c_short) {
        self.0.borrow_mut().push(what);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// What was noted since this was asked last.
    pub(crate) fn take(&self) -> Vec<c_short> {
        self.0.take()
    }
}

pub(crate) fn time(duration: Duration) -> timeval {
    timeval {
        tv_sec: i64::try_from(duration.as_secs()).unwrap(),
        tv_usec: i64::from(duration.subsec_micros()),
    }
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
