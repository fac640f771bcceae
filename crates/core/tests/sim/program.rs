//! Random programs: who talks to the loop when, what events there are, and what callbacks do.

use std::time::Duration;

use evloop_changelist::{Interest, Ready, Trigger};
use evloop_core::{Limits, Mode, Priority};
use evloop_signals::Signal;
use evloop_sim::Disorder;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::talk::{Deed, Medium};

/// All that happens in one simulated world, apart from disorder.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) mode: Mode,
    pub(crate) limits: Limits,
    /// A timeout that is declared to be a common one.
    pub(crate) common: Option<Duration>,
    /// Conversations that a keeper listens to from the start to the end.
    pub(crate) kept: Vec<(Plan, Keeper)>,
    /// Conversations that begin when somebody first wants to listen, and again when nobody has
    /// the file any more.
    pub(crate) others: Vec<Plan>,
    /// Whether the event that counts every `SIGUSR1` is persistent, or adds itself again.
    pub(crate) counts_persistently: bool,
    /// Whether it is called for each.
    pub(crate) counts_each: bool,
    /// Signals, and when they come, in microseconds.
    pub(crate) raises: Vec<(u64, Signal)>,
    /// What is done before the run.
    pub(crate) setup: Vec<Op>,
    /// What the callbacks do besides, each in its turn; then nothing.
    pub(crate) script: Vec<Extras>,
}

/// What a callback does before what it is for, and after.
pub(crate) type Extras = (Vec<Op>, Vec<Op>);

/// A conversation: through what, and what the peer does how many microseconds after it began.
pub(crate) type Plan = (Medium, Vec<(u64, Deed)>);

/// A way to read everything that comes. Each has a right to be told of every byte.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keeper {
    /// Level-triggered: reads so many bytes at a time.
    Level(usize),
    /// Edge-triggered: reads until there is nothing.
    Edge,
    /// Edge-triggered: reads so many bytes, and adds itself again.
    Rearmed(usize),
    /// One-shot: reads so many bytes, and adds itself again.
    OneShot(usize, Trigger),
    /// Reads so many bytes, then pauses for a time.
    Throttled(usize, Duration),
}

/// What is done from outside of a run, and in callbacks.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Make(Passer),
    /// To a passer, by the order in which they were made, modulo how many there were: freed ones
    /// count.
    To(usize, Act),
    /// The callback takes this long.
    TakeTime(Duration),
    Exit,
    Break,
    Rescan,
    Panic,
}

/// What is done to one event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Add,
    Delete,
    Remove,
    Activate(Ready),
    ActivateLater(Ready),
    SetInterest(Interest),
    SetTimeout(Option<Duration>),
    SetPriority(Priority),
}

/// An event that comes and goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passer {
    pub(crate) wish: Wish,
    pub(crate) persistent: bool,
    pub(crate) keep: bool,
    pub(crate) each: bool,
    pub(crate) priority: Priority,
    pub(crate) timeout: Option<Duration>,
    pub(crate) manner: Manner,
}

/// What an event waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wish {
    Io {
        /// A conversation, modulo how many there are.
        talk: usize,
        interest: Interest,
        trigger: Trigger,
        /// To listen under a number of its own for the same file.
        duplicate: bool,
    },
    Signal(Signal),
    Nothing,
}

/// What the callback of a passer does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Reads so many bytes; 0 is none.
    pub(crate) reads: usize,
    /// Adds itself again.
    pub(crate) again: bool,
    /// Removes itself when it runs for this time.
    pub(crate) runs: u32,
}

/// What most passers of a program are for, so that they come in each other's way.
#[derive(Clone, Copy, Debug)]
enum Focus {
    Everything,
    OneFile,
    Signals,
    Timers,
}

pub(crate) fn any_program() -> impl Strategy<Value = Program> {
    use Focus::{Everything, OneFile, Signals, Timers};
    select(&[Everything, Everything, OneFile, Signals, Timers][..]).prop_flat_map(program_about)
}

fn program_about(focus: Focus) -> impl Strategy<Value = Program> {
    let no_talk = Just((Medium::File, Vec::new()));
    let talks = (
        vec((any_plan(), any_keeper()), 1..4),
        vec(prop_oneof![5 => any_plan(), 1 => no_talk], 1..3),
    );
    let signals = (
        any::<bool>(),
        any::<bool>(),
        vec((any_moment(), any_signal()), 0..10),
    );
    let op = any_op(focus).boxed();
    let extras = (vec(op.clone(), 0..3), vec(op.clone(), 0..3));
    let ops = (vec(op, 0..8), vec(extras, 0..24));
    let modes = select(&[Mode::UntilEmpty, Mode::StayOnEmpty, Mode::Once][..]);
    let settings = (modes, any_limits(), option::of(any_timeout()));
    (settings, talks, signals, ops).prop_map(
        |(
            (mode, limits, common),
            (kept, others),
            (counts_persistently, counts_each, raises),
            (setup, script),
        )| Program {
            mode,
            limits,
            common,
            kept,
            others,
            counts_persistently,
            counts_each,
            raises,
            setup,
            script,
        },
    )
}

/// How far a kernel may use its liberties: from not at all to all the time.
pub(crate) fn any_disorder() -> impl Strategy<Value = Disorder> {
    let often = || prop_oneof![0..60_u8, Just(0)];
    (often(), often(), often(), often(), often(), 0..5_u64).prop_map(
        |(shuffled, partial, spurious, interrupted, late, at_most)| Disorder {
            shuffled_percent: shuffled,
            partial_percent: partial,
            spurious_percent: spurious,
            interrupted_percent: interrupted,
            late_percent: late,
            late_at_most: Duration::from_millis(at_most),
        },
    )
}

/// Microseconds. Few values, so that things happen at the same time.
fn any_moment() -> impl Strategy<Value = u64> {
    (0..25_u64).prop_map(|ms| ms * 1000)
}

/// As coarse as the moments.
fn any_timeout() -> impl Strategy<Value = Duration> {
    select(&[0, 1, 5, 5, 10, 25][..]).prop_map(Duration::from_millis)
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let deed = prop_oneof![
        6 => (1..80_usize).prop_map(Deed::Write),
        1 => Just(Deed::Read),
        1 => Just(Deed::ShutdownWrite),
        1 => Just(Deed::Close),
    ];
    let medium = select(&[Medium::Pipe, Medium::Socket, Medium::Socket][..]);
    (medium, vec((any_moment(), deed), 0..6))
}

fn any_keeper() -> impl Strategy<Value = Keeper> {
    let chunk = || 5..50_usize;
    prop_oneof![
        chunk().prop_map(Keeper::Level),
        Just(Keeper::Edge),
        chunk().prop_map(Keeper::Rearmed),
        (chunk(), any_trigger()).prop_map(|(chunk, trigger)| Keeper::OneShot(chunk, trigger)),
        (chunk(), any_timeout()).prop_map(|(chunk, pause)| Keeper::Throttled(chunk, pause)),
    ]
}

fn any_passer(focus: Focus) -> impl Strategy<Value = Passer> {
    let manner = (0..20_usize, any::<bool>(), 1..6_u32).prop_map(|(reads, again, runs)| Manner {
        reads,
        again,
        runs,
    });
    let lasting = (any::<bool>(), any::<bool>(), any::<bool>());
    let timeout = option::of(any_timeout());
    (any_wish(focus), lasting, any_priority(), timeout, manner).prop_map(
        |(wish, (persistent, keep, each), priority, timeout, manner)| Passer {
            wish,
            persistent,
            keep,
            each,
            priority,
            timeout,
            manner,
        },
    )
}

fn any_wish(focus: Focus) -> impl Strategy<Value = Wish> {
    let (io, signal, nothing, talks): (_, _, _, usize) = match focus {
        Focus::Everything => (4, 1, 2, 5),
        Focus::OneFile => (8, 0, 1, 1),
        Focus::Signals => (1, 8, 1, 5),
        Focus::Timers => (1, 1, 8, 5),
    };
    let any_io = (
        0..talks,
        any_interest(),
        any_trigger(),
        prop::bool::weighted(0.2),
    );
    prop_oneof![
        io => any_io.prop_map(|(talk, interest, trigger, duplicate)| Wish::Io {
            talk,
            interest,
            trigger,
            duplicate,
        }),
        signal => any_signal().prop_map(Wish::Signal),
        nothing => Just(Wish::Nothing),
    ]
}

fn any_op(focus: Focus) -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => any_passer(focus).prop_map(Op::Make),
        20 => (0..8_usize, any_act()).prop_map(|(n, act)| Op::To(n, act)),
        3 => any_timeout().prop_map(Op::TakeTime),
        1 => select(&[Op::Exit, Op::Break, Op::Rescan, Op::Panic][..]),
    ]
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => Just(Act::Add),
        4 => Just(Act::Delete),
        2 => Just(Act::Remove),
        1 => any_ready().prop_map(Act::Activate),
        1 => any_ready().prop_map(Act::ActivateLater),
        3 => any_interest().prop_map(Act::SetInterest),
        2 => option::of(any_timeout()).prop_map(Act::SetTimeout),
        1 => any_priority().prop_map(Act::SetPriority),
    ]
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let limits = (
        option::of(1..4_u32),
        option::of(any_timeout()),
        any_priority(),
        option::of(1..4_u32),
    );
    prop_oneof![
        2 => Just(Limits::NONE),
        1 => limits.prop_map(|(callbacks, interval, from, quota)| Limits {
            callbacks,
            interval,
            from,
            quota,
        }),
    ]
}

/// Not empty: so an event that is active was told a reason.
fn any_ready() -> impl Strategy<Value = Ready> {
    (1..4_u8).prop_map(Ready::from_bits_truncate)
}

fn any_interest() -> impl Strategy<Value = Interest> {
    prop_oneof![
        2 => Just(Interest::READ),
        1 => (0..8_u8).prop_map(Interest::from_bits_truncate),
    ]
}

fn any_trigger() -> impl Strategy<Value = Trigger> {
    select(&[Trigger::Level, Trigger::Edge][..])
}

fn any_signal() -> impl Strategy<Value = Signal> {
    select(&[Signal::USR1, Signal::USR2][..])
}

fn any_priority() -> impl Strategy<Value = Priority> {
    prop_oneof![2 => Just(Priority::NORMAL), 1 => (127..130_u8).prop_map(Priority)]
}
