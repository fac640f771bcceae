//! Timeouts: started, moved, and expired into activations.

use core::time::Duration;

use evloop_changelist::Ready;
use evloop_timers::LaneId;

use crate::Core;
use crate::error::NoSuchEvent;
use crate::event::State;
use crate::slab::EventId;
use crate::stats::LATE_NS;

/// What becomes of a persistent timeout that expired so late that the next should have expired too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// It goes on at the times at which it would have expired, without those that were missed.
    #[default]
    Skipped,
    /// It begins anew: the next expires a whole interval from now.
    Forgotten,
}

impl<T> Core<T> {
    /// Says what becomes of the ticks that a persistent timeout misses, from now on.
    ///
    /// # Compared with libevent
    ///
    /// libevent knows [`Missed::Forgotten`] alone.
    pub const fn set_missed(&mut self, missed: Missed) {
        self.missed = missed;
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
        event.set_timeout(timeout);
        match event.timeout_ns() {
            Some(timeout_ns) if event.state.contains(State::PENDING) => {
                let now_ns = now();
                event.state.insert(State::TIMED);
                self.start_timer(id.slot, timeout_ns, now_ns);
            }
            Some(_) => {}
            None => self.stop_timer(id.slot),
        }
        Ok(())
    }

    /// Declares a timeout to be a common one: as many events as like have it, and each is started,
    /// stopped and started anew in `O(1)`. Events that are made or started later and have exactly
    /// this timeout use it. Declaring it again changes nothing.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_init_common_timeout`, whose result has to be passed to `event_add`.
    pub fn common_timeout(&mut self, timeout: Duration) {
        let timeout_ns = nanoseconds(timeout);
        if self.lane(timeout_ns).is_none() {
            let lane = self.timers.lane(timeout);
            self.common.push((timeout_ns, lane));
        }
    }

    /// Starts the timeout of an event that says so in its state, anew if it runs.
    // Always inlined, in two places: 20 instructions less in each.
    #[inline(always)]
    pub(crate) fn start_timer(&mut self, slot: u32, timeout_ns: u64, now_ns: u64) {
        if self.events[slot].ready.contains(Ready::TIMEOUT) {
            self.forget_expiry(slot);
        }
        self.arm(slot, timeout_ns, now_ns);
        if self.timers.len() > self.most.timers {
            self.most.timers = self.timers.len();
        }
    }

    /// Arms the timer of a slot to be due `timeout_ns` after `from_ns`, anew if it is armed.
    #[inline]
    fn arm(&mut self, slot: u32, timeout_ns: u64, from_ns: u64) {
        match self.lane(timeout_ns) {
            Some(lane) => self.timers.set_in_lane(slot, lane, from_ns),
            None => self.timers.set(slot, from_ns.saturating_add(timeout_ns)),
        }
    }

    /// The interval of a persistent event that was heard of in another way begins anew: with this turn,
    /// or with the callback of this turn that has started it since.
    #[inline]
    pub(crate) fn rearm_idle(&mut self, slot: u32) {
        if let Some(interval_ns) = self.events[slot].timeout_ns()
            && let Some(deadline_ns) = self.timers.get(slot)
        {
            let started_ns = deadline_ns.saturating_sub(interval_ns);
            self.arm(slot, interval_ns, started_ns.max(self.now_ns));
        }
    }

    /// The lane of a common timeout.
    #[inline]
    pub(crate) fn lane(&self, timeout_ns: u64) -> Option<LaneId> {
        self.common
            .iter()
            .find(|(common_ns, _)| *common_ns == timeout_ns)
            .map(|(_, lane)| *lane)
    }

    fn stop_timer(&mut self, slot: u32) {
        let event = &mut self.events[slot];
        event.state.remove(State::TIMED);
        if event.ready.contains(Ready::TIMEOUT) {
            self.forget_expiry(slot);
        }
        self.timers.remove(slot);
    }

    /// An expiry whose callback has not run did not happen.
    #[cold]
    fn forget_expiry(&mut self, slot: u32) {
        let event = &mut self.events[slot];
        event.ready.remove(Ready::TIMEOUT);
        if event.ready.is_empty() && !event.state.contains(State::CALLED) {
            self.active.unlink(&mut self.events, slot);
        }
    }

    /// Makes active what is due, in deadline order.
    pub(crate) fn expire(&mut self, now_ns: u64) {
        let until_ns = before_never(now_ns);
        self.active.ahead.begin();
        while let Some((slot, deadline_ns)) = self.timers.peek_due(until_ns) {
            if let Some(soon) = self.timers.upcoming() {
                self.events.prefetch(soon);
                self.active.ahead.push(slot);
            }
            let late_ns = now_ns - deadline_ns;
            self.stats.late_timers += u64::from(late_ns > LATE_NS);
            self.most.late_ns = self.most.late_ns.max(late_ns);
            let event = &mut self.events[slot];
            match event.timeout_ns() {
                Some(interval_ns) if event.state.contains(State::PERSISTENT) => {
                    let from_ns = match self.missed {
                        Missed::Skipped => last_tick(deadline_ns, interval_ns, now_ns),
                        Missed::Forgotten if late_ns < interval_ns => deadline_ns,
                        // Of nothing, it is due again in the next turn and not in this one.
                        Missed::Forgotten => now_ns.saturating_add(u64::from(interval_ns == 0)),
                    };
                    self.arm(slot, interval_ns, from_ns);
                }
                _ => {
                    event.state.remove(State::TIMED);
                    self.timers.remove_due(slot);
                }
            }
            self.active.activate(&mut self.events, slot, Ready::TIMEOUT);
        }
    }
}

/// From when the next interval of a persistent timer counts: its deadline, or the last tick before
/// now where ticks were missed; these are skipped. An interval of nothing counts from a moment
/// after now, so that it is due again in the next turn and not in this one.
const fn last_tick(deadline_ns: u64, interval_ns: u64, now_ns: u64) -> u64 {
    if interval_ns == 0 {
        return now_ns.saturating_add(1);
    }
    let late_ns = now_ns - deadline_ns;
    if late_ns < interval_ns {
        // Mostly, and a division takes its time.
        return deadline_ns;
    }
    now_ns - late_ns % interval_ns
}

/// When a timeout ends that is longer than there is time. It is not due, even then: a persistent one would be due
/// again and again.
pub(crate) const NEVER: u64 = u64::MAX;

/// Now, or a moment before the end of all time.
#[inline]
pub(crate) const fn before_never(now_ns: u64) -> u64 {
    if now_ns == NEVER { NEVER - 1 } else { now_ns }
}

/// Saturates after 584 years.
#[inline]
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
