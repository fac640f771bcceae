//! The life of an event: made, added, activated, deleted, removed; and what its front must do in
//! the kernel's name on the way.
//!
//! `add` makes it pending, `delete` makes it not pending and keeps it, `remove` frees it. Each call
//! either does the whole of its work or changes nothing.

use core::time::Duration;

use evloop_changelist::{Interest, RawFd, Ready, Token, Trigger};
use evloop_signals::{Inserted, Removed, Signal};
use evloop_timers::{LaneId, TimerId};

use crate::Core;
use crate::error::{AddError, InsertError, NoSuchEvent};
use crate::event::{Event, Kind, Priority, Spec, State};
use crate::fd_map::Admission;
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
    /// What the event carried, if it was freed (and the payload was not away).
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
            _ => Ok(self.events.insert(Event::new(spec, payload))),
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
        let Spec { kind, timeout, .. } = self.events.get(id).ok_or(AddError::NoSuchEvent)?.spec;
        match kind {
            Kind::Io { interest, .. } if interest.is_empty() => {}
            Kind::Io {
                fd,
                interest,
                trigger,
                ..
            } => {
                let first = self.admit(id.slot, fd, interest, trigger, grant)?;
                self.fds.insert(&self.events, id.slot, first);
            }
            Kind::Signal(signal) => self.watch(signal, id.slot, grant)?,
            Kind::Plain => {}
            Kind::Prepare => self.prepare.insert(id.slot),
            Kind::Check => self.check.insert(id.slot),
        }
        self.set_pending(id.slot);
        if let Some(timeout) = timeout {
            self.start_timer(id.slot, timeout, now());
        }
        Ok(())
    }

    /// Makes an event not pending and not active, and keeps it: it can be added again. `O(1)`
    /// (`O(log n)` if it has a timeout, `O(k)` in the number of events on its file descriptor).
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_del`.
    pub fn delete(&mut self, id: EventId) -> Result<Option<Release>, NoSuchEvent> {
        self.events.get(id).ok_or(NoSuchEvent)?;
        self.withdraw(id.slot);
        self.active.unlink(&mut self.events, id.slot);
        let event = &mut self.events[id.slot];
        event.ready = Ready::empty();
        event.count = 0;
        event.errno = 0;
        Ok(self.idle_signal(id.slot))
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
        let signal = self.delete(id)?;
        let fd = self.idle_fd(id.slot);
        let payload = self.events.remove(id).and_then(|event| event.payload);
        Ok(Leaving {
            release: signal.or(fd),
            payload,
        })
    }

    /// Makes an event active by hand, whether it is pending or not: its callback will be told
    /// `ready`, together with what else happens until then. `O(1)`.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_active`.
    pub fn activate(&mut self, id: EventId, ready: Ready) -> Result<(), NoSuchEvent> {
        self.events.get(id).ok_or(NoSuchEvent)?;
        self.make_active(id.slot, ready);
        Ok(())
    }

    /// Makes an event active like [`Core::activate`], but for no more than [`DEFERRED`] in a turn: the
    /// others follow in the next, so that the kernel is asked in between however many callbacks
    /// defer others. `O(1)`.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_deferred_cb_schedule_`, which is internal there.
    pub fn defer(&mut self, id: EventId) -> Result<(), NoSuchEvent> {
        if self.deferred == DEFERRED {
            return self.activate_later(id, Ready::empty());
        }
        self.deferred += 1;
        self.activate(id, Ready::empty())
    }

    /// Makes an event active at the top of the next turn, so that the kernel is asked in between;
    /// does no more than to add `ready` to one that is active already. `O(1)`.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_active_later_`, which is internal there.
    pub fn activate_later(&mut self, id: EventId, ready: Ready) -> Result<(), NoSuchEvent> {
        let event = self.events.get_mut(id).ok_or(NoSuchEvent)?;
        event.ready |= ready;
        if !event.state.intersects(State::QUEUED) {
            self.active.push_later(&mut self.events, id.slot);
        }
        Ok(())
    }

    /// Makes active, by hand, the pending events of a file descriptor that ask for any of `ready`.
    /// `O(k)` in the number of its events.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_active_by_fd`, which with `EV_TIMEOUT` ignores the other bits.
    pub fn activate_fd(&mut self, fd: RawFd, ready: Ready) {
        for position in 0..self.fds.on(fd).len() {
            let slot = self.fds.on(fd)[position];
            let event = &self.events[slot];
            let mut told = ready.for_interest(event.interest());
            told.set(Ready::TIMEOUT, ready.is_timeout() && event.timer.is_some());
            if !told.is_empty() {
                self.make_active(slot, told);
            }
        }
    }

    /// Makes active, by hand, the pending events of a signal, as if it had been caught `count` times.
    /// `O(k)` in the number of its events.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_active_by_signal`.
    pub fn activate_signal(&mut self, signal: Signal, count: u64) {
        for position in 0..self.signals.events(signal).len() {
            let slot = self.signals.events(signal)[position];
            self.events[slot].count += count;
            self.make_active(slot, Ready::SIGNAL);
        }
    }

    /// Declares a timeout to be a common one: as many events as like have it, and each is started,
    /// stopped and started anew in `O(1)`. Events that are made or started later and have exactly
    /// this timeout use it. Declaring it again changes nothing.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_init_common_timeout`, whose result has to be passed to `event_add`.
    pub fn common_timeout(&mut self, timeout: Duration) {
        if self.lane(timeout).is_none() {
            let lane = self.timers.lane(timeout);
            self.common.push((timeout, lane));
        }
    }

    /// Changes the readiness that an event asks for; empty pauses it. What it is active for
    /// already stays. `grant` is as for [`Core::add`].
    ///
    /// # Errors
    ///
    /// See [`AddError`]. Nothing has changed then. An event that is not for a file descriptor
    /// keeps asking for nothing: no error.
    pub fn set_interest<E>(
        &mut self,
        id: EventId,
        wanted: Interest,
        grant: impl FnOnce(Demand) -> Result<(), E>,
    ) -> Result<(), AddError<E>> {
        let event = self.events.get(id).ok_or(AddError::NoSuchEvent)?;
        let Kind::Io {
            fd,
            interest: old,
            trigger,
            ..
        } = event.spec.kind
        else {
            return Ok(());
        };
        if old == wanted {
            return Ok(());
        }
        let pending = event.state.contains(State::PENDING);
        let first =
            pending && !wanted.is_empty() && self.admit(id.slot, fd, wanted, trigger, grant)?;
        if wanted.is_empty() {
            self.fds.remove(&self.events, id.slot);
        }
        if let Kind::Io { interest, .. } = &mut self.events[id.slot].spec.kind {
            *interest = wanted;
        }
        if pending && !wanted.is_empty() {
            self.fds.insert(&self.events, id.slot, first);
        }
        Ok(())
    }

    /// Changes an event's timeout. If it is pending the new one runs from now, and it is active
    /// no more for the old one. `None` takes the timeout away. `now` is as for [`Core::add`].
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_add` with another timeout, and `event_remove_timer`, which there is without effect
    /// on a timeout that has expired but whose callback has not run.
    pub fn set_timeout(
        &mut self,
        id: EventId,
        timeout: Option<Duration>,
        now: impl FnOnce() -> u64,
    ) -> Result<(), NoSuchEvent> {
        let event = self.events.get_mut(id).ok_or(NoSuchEvent)?;
        event.spec.timeout = timeout;
        if event.state.contains(State::PENDING) {
            match timeout {
                Some(timeout) => self.start_timer(id.slot, timeout, now()),
                None => self.stop_timer(id.slot),
            }
        }
        Ok(())
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
        self.events[id.slot].spec.priority = priority;
        if active {
            self.active.push(&mut self.events, id.slot);
        }
        Ok(())
    }

    /// Sees to it that the kernel holds interest in `fd`; whether it was told so just now.
    fn admit<E>(
        &mut self,
        slot: u32,
        fd: RawFd,
        interest: Interest,
        trigger: Trigger,
        grant: impl FnOnce(Demand) -> Result<(), E>,
    ) -> Result<bool, AddError<E>> {
        match self.fds.admit(&self.events, fd, interest, trigger, slot) {
            Admission::Known => Ok(false),
            Admission::MixedTrigger => Err(AddError::MixedTrigger(fd)),
            Admission::First(token, interest) => {
                grant(Demand::Fd {
                    fd,
                    token,
                    interest,
                    trigger,
                })
                .map_err(AddError::Refused)?;
                self.fds.registered(fd, interest, trigger);
                Ok(true)
            }
        }
    }

    /// Puts an event on its signal, and sees to it that the signal is caught.
    fn watch<E>(
        &mut self,
        signal: Signal,
        slot: u32,
        grant: impl FnOnce(Demand) -> Result<(), E>,
    ) -> Result<(), AddError<E>> {
        if self.signals.insert(signal, slot) == Inserted::First && self.caught & bit(signal) == 0 {
            if let Err(error) = grant(Demand::Signal(signal)) {
                let _last = self.signals.remove(signal, slot);
                return Err(AddError::Refused(error));
            }
            self.caught |= bit(signal);
        }
        Ok(())
    }

    fn set_pending(&mut self, slot: u32) {
        let event = &mut self.events[slot];
        if !event.state.contains(State::PENDING) {
            event.state.insert(State::PENDING);
            self.pending += usize::from(event.counts());
        }
    }

    /// Makes an event not pending. It stays active if it is.
    pub(crate) fn withdraw(&mut self, slot: u32) {
        let event = &mut self.events[slot];
        if !event.state.contains(State::PENDING) {
            return;
        }
        event.state.remove(State::PENDING);
        self.pending -= usize::from(event.counts());
        if let Some(timer) = event.timer.take() {
            self.timers.remove(timer);
        }
        match event.spec.kind {
            Kind::Io { .. } => self.fds.remove(&self.events, slot),
            Kind::Signal(signal) => {
                // Whether the signal is still to be caught is settled by `idle_signal`.
                let (Removed::Last | Removed::Others | Removed::Absent) =
                    self.signals.remove(signal, slot);
            }
            Kind::Plain => {}
            Kind::Prepare => self.prepare.remove(slot),
            Kind::Check => self.check.remove(slot),
        }
    }

    pub(crate) fn make_active(&mut self, slot: u32, ready: Ready) {
        let event = &mut self.events[slot];
        event.ready |= ready;
        if event.state.contains(State::ACTIVE) {
            return;
        }
        if event.state.contains(State::LATER) {
            self.active.unlink(&mut self.events, slot);
        }
        self.active.push(&mut self.events, slot);
    }

    /// Starts an event's timeout, anew if it runs.
    pub(crate) fn start_timer(&mut self, slot: u32, timeout: Duration, now_ns: u64) {
        self.forget_expiry(slot);
        let timer = self.events[slot].timer;
        self.events[slot].timer = Some(match (timer, self.lane(timeout)) {
            (Some(timer), lane) => {
                self.rearm(timer, lane, timeout, now_ns);
                timer
            }
            (None, Some(lane)) => self.timers.insert_in_lane(lane, now_ns, slot),
            (None, None) => self
                .timers
                .insert(now_ns.saturating_add(nanoseconds(timeout)), slot),
        });
    }

    /// Moves a timer to `timeout` after `from_ns`.
    pub(crate) fn rearm(
        &mut self,
        timer: TimerId,
        lane: Option<LaneId>,
        timeout: Duration,
        from_ns: u64,
    ) {
        match lane {
            Some(lane) => self.timers.rearm_in_lane(timer, lane, from_ns),
            None => self
                .timers
                .rearm(timer, from_ns.saturating_add(nanoseconds(timeout))),
        };
    }

    /// The lane of a common timeout.
    pub(crate) fn lane(&self, timeout: Duration) -> Option<LaneId> {
        self.common
            .iter()
            .find(|(common, _)| *common == timeout)
            .map(|(_, lane)| *lane)
    }

    fn stop_timer(&mut self, slot: u32) {
        self.forget_expiry(slot);
        if let Some(timer) = self.events[slot].timer.take() {
            self.timers.remove(timer);
        }
    }

    /// An expiry whose callback has not run did not happen.
    fn forget_expiry(&mut self, slot: u32) {
        let event = &mut self.events[slot];
        if event.ready.contains(Ready::TIMEOUT) {
            event.ready.remove(Ready::TIMEOUT);
            if event.ready.is_empty() {
                self.active.unlink(&mut self.events, slot);
            }
        }
    }

    /// The event's signal, if it is caught though no event waits for it. It counts as released.
    pub(crate) fn idle_signal(&mut self, slot: u32) -> Option<Release> {
        let Kind::Signal(signal) = self.events[slot].spec.kind else {
            return None;
        };
        if self.caught & bit(signal) == 0 || self.signals.is_watched(signal) {
            return None;
        }
        self.caught &= !bit(signal);
        Some(Release::Signal(signal))
    }

    /// The event's file descriptor, if the kernel holds interest in it though no event wants any.
    /// It counts as released.
    pub(crate) fn idle_fd(&mut self, slot: u32) -> Option<Release> {
        let Kind::Io { fd, .. } = self.events[slot].spec.kind else {
            return None;
        };
        self.fds.give_up(fd).then_some(Release::Fd(fd))
    }
}

/// How many events [`Core::defer`] makes active in one turn.
pub const DEFERRED: u32 = 32;

/// Saturates after 584 years.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn bit(signal: Signal) -> u64 {
    1 << (signal.number() - 1)
}
