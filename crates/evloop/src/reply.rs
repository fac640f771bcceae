//! The answer to a command, on its way from the loop to who asked: given once, or never.
//!
//! All of it is under one lock, in which no code of a user's runs. It is one allocation, and makes a
//! system call only where somebody waits.

use std::fmt;
use std::mem;
use std::sync::{Arc, PoisonError};

use crate::error::NoAnswer;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// What a command comes to. See [`Reply::wait`].
#[must_use = "a command's failure is in its reply"]
pub struct Reply<R>(Arc<Slot<R>>);

impl<R> Reply<R> {
    /// Blocks until the loop has taken the command, and returns what it came to.
    ///
    /// On the loop's own thread this would be for ever; there the loop is at hand without a
    /// [`Remote`](crate::Remote). If the loop does not run it is until the loop runs, or is dropped.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] if the loop was dropped before it took the command, or the command panicked, or if
    /// [`Reply::poll`] has given the answer.
    ///
    /// # Compared with libevent
    ///
    /// There is no counterpart: what is called from another thread has its result at once, under the base's
    /// lock.
    pub fn wait(self) -> Result<R, NoAnswer> {
        let mut state = self.0.lock();
        loop {
            match mem::replace(&mut *state, State::Awaited) {
                State::Answered(answer) => return Ok(answer),
                State::Over => return Err(NoAnswer),
                State::Asked | State::Awaited => {}
            }
            let waited = self.0.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What the command came to, if the loop has taken it.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] if the loop was dropped before it took the command, or the command panicked; or
    /// if the answer was given by a call before.
    pub fn poll(&self) -> Result<Option<R>, NoAnswer> {
        let mut state = self.0.lock();
        match mem::replace(&mut *state, State::Over) {
            State::Answered(answer) => Ok(Some(answer)),
            State::Over => Err(NoAnswer),
            asked @ (State::Asked | State::Awaited) => {
                *state = asked;
                Ok(None)
            }
        }
    }
}

impl<R> fmt::Debug for Reply<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}

/// The duty to answer. Dropped without an answer, it says that there is none to come.
pub(crate) struct Answer<R>(Option<Arc<Slot<R>>>);

impl<R> Answer<R> {
    /// One that is to be given, and where it is to be had.
    pub(crate) fn new() -> (Self, Reply<R>) {
        let slot = Arc::new(Slot {
            state: Mutex::new(State::Asked),
            changed: Condvar::new(),
        });
        (Self(Some(Arc::clone(&slot))), Reply(slot))
    }

    pub(crate) fn give(mut self, answer: R) {
        self.end(State::Answered(answer));
    }

    fn end(&mut self, state: State<R>) {
        if let Some(slot) = self.0.take() {
            let before = mem::replace(&mut *slot.lock(), state);
            if matches!(before, State::Awaited) {
                slot.changed.notify_one();
            }
        }
    }
}

impl<R> Drop for Answer<R> {
    fn drop(&mut self) {
        self.end(State::Over);
    }
}

/// What the two ends share.
struct Slot<R> {
    state: Mutex<State<R>>,
    /// It was awaited, and is so no more.
    changed: Condvar,
}

enum State<R> {
    Asked,
    /// And somebody waits for it.
    Awaited,
    Answered(R),
    /// There is no answer, or it was given away.
    Over,
}

impl<R> Slot<R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        // Nothing that panics runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, loom))]
mod interleavings;
