//! What the front answers and reports: the time, what a wait brought, and that a callback is over.

use core::time::Duration;

use evloop_changelist::{Ready, Token};
use evloop_signals::Signal;

use crate::Core;
#[cfg(doc)]
use crate::Step;
use crate::event::{Kind, State};
use crate::life::Leaving;
use crate::slab::{EventId, NONE};
use crate::step::Phase;

impl<T> Core<T> {
    /// Says what time it is, where the front has read its clock for a reason of its own: then the
    /// callbacks of this turn agree on it. ([`Core::step`] asks anew, as time passes.) Nanoseconds since the
    /// origin of that clock.
    pub fn set_now(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        self.now_is_of_turn = true;
    }

    /// The time as it was last set in this turn; `None` if nothing has needed it yet, and between two runs.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_gettimeofday_cached`.
    #[must_use]
    pub const fn now_ns(&self) -> Option<u64> {
        if self.now_is_of_turn && !matches!(self.phase, Phase::Idle) {
            Some(self.now_ns)
        } else {
            None
        }
    }

    /// The changes that go with [`Step::Wait`], in the order in which the file descriptors were
    /// first touched.
    #[must_use]
    pub fn changes(&self) -> &[evloop_changelist::Entry] {
        self.fds.changes()
    }

    /// The changes that the kernel has to be told by now, for a front that tells them before the turn
    /// waits; it says so by [`Core::told`]. They are [`Core::changes`] without what comes to nothing.
    pub fn changes_by_now(&mut self) -> &[evloop_changelist::Entry] {
        self.fds.prune();
        self.fds.changes()
    }

    /// Says before the wait is over that the kernel was told the changes.
    ///
    /// In the middle of [`Step::Wait`] they may also have been taken away to be told, by a front that
    /// others may call while it waits: what they change is for the next wait. There it is said once.
    pub fn told(&mut self) {
        match self.phase {
            Phase::Told => return,
            Phase::Waiting => self.phase = Phase::Told,
            _ => {}
        }
        self.fds.commit();
    }

    /// Answers [`Step::Wait`]: the kernel was told the changes, and the wait is over (or failed).
    /// To be called before its results are reported.
    pub fn waited(&mut self) {
        self.told();
        self.check.rewind();
        for position in 0..self.always.len() {
            let slot = self.always[position];
            let ready = Ready::from(self.events[slot].interest());
            let ready = ready.intersection(Ready::READ | Ready::WRITE);
            if !ready.is_empty() {
                self.make_active(slot, ready);
            }
        }
        self.phase = if self.is_look {
            Phase::Looked
        } else {
            Phase::Waited
        };
    }

    /// Takes a report of readiness. `O(k)` in the number of events on the file descriptor.
    ///
    /// A report of an earlier registration is counted and dropped. One that no event asked for
    /// makes the kernel forget the file descriptor.
    #[inline]
    pub fn report(&mut self, token: Token, ready: Ready) {
        let Some(slot) = self.fds.reported(token) else {
            self.stats.ghosts += 1;
            return;
        };
        let Some(event) = self.events.at_or_none(slot) else {
            self.stats.quenched += 1;
            self.fds.quench(&self.events, token);
            return;
        };
        let (told, next) = (event.told_of(ready), event.next_on_fd());
        if !told.is_empty() {
            self.active.activate(&mut self.events, slot, told);
        }
        // Mostly it is the only one.
        if next != NONE {
            self.report_from(next, ready);
        }
    }

    /// Tells an event what was reported for its file descriptor, and those behind it in the list there.
    #[inline(never)]
    fn report_from(&mut self, mut slot: u32, ready: Ready) {
        while let Some(event) = self.events.at_or_none(slot) {
            let (told, next) = (event.told_of(ready), event.next_on_fd());
            if !told.is_empty() {
                self.active.activate(&mut self.events, slot, told);
            }
            slot = next;
        }
    }

    /// Takes a report that the kernel refused a change: each event of the file descriptor becomes
    /// active with [`Ready::ERROR`] and this errno. Where its interest was changed since the kernel was
    /// [told](Core::told) nobody hears of it, and the kernel is told all that is wanted now.
    pub fn refuse(&mut self, token: Token, errno: i32) {
        if let Some(fd) = self.fds.refused(&self.events, token) {
            self.fail(fd, errno);
        }
    }

    /// Takes deliveries of a signal. `O(k)` in the number of its events.
    pub fn catch(&mut self, signal: Signal, count: u64) {
        self.stats.signals += count;
        self.is_woken = true;
        self.activate_signal(signal, count);
    }

    /// Answers [`Step::Run`]: the callback is over, also if it panicked.
    ///
    /// What is returned, if anything, is to be done and dropped: a one-shot that was not added again is
    /// over. (What the callback itself has removed was given back to it.)
    #[inline]
    pub fn finish(&mut self) -> Option<Leaving<T>> {
        // The callback took its time, also after it may have asked for the time.
        self.now_is_fresh = false;
        if self.settles {
            return self.settle();
        }
        self.running = None;
        None
    }

    /// The callback of a one-shot is over, or one that was told news.
    #[inline]
    fn settle(&mut self) -> Option<Leaving<T>> {
        self.forget_news();
        let id = self.running.take()?;
        let event = self.events.get_mut(id)?;
        if event.state.intersects(State::PERSISTENT | State::PENDING) {
            return None;
        }
        if event.is_kept_as_it_is() {
            event.state.remove(State::LINGERING);
            return None;
        }
        self.finish_one_shot(id)
    }

    /// A one-shot has run and was not added again.
    fn finish_one_shot(&mut self, id: EventId) -> Option<Leaving<T>> {
        self.withdraw(id.slot);
        let signal = match self.events[id.slot].kind {
            Kind::Signal(signal) => self.idle_signal(signal),
            _ => None,
        };
        if !self.events[id.slot].is_over() {
            return signal.map(|release| Leaving {
                release: Some(release),
                payload: None,
            });
        }
        let release = signal.or_else(|| self.idle_fd(id.slot));
        let payload = self.events.remove(id);
        Some(Leaving { release, payload })
    }

    /// The event whose callback runs.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_get_running_event`.
    #[must_use]
    pub const fn running(&self) -> Option<EventId> {
        self.running
    }

    /// How long the wait would be that a prepare watcher is called before: what it does, adding a
    /// timer for instance, may shorten it. `None`: for ever.
    ///
    /// # Compared with libevent
    ///
    /// `evwatch_prepare_get_timeout`. There, nothing that a watcher does changes the wait.
    #[must_use]
    pub const fn coming_wait(&self) -> Option<Duration> {
        self.coming_wait
    }
}
