//! What the limits make of a turn. Not asked where none is set.

use crate::Core;
use crate::event::Priority;
use crate::run::Limits;
use crate::step::Next;
use crate::timeout::nanoseconds;

impl<T> Core<T> {
    /// Runs the most urgent level, or one that the quota puts ahead of it; unless this turn has had
    /// its share of callbacks.
    #[inline(never)]
    pub(crate) fn next_within_limits(
        &mut self,
        urgent: Priority,
        now: impl FnMut() -> u64,
    ) -> Next {
        let Some(quota) = self.limits.quota else {
            return self.share(urgent, now).unwrap_or(Next::Run(urgent));
        };
        let after = |level| self.active.less_urgent_than(level);
        let Some(next) = after(urgent) else {
            return self.share(urgent, now).unwrap_or_else(|| {
                self.overtakes = 0;
                Next::Run(urgent)
            });
        };
        if self.overtakes < quota.max(1) {
            return self.share(urgent, now).unwrap_or_else(|| {
                self.overtakes += 1;
                Next::Run(urgent)
            });
        }
        // Those that wait take turns, round and round.
        let level = after(urgent.max(self.yielded_to)).unwrap_or(next);
        self.share(level, now).unwrap_or_else(|| {
            self.overtakes = 0;
            self.yielded_to = level;
            self.stats.yields += 1;
            Next::Yield(level)
        })
    }

    /// Counts a callback of this level in the share of this turn; or says why it does not run.
    fn share(&mut self, level: Priority, mut now: impl FnMut() -> u64) -> Option<Next> {
        let Limits {
            callbacks,
            interval,
            ..
        } = self.limits;
        if !self.limits.are_for(level) {
            return None;
        }
        let (began_ns, ran) = match self.began {
            Some(began) => began,
            None if interval.is_some() => (self.fresh_ns(&mut now), 0),
            None => (self.now_ns, 0),
        };
        if ran > 0 {
            if callbacks.is_some_and(|callbacks| ran >= callbacks) {
                return Some(Next::Limit);
            }
            if let Some(interval) = interval
                && self.fresh_ns(&mut now) - began_ns >= nanoseconds(interval)
            {
                return Some(Next::Limit);
            }
        }
        self.began = Some((began_ns, ran.saturating_add(1)));
        None
    }
}
