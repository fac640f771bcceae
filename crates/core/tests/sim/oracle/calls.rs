//! What callers do to events, and what is expected of it.

use std::time::Duration;

use evloop_changelist::{Interest, Ready, Token};
use evloop_core::{EventId, Kind, Priority, Spec};

use super::{Answer, Expected, Oracle, Origin};

impl Oracle {
    /// An event was made; they are numbered in this order.
    pub(crate) fn made(&mut self, id: EventId, spec: Spec, source: Option<Origin>) {
        self.events.push(Expected {
            id,
            spec,
            source,
            is_freed: false,
            is_pending: false,
            owed: Ready::empty(),
            count: 0,
            deadline: None,
            expiry: None,
        });
    }

    pub(crate) fn added(&mut self, n: usize, answer: Answer, now_ns: u64) {
        assert_eq!(answer, self.admits(n, self.interest(n)), "of an add");
        if answer == Answer::Done {
            self.events[n].is_pending = true;
            self.remembered(n);
            if let Some(timeout) = self.events[n].spec.timeout {
                self.start(n, timeout, now_ns);
            }
        }
    }

    pub(crate) fn deleted(&mut self, n: usize) {
        self.withdraw(n);
        let event = &mut self.events[n];
        event.owed = Ready::empty();
        event.count = 0;
        event.expiry = None;
    }

    pub(crate) fn removed(&mut self, n: usize) {
        self.deleted(n);
        self.events[n].is_freed = true;
    }

    pub(crate) fn activated(&mut self, n: usize, ready: Ready) {
        if !self.events[n].is_freed {
            self.events[n].owed |= ready;
        }
    }

    pub(crate) fn set_interest(&mut self, n: usize, wanted: Interest, answer: Answer) {
        let event = &self.events[n];
        let is_io = matches!(event.spec.kind, Kind::Io { .. });
        let is_noop = !is_io || self.interest(n) == wanted;
        let is_told = event.is_pending && !wanted.is_empty() && !is_noop;
        let expected = match event.is_freed {
            true => Answer::Freed,
            false if is_told => self.admits(n, wanted),
            false => Answer::Done,
        };
        assert_eq!(answer, expected, "of a change of interest");
        if answer != Answer::Done || is_noop {
            return;
        }
        let was_wanted = self.is_wanted(n);
        if let Kind::Io { interest, .. } = &mut self.events[n].spec.kind {
            *interest = wanted;
        }
        if was_wanted {
            self.unwanted(n);
        }
        self.remembered(n);
    }

    pub(crate) fn set_timeout(&mut self, n: usize, timeout: Option<Duration>, now_ns: u64) {
        self.events[n].spec.timeout = timeout;
        if self.events[n].is_pending {
            match timeout {
                Some(timeout) => self.start(n, timeout, now_ns),
                None => {
                    self.forget_expiry(n);
                    self.give_up_deadline(n);
                }
            }
        }
    }

    pub(crate) fn set_priority(&mut self, n: usize, priority: Priority) {
        let event = &mut self.events[n];
        event.spec.priority = priority;
        // It changed its place in the queue.
        event.expiry = None;
    }

    /// The kernel is to be asked again, before another callback.
    pub(crate) fn rescans(&mut self) {
        self.is_rescanned = true;
    }

    /// The kernel was asked to hold interest in the source of event `n`.
    pub(crate) fn granted(&mut self, n: usize, token: Token) {
        let source = self.events[n].source.expect("it is for a file").birth;
        let before = self.tokens.insert(token, source);
        // I5: a token names one registration, for ever.
        assert_eq!(before, None, "{token:?} was given out before");
    }
}

/// Steps of the above.
impl Oracle {
    fn start(&mut self, n: usize, timeout: Duration, now_ns: u64) {
        self.forget_expiry(n);
        self.start_at(n, now_ns + u64::try_from(timeout.as_nanos()).unwrap());
    }

    pub(super) fn start_at(&mut self, n: usize, deadline_ns: u64) {
        self.give_up_deadline(n);
        self.starts += 1;
        self.events[n].deadline = Some((deadline_ns, self.starts));
    }

    pub(super) fn give_up_deadline(&mut self, n: usize) {
        let given_up = self.events[n].deadline.take();
        self.given_up.extend(given_up.map(|(at_ns, _)| at_ns));
    }

    fn forget_expiry(&mut self, n: usize) {
        let event = &mut self.events[n];
        event.owed.remove(Ready::TIMEOUT);
        event.expiry = event.expiry.filter(|_| !event.owed.is_empty());
    }

    pub(super) fn withdraw(&mut self, n: usize) {
        let was_wanted = self.is_wanted(n);
        self.events[n].is_pending = false;
        self.give_up_deadline(n);
        if was_wanted {
            self.unwanted(n);
        }
    }

    /// Event `n` wants its file no more. If no other does, one report may still come.
    fn unwanted(&mut self, n: usize) {
        if let Some(source) = self.events[n].source
            && self.wanting(source.birth).next().is_none()
        {
            self.forgotten.insert(source.birth);
        }
    }

    fn remembered(&mut self, n: usize) {
        if let Some(source) = self.events[n].source
            && self.is_wanted(n)
        {
            self.forgotten.remove(&source.birth);
        }
    }
}
