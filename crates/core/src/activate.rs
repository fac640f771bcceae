//! Activation: by hand, and by whatever happened.

use evloop_changelist::{RawFd, Ready};
use evloop_signals::Signal;

use crate::Core;
use crate::error::NoSuchEvent;
use crate::event::State;
use crate::slab::{EventId, NONE};

impl<T> Core<T> {
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
        let event = self.events.get_mut(id).ok_or(NoSuchEvent)?;
        event.note_called(ready);
        self.make_active(id.slot, ready);
        Ok(())
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
        event.note_called(ready);
        event.ready |= ready;
        if !event.state.intersects(State::QUEUED) {
            self.active.push_later(&mut self.events, id.slot);
        }
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

    /// Makes active, by hand, the pending events of a file descriptor that ask for any of `ready`.
    /// `O(k)` in the number of its events.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_active_by_fd`, which with `EV_TIMEOUT` ignores the other bits.
    pub fn activate_fd(&mut self, fd: RawFd, ready: Ready) {
        let mut slot = self.fds.first_on(fd);
        while slot != NONE {
            let event = &self.events[slot];
            let next = event.next_on_fd();
            if event.state.contains(State::PENDING) {
                let mut told = ready.for_interest(event.interest());
                told.set(
                    Ready::TIMEOUT,
                    ready.is_timeout() && event.state.contains(State::TIMED),
                );
                if !told.is_empty() {
                    self.make_active(slot, told);
                }
            }
            slot = next;
        }
    }

    /// Makes active, by hand, the pending events of a signal, as if it had been caught `count` times.
    /// `O(k)` in the number of its events.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_active_by_signal`.
    pub fn activate_signal(&mut self, signal: Signal, count: u64) {
        for &slot in self.signals.events(signal) {
            let event = &mut self.events[slot];
            if !event.state.contains(State::PENDING) {
                continue;
            }
            event.set_count(event.count() + count);
            event.state.insert(State::NEWS);
            self.active.activate(&mut self.events, slot, Ready::SIGNAL);
        }
        self.active.note_most();
    }

    pub(crate) fn make_active(&mut self, slot: u32, ready: Ready) {
        self.active.activate(&mut self.events, slot, ready);
        self.active.note_most();
    }
}

/// How many events [`Core::defer`] makes active in one turn.
pub const DEFERRED: u32 = 32;
