//! What a loop and its remotes share: commands that any thread posts, and that the loop takes.
//!
//! All of it is under one lock, in which no code of a user's runs, so it has no memory order of its
//! own to get right. What can go wrong is who waits for whom: a poster that rings too early, a
//! waiter that is not told. [`post`](Mailbox::post) wakes the loop when the command is there to be
//! found; whatever ends a [`wait`](Mailbox::wait) is followed by a notification, if anybody waits.
//! Tests under loom try every order of it.
//!
//! A post takes the lock once, and the loop once for all that was posted since it looked last; once
//! more for each command that somebody waits for. There is no system call in it but the wakeup.
//!
//! The one thing beside the lock is the flag of a break, which the loop looks at after every callback
//! in which it was woken, also when it leaves the command for later. It is a hint that comes early:
//! the command that is posted with it brings it in time.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::thread::ThreadId;

use crate::current_waker::CurrentWaker;
use crate::error::LoopGone;
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering};

/// Commands of type `C`, on their way to the loop.
pub(crate) struct Mailbox<C> {
    waker: Arc<CurrentWaker>,
    state: Mutex<State<C>>,
    /// A command is done, or the run is over, or the loop is gone.
    changed: Condvar,
    is_break_wanted: AtomicBool,
}

struct State<C> {
    posted: VecDeque<Posted<C>>,
    /// How many commands were ever posted to be waited for, and how many of them are done.
    tickets: u64,
    done: u64,
    /// How many threads wait.
    waiting: usize,
    /// The thread that runs the loop.
    runner: Option<ThreadId>,
    is_gone: bool,
}

/// A command as it was posted.
pub(crate) struct Posted<C> {
    command: C,
    has_ticket: bool,
}

/// A command to [wait](Mailbox::wait) for: how many such were posted with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

/// For all threads.
impl<C> Mailbox<C> {
    /// An empty one, of the loop that this waker wakes and this thread runs.
    pub(crate) fn new(waker: Arc<CurrentWaker>, runner: Option<ThreadId>) -> Self {
        Self {
            waker,
            state: Mutex::new(State {
                posted: VecDeque::new(),
                tickets: 0,
                done: 0,
                waiting: 0,
                runner,
                is_gone: false,
            }),
            changed: Condvar::new(),
            is_break_wanted: AtomicBool::new(false),
        }
    }

    /// Posts a command, and wakes the loop.
    pub(crate) fn post(&self, command: C) -> Result<(), LoopGone> {
        self.post_with(command, false)?;
        Ok(())
    }

    /// The same, with what it takes to [wait](Self::wait) until the command is done.
    pub(crate) fn post_with_ticket(&self, command: C) -> Result<Ticket, LoopGone> {
        self.post_with(command, true)
    }

    fn post_with(&self, command: C, has_ticket: bool) -> Result<Ticket, LoopGone> {
        let mut state = self.lock();
        if state.is_gone {
            return Err(LoopGone);
        }
        state.posted.push_back(Posted {
            command,
            has_ticket,
        });
        state.tickets += u64::from(has_ticket);
        let ticket = Ticket(state.tickets);
        drop(state);
        self.waker.wake();
        Ok(ticket)
    }

    /// Asks for a break, of which [`take_break`](Self::take_break) tells the loop: as soon as it
    /// can, and at the latest when the loop has taken this command, which may do nothing.
    pub(crate) fn post_break(&self, command: C) -> Result<(), LoopGone> {
        // The lock that hands over the command hands over this.
        self.is_break_wanted.store(true, Ordering::Relaxed);
        self.post(command)
    }

    /// Returns when the command is done, or no thread runs the loop. Not for the loop's own thread.
    pub(crate) fn wait(&self, ticket: Ticket) -> Result<(), LoopGone> {
        let mut state = self.lock();
        state.waiting += 1;
        while !state.is_gone && state.done < ticket.0 && state.runner.is_some() {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        if state.is_gone { Err(LoopGone) } else { Ok(()) }
    }

    /// Whether this thread runs the loop.
    pub(crate) fn is_run_by(&self, thread: ThreadId) -> bool {
        self.lock().runner == Some(thread)
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // No code of a user's runs under the lock, so a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and tells those who wait for that: a system call, if there are any.
    fn change<R>(&self, f: impl FnOnce(&mut State<C>) -> R) -> R {
        let mut state = self.lock();
        let result = f(&mut state);
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            self.changed.notify_all();
        }
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

    /// Takes what was posted, in its order, and puts it behind what was taken before.
    pub(crate) fn take(&self, taken: &mut VecDeque<Posted<C>>) {
        let mut state = self.lock();
        if taken.is_empty() {
            // Their memory goes to and fro.
            std::mem::swap(taken, &mut state.posted);
        } else {
            taken.append(&mut state.posted);
        }
    }

    /// Whether a break was posted since the last call.
    pub(crate) fn take_break(&self) -> bool {
        let is_wanted = self.is_break_wanted.load(Ordering::Relaxed);
        if is_wanted {
            self.is_break_wanted.store(false, Ordering::Relaxed);
        }
        is_wanted
    }

    /// Takes no more commands, and gives back those that were not taken: to be dropped where no
    /// lock is held.
    pub(crate) fn close(&self) -> VecDeque<Posted<C>> {
        self.change(|state| {
            state.is_gone = true;
            std::mem::take(&mut state.posted)
        })
    }
}

impl<C> Posted<C> {
    /// The command. It is done when what comes with it is dropped.
    pub(crate) fn open(self, mailbox: &Mailbox<C>) -> (C, Option<Done<'_, C>>) {
        (self.command, self.has_ticket.then(|| Done(mailbox)))
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
