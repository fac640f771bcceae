//! A base's lock: the program's own functions, called through libevent's tables.
//!
//! A base has a lock if the program has set such functions before it made the base
//! (`evthread_use_pthreads`), and did not ask for none. Whoever calls into a base enters it: takes the
//! lock, if there is one, and borrows the state. The borrow never outlives the call, and is given up,
//! with the lock, around every callback and around the wait.
#![expect(unsafe_code, reason = "the program's functions are C")]

use std::cell::{RefCell, RefMut};
use std::ffi::{c_uint, c_void};
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::base::{Base, State};
use crate::host::host;
use crate::log;
use crate::wishes::Wish;

/// The lock of a base and the condition that callbacks have ended; null where there is none.
#[derive(Debug)]
pub(crate) struct Lock {
    lock: *mut c_void,
    condition: *mut c_void,
}

/// `EVTHREAD_LOCKTYPE_RECURSIVE`: a function that a base calls with the lock in hand may call others.
const RECURSIVE: c_uint = 1;

impl Lock {
    /// No lock.
    pub(crate) const NONE: Self = Self {
        lock: ptr::null_mut(),
        condition: ptr::null_mut(),
    };

    /// A lock by the program's functions; `Some(NONE)` if it has set none, `None` if they fail.
    pub(crate) fn new() -> Option<Self> {
        let Some(alloc) = host().locks().and_then(|fns| fns.alloc) else {
            return Some(Self::NONE);
        };
        // SAFETY: the function was set to be called like this, by evthread's contract.
        let lock = unsafe { alloc(RECURSIVE) };
        if lock.is_null() {
            return None;
        }
        let mut new = Self {
            lock,
            condition: ptr::null_mut(),
        };
        if let Some(alloc) = host().conditions().and_then(|fns| fns.alloc) {
            // SAFETY: as above; 0 is the one kind that there is.
            new.condition = unsafe { alloc(0) };
            if new.condition.is_null() {
                return None;
            }
        }
        Some(new)
    }

    pub(crate) const fn is_there(&self) -> bool {
        !self.lock.is_null()
    }

    pub(crate) fn acquire(&self) {
        if self.is_there()
            && let Some(lock) = host().locks().and_then(|fns| fns.lock)
        {
            // SAFETY: the lock was made by the same table's `alloc`, and is not freed yet.
            unsafe { lock(0, self.lock) };
        }
    }

    pub(crate) fn release(&self) {
        if self.is_there()
            && let Some(unlock) = host().locks().and_then(|fns| fns.unlock)
        {
            // SAFETY: as in `acquire`; this thread has it.
            unsafe { unlock(0, self.lock) };
        }
    }

    /// Tells all who wait for the end of a callback. With the lock in hand.
    pub(crate) fn broadcast(&self) {
        if !self.condition.is_null()
            && let Some(signal) = host().conditions().and_then(|fns| fns.signal)
        {
            // SAFETY: the condition was made by the same table's `alloc`, and is not freed yet.
            unsafe { signal(self.condition, 1) };
        }
    }

    /// Gives the lock up until somebody broadcasts. False where that cannot be done.
    fn wait(&self) -> bool {
        if self.condition.is_null() {
            return false;
        }
        let Some(wait) = host().conditions().and_then(|fns| fns.wait) else {
            return false;
        };
        // SAFETY: as in `broadcast`; this thread has the lock.
        let result = unsafe { wait(self.condition, self.lock, ptr::null()) };
        result == 0
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.condition.is_null()
            && let Some(free) = host().conditions().and_then(|fns| fns.free)
        {
            // SAFETY: the condition was made by the same table's `alloc`; nobody waits for it.
            unsafe { free(self.condition) };
        }
        if self.is_there()
            && let Some(free) = host().locks().and_then(|fns| fns.free)
        {
            // SAFETY: the lock was made by the same table's `alloc`, and nobody has it.
            unsafe { free(self.lock, RECURSIVE) };
        }
    }
}

/// A base that was entered: its lock is in hand and its state is borrowed.
pub(crate) struct Entered<'a> {
    // Given back in this order.
    state: Borrowed<'a>,
    held: Held<'a>,
}

/// The state, borrowed. A signal handler that interrupts the thread which has it sees that it is borrowed
/// for as long as anything is done with it: the compiler moves nothing out of that time.
struct Borrowed<'a>(RefMut<'a, State>);

impl<'a> Borrowed<'a> {
    fn of(state: &'a RefCell<State>) -> Self {
        let state = Self(state.borrow_mut());
        compiler_fence(Ordering::SeqCst);
        state
    }

    /// `None` if it is borrowed already.
    fn try_of(state: &'a RefCell<State>) -> Option<Self> {
        let state = Self(state.try_borrow_mut().ok()?);
        compiler_fence(Ordering::SeqCst);
        Some(state)
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
    }
}

/// A base whose lock is in hand.
struct Held<'a>(&'a Base);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.grant();
        self.0.lock.release();
        log::pay();
    }
}

impl Base {
    /// Takes the lock and borrows the state.
    ///
    /// A base that is entered while it is entered, which only a broken rule can bring about (a function
    /// for locks or memory that calls into the base that calls it), ends the process.
    pub(crate) fn enter(&self) -> Entered<'_> {
        self.lock.acquire();
        let held = Held(self);
        Entered {
            state: Borrowed::of(&self.state),
            held,
        }
    }

    /// Has a wish granted: at once, or when the state is given back, where the thread that has it was
    /// interrupted by who asks. It allocates nothing, and says nothing.
    pub(crate) fn ask(&self, wish: Wish) {
        self.lock.acquire();
        self.wishes.ask(wish);
        self.grant();
        self.lock.release();
    }

    /// As [`Base::ask`], if the thread that has the state was interrupted by who asks; false if the base can
    /// be entered.
    pub(crate) fn ask_if_entered(&self, wish: Wish) -> bool {
        self.lock.acquire();
        let is_entered = self.state.try_borrow().is_err();
        if is_entered {
            self.wishes.ask(wish);
        }
        self.lock.release();
        is_entered
    }

    /// Grants all wishes, unless the state is borrowed: then who has it does.
    #[inline]
    fn grant(&self) {
        // Another may come while one is granted.
        while self.wishes.are_there() {
            let Some(mut state) = Borrowed::try_of(&self.state) else {
                return;
            };
            state.0.grant(self.wishes.take());
        }
    }
}

impl<'a> Entered<'a> {
    /// The base.
    pub(crate) const fn base(&self) -> &'a Base {
        self.held.0
    }

    /// Waits, with lock and borrow given up, until a callback has ended; false where nobody can say
    /// so.
    pub(crate) fn wait(self) -> (Self, bool) {
        let held = self.give_back();
        log::pay();
        let waited = held.0.lock.wait();
        let state = Borrowed::of(&held.0.state);
        (Self { state, held }, waited)
    }

    /// Calls `f` with the lock in hand and the state not borrowed.
    pub(crate) fn unborrowed<R>(self, f: impl FnOnce() -> R) -> (Self, R) {
        let held = self.give_back();
        let result = f();
        let state = Borrowed::of(&held.0.state);
        (Self { state, held }, result)
    }

    /// Gives the borrow back, and keeps the lock.
    fn give_back(self) -> Held<'a> {
        let Self { state, held } = self;
        drop(state);
        held.0.grant();
        held
    }
}

impl Deref for Entered<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state.0
    }
}

impl DerefMut for Entered<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state.0
    }
}

#[cfg(test)]
mod tests;
