//! A program on the whole loop, read from bytes: what is done to events between runs, in callbacks and by
//! remotes, and what happens to their files meanwhile.
//!
//! After each step the loop is what [`Spec`] says; after each run its records agree with each other and
//! with the kernel. At the end nothing was lost: everything that was said was heard, every command
//! and every finalizer ran, every signal was counted, and nothing is held for anybody.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use evloop::{Cx, EventLoop, Limits, LoopGone, Mode, Priority, Ready, Remote, Reply, Signal};
use evloop_sim::{Disorder, Sim};

use crate::bytes::Bytes;
use crate::outside::{Outside, Simulated};
use crate::spec::Spec;

/// One callback: of which event, and why.
pub(crate) type Call = (usize, Ready);

/// What callbacks share.
pub(crate) struct Program<O: Outside> {
    pub(crate) outside: Rc<O>,
    pub(crate) bytes: Bytes,
    pub(crate) spec: Spec,
    pub(crate) talks: Vec<Talk<O>>,
    pub(crate) trace: Vec<Call>,
    pub(crate) steps: Vec<String>,
    /// Callbacks that may run yet, before the run is asked to end.
    pub(crate) budget: usize,
    /// Commands and finalizers that were asked for, and that ran.
    pub(crate) asked: usize,
    pub(crate) done: usize,
    /// In which order commands were posted, and ran.
    pub(crate) posted: usize,
    pub(crate) taken: Vec<usize>,
    /// Calls of the kernel that are to be refused.
    pub(crate) refusals: usize,
    pub(crate) raised: u64,
    pub(crate) caught: u64,
    /// Signals that may have been left to a parent.
    pub(crate) left_behind: u64,
    pub(crate) parents: Vec<O::Parent>,
}

/// A connection: somebody always listens to it, until its end.
pub(crate) struct Talk<O: Outside> {
    pub(crate) file: Option<O::File>,
    pub(crate) keeper: usize,
    pub(crate) peer: Option<O::Peer>,
    /// Bytes that the peer has written, and that we have read.
    pub(crate) said: usize,
    pub(crate) heard: usize,
    /// How often we wrote.
    pub(crate) answers: usize,
}

pub(crate) type Loop<O> = EventLoop<Program<O>>;
pub(crate) type Context<'a, O> = Cx<'a, Program<O>>;

/// What a panic on purpose carries.
struct OnPurpose;

/// Runs a program; every callback in the order of their calls.
pub(crate) fn run<O: Outside>(outside: O, bytes: &[u8]) -> Ran {
    let bytes = Bytes::new(bytes);
    let mut program = Program::new(Rc::new(outside), bytes.clone());
    let mut events = program.outside.build::<Program<O>>();
    let remote = events.remote();
    program.listen_to_signals(&mut events);
    while !bytes.is_empty() {
        bytes.begin_record();
        match bytes.byte() % 8 {
            0..4 => program.step(&mut events),
            4 => program.command(&mut events, &remote),
            5 => program.fork(&mut events),
            _ => program.look(&mut events),
        }
        program.spec.check(&events);
    }
    program.settle(&mut events);
    program.check_rest(&mut events);
    Ran {
        calls: mem::take(&mut program.trace),
        steps: mem::take(&mut program.steps),
    }
}

/// What came of a program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Every callback.
    pub(crate) calls: Vec<Call>,
    /// What was done, to be read.
    pub(crate) steps: Vec<String>,
}

/// A program in a simulated world of this seed.
pub(crate) fn simulated(seed: u64, disorder: Disorder, bytes: &[u8]) -> Ran {
    let sim = Sim::new(seed);
    sim.set_disorder(disorder);
    let outside = Simulated {
        sim,
        like_process: None,
        is_wrong: false,
    };
    run(outside, bytes)
}

/// What the fuzzer runs: the first byte is the seed, and whether there is disorder at all.
pub(crate) fn fuzz(bytes: &[u8]) {
    let Some((seed, bytes)) = bytes.split_first() else {
        return;
    };
    let disorder = match seed % 2 {
        0 => Disorder::none(),
        _ => Disorder::some(),
    };
    simulated(u64::from(*seed), disorder, bytes);
}

impl<O: Outside> Program<O> {
    fn new(outside: Rc<O>, bytes: Bytes) -> Self {
        Self {
            outside,
            bytes,
            spec: Spec::default(),
            talks: Vec::new(),
            trace: Vec::new(),
            steps: Vec::new(),
            budget: 0,
            asked: 0,
            done: 0,
            posted: 0,
            taken: Vec::new(),
            refusals: 0,
            raised: 0,
            caught: 0,
            left_behind: 0,
            parents: Vec::new(),
        }
    }

    /// One thing that a program does, in a callback or between runs.
    fn step(&mut self, events: &mut Loop<O>) {
        self.outside.go_on();
        let step = STEPS[self.bytes.below(STEPS.len())];
        self.note(step);
        match step {
            "open" => self.open(events),
            "listen" => self.listen(events),
            "close" => self.close(events),
            "plain" => self.plain(events),
            "add" => self.on_event(events, Self::add),
            "delete" => self.on_event(events, Self::delete),
            "remove" => self.on_event(events, Self::remove),
            "finalize" => self.on_event(events, Self::finalize),
            "activate" => self.on_event(events, Self::activate),
            "set interest" => self.on_event(events, Self::set_interest),
            "set priority" => self.on_event(events, Self::set_priority),
            "set timeout" => self.on_event(events, Self::set_timeout),
            "defer" => self.defer(events),
            "raise" => self.raise(),
            "limit" => self.limit(events),
            "advance" => self.advance(),
            "refuse" => self.refuse(),
            _ => self.talk(),
        }
    }

    pub(crate) fn note(&mut self, what: &str) {
        let indent = if self.spec.running.is_some() {
            "    "
        } else {
            ""
        };
        self.steps.push(format!("{indent}{what}"));
    }

    /// Says more of the step that was noted last.
    pub(crate) fn detail(&mut self, more: impl fmt::Debug) {
        if let Some(last) = self.steps.last_mut() {
            *last += &format!(" {more:?}");
        }
    }

    pub(crate) fn time(&self) -> Duration {
        self.outside.timeout(u64::from(self.bytes.byte() % 4))
    }

    /// Time that passes at once.
    fn advance(&self) {
        let time = self.time();
        if let Some(sim) = self.outside.sim() {
            sim.advance(time);
        }
    }

    fn raise(&mut self) {
        self.outside.raise(Signal::USR1);
        self.raised += 1;
    }

    fn defer(&mut self, events: &mut Loop<O>) {
        self.asked += 1;
        events.defer(|cx| cx.state.done += 1);
    }

    fn limit(&mut self, events: &mut Loop<O>) {
        let (some, shape) = (self.bytes.flag(), self.bytes.byte());
        let callbacks = Some(u32::from(1 + shape % 3));
        events.set_limits(Limits {
            callbacks: callbacks.filter(|_| some),
            from: Priority(shape % 2),
            quota: Some(2).filter(|_| shape & 4 == 4),
            ..Limits::NONE
        });
    }

    /// Another thread would do this.
    fn command(&mut self, events: &mut Loop<O>, remote: &Remote<Self>)
    where
        Self: 'static,
    {
        self.note("command");
        let order = self.posted;
        self.posted += 1;
        if self.bytes.flag() {
            let posted = remote.post(move |cx| {
                cx.state.taken.push(order);
                let Cx { state, events, .. } = cx;
                state.bytes.begin_record();
                state.step(events);
            });
            posted.expect("the loop is there");
            return;
        }
        // What is done by name is done before the next callback of the next run.
        self.posted -= 1;
        let Some(n) =
            (!self.spec.events.is_empty()).then(|| self.bytes.one_of(self.spec.events.len()))
        else {
            return;
        };
        if self.talks.iter().any(|talk| talk.keeper == n) {
            return;
        }
        let (id, is_alive) = (self.spec.events[n].id, self.spec.is_alive(n));
        let what = self.bytes.byte() % 3;
        let answer = match what {
            0 => answer_to(remote.delete(id)),
            1 => answer_to(remote.remove(id)),
            _ => answer_to(remote.activate(id, Ready::WRITE)),
        };
        match what {
            0 => self.spec.deleted(n),
            1 => self.spec.removed(n),
            _ if is_alive => self.spec.activated(n, Ready::WRITE),
            _ => {}
        }
        // A run that ends at once takes it, and calls nothing.
        events.break_loop();
        self.turn(events);
        self.check(events);
        assert_eq!(answer(), is_alive, "a command about event {n}");
    }

    fn fork(&mut self, events: &mut Loop<O>) {
        if self.parents.len() < 2 {
            self.note("fork");
            let Some(parent) = self.outside.fork() else {
                return;
            };
            self.parents.push(parent);
            // Signals that the loop has not taken are the parent's.
            self.left_behind = self.raised - self.caught;
            events.after_fork().expect("there are file descriptors");
        }
    }

    /// One turn; or several, in a run that waits for its end, which in this process has come already.
    fn look(&mut self, events: &mut Loop<O>) {
        let (mode, until) = match self.bytes.byte() % 4 {
            0 | 1 => (Mode::NonBlocking, None),
            2 => (Mode::Once, Some(self.time())),
            _ => (Mode::StayOnEmpty, Some(self.time())),
        };
        self.note("look");
        self.detail(mode);
        if let Some(time) = until {
            let is_simulated = self.outside.sim().is_some();
            events.exit_after(if is_simulated { time } else { Duration::ZERO });
        }
        self.budget = 40;
        self.run(events, mode);
        self.check(events);
    }

    fn turn(&mut self, events: &mut Loop<O>) {
        self.run(events, Mode::NonBlocking);
    }

    fn run(&mut self, events: &mut Loop<O>, mode: Mode) {
        self.outside.go_on();
        let run = catch_unwind(AssertUnwindSafe(|| events.run_mode(mode, self)));
        match run {
            Ok(outcome) => drop(outcome.expect("it runs")),
            Err(panic) if panic.is::<OnPurpose>() => {
                let n = self.spec.running.expect("it was in a callback");
                self.spec.ran(n);
            }
            Err(panic) => resume_unwind(panic),
        }
    }

    fn check(&self, events: &Loop<O>) {
        self.spec.check(events);
        events.verify().expect("all is in order");
        if let Some(sim) = self.outside.sim() {
            sim.check_invariants();
        }
    }

    pub(crate) fn begin(&mut self, n: usize, ready: Ready) {
        self.outside.go_on();
        self.note("callback");
        self.detail((n, ready));
        self.trace.push((n, ready));
        self.spec.runs(n, ready);
    }

    /// Nothing new is done, and everything that is under way comes to its end.
    fn settle(&mut self, events: &mut Loop<O>) {
        events.set_limits(Limits::NONE);
        if let Some(sim) = self.outside.sim() {
            sim.set_disorder(Disorder::none());
        }
        for turn in 0..1000 {
            if turn >= 20 && self.is_settled() {
                break;
            }
            self.budget = 1000;
            self.turn(events);
        }
        self.check(events);
    }

    fn is_settled(&self) -> bool {
        let is_heard = |talk: &Talk<O>| talk.file.is_none() || talk.heard == talk.said;
        let is_done = self.done == self.asked && self.taken.len() == self.posted;
        is_done && self.talks.iter().all(is_heard)
    }

    fn check_rest(&mut self, events: &mut Loop<O>) {
        for (n, talk) in self.talks.iter().enumerate() {
            // Who has hung up need not have heard all of it.
            let is_over = talk.file.is_none();
            assert!(
                is_over || talk.heard == talk.said,
                "conversation {n} was not heard"
            );
        }
        assert_eq!(self.done, self.asked, "finalizers and deferred calls");
        let posted: Vec<usize> = (0..self.posted).collect();
        assert_eq!(self.taken, posted, "commands, in their order");
        let signals = self.raised - self.left_behind..=self.raised;
        assert!(
            signals.contains(&self.caught),
            "{} signals of {signals:?}",
            self.caught
        );
        for n in 0..self.spec.events.len() {
            self.remove(events, n);
        }
        for talk in &mut self.talks {
            talk.file = None;
            talk.peer
                .take()
                .into_iter()
                .for_each(|peer| self.outside.peer_closes(peer));
        }
        self.spec.check(events);
        events.verify().expect("all is in order");
        if let Some(sim) = self.outside.sim() {
            assert_eq!(
                sim.interest_set(),
                [],
                "the kernel holds something for nobody"
            );
        }
    }
}

/// The steps, each as often as it is to be drawn.
const STEPS: [&str; 32] = [
    "open",
    "open",
    "listen",
    "listen",
    "listen",
    "listen",
    "close",
    "plain",
    "plain",
    "add",
    "add",
    "add",
    "delete",
    "remove",
    "finalize",
    "activate",
    "activate",
    "activate",
    "set interest",
    "set priority",
    "set timeout",
    "defer",
    "raise",
    "limit",
    "advance",
    "refuse",
    "peer",
    "peer",
    "peer",
    "peer",
    "peer",
    "peer",
];

impl<O: Outside> Drop for Program<O> {
    #[expect(clippy::print_stderr, reason = "how a program that failed is read")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the program, until it failed:\n{}", self.steps.join("\n"));
        }
    }
}

/// What every callback does at its end: some of the program, and perhaps it panics.
pub(crate) fn go_on<O: Outside>(cx: &mut Context<'_, O>) {
    let Cx { state, events, .. } = cx;
    state.budget = state.budget.saturating_sub(1);
    if state.budget == 0 {
        events.break_loop();
    }
    state.bytes.begin_record();
    let plan = state.bytes.byte();
    for _ in 0..plan % 3 {
        state.bytes.begin_record();
        state.step(events);
        state.spec.check(events);
    }
    if plan >= 248 {
        // Without the hook, which would print it.
        state.note("panic");
        resume_unwind(Box::new(OnPurpose));
    }
    let n = state.spec.running.expect("this is a callback");
    state.spec.ran(n);
}

/// Whether a command is answered by a success. To be asked when the loop has taken it.
fn answer_to<E: 'static>(
    reply: Result<Reply<Result<(), E>>, LoopGone>,
) -> Box<dyn FnOnce() -> bool> {
    let reply = reply.expect("the loop is there");
    Box::new(|| reply.wait().expect("it was taken").is_ok())
}

impl Bytes {
    pub(crate) fn priority(&self) -> Priority {
        Priority(self.byte() % 3)
    }
}
