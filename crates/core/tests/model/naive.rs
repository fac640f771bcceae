//! The turn of the loop, written down without a thought for cost.

mod event;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use evloop_changelist::Ready;
use evloop_core::{Kind, Mode, Outcome, Priority};
use evloop_signals::Signal;

use self::event::{Event, nanoseconds};
use crate::fairness::Fairness;
use crate::{Called, Op, Script, WAITS};

#[derive(Default)]
pub(crate) struct Naive {
    events: Vec<Event>,
    ready: BTreeMap<i32, Ready>,
    /// The signals that the process catches.
    caught: BTreeSet<Signal>,
    raised: BTreeMap<Signal, u64>,
    /// What other threads have posted.
    posted: Vec<Op>,
    /// When the wait was over, and what was posted not yet done.
    waited: u64,
    now_ns: u64,
    turn_ns: u64,
    /// Counts whatever has an order.
    clock: u64,
    exit: bool,
    stop: bool,
    rescan: bool,
    fairness: Fairness,
}

impl Naive {
    pub(crate) fn apply(&mut self, op: &Op) {
        let tick = self.tick();
        let now_ns = self.now_ns;
        match *op {
            Op::Insert(spec) => self.events.push(Event::new(spec)),
            Op::Add(n) => {
                if let Some(event) = self.event(n) {
                    let place = event.place.take().unwrap_or(tick);
                    event.pending.get_or_insert(place);
                    if let Some(timeout) = event.spec.timeout {
                        event.start(timeout, now_ns, tick);
                    }
                    if let Kind::Signal(signal) = event.spec.kind {
                        self.caught.insert(signal);
                    }
                }
            }
            Op::Delete(n) => {
                if let Some(event) = self.event(n) {
                    event.delete();
                    self.settle(n);
                }
            }
            Op::Remove(n) => {
                if let Some(event) = self.event(n) {
                    event.delete();
                    event.freed = true;
                    self.settle(n);
                }
            }
            Op::Activate(n, ready) => {
                if let Some(event) = self.event(n) {
                    event.is_called |= ready.is_empty();
                    event.activate(ready, tick);
                }
            }
            Op::ActivateLater(n, ready) => {
                if let Some(event) = self.event(n) {
                    event.is_called |= ready.is_empty();
                    event.ready |= ready;
                    if event.active.is_none() {
                        event.later.get_or_insert(tick);
                    }
                }
            }
            Op::SetInterest(n, wanted) => {
                if let Some(event) = self.event(n) {
                    match &mut event.spec.kind {
                        Kind::Io { interest, .. } => {
                            if *interest != wanted {
                                event.place = None;
                            }
                            // One that was paused is now the last of its file descriptor.
                            if interest.is_empty() && event.pending.is_some() {
                                event.pending = Some(tick);
                            }
                            *interest = wanted;
                        }
                        Kind::Always(interest) => *interest = wanted,
                        _ => {}
                    }
                }
            }
            Op::SetTimeout(n, timeout) => {
                if let Some(event) = self.event(n) {
                    event.spec.timeout = timeout;
                    if event.pending.is_some() {
                        match timeout {
                            Some(timeout) => event.start(timeout, now_ns, tick),
                            None => event.stop(),
                        }
                    }
                }
            }
            Op::SetPriority(n, priority) => {
                if let Some(event) = self.event(n) {
                    event.spec.priority = priority;
                    event.active = event.active.map(|_| tick);
                }
            }
            Op::Ready(fd, ready) => drop(self.ready.insert(fd, ready)),
            Op::Raise(signal, count) => {
                if self.caught.contains(&signal) {
                    *self.raised.entry(signal).or_default() += count;
                }
            }
            Op::Advance(ns) => self.now_ns += ns,
            Op::Common(_) => {}
            Op::Quota(quota) => self.fairness.quota = quota,
            Op::Exit => self.exit = true,
            Op::Break => self.stop = true,
            Op::Rescan => self.rescan = true,
            // All goes on in the child but what was on its way to the parent.
            Op::Fork => self.raised.clear(),
            Op::Post(ref ops) => self.posted.extend(ops.iter().cloned()),
        }
    }

    /// Does what was posted; whether anything was.
    fn take_posted(&mut self) -> bool {
        let posted = mem::take(&mut self.posted);
        for op in &posted {
            self.apply(op);
        }
        !posted.is_empty()
    }

    pub(crate) fn run(&mut self, mode: Mode, script: &mut Script) -> (Outcome, Vec<Called>) {
        let mut trace = Vec::new();
        let mut waits = 0;
        self.take_posted();
        loop {
            let outcome = self.run_on(mode, script, &mut trace, &mut waits);
            // What was posted last may be something to stay for.
            if !self.take_posted() || outcome != Outcome::Empty {
                return (outcome, trace);
            }
        }
    }

    fn run_on(
        &mut self,
        mode: Mode,
        script: &mut Script,
        trace: &mut Vec<Called>,
        waits: &mut u64,
    ) -> Outcome {
        let mut has_run = false;
        let all_levels = matches!(mode, Mode::Once | Mode::NonBlocking);
        let outcome = 'run: loop {
            if self.stop {
                break Outcome::Break;
            }
            if self.exit {
                break Outcome::Exit;
            }
            let keeps = |event: &Event| {
                event.is_queued() || (event.pending.is_some() && !event.is_watcher())
            };
            let empty = !self.events.iter().any(keeps);
            if empty && mode != Mode::StayOnEmpty {
                break Outcome::Empty;
            }
            self.splice_later();
            let now = self.tick();
            self.watch(Kind::Prepare, now, script, trace);
            let empty = !self.events.iter().any(keeps);
            if self.stop || (empty && mode != Mode::StayOnEmpty) {
                continue;
            }
            *waits += 1;
            self.wait(mode, mode == Mode::Once && has_run);
            self.exit |= *waits == WAITS;
            self.watch(Kind::Check, self.waited, script, trace);
            self.expire();
            self.rescan = false;
            let mut level = None;
            loop {
                if self.stop || mem::take(&mut self.rescan) {
                    continue 'run;
                }
                let Some(mut next) = self.next() else { break };
                let urgent = self.events[next].spec.priority;
                if !all_levels && level.is_some_and(|level| level != urgent) {
                    break;
                }
                let active = self.events.iter().filter(|event| event.active.is_some());
                let levels = active.map(|event| event.spec.priority).collect();
                match self.fairness.yields_to(urgent, levels) {
                    Some(other) => next = self.first_of(other),
                    None => level = Some(urgent),
                }
                has_run = true;
                trace.push(self.call(next, script));
            }
            if mode == Mode::NonBlocking || (mode == Mode::Once && has_run) {
                break if self.exit {
                    Outcome::Exit
                } else {
                    Outcome::Done
                };
            }
        };
        self.stop &= outcome != Outcome::Break;
        self.exit &= outcome != Outcome::Exit;
        self.rescan = false;
        outcome
    }

    fn event(&mut self, n: usize) -> Option<&mut Event> {
        let count = self.events.len().max(1);
        self.events.get_mut(n % count).filter(|event| !event.freed)
    }

    fn splice_later(&mut self) {
        let mut later: Vec<_> = self
            .events
            .iter_mut()
            .filter(|event| event.later.is_some())
            .collect();
        later.sort_by_key(|event| event.later);
        for event in later {
            self.clock += 1;
            event.later = None;
            event.active = Some(self.clock);
        }
    }

    /// Calls the watchers of a kind that were there at `start`, in the order in which they were added.
    fn watch(&mut self, kind: Kind, start: u64, script: &mut Script, trace: &mut Vec<Called>) {
        let mut last = 0;
        loop {
            let next = (0..self.events.len())
                .filter(|n| self.events[*n].spec.kind == kind)
                .filter_map(|n| self.events[n].pending.map(|since| (since, n)))
                .filter(|(since, _)| (last + 1..start).contains(since))
                .min();
            let Some((since, n)) = next else { break };
            last = since;
            self.run_callback(n, script);
            trace.push(Called {
                event: n,
                ready: Ready::empty(),
                count: 0,
                left: 0,
            });
        }
    }

    fn wait(&mut self, mode: Mode, finished: bool) {
        let mut on_fds: Vec<_> = (0..self.events.len())
            .filter_map(|n| match self.events[n].spec.kind {
                Kind::Io { fd, .. } => self.events[n].pending.map(|since| (fd, since, n)),
                _ => None,
            })
            .collect();
        on_fds.sort_unstable();
        let busy = mode == Mode::NonBlocking
            || finished
            || self.exit
            || self.next().is_some()
            || self.events.iter().any(|event| event.later.is_some());
        let mut heard = !self.raised.is_empty() || !self.posted.is_empty();
        let next = self.events.iter().filter_map(|event| event.deadline).min();
        let mut always: Vec<_> = (0..self.events.len())
            .filter(|n| matches!(self.events[*n].spec.kind, Kind::Always(_)))
            .filter_map(|n| self.events[n].pending.map(|since| (since, n)))
            .collect();
        always.sort_unstable();
        for (_, n) in always {
            let Kind::Always(interest) = self.events[n].spec.kind else {
                unreachable!()
            };
            let ready = Ready::from(interest) & (Ready::READ | Ready::WRITE);
            if !ready.is_empty() {
                heard = true;
                let tick = self.tick();
                self.events[n].activate(ready, tick);
            }
        }
        for (fd, _, n) in on_fds {
            let Kind::Io { interest, .. } = self.events[n].spec.kind else {
                unreachable!()
            };
            if interest.is_empty() {
                continue;
            }
            let ready = self
                .ready
                .get(&fd)
                .copied()
                .unwrap_or_default()
                .for_interest(interest);
            if !ready.is_empty() {
                heard = true;
                let tick = self.tick();
                self.events[n].activate(ready, tick);
            }
        }
        for (signal, count) in mem::take(&mut self.raised) {
            let mut watching: Vec<_> = (0..self.events.len())
                .filter(|n| self.events[*n].spec.kind == Kind::Signal(signal))
                .filter_map(|n| self.events[n].pending.map(|since| (since, n)))
                .collect();
            watching.sort_unstable();
            for (_, n) in watching {
                let tick = self.tick();
                self.events[n].count += count;
                self.events[n].activate(Ready::SIGNAL, tick);
            }
        }
        self.waited = self.tick();
        self.take_posted();
        if let (Some((deadline_ns, _)), false, false) = (next, busy, heard) {
            self.now_ns = self.now_ns.max(deadline_ns);
        }
    }

    fn expire(&mut self) {
        if self.events.iter().all(|event| event.deadline.is_none()) {
            return;
        }
        self.turn_ns = self.now_ns;
        loop {
            let due = |event: &&mut Event| event.deadline.is_some_and(|(at, _)| at <= self.turn_ns);
            let first = self
                .events
                .iter_mut()
                .filter(due)
                .min_by_key(|event| event.deadline);
            let Some(event) = first else { break };
            self.clock += 1;
            let (at, _) = event.deadline.take().unwrap();
            if event.spec.persistent {
                let interval = nanoseconds(event.spec.timeout.unwrap());
                // A zero interval is due again, but not in this turn.
                let mut next = at + interval;
                while interval > 0 && next <= self.turn_ns {
                    next += interval;
                }
                let next = if interval == 0 {
                    self.turn_ns + 1
                } else {
                    next
                };
                event.deadline = Some((next, self.clock));
            }
            event.activate(Ready::TIMEOUT, self.clock);
        }
    }

    fn first_of(&self, priority: Priority) -> usize {
        (0..self.events.len())
            .filter(|n| self.events[*n].active.is_some())
            .filter(|n| self.events[*n].spec.priority == priority)
            .min_by_key(|n| self.events[*n].active)
            .unwrap()
    }

    fn next(&self) -> Option<usize> {
        (0..self.events.len())
            .filter(|n| self.events[*n].active.is_some())
            .min_by_key(|n| (self.events[*n].spec.priority, self.events[*n].active))
    }

    fn call(&mut self, n: usize, script: &mut Script) -> Called {
        let tick = self.tick();
        let event = &mut self.events[n];
        let ready = event.ready;
        let mut count = event.count;
        event.active = None;
        event.ready = Ready::empty();
        event.is_called = false;
        event.count = 0;
        if event.spec.each && count > 1 {
            // As if the others came one by one, beginning now.
            event.count = count - 1;
            event.activate(Ready::SIGNAL, tick);
            count = 1;
        }
        let left = event.count;
        if event.spec.persistent
            && let (Some((deadline, _)), Some(timeout)) = (event.deadline, event.spec.timeout)
            && !ready.contains(Ready::TIMEOUT)
        {
            // With this turn, or with the callback of this turn that has started it since.
            let deadline = deadline.max(self.turn_ns + nanoseconds(timeout));
            event.deadline = Some((deadline, tick));
        }
        self.run_callback(n, script);
        Called {
            event: n,
            ready,
            count,
            left,
        }
    }

    fn run_callback(&mut self, n: usize, script: &mut Script) {
        let event = &mut self.events[n];
        if !event.spec.persistent {
            event.place = event.pending.take();
            event.deadline = None;
        }
        for op in script.next() {
            self.apply(&op);
        }
        let event = &mut self.events[n];
        event.place = None;
        if !event.spec.persistent && !event.freed {
            event.freed = !event.spec.keep && event.pending.is_none() && !event.is_queued();
            self.settle(n);
        }
    }

    /// A signal is no longer caught when the last event for it was deleted, or when the callback of
    /// the last one-shot for it is over and has not added it again.
    fn settle(&mut self, n: usize) {
        let n = n % self.events.len();
        let Kind::Signal(signal) = self.events[n].spec.kind else {
            return;
        };
        let watches = |event: &Event| {
            event.spec.kind == Kind::Signal(signal)
                && (event.pending.is_some() || event.place.is_some())
        };
        if !self.events.iter().any(watches) {
            self.caught.remove(&signal);
            self.raised.remove(&signal);
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}
