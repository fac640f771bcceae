//! What the loop does in its turn, and what is expected of it.

use std::mem;
use std::time::Duration;

use evloop_changelist::Ready;
use evloop_core::{Activation, Core, Kind, News};

use super::Oracle;
use crate::front::Waited;

impl Oracle {
    /// The loop is about to wait.
    pub(crate) fn waits(&mut self, timeout: Option<Duration>, now_ns: u64) {
        // No spin: a wait is followed by a callback, or there was a reason for which it is not.
        let is_rescanned = self.is_rescanned;
        let is_first = self.waits == 0;
        let has_run = self.callbacks > 0;
        let is_used = is_first || has_run || self.is_excused || self.is_look;
        assert!(
            is_used || mem::take(&mut self.is_rescanned),
            "a wait for nothing"
        );
        self.callbacks = 0;
        self.is_look = false;
        self.waits += 1;
        assert!(self.waits < 10_000, "it never comes to rest");

        // Nothing lost: not at all while a callback is owed something.
        if self.events.iter().any(|event| !event.owed.is_empty()) {
            assert_eq!(timeout, Some(Duration::ZERO), "the length of the wait");
            return;
        }
        // Never late: until the first deadline by a fresh clock, or one that was given up.
        let ends = self.events.iter().filter_map(|event| event.deadline).min();
        let left = |at_ns: u64| Duration::from_nanos(at_ns.saturating_sub(now_ns));
        let end = ends.map(|(at_ns, _)| left(at_ns));
        // Where callbacks have run, and a timeout runs, it may be a look, and the wait comes after it.
        if has_run && end.is_some() && timeout == Some(Duration::ZERO) {
            self.is_look = true;
            return;
        }
        // A run of one pass whose callback asks for another look does not sleep for it.
        if timeout != end && !(is_rescanned && timeout == Some(Duration::ZERO)) {
            let shorter = end.and(timeout).filter(|timeout| Some(*timeout) < end);
            let mut ends = self.given_up.iter().map(|at_ns| left(*at_ns));
            assert!(
                ends.any(|end| Some(end) == shorter),
                "{timeout:?}, and not {end:?}"
            );
        }
    }

    /// The loop has waited. `may_be_cut`: the kernel interrupts waits.
    pub(crate) fn waited(&mut self, waited: &Waited, may_be_cut: bool, now_ns: u64) {
        self.waited_ns = now_ns;
        self.is_unsettled = true;
        self.is_excused = waited.reports.is_empty() && may_be_cut;
        for report in &waited.reports {
            assert_eq!(report.errno, 0, "no change of an open file is refused");
            let source = self.tokens[&report.token];
            let wanting: Vec<_> = self.wanting(source).collect();
            if wanting.is_empty() {
                // No spin: a kept delete is quenched by its first report.
                assert!(
                    self.forgotten.remove(&source),
                    "a file was reported to nobody again"
                );
                self.is_excused = true;
            }
            // I6: hang-up and error reach every event of the file.
            for n in wanting {
                let ready = report.ready.for_interest(self.interest(n));
                self.events[n].owed |= ready;
            }
        }
        for &(signal, count) in &waited.caught {
            for event in &mut self.events {
                if event.is_pending && event.spec.kind == Kind::Signal(signal) {
                    event.owed |= Ready::SIGNAL;
                    event.count += count;
                }
            }
        }
    }

    /// The loop has gone on after a wait: what is due has expired.
    pub(crate) fn settle<T>(&mut self, core: &Core<T>, now_ns: u64) {
        if !mem::take(&mut self.is_unsettled) {
            return;
        }
        let timed = (0..self.events.len()).filter_map(|n| Some((self.events[n].deadline?, n)));
        let mut due: Vec<_> = timed.filter(|((at_ns, _), _)| *at_ns <= now_ns).collect();
        due.sort_unstable();
        for (deadline, n) in due {
            let event = &mut self.events[n];
            event.deadline = None;
            if event.owed.is_empty() {
                event.expiry = Some((self.waits, deadline));
            }
            event.owed |= Ready::TIMEOUT;
            if event.spec.persistent {
                self.tick(core, n, deadline.0, now_ns);
            }
        }
        // No spin: what was given up comes up once.
        let to_come = self.given_up.split_off(&(now_ns + 1));
        self.is_excused |= !mem::replace(&mut self.given_up, to_come).is_empty();
    }

    /// The callback of event `n` is to run.
    pub(crate) fn runs<T>(&mut self, core: &Core<T>, n: usize, why: &Activation<T>, now_ns: u64) {
        self.callbacks += 1;
        self.is_rescanned = false;
        let event = &mut self.events[n];
        // I1: no handle of a freed event reaches another, and no reason from before a delete, or
        // from a timeout that was started anew, reaches a callback. I8: nor does a timeout before
        // its deadline. And no reason is lost.
        assert_eq!(why.id, event.id);
        assert!(!event.is_freed);
        let count = if event.spec.each {
            event.count.min(1)
        } else {
            event.count
        };
        let left = event.count - count;
        let news = News {
            count,
            left,
            errno: 0,
        };
        let told = (why.ready, core.news());
        assert_eq!(told, (event.owed, news), "why event {n} runs");
        event.owed = Ready::empty();
        event.owed.set(Ready::SIGNAL, left > 0);
        event.count = left;
        // Timeouts run in the order of their deadlines, first come, first served among equals.
        if let Some(expiry) = event.expiry.take() {
            let last = self.last_expired.insert(event.spec.priority, expiry);
            assert!(
                last.is_none_or(|last| last < expiry),
                "{last:?} before {expiry:?}"
            );
        }
        if !event.spec.persistent {
            self.withdraw(n);
        } else if !why.ready.is_timeout() {
            self.put_off(core, n, now_ns);
        }
    }

    /// The callback of event `n` is over; whether it was freed by that.
    pub(crate) fn finished(&mut self, n: usize) -> bool {
        let event = &mut self.events[n];
        let lives_on = event.spec.persistent || event.spec.keep || event.is_pending;
        let is_over = !event.is_freed && !lives_on && event.owed.is_empty();
        event.is_freed |= is_over;
        is_over
    }

    /// A persistent timer ran out: it keeps its phase, and skips the ticks that were missed.
    fn tick<T>(&mut self, core: &Core<T>, n: usize, at_ns: u64, now_ns: u64) {
        let interval = self.events[n].spec.timeout.expect("it has run out");
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap();
        let next_ns = core.info(self.events[n].id).unwrap().deadline_ns.unwrap();
        if interval_ns == 0 {
            assert_eq!(
                next_ns,
                now_ns + 1,
                "not again in this turn, but in the next"
            );
        } else {
            assert_eq!((next_ns - at_ns) % interval_ns, 0, "the phase of event {n}");
            let next_tick = now_ns + 1..=now_ns + interval_ns;
            assert!(next_tick.contains(&next_ns), "the next tick of event {n}");
        }
        self.start_at(n, next_ns);
    }

    /// A persistent event was heard of before its timeout: that begins anew, with this turn or at
    /// some time since. What a callback of this turn has started is not cut short.
    fn put_off<T>(&mut self, core: &Core<T>, n: usize, now_ns: u64) {
        let event = &self.events[n];
        let (Some((at_ns, _)), Some(timeout)) = (event.deadline, event.spec.timeout) else {
            return;
        };
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap();
        let next_ns = core.info(event.id).unwrap().deadline_ns.unwrap();
        let earliest_ns = at_ns.max(self.waited_ns + timeout_ns);
        let latest_ns = at_ns.max(now_ns + timeout_ns);
        assert!(
            (earliest_ns..=latest_ns).contains(&next_ns),
            "event {n} is put off until {next_ns}"
        );
        self.start_at(n, next_ns);
    }
}
