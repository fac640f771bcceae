//! The life of an event: made, added, activated, deleted, removed; and what its front must do in
//! the kernel's name on the way.
//!
//! `add` makes it pending, `delete` makes it not pending and keeps it, `remove` frees it. Each call
//! either does the whole of its work or changes nothing.

use evloop_changelist::{Interest, RawFd, Token, Trigger};
use evloop_signals::{Inserted, Removed, Signal, SignalSet};

use crate::Core;
use crate::error::{AddError, InsertError, NoSuchEvent};
use crate::event::{Kind, Ownership, Priority, Spec, State};
use crate::slab::EventId;

/// What an event needs from the kernel before it can be pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// That it begins to hold interest in a file descriptor.
    Fd {
        /// The file descriptor, which the kernel does not hold.
        fd: RawFd,
        /// The name under which it is to report it.
        token: Token,
        /// The interest to hold.
        interest: Interest,
        /// When to report it again.
        trigger: Trigger,
    },
    /// That the signal is caught.
    Signal(Signal),
}

/// What is not needed from the kernel any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Release {
    /// That it holds interest in a file descriptor. It must be told before the source is closed.
    Fd(RawFd),
    /// That the signal is caught.
    Signal(Signal),
}

/// What an event leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Leaving<T> {
    /// To be done before the payload is dropped.
    pub release: Option<Release>,
    /// What the event carried, if it was freed.
    pub payload: Option<T>,
}

impl<T> Core<T> {
    /// Makes an event. It is not pending yet. `O(1)`.
    ///
    /// # Errors
    ///
    /// [`InsertError::BadFd`] for a negative file descriptor.
    ///
    /// # Compared with libevent
    ///
    /// `event_new`.
    pub fn insert(&mut self, spec: Spec, payload: T) -> Result<EventId, (InsertError, T)> {
        match spec.kind {
            Kind::Io { fd, .. } if fd < 0 => Err((InsertError::BadFd(fd), payload)),
            _ => {
                let id = self.events.insert(spec, payload);
                self.forget_measured(id.slot);
                Ok(id)
            }
        }
    }

    /// Makes an event pending: its interest or signal is watched, its timeout runs from now.
    ///
    /// `now` is asked for the time, in nanoseconds, if the event has a timeout. `grant` is asked to
    /// do what the event demands of the kernel, if it demands anything; its refusal is returned.
    ///
    /// An event that is pending already starts its timeout anew, and is registered anew where
    /// that can make a difference (an edge is re-armed). One that is active because its old timeout
    /// expired is so no more.
    ///
    /// Costs `O(1)`, and `O(log n)` in the number of timers for a timeout. (And `O(k)` in the
    /// number of events on the same file descriptor.)
    ///
    /// # Errors
    ///
    /// See [`AddError`]. Nothing has changed then.
    ///
    /// # Compared with libevent
    ///
    /// `event_add`, with the timeout of the [`Spec`]. There, an event that is active and not
    /// pending is not registered at all.
    pub fn add<E>(
        &mut self,
        id: EventId,
        now: impl FnOnce() -> u64,
        grant: impl FnOnce(Demand) -> Result<(), E>,
    ) -> Result<(), AddError<E>> {
        let event = self.events.get(id).ok_or(AddError::NoSuchEvent)?;
        let (kind, timeout_ns) = (event.kind, event.timeout_ns());
        match kind {
            Kind::Plain => {}
            Kind::Io {
                fd,
                interest,
                trigger: Trigger::Level,
                ownership: Ownership::Owned,
            } if !interest.is_empty()
                && self.fds.resume(&mut self.events, id.slot, fd, interest) => {}
            _ => self.put_on(id.slot, kind, grant)?,
        }
        match timeout_ns {
            None => self.set_pending(id.slot, State::PENDING),
            Some(timeout_ns) => {
                let now_ns = now();
                self.set_pending(id.slot, State::PENDING | State::TIMED);
                self.start_timer(id.slot, timeout_ns, now_ns);
            }
        }
        Ok(())
    }

    /// Puts an event on what it waits for, again if it is on it. Not inlined, so that the short way of
    /// [`Core::add`] stays short.
    #[inline(never)]
    fn put_on<E>(
        &mut self,
        slot: u32,
        kind: Kind,
        grant: impl FnOnce(Demand) -> Result<(), E>,
    ) -> Result<(), AddError<E>> {
        match kind {
            Kind::Io { interest, .. } if interest.is_empty() => {}
            Kind::Io {
                fd,
                interest,
                trigger,
                ..
            } => {
                let first = self.admit(slot, fd, interest, trigger, grant)?;
                self.fds.insert(&mut self.events, slot, first);
            }
            Kind::Signal(signal) => self.watch(signal, slot, grant)?,
            Kind::Plain => {}
            Kind::Always(_) if self.always.contains(&slot) => {}
            Kind::Always(_) => self.always.push(slot),
            Kind::Prepare => self.prepare.insert(slot),
            Kind::Check => self.check.insert(slot),
        }
        Ok(())
    }

    /// Makes an event not pending and not active, and keeps it: it can be added again. What a one-shot
    /// waited for whose callback runs is mostly taken away only when that is over. `O(1)`
    /// (`O(log n)` if it has a timeout, `O(k)` in the number of events on its file descriptor).
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_del`.
    #[inline]
    pub fn delete(&mut self, id: EventId) -> Result<Option<Release>, NoSuchEvent> {
        let event = self.events.get(id).ok_or(NoSuchEvent)?;
        if event.only_lingers() {
            return Ok(None);
        }
        Ok(self.take_away(id.slot))
    }

    /// Makes an event not pending and not active, and takes it off what it waited for. Not inlined, so
    /// that the short way of [`Core::delete`] stays short, and can be compiled into its callers.
    #[inline(never)]
    fn take_away(&mut self, slot: u32) -> Option<Release> {
        let event = &self.events[slot];
        let (is_queued, kind) = (event.state.intersects(State::QUEUED), event.kind);
        if is_queued {
            self.deactivate(slot);
        }
        self.withdraw(slot);
        match kind {
            Kind::Signal(signal) => self.idle_signal(signal),
            _ => None,
        }
    }

    /// Deletes an event and frees it: the handle names nothing from now on. Costs what
    /// [`Core::delete`] costs.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed before.
    ///
    /// # Compared with libevent
    ///
    /// `event_free`.
    pub fn remove(&mut self, id: EventId) -> Result<Leaving<T>, NoSuchEvent> {
        self.events.get(id).ok_or(NoSuchEvent)?;
        let signal = self.take_away(id.slot);
        let fd = self.idle_fd(id.slot);
        let payload = self.events.remove(id);
        Ok(Leaving {
            release: signal.or(fd),
            payload,
        })
    }

    /// Deletes an event and frees it, as [`Core::remove`] does, but leaves it to the next wait to tell the
    /// kernel that its file descriptor is no longer wanted: one that is added again until then costs
    /// one change in all. For files that are borrowed, whose owner may close them meanwhile. Costs
    /// what [`Core::delete`] costs.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed before.
    ///
    /// # Compared with libevent
    ///
    /// `event_del`, where the base has a changelist.
    pub fn retire(&mut self, id: EventId) -> Result<Leaving<T>, NoSuchEvent> {
        self.events.get(id).ok_or(NoSuchEvent)?;
        let release = self.take_away(id.slot);
        let payload = self.events.remove(id);
        Ok(Leaving { release, payload })
    }

    /// Changes how urgent an event is. If it is active it goes to the end of the new queue. `O(1)`.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_priority_set`, which refuses an active event.
    pub fn set_priority(&mut self, id: EventId, priority: Priority) -> Result<(), NoSuchEvent> {
        let active = self
            .events
            .get(id)
            .ok_or(NoSuchEvent)?
            .state
            .contains(State::ACTIVE);
        if active {
            self.active.unlink(&mut self.events, id.slot);
        }
        self.events[id.slot].priority = priority;
        if active {
            self.active.push(&mut self.events, id.slot);
        }
        Ok(())
    }

    /// The signals that the front was asked to catch, and was not told to let go.
    #[must_use]
    pub const fn caught(&self) -> SignalSet {
        self.caught
    }

    /// Puts an event on its signal, and sees to it that the signal is caught.
    fn watch<E>(
        &mut self,
        signal: Signal,
        slot: u32,
        grant: impl FnOnce(Demand) -> Result<(), E>,
    ) -> Result<(), AddError<E>> {
        if !self.caught.contains(signal) {
            grant(Demand::Signal(signal)).map_err(AddError::Refused)?;
            self.caught.insert(signal);
        }
        let (Inserted::First | Inserted::Another | Inserted::Already) =
            self.signals.insert(signal, slot);
        Ok(())
    }

    #[inline]
    fn set_pending(&mut self, slot: u32, and: State) {
        let event = &mut self.events[slot];
        let state = event.state;
        event.state = state.difference(State::LINGERING).union(and);
        if !state.contains(State::PENDING) {
            self.pending += usize::from(event.counts());
            if self.pending > self.most.pending {
                self.most.pending = self.pending;
            }
        }
    }

    /// Makes a one-shot not pending, whose callback is about to run.
    #[inline]
    pub(crate) fn linger(&mut self, slot: u32) {
        let event = &mut self.events[slot];
        if event.state.contains(State::PENDING) {
            event.state.remove(State::PENDING);
            event.state.insert(State::LINGERING);
            self.pending -= usize::from(event.counts());
        }
    }

    /// Takes an active event out of its queue. What it is active for did not happen.
    fn deactivate(&mut self, slot: u32) {
        self.events[slot].forget_news();
        self.active.unlink(&mut self.events, slot);
    }

    /// Makes an event not pending. It stays active if it is.
    // Always inlined: to delete takes 15 instructions less.
    #[inline(always)]
    pub(crate) fn withdraw(&mut self, slot: u32) {
        let event = &mut self.events[slot];
        let (state, kind) = (event.state, event.kind);
        if !state.intersects(State::ON) {
            return;
        }
        event.state = state.difference(State::ON | State::TIMED);
        if state.contains(State::PENDING) {
            self.pending -= usize::from(event.counts());
        }
        if state.contains(State::TIMED) {
            self.timers.remove(slot);
        }
        match kind {
            Kind::Io { fd, .. } if state.contains(State::LISTED) => {
                self.fds.remove(&mut self.events, slot, fd);
            }
            Kind::Io { .. } | Kind::Plain => {}
            _ => self.take_off(slot, kind),
        }
    }

    /// Takes an event off what it waits for, if that is neither a file descriptor nor a time.
    #[inline(never)]
    fn take_off(&mut self, slot: u32, kind: Kind) {
        match kind {
            Kind::Signal(signal) => {
                // Whether the signal is still to be caught is settled by `idle_signal`.
                let (Removed::Last | Removed::Others | Removed::Absent) =
                    self.signals.remove(signal, slot);
            }
            Kind::Always(_) => self.always.retain(|other| *other != slot),
            Kind::Prepare => self.prepare.remove(slot),
            Kind::Check => self.check.remove(slot),
            Kind::Io { .. } | Kind::Plain => {}
        }
    }

    /// The signal, if it is caught though no event waits for it. It counts as released.
    pub(crate) fn idle_signal(&mut self, signal: Signal) -> Option<Release> {
        let is_idle = !self.signals.is_watched(signal) && self.caught.remove(signal);
        is_idle.then_some(Release::Signal(signal))
    }

    /// The event's file descriptor, if the kernel holds interest in it though no event wants any.
    /// It counts as released.
    pub(crate) fn idle_fd(&mut self, slot: u32) -> Option<Release> {
        let Kind::Io { fd, .. } = self.events[slot].kind else {
            return None;
        };
        self.fds.give_up(fd).then_some(Release::Fd(fd))
    }
}
