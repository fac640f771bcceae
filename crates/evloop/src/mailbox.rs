//! What a loop and its remotes share: commands that any thread posts, and that the loop takes.
//!
//! All of it is under one lock, in which no code of a user's runs, so it has no memory order of its
//! own to get right. What can go wrong is who waits for whom: a poster that rings too early, a
//! waiter that is not told. [`post`](Mailbox::post) wakes the loop when the command is there to be
//! found; whatever ends a [`wait`](Mailbox::wait) is followed by a notification to all. Tests under
//! loom try every order of it.
//!
//! The one thing beside the lock is the flag of a break, which the loop looks at before every
//! callback. It is a hint that comes early: the command that is posted with it brings it in time.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::thread::ThreadId;

use evloop_pipe::Waker;

use crate::error::LoopGone;
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering};

/// Commands of type `C`, on their way to the loop.
pub(crate) struct Mailbox<C> {
    state: Mutex<State<C>>,
    /// A command is done, or the run is over, or the loop is gone.
    changed: Condvar,
    is_break_wanted: AtomicBool,
}

struct State<C> {
    commands: VecDeque<C>,
    /// How many commands were ever posted, and how many of them are done.
    posted: u64,
    done: u64,
    /// The thread that runs the loop.
    runner: Option<ThreadId>,
    is_gone: bool,
    waker: Arc<Waker>,
}

/// A command that was posted, to [wait](Mailbox::wait) for: how many were posted with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

/// For all threads.
impl<C> Mailbox<C> {
    /// An empty one, of the loop that this waker wakes and this thread runs.
    pub(crate) fn new(waker: Arc<Waker>, runner: Option<ThreadId>) -> Self {
        Self {
            state: Mutex::new(State {
                commands: VecDeque::new(),
                posted: 0,
                done: 0,
                runner,
                is_gone: false,
                waker,
            }),
            changed: Condvar::new(),
            is_break_wanted: AtomicBool::new(false),
        }
    }

    /// Posts a command, and wakes the loop.
    pub(crate) fn post(&self, command: C) -> Result<Ticket, LoopGone> {
        let mut state = self.lock();
        if state.is_gone {
            return Err(LoopGone);
        }
        state.commands.push_back(command);
        state.posted += 1;
        let ticket = Ticket(state.posted);
        let waker = Arc::clone(&state.waker);
        drop(state);
        waker.wake();
        Ok(ticket)
    }

    /// Asks for a break, of which [`take_break`](Self::take_break) tells the loop: as soon as it
    /// can, and at the latest when the loop has taken this command, which may do nothing.
    pub(crate) fn post_break(&self, command: C) -> Result<(), LoopGone> {
        // The lock that hands over the command hands over this.
        self.is_break_wanted.store(true, Ordering::Relaxed);
        self.post(command)?;
        Ok(())
    }

    /// Returns when the command is done, or no thread runs the loop. Not for the loop's own thread.
    pub(crate) fn wait(&self, ticket: Ticket) -> Result<(), LoopGone> {
        let mut state = self.lock();
        loop {
            if state.is_gone {
                return Err(LoopGone);
            }
            if state.done >= ticket.0 || state.runner.is_none() {
                return Ok(());
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether this thread runs the loop.
    pub(crate) fn is_run_by(&self, thread: ThreadId) -> bool {
        self.lock().runner == Some(thread)
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // No code of a user's runs under the lock, so a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and tells those who wait for that.
    fn change<R>(&self, f: impl FnOnce(&mut State<C>) -> R) -> R {
        let result = f(&mut self.lock());
        self.changed.notify_all();
        result
    }
}

/// For the loop.
impl<C> Mailbox<C> {
    /// This thread runs the loop from now on. It takes what was posted before anything else.
    pub(crate) fn begin(&self, runner: ThreadId) {
        self.lock().runner = Some(runner);
    }

    /// No thread runs the loop from now on.
    pub(crate) fn end(&self) {
        self.change(|state| state.runner = None);
    }

    /// How many commands are to be taken.
    pub(crate) fn len(&self) -> usize {
        self.lock().commands.len()
    }

    /// Takes the command that was posted first. It is done when what comes with it is dropped.
    pub(crate) fn take(&self) -> Option<(C, Done<'_, C>)> {
        let command = self.lock().commands.pop_front()?;
        Some((command, Done(self)))
    }

    /// Whether a break was posted since the last call.
    pub(crate) fn take_break(&self) -> bool {
        let is_wanted = self.is_break_wanted.load(Ordering::Relaxed);
        if is_wanted {
            self.is_break_wanted.store(false, Ordering::Relaxed);
        }
        is_wanted
    }

    /// Wakes by another waker from now on.
    pub(crate) fn set_waker(&self, waker: Arc<Waker>) {
        self.lock().waker = waker;
    }

    /// Takes no more commands, and gives back those that were not taken: to be dropped where no
    /// lock is held.
    pub(crate) fn close(&self) -> VecDeque<C> {
        self.change(|state| {
            state.is_gone = true;
            std::mem::take(&mut state.commands)
        })
    }
}

/// Dropped, it tells those who wait that a command is done; also if that panicked.
pub(crate) struct Done<'a, C>(&'a Mailbox<C>);

impl<C> Drop for Done<'_, C> {
    fn drop(&mut self) {
        self.0.change(|state| state.done += 1);
    }
}

#[cfg(all(test, loom))]
mod interleavings;
