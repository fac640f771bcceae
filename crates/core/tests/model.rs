//! Random programs of adds, deletes, activations, timeouts and callbacks, run on the loop and on a
//! model of the turn that is small enough to be read as its specification. After each run both
//! have called the same callbacks, for the same reasons, in the same order.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

#[path = "model/fairness.rs"]
mod fairness;
#[path = "model/kernel.rs"]
mod kernel;
#[path = "model/naive.rs"]
mod naive;

use std::time::Duration;

use evloop_changelist::{Interest, Ready, Trigger};
use evloop_core::{
    Activation, Core, EventId, EventInfo, Kind, Limits, Mode, News, Outcome, Ownership, Priority,
    Spec, Step,
};
use evloop_signals::Signal;
use proptest::collection::vec;
use proptest::prelude::*;

use kernel::Kernel;
use naive::Naive;

/// What a program can do, between runs and inside callbacks. Events are named by the order in which
/// they were made, modulo how many there are.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Insert(Spec),
    Add(usize),
    Delete(usize),
    Remove(usize),
    Activate(usize, Ready),
    ActivateLater(usize, Ready),
    SetInterest(usize, Interest),
    SetTimeout(usize, Option<Duration>),
    SetPriority(usize, Priority),
    /// A file descriptor is ready like this from now on.
    Ready(i32, Ready),
    /// A signal is delivered.
    Raise(Signal, u64),
    Advance(u64),
    /// A timeout is a common one from now on, which changes nothing but costs.
    Common(Duration),
    /// How often the most urgent go first while others wait.
    Quota(Option<u32>),
    Exit,
    Break,
    Rescan,
    /// The process forks, and the program goes on in the child.
    Fork,
    /// Another thread has this done in the loop.
    Post(Vec<Self>),
}

/// What happened, to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Called {
    pub(crate) event: usize,
    pub(crate) ready: Ready,
    pub(crate) count: u64,
    pub(crate) left: u64,
}

/// The file descriptors of a program.
pub(crate) const FDS: i32 = 3;

/// A run cannot go on for longer: an exit is asked for at this many waits.
pub(crate) const WAITS: u64 = 6;

/// The loop, and a front that does what callbacks are scripted to do.
struct Real {
    core: Core<usize>,
    kernel: Kernel,
    ids: Vec<EventId>,
    /// What other threads have posted.
    posted: Vec<Op>,
}

impl Real {
    fn apply(&mut self, op: &Op) {
        let Self {
            core,
            kernel,
            ids,
            posted,
        } = self;
        if matches!(op, Op::Add(_) | Op::SetInterest(..)) {
            // What is kept in the kernel after this may be reported once more.
            kernel.unwanted.clear();
        }
        let id = |n: usize| (!ids.is_empty()).then(|| ids[n % ids.len()]);
        match *op {
            Op::Insert(spec) => {
                ids.push(core.insert(spec, ids.len()).unwrap());
            }
            Op::Add(n) => {
                if let Some(id) = id(n) {
                    let now_ns = kernel.now_ns;
                    let _ = core.add(id, || now_ns, |demand| kernel.grant(demand));
                }
            }
            Op::Delete(n) => {
                if let Some(Ok(release)) = id(n).map(|id| core.delete(id)) {
                    kernel.release(release);
                }
            }
            Op::Remove(n) => {
                if let Some(Ok(leaving)) = id(n).map(|id| core.remove(id)) {
                    kernel.release(leaving.release);
                }
            }
            Op::Activate(n, ready) => drop(id(n).map(|id| core.activate(id, ready))),
            Op::ActivateLater(n, ready) => drop(id(n).map(|id| core.activate_later(id, ready))),
            Op::SetInterest(n, interest) => {
                if let Some(id) = id(n) {
                    let _ = core.set_interest(id, interest, |demand| kernel.grant(demand));
                }
            }
            Op::SetTimeout(n, timeout) => {
                let now_ns = kernel.now_ns;
                let _ = id(n).map(|id| core.set_timeout(id, timeout, || now_ns));
            }
            Op::SetPriority(n, priority) => drop(id(n).map(|id| core.set_priority(id, priority))),
            Op::Ready(fd, ready) => kernel.set_ready(fd, ready),
            Op::Raise(signal, count) => kernel.raise(signal, count),
            Op::Advance(ns) => kernel.now_ns += ns,
            Op::Common(timeout) => core.common_timeout(timeout),
            Op::Quota(quota) => core.set_limits(Limits {
                quota,
                ..Limits::NONE
            }),
            Op::Exit => core.exit(),
            Op::Break => core.break_loop(),
            Op::Rescan => core.rescan(),
            Op::Fork => {
                kernel.forget();
                core.restore_fds(|fd, token, interest, _| {
                    kernel.restore(fd, token, interest);
                    Ok(())
                });
            }
            Op::Post(ref ops) => posted.extend(ops.iter().cloned()),
        }
        self.check();
    }

    /// Does what was posted; whether anything was.
    fn take_posted(&mut self) -> bool {
        let posted = std::mem::take(&mut self.posted);
        for op in &posted {
            self.apply(op);
        }
        !posted.is_empty()
    }

    /// What is true at any time: the kernel is told to let go of a file before it may be closed.
    fn check(&self) {
        self.core.check_invariants();
        for (fd, _) in self.kernel.held() {
            assert!(
                self.on_fd(fd).next().is_some(),
                "file descriptor {fd} is held for nobody"
            );
        }
    }

    fn on_fd(&self, fd: i32) -> impl Iterator<Item = EventInfo> {
        self.core
            .iter()
            .filter(move |event| matches!(event.kind, Kind::Io { fd: its, .. } if its == fd))
    }

    fn run(&mut self, mode: Mode, script: &mut Script) -> (Outcome, Vec<Called>) {
        let mut trace = Vec::new();
        let before = self.core.stats().waits;
        let waited = |core: &Core<usize>| core.stats().waits - before;
        self.core.begin(mode).unwrap();
        self.take_posted();
        let outcome = loop {
            // Puts timers that were moved later where they belong. Otherwise a turn may be for the
            // old deadline, and find nothing due, which the model does not know.
            let _exact = self.core.next_deadline_ns();
            match self.core.step(|| self.kernel.now_ns) {
                Step::Wait(timeout) => {
                    let woken = !self.posted.is_empty();
                    self.kernel.wait(&mut self.core, timeout, woken);
                    if woken {
                        self.core.woken();
                    }
                    // After a look that finds nothing this wait is still to come.
                    let is_one = woken || timeout != Some(Duration::ZERO);
                    if is_one && waited(&self.core) >= WAITS {
                        self.core.exit();
                    }
                    self.check_kernel();
                    self.take_posted();
                }
                Step::Run(Activation {
                    ready,
                    payload: event,
                    ..
                }) => {
                    if waited(&self.core) >= WAITS {
                        self.core.exit();
                    }
                    let News { count, left, .. } = self.core.news();
                    trace.push(Called {
                        event,
                        ready,
                        count,
                        left,
                    });
                    for op in script.next() {
                        self.apply(&op);
                    }
                    let leaving = self.core.finish();
                    self.kernel
                        .release(leaving.and_then(|leaving| leaving.release));
                }
                Step::Done(outcome) => {
                    self.core.begin(mode).unwrap();
                    if !self.take_posted() || outcome != Outcome::Empty {
                        self.core.abort();
                        break outcome;
                    }
                }
            }
            self.check();
        };
        (outcome, trace)
    }

    /// Right after the changes were told, the kernel holds what the loop says it holds, and that is
    /// what is wanted, or a superset where the loop owns the files.
    fn check_kernel(&self) {
        let held: Vec<_> = self.core.held().map(|(fd, held, ..)| (fd, held)).collect();
        assert_eq!(held, self.kernel.held());
        for fd in 0..FDS {
            let mut wanted = Interest::empty();
            let mut borrowed = true;
            for event in self.on_fd(fd) {
                let Kind::Io {
                    interest,
                    ownership,
                    ..
                } = event.kind
                else {
                    unreachable!()
                };
                wanted |= if event.pending {
                    interest
                } else {
                    Interest::empty()
                };
                borrowed &= ownership == Ownership::Borrowed;
            }
            let held = self.kernel.holds(fd);
            assert!(
                held.contains(wanted),
                "file descriptor {fd}: {held:?} for {wanted:?}"
            );
            assert!(
                held == wanted || !borrowed,
                "file descriptor {fd}: {held:?} for {wanted:?}"
            );
        }
    }
}

/// What the callbacks of one run do, each in its turn; then nothing.
#[derive(Clone)]
pub(crate) struct Script(std::vec::IntoIter<Vec<Op>>);

impl Script {
    pub(crate) fn next(&mut self) -> Vec<Op> {
        self.0.next().unwrap_or_default()
    }
}

fn any_ready() -> impl Strategy<Value = Ready> {
    prop_oneof![
        7 => (0..32_u8).prop_map(Ready::from_bits_truncate),
        1 => Just(Ready::empty()),
    ]
}

fn any_interest() -> impl Strategy<Value = Interest> {
    (0..8_u8).prop_map(Interest::from_bits_truncate)
}

fn any_signal() -> impl Strategy<Value = Signal> {
    prop_oneof![Just(Signal::USR1), Just(Signal::USR2)]
}

/// A few values, so that deadlines collide.
fn any_timeout() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), Just(1), Just(10), Just(10), Just(25)].prop_map(Duration::from_nanos)
}

fn any_priority() -> impl Strategy<Value = Priority> {
    prop_oneof![2 => Just(Priority::NORMAL), 1 => (0..3_u8).prop_map(Priority)]
}

fn any_quota() -> impl Strategy<Value = Option<u32>> {
    proptest::option::weighted(0.8, 0..3_u32)
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => (0..FDS, any_interest(), any::<bool>()).prop_map(|(fd, interest, owned)| Kind::Io {
            fd,
            interest,
            trigger: Trigger::Level,
            ownership: if owned { Ownership::Owned } else { Ownership::Borrowed },
        }),
        1 => any_signal().prop_map(Kind::Signal),
        2 => Just(Kind::Plain),
        1 => prop_oneof![
            Just(Kind::Prepare),
            Just(Kind::Check),
            any_interest().prop_map(Kind::Always),
        ],
    ]
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let timeout = proptest::option::of(any_timeout());
    (any_kind(), any::<[bool; 3]>(), any_priority(), timeout).prop_map(
        |(kind, [persistent, keep, each], priority, timeout)| Spec {
            persistent,
            keep,
            each,
            priority,
            timeout,
            ..Spec::new(kind)
        },
    )
}

fn any_own_op() -> impl Strategy<Value = Op> {
    let n = || 0..6_usize;
    prop_oneof![
        3 => any_spec().prop_map(Op::Insert),
        6 => n().prop_map(Op::Add),
        2 => n().prop_map(Op::Delete),
        1 => n().prop_map(Op::Remove),
        2 => (n(), any_ready()).prop_map(|(n, ready)| Op::Activate(n, ready)),
        1 => (n(), any_ready()).prop_map(|(n, ready)| Op::ActivateLater(n, ready)),
        1 => (n(), any_interest()).prop_map(|(n, interest)| Op::SetInterest(n, interest)),
        1 => (n(), proptest::option::of(any_timeout())).prop_map(|(n, t)| Op::SetTimeout(n, t)),
        1 => (n(), any_priority()).prop_map(|(n, priority)| Op::SetPriority(n, priority)),
        3 => (0..FDS, any_ready()).prop_map(|(fd, ready)| Op::Ready(fd, ready)),
        1 => (any_signal(), 1..4_u64).prop_map(|(signal, count)| Op::Raise(signal, count)),
        1 => (0..30_u64).prop_map(Op::Advance),
        1 => any_timeout().prop_map(Op::Common),
        1 => any_quota().prop_map(Op::Quota),
        1 => prop_oneof![Just(Op::Exit), Just(Op::Break), Just(Op::Rescan), Just(Op::Fork)],
    ]
}

/// What the thread of the loop does, or another has it do.
fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => any_own_op(),
        1 => vec(any_own_op(), 1..4).prop_map(Op::Post),
    ]
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        Just(Mode::UntilEmpty),
        Just(Mode::Once),
        Just(Mode::NonBlocking),
        Just(Mode::StayOnEmpty),
    ]
}

/// Operations, then a run whose callbacks do these.
type Part = (Vec<Op>, Mode, Vec<Vec<Op>>);

fn any_part() -> impl Strategy<Value = Part> {
    (
        vec(any_op(), 0..12),
        any_mode(),
        vec(vec(any_op(), 0..3), 0..6),
    )
}

/// Events that are only ever activated, in few priorities: the queues and nothing else.
fn any_queue_op() -> impl Strategy<Value = Op> {
    let n = || 0..6_usize;
    let spec = (any::<bool>(), 0..3_u8).prop_map(|(keep, priority)| Spec {
        keep,
        priority: Priority(priority),
        ..Spec::new(Kind::Plain)
    });
    prop_oneof![
        3 => spec.prop_map(Op::Insert),
        6 => n().prop_map(|n| Op::Activate(n, Ready::READ)),
        2 => n().prop_map(|n| Op::ActivateLater(n, Ready::WRITE)),
        1 => n().prop_map(Op::Delete),
        1 => (n(), 0..3_u8).prop_map(|(n, priority)| Op::SetPriority(n, Priority(priority))),
        1 => any_quota().prop_map(Op::Quota),
        1 => prop_oneof![Just(Op::Exit), Just(Op::Break), Just(Op::Rescan)],
    ]
}

/// Events for two signals, and deliveries of them.
fn any_signal_op() -> impl Strategy<Value = Op> {
    let n = || 0..6_usize;
    let spec = (any_signal(), any::<[bool; 3]>(), 0..2_u8);
    let spec = spec.prop_map(|(signal, [persistent, keep, each], priority)| Spec {
        persistent,
        keep,
        each,
        priority: Priority(priority),
        ..Spec::new(Kind::Signal(signal))
    });
    prop_oneof![
        3 => spec.prop_map(Op::Insert),
        6 => n().prop_map(Op::Add),
        6 => (any_signal(), 1..5_u64).prop_map(|(signal, count)| Op::Raise(signal, count)),
        1 => n().prop_map(Op::Delete),
        1 => n().prop_map(Op::Remove),
        1 => n().prop_map(|n| Op::ActivateLater(n, Ready::SIGNAL)),
        1 => (n(), 0..2_u8).prop_map(|(n, priority)| Op::SetPriority(n, Priority(priority))),
        1 => prop_oneof![Just(Op::Exit), Just(Op::Break), Just(Op::Rescan)],
    ]
}

fn any_part_of<O: Strategy<Value = Op>>(any_op: fn() -> O) -> impl Strategy<Value = Part> {
    (
        vec(any_op(), 4..16),
        any_mode(),
        vec(vec(any_op(), 0..4), 0..8),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn loop_does_what_the_model_does(parts in vec(any_part(), 1..5)) {
        check(parts)?;
    }

    #[test]
    fn queues_do_what_the_model_does(parts in vec(any_part_of(any_queue_op), 1..3)) {
        check(parts)?;
    }

    #[test]
    fn signals_do_what_the_model_does(parts in vec(any_part_of(any_signal_op), 1..3)) {
        check(parts)?;
    }
}

fn check(parts: Vec<Part>) -> Result<(), TestCaseError> {
    let mut real = Real {
        core: Core::new(),
        kernel: Kernel::default(),
        ids: Vec::new(),
        posted: Vec::new(),
    };
    let mut naive = Naive::default();
    for (ops, mode, callbacks) in parts {
        for op in &ops {
            real.apply(op);
            naive.apply(op);
        }
        let script = Script(callbacks.into_iter());
        let expected = naive.run(mode, &mut script.clone());
        let seen = real.run(mode, &mut script.clone());
        prop_assert_eq!(seen, expected);
    }
    Ok(())
}
