//! Runs a program in a simulated world, with an eye on everything.

use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use evloop_changelist::{Interest, Ready, Trigger};
use evloop_core::{Activation, Kind, Leaving, Ownership, Spec, Step};
use evloop_signals::Signal;
use evloop_sim::{Counts, Disorder, Sim};

use crate::front::Front;
use crate::oracle::{Answer, Oracle, Origin};
use crate::program::{Keeper, Manner, Op, Passer, Plan, Program, Wish};
use crate::talk::{Found, Medium, Source, Talk};

/// What came of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The same whatever the kernel's liberties.
    pub(crate) delivered: Delivered,
    /// Every callback.
    pub(crate) trace: Vec<Call>,
    pub(crate) counts: Counts,
}

/// What had to be delivered in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// The bytes of each conversation that is kept.
    pub(crate) bytes: Vec<Vec<u8>>,
    /// Deliveries of `SIGUSR1`.
    pub(crate) signals: u64,
}

/// One callback: when, of which event, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    now_ns: u64,
    event: usize,
    ready: Ready,
    count: u64,
}

struct World {
    sim: Sim,
    front: Front<Payload>,
    oracle: Oracle,
    roles: Vec<Role>,
    /// Which of the events are passers.
    passers: Vec<usize>,
    talks: Vec<Rc<Talk>>,
    /// The file of each conversation, kept ones first, while somebody has it.
    sources: Vec<Weak<Source>>,
    others: Vec<Plan>,
    births: usize,
    script: std::vec::IntoIter<Vec<Op>>,
    is_interrupted: bool,
    trace: Vec<Call>,
    signals: u64,
}

/// What the front attaches to an event. The source is closed with the last event that has it.
struct Payload {
    event: usize,
    source: Option<Rc<Source>>,
}

/// What the callback of an event does.
#[derive(Clone, Copy)]
enum Role {
    Keeper(Keeper),
    /// Counts a signal.
    Counter,
    Passer(Manner),
}

/// Runs a program until nothing can happen any more, and checks that nothing is missing then.
pub(crate) fn run(program: &Program, seed: u64, disorder: Disorder) -> Run {
    let sim = Sim::new(seed);
    sim.set_disorder(disorder);
    let mut world = World::new(&sim, program);
    world.is_interrupted = disorder.interrupted_percent > 0;
    world.open(program);
    for op in &program.setup {
        world.apply(op);
    }
    world.run(program);
    world.check_rest();
    world.tear_down();
    Run {
        delivered: Delivered {
            bytes: world.talks.iter().map(|talk| talk.read.borrow().clone()).collect(),
            signals: world.signals,
        },
        trace: world.trace,
        counts: sim.counts(),
    }
}

impl World {
    fn new(sim: &Sim, program: &Program) -> Self {
        let mut front = Front::new(sim);
        front.core.set_limits(program.limits);
        if let Some(common) = program.common {
            front.core.common_timeout(common);
        }
        Self {
            sim: sim.clone(),
            front,
            oracle: Oracle::default(),
            roles: Vec::new(),
            passers: Vec::new(),
            talks: Vec::new(),
            sources: Vec::new(),
            others: program.others.clone(),
            births: 0,
            script: program.script.clone().into_iter(),
            is_interrupted: false,
            trace: Vec::new(),
            signals: 0,
        }
    }

    /// The keepers, and what is planned.
    fn open(&mut self, program: &Program) {
        for (plan, keeper) in &program.kept {
            let source = self.open_source(plan);
            self.talks.push(Rc::clone(&source.talk));
            self.sources.push(Rc::downgrade(&source));
            let trigger = match keeper {
                Keeper::Level(_) | Keeper::Throttled(..) => Trigger::Level,
                Keeper::Edge | Keeper::Rearmed(_) => Trigger::Edge,
                Keeper::OneShot(_, trigger) => *trigger,
            };
            let spec = Spec {
                persistent: !matches!(keeper, Keeper::OneShot(..)),
                ..Spec::new(io(&source, Interest::READ, trigger))
            };
            let keeper = self.make(spec, Some(source), Role::Keeper(*keeper));
            self.add(keeper);
        }
        self.sources.resize_with(self.sources.len() + self.others.len(), Weak::new);
        let spec = Spec {
            persistent: program.counts_persistently,
            ..Spec::new(Kind::Signal(Signal::USR1))
        };
        let counter = self.make(spec, None, Role::Counter);
        self.add(counter);
        for &(at_us, signal) in &program.raises {
            let handlers = self.front.handlers.clone();
            let at = Duration::from_micros(at_us);
            self.sim.at(at, move |sim| handlers.raise(sim, signal));
        }
    }

    fn open_source(&mut self, (medium, deeds): &Plan) -> Rc<Source> {
        self.births += 1;
        Rc::new(Source::open(&self.sim, self.births, *medium, deeds))
    }

    fn run(&mut self, program: &Program) {
        loop {
            self.front.core.begin(program.mode).unwrap();
            while let Some(is_stuck) = self.step() {
                if is_stuck {
                    return self.front.core.abort();
                }
            }
        }
    }

    /// Does what the loop says. `None`: the run is over. Otherwise whether nothing can happen.
    fn step(&mut self) -> Option<bool> {
        let step = self.front.core.step();
        if step == Step::Time {
            self.front.read_clock();
            return Some(false);
        }
        self.oracle.settle(&self.front.core, self.sim.now_ns());
        self.oracle.check(&self.front.core);
        match step {
            Step::Time => unreachable!(),
            Step::Wait(timeout) => {
                self.oracle.waits(timeout, self.sim.now_ns());
                let waited = self.front.wait(timeout);
                self.oracle.waited(&waited, self.is_interrupted, self.sim.now_ns());
                self.check_kernel();
                Some(waited.is_stuck)
            }
            Step::Run(activation) => {
                self.call(activation);
                self.check_ghosts();
                Some(false)
            }
            Step::Done(_) => None,
        }
    }

    fn call(&mut self, why: Activation) {
        let now_ns = self.sim.now_ns();
        let mut payload = self.front.core.take(why.id).unwrap();
        let event = payload.event;
        self.oracle.runs(&self.front.core, event, why, now_ns);
        self.oracle.check(&self.front.core);
        self.trace.push(Call {
            now_ns,
            event,
            ready: why.ready,
            count: why.count,
        });
        match self.roles[event] {
            Role::Keeper(keeper) => self.keep(&mut payload, keeper, why.ready),
            Role::Counter => self.count(event, why.count),
            Role::Passer(manner) => self.pass(&payload, manner, why.ready),
        }
        for op in self.script.next().unwrap_or_default() {
            self.apply(&op);
        }
        let leaving = self.front.core.finish(why.id, Some(payload));
        let is_over = self.oracle.finished(event);
        assert_eq!(leaving.payload.is_some(), is_over, "event {event} gives back what it had");
        self.let_go(leaving);
    }

    /// Reads all that comes, each keeper in its way.
    fn keep(&mut self, payload: &mut Payload, keeper: Keeper, ready: Ready) {
        let (n, source) = (payload.event, payload.source.clone().unwrap());
        let found = match keeper {
            Keeper::Throttled(..) if ready.is_timeout() => {
                self.set_timeout(n, None);
                return self.set_interest(n, Interest::READ);
            }
            Keeper::Edge => source.drain(),
            Keeper::Level(chunk)
            | Keeper::Rearmed(chunk)
            | Keeper::OneShot(chunk, _)
            | Keeper::Throttled(chunk, _) => source.read(chunk),
        };
        match keeper {
            _ if found == Found::End => self.remove(n),
            Keeper::Level(_) | Keeper::Edge => {}
            Keeper::Rearmed(_) if found == Found::Nothing => {}
            Keeper::Rearmed(_) | Keeper::OneShot(..) => self.add(n),
            Keeper::Throttled(_, pause) => {
                self.set_interest(n, Interest::empty());
                self.set_timeout(n, Some(pause));
            }
        }
    }

    fn count(&mut self, n: usize, count: u64) {
        self.signals += count;
        if self.front.core.info(self.oracle.id(n)).is_some_and(|info| !info.persistent) {
            self.add(n);
        }
    }

    /// Does something with the file, and goes when it is time to.
    fn pass(&mut self, payload: &Payload, manner: Manner, ready: Ready) {
        let n = payload.event;
        let mut is_over = manner.runs <= 1 || ready.is_closed() || ready.contains(Ready::ERROR);
        if let Some(source) = &payload.source {
            if ready.is_readable() && manner.reads > 0 && source.medium != Medium::File {
                is_over |= source.read(manner.reads) == Found::End;
            }
            if ready.is_writable() {
                source.write();
            }
        }
        self.roles[n] = Role::Passer(Manner {
            runs: manner.runs.saturating_sub(1),
            ..manner
        });
        if is_over {
            self.remove(n);
        } else if manner.again {
            self.add(n);
        }
    }
}

/// What is done to events, by the loop and by what watches it.
impl World {
    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Make(passer) => self.make_passer(passer),
            Op::TakeTime(duration) => self.sim.advance(duration),
            Op::Exit => self.front.core.exit(),
            Op::Break => self.front.core.break_loop(),
            Op::Rescan => self.front.core.rescan(),
            Op::Add(n)
            | Op::Delete(n)
            | Op::Remove(n)
            | Op::Activate(n, _)
            | Op::ActivateLater(n, _)
            | Op::SetInterest(n, _)
            | Op::SetTimeout(n, _)
            | Op::SetPriority(n, _) => {
                if !self.passers.is_empty() {
                    let n = self.passers[n % self.passers.len()];
                    self.apply_to(n, op);
                }
            }
        }
        self.oracle.check(&self.front.core);
    }

    fn apply_to(&mut self, n: usize, op: &Op) {
        let id = self.oracle.id(n);
        // I1: the handle of a freed event reaches none, however its slot is used.
        let is_freed = self.oracle.is_freed(n);
        match *op {
            Op::Add(_) => self.add(n),
            Op::Delete(_) => self.delete(n),
            Op::Remove(_) => self.remove(n),
            Op::SetInterest(_, interest) => self.set_interest(n, interest),
            Op::SetTimeout(_, timeout) => self.set_timeout(n, timeout),
            Op::Activate(_, ready) => {
                let result = self.front.core.activate(id, ready);
                assert_eq!(result.is_err(), is_freed);
                self.oracle.activated(n, ready);
            }
            Op::ActivateLater(_, ready) => {
                let result = self.front.core.activate_later(id, ready);
                assert_eq!(result.is_err(), is_freed);
                self.oracle.activated(n, ready);
            }
            Op::SetPriority(_, priority) => {
                let result = self.front.core.set_priority(id, priority);
                assert_eq!(result.is_err(), is_freed);
                self.oracle.set_priority(n, priority);
            }
            _ => unreachable!("it is not for an event"),
        }
    }

    fn make_passer(&mut self, passer: Passer) {
        let (kind, source) = match passer.wish {
            Wish::Nothing => (Kind::Plain, None),
            Wish::Signal(signal) => (Kind::Signal(signal), None),
            Wish::Io { talk, interest, trigger, duplicate } => {
                let Some(source) = self.listen(talk, duplicate) else { return };
                (io(&source, interest, trigger), Some(source))
            }
        };
        let spec = Spec {
            persistent: passer.persistent,
            keep: passer.keep,
            priority: passer.priority,
            timeout: passer.timeout,
            ..Spec::new(kind)
        };
        let n = self.make(spec, source, Role::Passer(passer.manner));
        self.passers.push(n);
        self.add(n);
    }

    /// The file of a conversation; `None` where it was kept and is over.
    fn listen(&mut self, talk: usize, duplicate: bool) -> Option<Rc<Source>> {
        let talk = talk % self.sources.len();
        let source = match self.sources[talk].upgrade() {
            Some(source) => source,
            None => {
                let plan = self.others[talk.checked_sub(self.talks.len())?].clone();
                let source = self.open_source(&plan);
                self.sources[talk] = Rc::downgrade(&source);
                source
            }
        };
        if duplicate {
            self.births += 1;
            return Some(Rc::new(source.duplicate(self.births)));
        }
        Some(source)
    }

    fn make(&mut self, spec: Spec, source: Option<Rc<Source>>, role: Role) -> usize {
        let event = self.roles.len();
        let origin = source.as_ref().map(|source| Origin {
            birth: source.birth,
            is_refused: source.medium == Medium::File,
        });
        let Ok(id) = self.front.core.insert(spec, Payload { event, source }) else {
            panic!("event {event} was refused")
        };
        self.oracle.made(id, spec, origin);
        self.roles.push(role);
        event
    }

    fn add(&mut self, n: usize) {
        let answer = Answer::from(self.front.add(self.oracle.id(n)));
        self.oracle.added(n, answer, self.sim.now_ns());
        self.note_grants(n);
    }

    fn set_interest(&mut self, n: usize, interest: Interest) {
        let answer = Answer::from(self.front.set_interest(self.oracle.id(n), interest));
        self.oracle.set_interest(n, interest, answer);
        self.note_grants(n);
    }

    fn set_timeout(&mut self, n: usize, timeout: Option<Duration>) {
        let result = self.front.set_timeout(self.oracle.id(n), timeout);
        assert_eq!(result.is_err(), self.oracle.is_freed(n));
        if result.is_ok() {
            self.oracle.set_timeout(n, timeout, self.sim.now_ns());
        }
    }

    fn delete(&mut self, n: usize) {
        let result = self.front.core.delete(self.oracle.id(n));
        assert_eq!(result.is_err(), self.oracle.is_freed(n));
        if let Ok(release) = result {
            self.oracle.deleted(n);
            self.front.release(release);
        }
    }

    fn remove(&mut self, n: usize) {
        let result = self.front.core.remove(self.oracle.id(n));
        assert_eq!(result.is_err(), self.oracle.is_freed(n));
        if let Ok(leaving) = result {
            self.oracle.removed(n);
            self.let_go(leaving);
        }
    }

    /// Tells the kernel before the source may be closed.
    fn let_go(&mut self, leaving: Leaving<Payload>) {
        self.front.release(leaving.release);
        drop(leaving.payload);
    }

    fn note_grants(&mut self, n: usize) {
        for (_, token) in self.front.grants.drain(..) {
            self.oracle.granted(n, token);
        }
    }
}

/// What can be looked at from outside.
impl World {
    /// I4: right after a wait the kernel holds what the loop says it holds; and that is what is
    /// wanted, or nobody wants anything.
    fn check_kernel(&self) {
        self.check_ghosts();
        let kernel = self.sim.interest_set();
        let kernel: Vec<_> =
            kernel.iter().map(|held| (held.fd, held.interest, held.trigger, held.token)).collect();
        let recorded: Vec<_> = self.front.core.held().collect();
        assert_eq!(kernel, recorded, "what the kernel holds, and what the loop says it does");
        let held = kernel.into_iter().map(|(fd, interest, trigger, _)| (fd, (interest, trigger)));
        let held: BTreeMap<_, _> = held.collect();
        for (fd, wanted) in self.oracle.wanted() {
            assert_eq!(held.get(&fd), Some(&wanted), "file descriptor {fd}");
        }
    }

    /// I4: no file of ours is closed while the kernel holds interest in it.
    fn check_ghosts(&self) {
        for held in self.sim.interest_set() {
            assert!(!held.is_ghost, "{held:?}");
        }
    }

    /// Nothing is ready, planned or timed any more.
    fn check_rest(&self) {
        // Nothing lost: of the bytes,
        for (n, talk) in self.talks.iter().enumerate() {
            assert_eq!(*talk.read.borrow(), talk.said(), "conversation {n}");
            // of the ends,
            let is_heard = self.oracle.is_freed(n);
            assert_eq!(is_heard, talk.is_over.get(), "the end of conversation {n}");
        }
        // and of what level-triggered events were made for.
        for n in (0..self.roles.len()).filter(|n| self.oracle.is_wanted(*n)) {
            let payload = self.front.core.payload(self.oracle.id(n)).unwrap();
            if let (Some(source), Some(Trigger::Level)) = (&payload.source, self.oracle.trigger(n)) {
                let missed = source.ready().for_interest(self.oracle.interest(n));
                assert_eq!(missed, Ready::empty(), "event {n} was not told");
            }
        }
    }

    /// When all events are removed, everything was given back.
    fn tear_down(&mut self) {
        for n in 0..self.roles.len() {
            if !self.oracle.is_freed(n) {
                self.remove(n);
            }
        }
        assert_eq!(self.sim.interest_set(), []);
        assert!(self.front.handlers.is_empty(), "a signal is still caught");
        assert!(self.sources.iter().all(|source| source.strong_count() == 0));
        assert_eq!(self.front.core.iter().count(), 0);
        self.sim.check_invariants();
    }
}

fn io(source: &Source, interest: Interest, trigger: Trigger) -> Kind {
    Kind::Io {
        fd: source.fd,
        interest,
        trigger,
        ownership: Ownership::Owned,
    }
}
