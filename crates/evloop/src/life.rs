//! The life of an event: added, changed, deleted, removed.

use std::time::Duration;

use evloop_backend::Backend;
use evloop_catcher::ForkStamp;
use evloop_changelist::{Interest, Trigger};
use evloop_core::{Demand, EventId, Leaving, NoSuchEvent, Priority, Release, Spec};

use crate::error::{AddError, IntoSourceError, RemoveError};
use crate::event_loop::EventLoop;
use crate::new_event::needs;
use crate::outside::Outside;
use crate::record::{Shared, given_back};

impl<S> EventLoop<S> {
    /// Adds an event again: one that was deleted, or a one-shot from its own callback, or one that
    /// was [kept](crate::NewEvent::keep). If it is pending already its timeout begins anew, and its edge
    /// is re-armed.
    ///
    /// Costs `O(1)`, a reading of the clock where it has a timeout, and `O(log n)` in the number of timers
    /// where that is due before others. A system call only where the kernel holds no interest in the file
    /// descriptor, or to catch a signal that nobody watches.
    ///
    /// # Errors
    ///
    /// See [`AddError`]. Nothing has changed then.
    ///
    /// # Compared with libevent
    ///
    /// `event_add`.
    pub fn add(&mut self, id: EventId) -> Result<(), AddError> {
        let Self {
            core,
            backend,
            outside,
            clock,
            stamp,
            ..
        } = self;
        core.add(
            id,
            || clock.now_ns(),
            |demand| grant(*stamp, &mut **backend, outside, demand),
        )?;
        self.apply_at_once();
        Ok(())
    }

    /// Deletes an event: it is neither pending nor active any more, and its callback does not run,
    /// also not for what has happened already. It is kept, with its source, and can be added again. (A one-shot
    /// that its own callback deletes is over when that returns, unless it was told to
    /// [keep](crate::NewEvent::keep).)
    ///
    /// Costs `O(1)`, and `O(k)` in the number of events for the same source or signal.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    ///
    /// # Compared with libevent
    ///
    /// `event_del`.
    #[inline]
    pub fn delete(&mut self, id: EventId) -> Result<(), RemoveError> {
        let release = self.core.delete(id)?;
        self.release(release)
    }

    /// Deletes an event and frees it: its source is closed (unless it is shared, or the event's own
    /// callback runs and still has it), and the handle names nothing any more. Costs what
    /// [`EventLoop::delete`] costs, and the system calls that close the source.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    ///
    /// # Compared with libevent
    ///
    /// `event_free`.
    pub fn remove(&mut self, id: EventId) -> Result<(), RemoveError> {
        let leaving = self.core.remove(id)?;
        self.let_go(leaving)
    }

    /// Removes an event and gives its source back, open and as it is: non-blocking, unless it was told to
    /// [stay as it was](crate::NewEvent::leave_blocking).
    ///
    /// # Errors
    ///
    /// See [`IntoSourceError`]. An event without a source counts as one with a source of type `()`.
    ///
    /// # Compared with libevent
    ///
    /// `event_free`, which leaves the file descriptor to its owner.
    #[expect(
        clippy::missing_panics_doc,
        reason = "the proofs are beside the expects"
    )]
    pub fn into_source<F: 'static>(&mut self, id: EventId) -> Result<F, IntoSourceError> {
        if self.core.running() == Some(id) {
            return Err(IntoSourceError::Running);
        }
        let record = self.core.payload(id).ok_or(IntoSourceError::NoSuchEvent)?;
        if !record.source().is::<F>() {
            return Err(IntoSourceError::WrongType);
        }
        let leaving = self.core.remove(id).expect("it was there just now");
        let record = leaving.payload.expect("it was there just now");
        match self.release(leaving.release) {
            Ok(()) => {}
            Err(RemoveError::Control(error)) => return Err(IntoSourceError::Control(error)),
            Err(_) => unreachable!("the event has a source, not a signal"),
        }
        Ok(given_back(record).expect("its callback does not run, so nothing shares it"))
    }

    /// The source of an event; `None` if the event was freed or has no source of this type. Of one without a
    /// source that is `()`.
    ///
    /// # Compared with libevent
    ///
    /// `event_get_fd`.
    #[must_use]
    pub fn source<F: 'static>(&self, id: EventId) -> Option<&F> {
        self.core.payload(id)?.source().downcast_ref()
    }

    /// Changes the readiness that an event asks for. An empty interest pauses it: it stays pending,
    /// hears of nothing new, and its timeout goes on. An event that is not for a source asks for none, and
    /// does not change.
    ///
    /// What the event is active for already it is still told, also where it asks no more for that: its
    /// callback may run once more in this turn. (An edge that was forgotten would not come again.)
    /// [`EventLoop::delete`] takes that back too.
    ///
    /// The kernel is told with the next wait. `O(k)` in the number of events for the same source.
    ///
    /// # Errors
    ///
    /// See [`AddError`]. Nothing has changed then.
    ///
    /// # Compared with libevent
    ///
    /// `event_del`, `event_assign`, `event_add`.
    pub fn set_interest(&mut self, id: EventId, interest: Interest) -> Result<(), AddError> {
        self.require(interest, Trigger::Level)?;
        let Self {
            core,
            backend,
            outside,
            stamp,
            ..
        } = self;
        core.set_interest(id, interest, |demand| {
            grant(*stamp, &mut **backend, outside, demand)
        })?;
        self.apply_at_once();
        Ok(())
    }

    /// Changes the timeout of an event; if it is pending, the new one begins now. `None` takes it
    /// away: a timer without one waits for [`EventLoop::activate`].
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_add` with another timeout, and `event_remove_timer`.
    pub fn set_timeout(
        &mut self,
        id: EventId,
        timeout: Option<Duration>,
    ) -> Result<(), NoSuchEvent> {
        let Self { core, clock, .. } = self;
        core.set_timeout(id, timeout, || clock.now_ns())
    }

    /// Changes how urgent an event is, also one that is active.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_priority_set`.
    pub fn set_priority(&mut self, id: EventId, priority: Priority) -> Result<(), NoSuchEvent> {
        self.core.set_priority(id, priority)
    }

    /// Whether the backend can do what an event needs.
    pub(crate) fn require(&self, interest: Interest, trigger: Trigger) -> Result<(), AddError> {
        let needed = needs(interest, trigger).difference(self.backend.capabilities());
        if needed.is_empty() {
            Ok(())
        } else {
            Err(AddError::Unsupported {
                needed,
                backend: self.backend.name(),
            })
        }
    }

    /// Makes an event and adds it. Gives back what was to belong to it if that fails.
    pub(crate) fn insert_and_add(
        &mut self,
        spec: Spec,
        record: Shared<S>,
    ) -> Result<EventId, (AddError, Shared<S>)> {
        let id = self
            .core
            .insert(spec, record)
            .map_err(|(error, record)| (error.into(), record))?;
        self.add(id)
            .map_err(|error| (error, self.undo_insert(id)))?;
        Ok(id)
    }

    /// Takes a new event back, whose adding failed for a reason that the caller is told.
    pub(crate) fn undo_insert(&mut self, id: EventId) -> Shared<S> {
        let leaving = self.core.remove(id).expect("it was made just now");
        let released = self.release(leaving.release);
        debug_assert!(released.is_ok(), "{released:?}");
        leaving.payload.expect("its callback has not run")
    }

    /// Does what an event leaves to be done, and drops what it carried.
    pub(crate) fn let_go(&mut self, leaving: Leaving<Shared<S>>) -> Result<(), RemoveError> {
        let Leaving { release, payload } = leaving;
        let released = self.release(release);
        drop(payload);
        released
    }

    /// After each change of interest: tells the kernel, if it is not to wait.
    #[inline]
    fn apply_at_once(&mut self) {
        if self.is_at_once && !self.stamp.is_child() {
            self.apply();
        }
    }

    #[cold]
    fn apply(&mut self) {
        let changes = self.core.changes_by_now();
        let applied = self.backend.apply(changes, &mut self.reports);
        debug_assert!(applied.is_ok(), "{applied:?}");
        self.core.told();
        self.take_reports();
    }

    fn release(&mut self, release: Option<Release>) -> Result<(), RemoveError> {
        self.apply_at_once();
        match release {
            None => Ok(()),
            // In a forked child the kernel's side is the parent's, and stays as it is.
            Some(_) if self.stamp.is_child() => Ok(()),
            Some(Release::Fd(fd)) => self.backend.delete(fd).map_err(RemoveError::Control),
            Some(Release::Signal(signal)) => {
                self.outside.unwatch(signal).map_err(RemoveError::Catch)
            }
        }
    }
}

/// Does what an event demands of the kernel.
fn grant(
    stamp: ForkStamp,
    backend: &mut dyn Backend,
    outside: &Outside,
    demand: Demand,
) -> Result<(), AddError> {
    if stamp.is_child() {
        return Err(AddError::Forked);
    }
    match demand {
        Demand::Fd {
            fd,
            token,
            interest,
            trigger,
        } => backend
            .add(fd, token, interest, trigger)
            .map_err(AddError::Control),
        Demand::Signal(signal) => outside.watch(signal),
    }
}
