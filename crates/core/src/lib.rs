//! The event loop itself, with no syscall in it: a step machine that knows no kernel, no clock and
//! no thread, and never calls user code.
//!
//! A [`Core`] holds events. Each waits for readiness of a file descriptor, for a signal, for a
//! timeout, or for a mixture of one of these and a timeout. A *front* drives it: it asks for the
//! next [`Step`], does what that says, and reports what came of it. Time, readiness and signals
//! come in as arguments; what the kernel is to be told goes out as values.
//!
//! # The turn
//!
//! [`Core::step`] goes round this list.
//!
//! 1. Leave if a break or an exit was asked for, also before the run began.
//! 2. Leave if no event is pending or active, unless told to stay.
//! 3. What was activated *later* is active now.
//! 4. Run the *prepare* watchers; what they do may shorten the wait ([`Core::coming_wait`]).
//! 5. Wait ([`Step::Wait`]): not at all if anything is active or the run is non-blocking; else until
//!    the earliest deadline by a fresh clock; else for ever. The net changes of interest go with
//!    it. Where the last wait brought several events, or one that was there already, a wait until a
//!    deadline begins with one of no time, a look; the turn goes on with what that brings, and
//!    waits if it brings nothing ([`Stats::vain_looks`]).
//! 6. Take what the wait brought: readiness ([`Core::report`]), refusals ([`Core::refuse`]), signals
//!    ([`Core::catch`]), in this order.
//! 7. Run the *check* watchers.
//! 8. Read the clock once, if any timeout runs, and make active what is due.
//! 9. Run the most urgent priority that has an active event ([`Step::Run`], once for each), first
//!    come, first run, until its queue is empty or the [`Limits`] are reached. What is activated
//!    meanwhile runs too; something more urgent ends the turn after the callback that runs. (So the
//!    front may report signals [between two callbacks](Core::is_dispatching), too.) Where a
//!    [quota](Limits::quota) is set, something less urgent goes in between when it is reached.
//! 10. A run [`Mode::Once`] or [`Mode::NonBlocking`] goes on with the less urgent priorities in 9
//!     and ends when nothing is active.
//!
//! # Order
//!
//! - Among active events of one priority: in the order in which they became active.
//! - Several events of one file descriptor, or of one signal, become active in the order in which
//!   they were added. (A one-shot that its callback adds again keeps its place.) One that runs for [each](Spec::each) delivery is active again for the next when
//!   it runs for one.
//! - Timeouts become active by deadline, and those with equal deadlines in the order in which they
//!   were started; after the I/O of the same turn.
//!
//! # Cost
//!
//! | operation | cost |
//! |---|---|
//! | [`insert`](Core::insert), [`activate`](Core::activate), [`set_priority`](Core::set_priority) | `O(1)` |
//! | [`add`](Core::add), [`delete`](Core::delete), [`remove`](Core::remove) | `O(1)`, `+ O(log n)` in the timeouts that run if it has one, `+ O(k)` in the events of its file descriptor or signal |
//! | starting a timeout anew, later than before | `O(1)` |
//! | a report, a signal | `O(k)` in the events it is for |
//! | a step | `O(1)`, `+ O(log n)` for each timeout that is due |
//! | [`stats`](Core::stats), [`peaks`](Core::peaks), [`info`](Core::info) | `O(1)` |
//! | [`verify`](Core::verify) | `O(n)` in all that there is |
//!
//! Nothing is allocated once as many events, timeouts and changes have been there at a time as ever
//! will be, unless most of the timeouts go meanwhile: their heap gives room back then. An event takes a slot of 64 bytes, which has room for a payload of 16 (more where
//! that is larger); a file descriptor 12 bytes, and 4 more in the changelist, for each number up to the
//! highest. Where many timeouts are due together, each takes 4 more for their order.
//!
//! # Why a step machine
//!
//! The rules of the turn stand in one place and are tried without a kernel, a million schedules in a
//! second. Callbacks run where the front calls them, with no borrow of the core held, so each front
//! chooses how: a closure with `&mut` access to the loop, a C function, the waker of a task.
//!
//! # Compared with libevent
//!
//! `event.c` and `evmap.c`. The documentation of each item names its counterpart and what differs.
//!
//! # Examples
//!
//! An event that is activated by hand; for a timer see the README.
//!
//! ```
//! use evloop_core::{Core, Kind, Mode, Outcome, Spec, Step};
//! use evloop_changelist::Ready;
//!
//! let mut core = Core::new();
//! let id = core.insert(Spec { persistent: true, ..Spec::new(Kind::Plain) }, "payload").unwrap();
//! core.activate(id, Ready::READ).unwrap();
//!
//! core.begin(Mode::NonBlocking).unwrap();
//! loop {
//!     match core.step(|| 0) {
//!         Step::Wait(_) => core.waited(),
//!         Step::Run(activation) => {
//!             assert_eq!((activation.id, activation.ready), (id, Ready::READ));
//!             let _ = core.finish();
//!         }
//!         Step::Done(outcome) => break assert_eq!(outcome, Outcome::Done),
//!     }
//! }
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod activate;
mod active;
mod ahead;
mod error;
mod event;
mod fd_map;
mod inspect;
mod interest;
mod life;
mod limits;
mod news;
mod report;
mod run;
mod slab;
mod stats;
mod step;
mod timeout;
mod verify;
mod watch;

use alloc::vec::Vec;
use core::time::Duration;

use evloop_signals::{SignalMap, SignalSet};
use evloop_timers::{Deadlines, LaneId};

use crate::active::{ActiveQueues, Level};
use crate::fd_map::FdMap;
use crate::run::Requests;
use crate::slab::Slab;
use crate::stats::{Measured, Most, Ran};
use crate::step::Phase;
use crate::watch::Watchers;

pub use crate::activate::DEFERRED;
pub use crate::error::{AddError, InsertError, NoSuchEvent, Reentrant};
pub use crate::event::{Kind, Ownership, Priority, Spec};
pub use crate::inspect::{EventInfo, Standing};
pub use crate::life::{Demand, Leaving, Release};
pub use crate::news::News;
pub use crate::run::{Limits, Mode, Outcome};
pub use crate::slab::EventId;
pub use crate::stats::{LATE, Peak, Peaks, Stats};
pub use crate::step::{Activation, Step};
pub use crate::timeout::Missed;
pub use crate::verify::Defect;

/// The loop: its events, what they wait for, and where in the turn it is.
///
/// `T` is what a front attaches to each event: a closure, a function pointer, a waker.
#[derive(Debug)]
pub struct Core<T> {
    events: Slab<T>,
    /// By slot: how long callbacks took, as far as the front measured it.
    measured: Vec<Measured>,
    fds: FdMap,
    signals: SignalMap<u32>,
    /// The signals that the front was asked to catch.
    caught: SignalSet,
    /// By slot: the timeouts that run.
    timers: Deadlines,
    /// The common timeouts in nanoseconds, and their lanes.
    common: Vec<(u64, LaneId)>,
    /// Pending events that are always ready, in the order in which they were added.
    always: Vec<u32>,
    prepare: Watchers,
    check: Watchers,
    active: ActiveQueues,
    /// Events that are pending and not internal.
    pending: usize,
    phase: Phase,
    /// The level that this turn is for, once an event of it has run; none where it is for all.
    level: Option<Priority>,
    /// The level of which one event runs after the other, for as long as it is the most urgent, with
    /// nothing to be asked in between. [`Level::NEVER`] while something is to be asked: when no turn
    /// dispatches, after a request, with limits.
    cleared: Level,
    mode: Mode,
    requests: Requests,
    /// Callbacks that had run when this run began.
    ran_before: u64,
    limits: Limits,
    missed: Missed,
    /// The limits limit something.
    is_limited: bool,
    /// How many callbacks in a row went ahead of something less urgent.
    overtakes: u32,
    /// Whose turn it was when the quota was reached last.
    yielded_to: Priority,
    /// When this turn came to its callbacks: how many had run until then, and how many events were active.
    dispatch_began: (u64, usize),
    /// When the first callback of this turn that the limits are for began, and how many have.
    began: Option<(u64, u32)>,
    /// How many events were deferred in this turn.
    deferred: u32,
    coming_wait: Option<Duration>,
    running: Option<EventId>,
    /// What its callback is told beside readiness.
    news: News,
    /// Its callback was told news, or it is one-shot: then there is more to do when that is over.
    settles: bool,
    now_ns: u64,
    /// The time was set in this turn.
    now_is_of_turn: bool,
    /// Neither a wait nor a callback came since the time was asked for.
    now_is_fresh: bool,
    /// When the last wait began, as far as that is known.
    wait_began_ns: Option<u64>,
    /// It is, or was, a look only.
    is_look: bool,
    /// What it brought is more than reports.
    is_woken: bool,
    /// More may well be ready by now: the last wait brought several events, or one that was there already.
    is_busy: bool,
    stats: Stats,
    ran: Ran,
    most: Most,
}

impl<T> Core<T> {
    /// A loop without events.
    #[must_use]
    pub fn new() -> Self {
        Self {
            events: Slab::new(),
            measured: Vec::new(),
            fds: FdMap::new(),
            signals: SignalMap::new(),
            caught: SignalSet::new(),
            timers: Deadlines::new(),
            common: Vec::new(),
            always: Vec::new(),
            prepare: Watchers::default(),
            check: Watchers::default(),
            active: ActiveQueues::new(),
            pending: 0,
            phase: Phase::Idle,
            level: None,
            cleared: Level::NEVER,
            mode: Mode::UntilEmpty,
            requests: Requests::default(),
            ran_before: 0,
            limits: Limits::NONE,
            missed: Missed::Skipped,
            is_limited: false,
            overtakes: 0,
            yielded_to: Priority::MOST_URGENT,
            dispatch_began: (0, 0),
            began: None,
            deferred: 0,
            coming_wait: None,
            running: None,
            news: News::default(),
            settles: false,
            now_ns: 0,
            now_is_of_turn: false,
            now_is_fresh: false,
            wait_began_ns: None,
            is_look: false,
            is_woken: false,
            is_busy: false,
            stats: Stats::default(),
            ran: Ran::default(),
            most: Most::default(),
        }
    }
}

impl<T> Core<T> {
    /// Makes room for so many events more, each with a file descriptor of its own and a timeout: then to
    /// make and add them allocates nothing (apart from what numbers of file descriptors need that
    /// are higher, and the timeouts' heap where most of them have gone meanwhile), and no table has more room
    /// than that.
    pub fn reserve(&mut self, events: usize) {
        self.events.reserve(events);
        self.fds.reserve(events);
        self.timers.reserve(self.events.len() + events);
    }
}

impl<T> Default for Core<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
