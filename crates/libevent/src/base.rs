//! `struct event_base`: a loop as C has it, made and freed.
//!
//! What programs hold is a pointer to a [`Base`]. All that changes in it is behind one borrow, which every
//! call takes anew and gives back before it returns or calls back. What a thread waits with is a part of
//! it that the thread takes out and brings back.
#![expect(unsafe_code, reason = "bases come and go by C's pointers")]

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_ulong};
use std::fmt;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::time::Duration;

use evloop_catcher::ForkStamp;
use evloop_core::{Core, EventId, Kind, Missed, Spec};
use libc::timeval;

use crate::abi::{BASE_NOLOCK, Event, EventCallback};
use crate::config::Config;
use crate::host::host;
use crate::kernel::Kernel;
use crate::lock::Lock;
use crate::method::{self, Mechanism, Method};
use crate::once::Once;
use crate::signals::Signals;
use crate::wakers::Notifier;
use crate::wishes::{Wish, Wished, Wishes};
use crate::{debug, log, mm};

/// `struct event_base`. Opaque, but for the two places where libevent's own tests look for a file
/// descriptor.
#[repr(C)]
pub struct Base {
    before_signal: [Cell<u64>; 21],
    /// At 168: what a signal wakes the loop by, or -1.
    pub(crate) signal_fd: Cell<c_int>,
    between: [Cell<c_int>; 82],
    /// At 500: what another thread wakes the loop by, or -1.
    pub(crate) notify_fd: Cell<c_int>,
    pub(crate) lock: Lock,
    pub(crate) method: Method,
    pub(crate) flags: c_int,
    /// How many priorities there are, for who asks without entering.
    pub(crate) priorities: Cell<c_int>,
    /// What handlers have asked for that have interrupted somebody who has the state.
    pub(crate) wishes: Wishes,
    pub(crate) state: RefCell<State>,
}

const _: () = {
    assert!(std::mem::offset_of!(Base, signal_fd) == 168);
    assert!(std::mem::offset_of!(Base, notify_fd) == 500);
};

/// All that changes while a loop is used.
pub(crate) struct State {
    pub(crate) core: Core<Subject>,
    /// The process that the kernel's side is of.
    pub(crate) stamp: ForkStamp,
    /// The thread that runs the loop, while one does: as the program tells threads apart.
    pub(crate) runner: Option<Option<c_ulong>>,
    pub(crate) kernel: Kernel,
    /// Whose callback runs.
    pub(crate) current: *const EventCallback,
    /// The same, if it is an event's.
    pub(crate) current_event: *const Event,
    /// How many callbacks have been run.
    pub(crate) runs: u64,
    /// How many threads wait for a callback to end.
    pub(crate) waiters: u32,
    pub(crate) got_break: bool,
    pub(crate) got_exit: bool,
    /// The time that this turn goes by, and the wall clock then.
    pub(crate) cached: Option<(u64, Duration)>,
    /// Common timeouts, as programs have pointers to them.
    pub(crate) common: Vec<Rc<timeval>>,
    pub(crate) once: Vec<NonNull<Once>>,
    pub(crate) signals: Option<Signals>,
    pub(crate) notifier: Option<Notifier>,
    pub(crate) counts: Counts,
    /// A file that cannot be deleted could not be got rid of, and the program has been told so.
    pub(crate) is_haunted: bool,
    /// The run does not end when nothing is pending or active.
    pub(crate) stays: bool,
    /// Keeps the loop running while something beyond its events does.
    pub(crate) keeper: Option<EventId>,
}

/// What the core carries for an event of C: where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) callback: NonNull<EventCallback>,
    /// Counted as inserted.
    pub(crate) is_inserted: bool,
}

/// What `event_base_get_num_events` is asked for and the core does not count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Events that wait for a file descriptor or a signal.
    pub(crate) inserted: usize,
    pub(crate) virtuals: c_int,
    pub(crate) most_added: usize,
    pub(crate) most_active: usize,
    pub(crate) most_virtual: c_int,
}

impl State {
    fn new(method: Method, mechanism: Mechanism) -> Self {
        let mut core = Core::new();
        core.set_missed(Missed::Forgotten);
        Self {
            core,
            stamp: ForkStamp::new(),
            runner: None,
            kernel: Kernel::new(method, mechanism),
            current: ptr::null(),
            current_event: ptr::null(),
            runs: 0,
            waiters: 0,
            got_break: false,
            got_exit: false,
            cached: None,
            common: Vec::new(),
            once: Vec::new(),
            signals: None,
            notifier: None,
            counts: Counts::default(),
            is_haunted: false,
            stays: false,
            keeper: None,
        }
    }

    /// The slot of a callback, while it is pending or active.
    ///
    /// A handle that was left behind in an event, or was never one, names nothing, or another's slot:
    /// then this is not its callback.
    pub(crate) fn slot(&self, callback: &EventCallback) -> Option<EventId> {
        let id = EventId::from_bits(callback.id.get())?;
        let subject = self.core.payload(id)?;
        (subject.callback == NonNull::from(callback)).then_some(id)
    }

    /// Whether the thread that calls is the one that runs the loop, or cannot be told from it.
    pub(crate) fn is_runner(&self) -> bool {
        match self.runner {
            Some(Some(runner)) => host().thread().is_none_or(|thread| thread == runner),
            Some(None) | None => true,
        }
    }

    /// Makes the loop look again, if another thread runs it. In a child that has not adopted the base yet
    /// none does, and what it would be woken by is the parent's.
    pub(crate) fn notify(&self) {
        if !self.is_runner()
            && !self.stamp.is_child()
            && let Some(notifier) = &self.notifier
        {
            notifier.waker.wake();
        }
    }

    /// Ends a wait, if the loop is at one, whoever asks. A handler that does may have interrupted the very
    /// thread that is just about to block.
    fn end_wait(&self) {
        if !self.is_runner() {
            self.notify();
        } else if !self.kernel.is_here() && !self.stamp.is_child() {
            let notifier = self.notifier.as_ref().map(|notifier| &notifier.waker);
            let signals = || self.signals.as_ref().map(Signals::waker);
            if let Some(waker) = notifier.or_else(signals) {
                waker.wake();
            }
        }
    }

    /// Grants what was wished for.
    pub(crate) fn grant(&mut self, wished: Wished) {
        // A run of a thread of the parent's is none.
        let is_running = self.core.is_running() && (self.is_runner() || !self.stamp.is_child());
        if wished.has(Wish::Break) {
            self.got_break = true;
            if is_running {
                self.core.break_loop();
            }
        }
        if wished.has(Wish::Continue) && is_running {
            self.core.rescan();
        }
        if wished.has(Wish::Exit) {
            self.got_exit = true;
            self.core.exit();
        }
        self.end_wait();
    }

    /// Keeps the loop running, or no longer.
    pub(crate) fn keep_running(&mut self, keep: bool) {
        if keep && self.keeper.is_none() {
            let subject = Subject {
                callback: NonNull::dangling(),
                is_inserted: false,
            };
            let spec = Spec {
                keep: true,
                ..Spec::new(Kind::Plain)
            };
            if let Ok(id) = self.core.insert(spec, subject) {
                let added = self.core.add(id, || 0, |_| Ok::<(), ()>(()));
                debug_assert_eq!(added, Ok(()));
                self.keeper = Some(id);
            }
        } else if !keep && let Some(id) = self.keeper.take() {
            let removed = self.core.remove(id);
            debug_assert!(removed.is_ok());
        }
    }
}

impl Base {
    /// Whether the kernel is told at the wait, and not at once, that a file descriptor is no longer
    /// wanted.
    pub(crate) fn is_lazy(&self) -> bool {
        self.method == Method::EpollChangelist
    }

    /// Makes a base; null, and a warning, where the system or the program has not what it takes.
    fn open(config: &Config) -> *mut Self {
        debug::too_late();
        let Some((method, mechanism)) = method::choose(config) else {
            log::warn(
                "event_base_new_with_config: every mechanism was avoided, or refused by the system",
            );
            return ptr::null_mut();
        };
        let lock = if config.flags & BASE_NOLOCK == 0 {
            Lock::new()
        } else {
            Some(Lock::NONE)
        };
        let Some(lock) = lock else {
            log::warn("event_base_new_with_config: the program's functions made no lock");
            return ptr::null_mut();
        };
        debug::created_threadable();
        let mut state = State::new(method, mechanism);
        state.core.set_limits(config.limits);
        let base = mm::place(Self {
            before_signal: [const { Cell::new(0) }; 21],
            signal_fd: Cell::new(-1),
            between: [const { Cell::new(0) }; 82],
            notify_fd: Cell::new(-1),
            lock,
            method,
            flags: config.flags,
            priorities: Cell::new(1),
            wishes: Wishes::new(),
            state: RefCell::new(state),
        });
        // SAFETY: the pointer must be null or that of a base, which nobody else has yet.
        let Some(new) = (unsafe { base.as_ref() }) else {
            log::warn("event_base_new_with_config: out of memory");
            return base;
        };
        if new.lock.is_there() && !new.enter().make_notifiable() {
            // SAFETY: the base was just made, and nobody else has it.
            unsafe { Self::close(base) };
            return ptr::null_mut();
        }
        base
    }

    /// Frees a base from which everything was taken out.
    ///
    /// # Safety
    ///
    /// The base came from [`Base::open`], and is not used any more.
    pub(crate) unsafe fn close(base: *mut Self) {
        // SAFETY: the value must not be used again: the caller says so.
        unsafe { base.drop_in_place() };
        // SAFETY: the memory came from `mm::place`, and its value is gone.
        unsafe { mm::event_mm_free_(base.cast()) };
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Makes a base with what [`event_config_new`](crate::event_config_new) says; null where it cannot be
/// made.
#[unsafe(no_mangle)]
pub extern "C" fn event_base_new() -> *mut Base {
    Base::open(&Config::default())
}

/// Makes a base as `config` says; null where it cannot be made.
///
/// # Safety
///
/// `config` is null or came from [`event_config_new`](crate::event_config_new).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_new_with_config(config: Option<&Config>) -> *mut Base {
    config.map_or_else(|| event_base_new(), Base::open)
}

/// What a base waits by.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_get_method(base: Option<&Base>) -> *const c_char {
    base.map_or(ptr::null(), |base| base.method.name().as_ptr())
}

/// What a base's mechanism can do.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_get_features(base: Option<&Base>) -> c_int {
    base.map_or(0, |base| base.method.features())
}

/// How many priorities a base has.
///
/// # Safety
///
/// `base` is a base, or null for the current one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_get_npriorities(base: Option<&Base>) -> c_int {
    crate::current::or_current(base).map_or(0, |base| base.priorities.get())
}

/// Gives a base so many priorities: 1 to 255. -1 for another number, or while anything is active.
///
/// Events that were assigned before keep their number, even where that is too high now: there is a
/// queue for every number.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_priority_init(base: Option<&Base>, number: c_int) -> c_int {
    let Some(base) = base else {
        return -1;
    };
    let state = base.enter();
    if state.core.active() > 0 || !(1..256).contains(&number) {
        return -1;
    }
    base.priorities.set(number);
    0
}

/// Makes it possible to wake a base from another thread. -1 where the system refuses what that takes.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evthread_make_base_notifiable(base: Option<&Base>) -> c_int {
    match base {
        Some(base) if base.enter().make_notifiable() => 0,
        _ => -1,
    }
}
