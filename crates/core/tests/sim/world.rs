//! Runs a program in a simulated world, with an eye on everything.

mod callback;
mod ops;

use std::collections::BTreeMap;
use std::mem;
use std::rc::{Rc, Weak};
use std::time::Duration;

use evloop_changelist::{Interest, Ready, Trigger};
use evloop_core::{Activation, Kind, Ownership, Spec, Stats, Step};
use evloop_signals::Signal;
use evloop_sim::{Counts, Disorder, Sim};

use crate::front::Front;
use crate::oracle::Oracle;
use crate::program::{Extras, Keeper, Manner, Plan, Program};
use crate::talk::{Source, Talk};

/// What came of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The same whatever the kernel's liberties.
    pub(crate) delivered: Delivered,
    /// Every callback.
    pub(crate) trace: Vec<Call>,
    pub(crate) counts: Counts,
    pub(crate) stats: Stats,
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
    script: std::vec::IntoIter<Extras>,
    /// The kernel interrupts waits.
    cuts_waits: bool,
    /// The callback that runs is to end in a panic.
    panics: bool,
    trace: Vec<Call>,
    signals: u64,
}

/// What the front attaches to an event. The source is closed with the last event that has it.
#[derive(Clone)]
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
    world.cuts_waits = disorder.interrupted_percent > 0;
    world.open(program);
    for op in &program.setup {
        world.apply(op);
    }
    world.run(program);
    world.check_rest(program);
    world.tear_down();
    Run {
        delivered: Delivered {
            bytes: world
                .talks
                .iter()
                .map(|talk| talk.read.borrow().clone())
                .collect(),
            signals: world.signals,
        },
        trace: world.trace,
        counts: sim.counts(),
        stats: world.front.core.stats(),
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
            cuts_waits: false,
            panics: false,
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
        self.sources
            .resize_with(self.sources.len() + self.others.len(), Weak::new);
        let spec = Spec {
            persistent: program.counts_persistently,
            each: program.counts_each,
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
        let step = self.front.step();
        self.front.core.check_invariants();
        self.oracle.settle(&self.front.core, self.sim.now_ns());
        match step {
            Step::Wait(timeout) => {
                self.oracle.check(&self.front.core);
                self.oracle.waits(timeout, self.sim.now_ns());
                self.check_changes();
                let waited = self.front.wait(timeout);
                self.oracle
                    .waited(&waited, self.cuts_waits, self.sim.now_ns());
                self.check_kernel();
                Some(waited.is_stuck)
            }
            Step::Run(activation) => {
                self.call(activation);
                self.check_ghosts();
                // I2: the run is over, and nothing is lost.
                let panicked = mem::take(&mut self.panics);
                if panicked {
                    self.front.core.abort();
                }
                (!panicked).then_some(false)
            }
            Step::Done(_) => None,
        }
    }

    fn call(&mut self, why: Activation<Payload>) {
        let now_ns = self.sim.now_ns();
        let payload = &why.payload;
        let event = payload.event;
        let news = self.front.core.news();
        self.oracle.runs(&self.front.core, event, &why, now_ns);
        self.oracle.check(&self.front.core);
        self.trace.push(Call {
            now_ns,
            event,
            ready: why.ready,
            count: news.count,
        });
        let (before, after) = self.script.next().unwrap_or_default();
        for op in &before {
            self.apply(op);
        }
        match self.roles[event] {
            Role::Keeper(keeper) => self.keep(payload, keeper, why.ready),
            Role::Counter => self.count(event, news.count),
            Role::Passer(manner) => self.pass(payload, manner, why.ready),
        }
        for op in &after {
            self.apply(op);
        }
        let leaving = self.front.core.finish();
        let is_back = leaving
            .as_ref()
            .is_some_and(|leaving| leaving.payload.is_some());
        let is_over = self.oracle.finished(event);
        assert_eq!(is_back, is_over, "event {event} gives back what it had");
        if let Some(leaving) = leaving {
            self.let_go(leaving);
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
        let kernel: Vec<_> = kernel
            .iter()
            .map(|held| (held.fd, held.interest, held.trigger, held.token))
            .collect();
        let recorded: Vec<_> = self.front.core.held().collect();
        assert_eq!(
            kernel, recorded,
            "what the kernel holds, and what the loop says it does"
        );
        let held = kernel
            .into_iter()
            .map(|(fd, interest, trigger, _)| (fd, (interest, trigger)));
        let held: BTreeMap<_, _> = held.collect();
        let wanted = self.oracle.wanted();
        for (fd, wanted) in &wanted {
            assert_eq!(held.get(fd), Some(wanted), "file descriptor {fd}");
        }
        // Of what nobody wants nothing is kept that would be reported at once.
        for (fd, (kept, _)) in held.iter().filter(|(fd, _)| !wanted.contains_key(fd)) {
            assert!(!kept.contains(Interest::WRITE), "file descriptor {fd}");
        }
    }

    /// I3: the kernel is told nothing that comes to nothing.
    fn check_changes(&self) {
        for entry in self.front.core.changes() {
            assert!(entry.change.is_needed(), "{entry:?}");
        }
    }

    /// I4: no file of ours is closed while the kernel holds interest in it.
    fn check_ghosts(&self) {
        for held in self.sim.interest_set() {
            assert!(!held.is_ghost, "{held:?}");
        }
    }

    /// Nothing is ready, planned or timed any more.
    fn check_rest(&self, program: &Program) {
        // Nothing lost: of the signals,
        let raised = program
            .raises
            .iter()
            .filter(|(_, signal)| *signal == Signal::USR1);
        assert_eq!(self.signals, u64::try_from(raised.count()).unwrap());
        // of the bytes,
        for (n, talk) in self.talks.iter().enumerate() {
            assert_eq!(*talk.read.borrow(), talk.said(), "conversation {n}");
            // of the ends,
            let is_heard = self.oracle.is_freed(n);
            assert_eq!(is_heard, talk.is_over.get(), "the end of conversation {n}");
        }
        // and of what level-triggered events were made for.
        for n in (0..self.roles.len()).filter(|n| self.oracle.is_wanted(*n)) {
            let payload = self.front.core.payload(self.oracle.id(n)).unwrap();
            if let (Some(source), Some(Trigger::Level)) = (&payload.source, self.oracle.trigger(n))
            {
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
