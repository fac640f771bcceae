//! What has to hold, event by event: why each may be called, when its timeout expires, and how often
//! the loop may wait. Nothing here knows queues, change lists or heaps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evloop_changelist::{Interest, RawFd, Ready, Token, Trigger};
use evloop_core::{Activation, AddError, Core, EventId, Kind, Priority, Spec};

use crate::front::Waited;

/// All that is expected of a loop.
#[derive(Default)]
pub(crate) struct Oracle {
    events: Vec<Expected>,
    /// The source of each registration that was ever made, by its birth.
    tokens: BTreeMap<Token, usize>,
    /// The sources whose last interest was withdrawn, and that were not reported since.
    forgotten: BTreeSet<usize>,
    waits: u64,
    /// When the last wait was over.
    waited_ns: u64,
    /// What was due then has expired.
    is_settled: bool,
    /// The last wait need not be followed by a callback.
    is_excused: bool,
    callbacks: u64,
    /// How often a timeout was started.
    starts: u64,
    /// The last expiry of each priority whose callback ran.
    last_expired: BTreeMap<Priority, Expiry>,
}

/// One event, from when it was made.
struct Expected {
    id: EventId,
    spec: Spec,
    source: Option<Origin>,
    is_freed: bool,
    is_pending: bool,
    /// What has happened that its callback was not told yet. It is active if there is something.
    owed: Ready,
    count: u64,
    /// When its timeout runs out, if it runs.
    deadline: Option<Deadline>,
    /// When that began to run.
    started_ns: u64,
    /// The expiry that made it active, if one did.
    expiry: Option<Expiry>,
}

/// The source of an event.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) birth: usize,
    /// The kernel refuses to wait for it.
    pub(crate) is_refused: bool,
}

/// When a timeout runs out, and which start of all that was: first come, first served.
type Deadline = (u64, u64);

/// In which turn a timeout expired, and which: in this order callbacks run.
type Expiry = (u64, Deadline);

/// What a call has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Freed,
    Mixed,
    Refused,
}

impl<E> From<Result<(), AddError<E>>> for Answer {
    fn from(result: Result<(), AddError<E>>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(AddError::NoSuchEvent) => Self::Freed,
            Err(AddError::MixedTrigger(_)) => Self::Mixed,
            Err(AddError::Refused(_)) => Self::Refused,
            Err(_) => panic!("an error nobody knows"),
        }
    }
}

/// What callers do.
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
            started_ns: 0,
            expiry: None,
        });
    }

    pub(crate) fn id(&self, n: usize) -> EventId {
        self.events[n].id
    }

    pub(crate) fn is_freed(&self, n: usize) -> bool {
        self.events[n].is_freed
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
                    self.events[n].deadline = None;
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

    /// The kernel was asked to hold interest in the source of event `n`.
    pub(crate) fn granted(&mut self, n: usize, token: Token) {
        let source = self.events[n].source.expect("it is for a file").birth;
        let before = self.tokens.insert(token, source);
        // I5: a token names one registration, for ever.
        assert_eq!(before, None, "{token:?} was given out before");
    }
}

/// What the loop does.
impl Oracle {
    /// The loop is about to wait.
    pub(crate) fn waits(&mut self, timeout: Option<Duration>, now_ns: u64) {
        // No spin: a wait is followed by a callback, or there was a reason for which it is not.
        let is_first = self.waits == 0;
        assert!(is_first || self.callbacks > 0 || self.is_excused, "a wait for nothing");
        self.callbacks = 0;
        self.waits += 1;

        // Exactly as long as can be by a fresh clock: neither early nor late. And nothing lost: the
        // loop does not block while a callback is owed something.
        let is_active = self.events.iter().any(|event| !event.owed.is_empty());
        let next = self.events.iter().filter_map(|event| event.deadline).min();
        let left = next.map(|(at_ns, _)| Duration::from_nanos(at_ns.saturating_sub(now_ns)));
        let expected = if is_active { Some(Duration::ZERO) } else { left };
        assert_eq!(timeout, expected, "the length of the wait");
    }

    /// The loop has waited. `may_be_cut`: the kernel interrupts waits.
    pub(crate) fn waited(&mut self, waited: &Waited, may_be_cut: bool, now_ns: u64) {
        self.waited_ns = now_ns;
        self.is_settled = false;
        self.is_excused = waited.reports.is_empty() && may_be_cut;
        for report in &waited.reports {
            assert_eq!(report.errno, 0, "no change of an open file is refused");
            let source = self.tokens[&report.token];
            let wanting: Vec<_> = self.wanting(source).collect();
            if wanting.is_empty() {
                // No spin: a kept delete is quenched by its first report.
                assert!(self.forgotten.remove(&source), "a file was reported to nobody again");
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
        if std::mem::replace(&mut self.is_settled, true) {
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
    }

    /// The callback of event `n` is to run.
    pub(crate) fn runs<T>(&mut self, core: &Core<T>, n: usize, why: Activation, now_ns: u64) {
        self.callbacks += 1;
        let event = &mut self.events[n];
        // I1: no handle of a freed event reaches another, and no reason from before a delete, or
        // from a timeout that was started anew, reaches a callback. Nor is one lost.
        assert_eq!(why.id, event.id);
        assert!(!event.is_freed);
        let told = (why.ready, why.count, why.errno);
        assert_eq!(told, (event.owed, event.count, 0), "why event {n} runs");
        event.owed = Ready::empty();
        event.count = 0;
        // Timeouts run in the order of their deadlines, first come, first served among equals.
        if let Some(expiry) = event.expiry.take() {
            let last = self.last_expired.insert(event.spec.priority, expiry);
            assert!(last.is_none_or(|last| last < expiry), "{last:?} before {expiry:?}");
        }
        if !event.spec.persistent {
            self.withdraw(n);
        } else if !why.ready.is_timeout() {
            self.put_off(core, n, now_ns);
        }
    }

    /// The callback of event `n` is over; whether the event is, too.
    pub(crate) fn finished(&mut self, n: usize) -> bool {
        let event = &mut self.events[n];
        let lives_on = event.spec.persistent || event.spec.keep || event.is_pending;
        event.is_freed |= !lives_on && event.owed.is_empty();
        event.is_freed
    }

    /// A persistent timer ran out: it keeps its phase, and skips the ticks that were missed.
    fn tick<T>(&mut self, core: &Core<T>, n: usize, at_ns: u64, now_ns: u64) {
        let interval = self.events[n].spec.timeout.expect("it has run out");
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap();
        let next_ns = core.info(self.events[n].id).unwrap().deadline_ns.unwrap();
        if interval_ns == 0 {
            assert_eq!(next_ns, now_ns + 1, "not again in this turn, but in the next");
        } else {
            assert_eq!((next_ns - at_ns) % interval_ns, 0, "the phase of event {n}");
            let next_tick = now_ns + 1..=now_ns + interval_ns;
            assert!(next_tick.contains(&next_ns), "the next tick of event {n}");
        }
        self.starts += 1;
        self.events[n].deadline = Some((next_ns, self.starts));
        self.events[n].started_ns = next_ns.saturating_sub(interval_ns);
    }

    /// A persistent event was heard of before its timeout: that begins anew, now. Which is when the
    /// wait was over, or when the callback is called, or any time between.
    fn put_off<T>(&mut self, core: &Core<T>, n: usize, now_ns: u64) {
        let event = &mut self.events[n];
        let (Some(_), Some(timeout)) = (event.deadline, event.spec.timeout) else {
            return;
        };
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap();
        let deadline_ns = core.info(event.id).unwrap().deadline_ns.unwrap();
        let from_ns = deadline_ns - timeout_ns;
        let since_ns = self.waited_ns.max(event.started_ns);
        assert!((since_ns..=now_ns).contains(&from_ns), "event {n} would time out early");
        self.starts += 1;
        event.deadline = Some((deadline_ns, self.starts));
        event.started_ns = from_ns;
    }
}

/// What can be looked at.
impl Oracle {
    /// Panics unless the loop says of every event what is expected.
    pub(crate) fn check<T>(&self, core: &Core<T>) {
        core.check_invariants();
        for (n, event) in self.events.iter().enumerate() {
            let Some(info) = core.info(event.id) else {
                assert!(event.is_freed, "event {n} is gone");
                continue;
            };
            assert!(!event.is_freed, "the handle of event {n} names another");
            assert_eq!(info.pending, event.is_pending, "event {n} is pending");
            let active = Some(event.owed).filter(|owed| !owed.is_empty());
            assert_eq!(info.active, active, "event {n} is active");
            let deadline_ns = event.deadline.map(|(at_ns, _)| at_ns);
            assert_eq!(info.deadline_ns, deadline_ns, "the deadline of event {n}");
        }
    }

    /// What is wanted of each file: number, interest and trigger.
    pub(crate) fn wanted(&self) -> BTreeMap<RawFd, (Interest, Trigger)> {
        let mut wanted = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.is_pending) {
            if let Kind::Io { fd, interest, trigger, .. } = event.spec.kind
                && !interest.is_empty()
            {
                let (all, _) = wanted.entry(fd).or_insert((interest, trigger));
                *all |= interest;
            }
        }
        wanted
    }

    /// Whether the event asks for some readiness of its file.
    pub(crate) fn is_wanted(&self, n: usize) -> bool {
        self.events[n].is_pending && !self.interest(n).is_empty()
    }

    pub(crate) fn interest(&self, n: usize) -> Interest {
        match self.events[n].spec.kind {
            Kind::Io { interest, .. } => interest,
            _ => Interest::empty(),
        }
    }

    pub(crate) fn trigger(&self, n: usize) -> Option<Trigger> {
        match self.events[n].spec.kind {
            Kind::Io { trigger, .. } => Some(trigger),
            _ => None,
        }
    }

    fn wanting(&self, source: usize) -> impl Iterator<Item = usize> {
        let is_on = move |n: &usize| self.events[*n].source.is_some_and(|s| s.birth == source);
        (0..self.events.len()).filter(is_on).filter(|n| self.is_wanted(*n))
    }

    /// What is answered when event `n` comes to want `interest`.
    fn admits(&self, n: usize, interest: Interest) -> Answer {
        let event = &self.events[n];
        let Some(source) = event.source.filter(|_| !event.is_freed) else {
            return if event.is_freed { Answer::Freed } else { Answer::Done };
        };
        let mut others = self.wanting(source.birth).filter(|other| *other != n);
        if interest.is_empty() {
            Answer::Done
        } else if others.any(|other| self.trigger(other) != self.trigger(n)) {
            Answer::Mixed
        } else if source.is_refused {
            Answer::Refused
        } else {
            Answer::Done
        }
    }
}

/// Steps of the above.
impl Oracle {
    fn start(&mut self, n: usize, timeout: Duration, now_ns: u64) {
        self.forget_expiry(n);
        self.starts += 1;
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap();
        self.events[n].deadline = Some((now_ns + timeout_ns, self.starts));
        self.events[n].started_ns = now_ns;
    }

    fn forget_expiry(&mut self, n: usize) {
        let event = &mut self.events[n];
        event.owed.remove(Ready::TIMEOUT);
        event.expiry = event.expiry.filter(|_| !event.owed.is_empty());
    }

    fn withdraw(&mut self, n: usize) {
        let was_wanted = self.is_wanted(n);
        self.events[n].is_pending = false;
        self.events[n].deadline = None;
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
