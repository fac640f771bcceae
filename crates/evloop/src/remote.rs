//! The loop from other threads: commands are posted, in order, and the loop takes them.
//!
//! A command is a closure that gets the loop. Everything that a [`Remote`] offers is one, so what
//! works on the loop's own thread works from elsewhere, with the same errors. A post costs one
//! lock, one allocation, and a system call only if the loop is asleep and nobody else has woken
//! it; the loop's lock is taken once for all that was posted in the meantime.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use evloop_changelist::Ready;
use evloop_core::{EventId, NoSuchEvent, Priority};

use crate::context::Cx;
use crate::error::{AddError, DeleteAndWaitError, LoopGone, RemoveError};
use crate::event_loop::EventLoop;
use crate::mailbox::{Mailbox, Posted};
use crate::reply::{Answer, Reply};

/// Uses a loop from another thread. Made by [`EventLoop::remote`]; can be cloned and sent.
///
/// Commands are taken in the order in which they were posted, those of all threads in one: after
/// the wait of each turn, between two of its callbacks, and before a run ends. While the loop does not
/// run they wait for the next run, which takes them before any callback. When the loop is dropped they
/// are dropped.
///
/// All of them but one are done when they are taken. A closure that was [posted](Remote::post) becomes a
/// callback then, and what was posted after it may be done before it runs.
///
/// # Compared with libevent
///
/// There every function may be called from any thread, under the base's lock.
pub struct Remote<S> {
    shared: Arc<Shared<S>>,
}

impl<S> Remote<S> {
    /// Calls a closure on the loop's thread, from the loop, as [`EventLoop::defer`] does: it is a callback of
    /// priority [`NORMAL`](Priority::NORMAL), and behind what is active already. Closures run in the order in
    /// which they were posted; other commands, which are done when the loop takes them, overtake them.
    /// [`Remote::call`] is done in order.
    ///
    /// # Errors
    ///
    /// [`LoopGone`] if the loop was dropped.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_once` with `EV_TIMEOUT`, no file descriptor and no time, which takes the base's lock.
    #[track_caller]
    pub fn post(
        &self,
        callback: impl FnOnce(&mut Cx<'_, S>) + Send + 'static,
    ) -> Result<(), LoopGone> {
        let place = std::panic::Location::caller();
        self.shared.post(Box::new(move |events| {
            events.defer_at(Priority::NORMAL, "posted", place, callback);
        }))
    }

    /// Does something with the loop on its thread, between two callbacks, and gives back what that
    /// comes to. The callbacks' state is not at hand there; it is for what was [posted](Remote::post).
    ///
    /// # Errors
    ///
    /// [`LoopGone`] if the loop was dropped.
    ///
    /// # Compared with libevent
    ///
    /// There is no counterpart: the functions themselves are called, under the base's lock.
    pub fn call<R: Send + 'static>(
        &self,
        command: impl FnOnce(&mut EventLoop<S>) -> R + Send + 'static,
    ) -> Result<Reply<R>, LoopGone> {
        let (answer, reply) = Answer::new();
        self.shared
            .post(Box::new(move |events| answer.give(command(events))))?;
        Ok(reply)
    }

    /// [`EventLoop::add`].
    ///
    /// # Errors
    ///
    /// [`LoopGone`] if the loop was dropped. What the command comes to is in the reply.
    ///
    /// # Compared with libevent
    ///
    /// `event_add` from another thread, which takes the base's lock.
    pub fn add(&self, id: EventId) -> Result<Reply<Result<(), AddError>>, LoopGone> {
        self.call(move |events| events.add(id))
    }

    /// [`EventLoop::delete`].
    ///
    /// # Errors
    ///
    /// [`LoopGone`] if the loop was dropped. What the command comes to is in the reply.
    ///
    /// # Compared with libevent
    ///
    /// `event_del_noblock` from another thread. See [`Remote::delete_and_wait`] for `event_del`.
    pub fn delete(&self, id: EventId) -> Result<Reply<Result<(), RemoveError>>, LoopGone> {
        self.call(move |events| events.delete(id))
    }

    /// [`EventLoop::remove`].
    ///
    /// # Errors
    ///
    /// [`LoopGone`] if the loop was dropped. What the command comes to is in the reply.
    ///
    /// # Compared with libevent
    ///
    /// `event_free` from another thread.
    pub fn remove(&self, id: EventId) -> Result<Reply<Result<(), RemoveError>>, LoopGone> {
        self.call(move |events| events.remove(id))
    }

    /// [`EventLoop::activate`].
    ///
    /// # Errors
    ///
    /// [`LoopGone`] if the loop was dropped. What the command comes to is in the reply.
    ///
    /// # Compared with libevent
    ///
    /// `event_active` from another thread.
    pub fn activate(
        &self,
        id: EventId,
        ready: Ready,
    ) -> Result<Reply<Result<(), NoSuchEvent>>, LoopGone> {
        self.call(move |events| events.activate(id, ready))
    }

    /// [`EventLoop::set_timeout`]. The timeout runs from when the loop takes the command.
    ///
    /// # Errors
    ///
    /// [`LoopGone`] if the loop was dropped. What the command comes to is in the reply.
    ///
    /// # Compared with libevent
    ///
    /// `event_add` with a time, and `event_remove_timer` for `None`, from another thread.
    pub fn set_timeout(
        &self,
        id: EventId,
        timeout: Option<Duration>,
    ) -> Result<Reply<Result<(), NoSuchEvent>>, LoopGone> {
        self.call(move |events| events.set_timeout(id, timeout))
    }

    /// [`EventLoop::set_priority`].
    ///
    /// # Errors
    ///
    /// [`LoopGone`] if the loop was dropped. What the command comes to is in the reply.
    ///
    /// # Compared with libevent
    ///
    /// `event_priority_set` from another thread, which fails while the event is active.
    pub fn set_priority(
        &self,
        id: EventId,
        priority: Priority,
    ) -> Result<Reply<Result<(), NoSuchEvent>>, LoopGone> {
        self.call(move |events| events.set_priority(id, priority))
    }

    /// [`EventLoop::exit`]: the run ends at the top of the turn after the command was taken. Closures
    /// that were posted before, and have not all had their turn, are for the next run;
    /// [`Remote::post`] one that exits to end behind them.
    ///
    /// # Errors
    ///
    /// [`LoopGone`] if the loop was dropped.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loopexit` from another thread.
    pub fn exit(&self) -> Result<(), LoopGone> {
        self.shared.post(Box::new(|events| events.exit()))
    }

    /// [`EventLoop::break_loop`]: the run ends after the callback that runs now.
    ///
    /// # Errors
    ///
    /// [`LoopGone`] if the loop was dropped.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loopbreak` from another thread. There it is lost before the run.
    pub fn break_loop(&self) -> Result<(), LoopGone> {
        self.shared.post_break(Box::new(|_| ()))
    }

    /// Deletes an event, and returns when its callback is over and does not run again (unless
    /// somebody adds the event again).
    ///
    /// If the loop does not run, nothing is to be waited for: the next run deletes the event before
    /// it calls anything.
    ///
    /// # Errors
    ///
    /// [`DeleteAndWaitError::OwnThread`] on the thread that runs the loop: waiting there would be
    /// for ever, and [`EventLoop::delete`] is at hand. Nothing has changed.
    /// [`DeleteAndWaitError::LoopGone`] if the loop was dropped: no callback runs.
    ///
    /// # Compared with libevent
    ///
    /// `event_del_block`.
    pub fn delete_and_wait(&self, id: EventId) -> Result<(), DeleteAndWaitError> {
        if self.shared.is_run_by(thread::current().id()) {
            return Err(DeleteAndWaitError::OwnThread);
        }
        let ticket = self.shared.post_with_ticket(Box::new(move |events| {
            // An event that was freed has no callback.
            _ = events.delete(id);
        }))?;
        Ok(self.shared.wait(ticket)?)
    }
}

impl<S> Clone for Remote<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S> fmt::Debug for Remote<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

type Command<S> = Box<dyn FnOnce(&mut EventLoop<S>) + Send>;

/// What a loop and its remotes share.
pub(crate) type Shared<S> = Mailbox<Command<S>>;

/// The loop's end of it.
pub(crate) struct Inbox<S> {
    shared: Arc<Shared<S>>,
    /// Commands that were taken, to be done; kept for its memory, and for what is behind a command
    /// that panics.
    taken: VecDeque<Posted<Command<S>>>,
}

impl<S> EventLoop<S> {
    /// A handle to use the loop from other threads.
    ///
    /// # Compared with libevent
    ///
    /// `evthread_make_base_notifiable`, and the locks that come with it.
    #[must_use]
    pub fn remote(&mut self) -> Remote<S> {
        let Self {
            core,
            inbox,
            current_waker,
            ..
        } = self;
        let inbox = inbox.get_or_insert_with(|| {
            let runner = core.is_running().then(|| thread::current().id());
            Box::new(Inbox {
                shared: Arc::new(Mailbox::new(Arc::clone(current_waker), runner)),
                taken: VecDeque::new(),
            })
        });
        Remote {
            shared: Arc::clone(&inbox.shared),
        }
    }

    /// Says that this thread runs the loop from now on, and does what was posted before.
    pub(crate) fn begin_remote(&mut self) {
        if let Some(inbox) = &self.inbox {
            inbox.shared.begin(thread::current().id());
            self.take_posted();
        }
    }

    /// Says that no thread runs the loop.
    pub(crate) fn end_remote(&self) {
        if let Some(inbox) = &self.inbox {
            inbox.shared.end();
        }
    }

    /// Does what was posted, and activates what is to be activated; whether anything was posted. What
    /// comes meanwhile is for the next time.
    #[inline]
    pub(crate) fn take_posted(&mut self) -> bool {
        if let Some(inbox) = &mut self.inbox {
            inbox.shared.take(&mut inbox.taken);
        }
        // Behind the taking: of a thread that activates and then deletes, both are seen, or the
        // activation alone. Before the doing: so the deletion comes last.
        self.activators.take(&mut self.core);
        self.take_break();
        let Some(inbox) = self.inbox.as_ref().filter(|inbox| !inbox.taken.is_empty()) else {
            return false;
        };
        let shared = Arc::clone(&inbox.shared);
        self.do_posted(&shared);
        true
    }

    fn do_posted(&mut self, shared: &Arc<Shared<S>>) {
        while let Some(posted) = self.next_taken() {
            let (command, _done) = posted.open(shared);
            command(self);
        }
    }

    fn next_taken(&mut self) -> Option<Posted<Command<S>>> {
        self.inbox.as_mut()?.taken.pop_front()
    }

    /// Passes on a break that another thread has asked for.
    pub(crate) fn take_break(&mut self) {
        if let Some(inbox) = &self.inbox
            && inbox.shared.take_break()
        {
            self.core.break_loop();
        }
    }
}

impl<S> Drop for EventLoop<S> {
    /// Commands that were posted and not done are dropped; who waits for them is told, and so is who
    /// activates events.
    fn drop(&mut self) {
        if let Some(inbox) = &mut self.inbox {
            drop(inbox.shared.close());
            inbox.taken.clear();
        }
        self.activators.close();
    }
}
