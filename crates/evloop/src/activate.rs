//! Activation by hand, and closures that the loop is to call once.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::Location;

use evloop_changelist::Ready;
#[cfg(doc)]
use evloop_core::DEFERRED;
use evloop_core::{EventId, Kind, NoSuchEvent, Priority, Spec};
use evloop_signals::Signal;

use crate::context::Cx;
use crate::error::RemoveError;
use crate::event_loop::EventLoop;
use crate::origin::Origin;
use crate::record::record;

impl<S> EventLoop<S> {
    /// Makes an event active by hand, whether it is pending or not: its callback runs, in this turn
    /// if one is being run, and is told `ready`, which may be empty. `O(1)`.
    ///
    /// An event that activates itself, or two that activate each other, keep the turn from ending. For work
    /// that goes on piece by piece there is [`EventLoop::activate_later`].
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_active`.
    pub fn activate(&mut self, id: EventId, ready: Ready) -> Result<(), NoSuchEvent> {
        self.core.activate(id, ready)
    }

    /// Makes an event active at the top of the next turn, so that the kernel is asked in between. `O(1)`.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_active_later_`, which is internal there.
    pub fn activate_later(&mut self, id: EventId, ready: Ready) -> Result<(), NoSuchEvent> {
        self.core.activate_later(id, ready)
    }

    /// Makes active, by hand, the pending events of a file descriptor that ask for any of `ready`. Not those for
    /// which the backend need not wait ([`or_always_ready`](crate::NewEvent::or_always_ready)).
    ///
    /// # Compared with libevent
    ///
    /// `event_base_active_by_fd`, which with `EV_TIMEOUT` ignores the other bits.
    pub fn activate_fd(&mut self, fd: BorrowedFd<'_>, ready: Ready) {
        self.core.activate_fd(fd.as_raw_fd(), ready);
    }

    /// Makes active, by hand, the pending events of a signal, as if this loop had caught it once.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_active_by_signal`.
    pub fn activate_signal(&mut self, signal: Signal) {
        self.last[signal.index()] = None;
        self.core.activate_signal(signal, 1);
    }

    /// Calls a closure from the loop, once, soon: in this turn, or in the next if this turn has had
    /// its share of such ([`DEFERRED`]).
    ///
    /// # Compared with libevent
    ///
    /// `event_deferred_cb_schedule_`, which is internal there.
    #[track_caller]
    pub fn defer(&mut self, callback: impl FnOnce(&mut Cx<'_, S>) + 'static) {
        self.defer_at(Priority::NORMAL, "deferred", Location::caller(), callback);
    }

    /// Removes an event, and calls a closure from the loop, at the event's priority, when nothing can
    /// touch the event any more: its callback is over, its source is closed.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`]. The closure is called unless the event was freed before.
    ///
    /// # Compared with libevent
    ///
    /// `event_free_finalize`.
    #[track_caller]
    pub fn finalize(
        &mut self,
        id: EventId,
        finalizer: impl FnOnce(&mut Cx<'_, S>) + 'static,
    ) -> Result<(), RemoveError> {
        let place = Location::caller();
        let priority = self.core.info(id).ok_or(NoSuchEvent)?.priority;
        let removed = self.remove(id);
        self.defer_at(priority, "finalizer", place, finalizer);
        removed
    }

    pub(crate) fn defer_at(
        &mut self,
        priority: Priority,
        label: &'static str,
        place: &'static Location<'static>,
        callback: impl FnOnce(&mut Cx<'_, S>) + 'static,
    ) {
        let mut callback = Some(callback);
        let origin = self.origins.number(Origin { label, place });
        let record = record((), origin, move |cx, ()| {
            if let Some(callback) = callback.take() {
                callback(cx);
            }
        });
        let spec = Spec {
            priority,
            ..Spec::new(Kind::Plain)
        };
        let deferred = self.core.insert(spec, record).map(|id| self.core.defer(id));
        debug_assert!(
            matches!(deferred, Ok(Ok(()))),
            "it has no file descriptor to be wrong"
        );
    }
}
