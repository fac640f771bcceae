//! The loop: the core's step machine, the kernel's side of it, and closures for callbacks.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use evloop_backend::{Capabilities, Clock, Report, Source, WaitError, World};
use evloop_catcher::{ForkStamp, SignalInfo};
use evloop_changelist::{Interest, Ready};
use evloop_core::{Activation, Core, EventId, Limits, Mode, Outcome, Priority, Step};
use evloop_epoll::MonotonicClock;
use evloop_pipe::Waker;
use evloop_prefetch::prefetch;
use evloop_signals::Signal;

use crate::activator::Activators;
use crate::builder::{Builder, Choice, INTERNAL};
use crate::context::Cx;
use crate::current_waker::CurrentWaker;
use crate::error::{NewError, RunError};
use crate::kernel::Kernel;
use crate::new_event::{Catch, Check, Io, NewEvent, Prepare, Timer, User};
use crate::origin::Origins;
use crate::outside::Outside;
use crate::record::Shared;
use crate::remote::Inbox;

/// An event loop: I/O readiness, signals and timers as one kind of thing, run in turn.
///
/// `S` is the state that callbacks share; it is lent to them by [`EventLoop::run`]. A loop stays on
/// the thread that made it: it is not `Send`, so make it there, and send its [`Remote`](crate::Remote)
/// out. A process may have any number of them.
///
/// # Compared with libevent
///
/// `struct event_base`.
pub struct EventLoop<S> {
    // First, so that the kernel forgets the sources before they are closed.
    pub(crate) backend: Kernel,
    pub(crate) outside: Outside,
    pub(crate) core: Core<Shared<S>>,
    pub(crate) clock: Box<dyn Clock>,
    /// What the records of the events name by number.
    pub(crate) origins: Origins,
    /// By [`Signal::index`]: what is known of the last delivery that the core was told of.
    pub(crate) last: [Option<SignalInfo>; 64],
    pub(crate) waker: Arc<Waker>,
    /// The waker, for who holds on to it in other threads.
    pub(crate) current_waker: Arc<CurrentWaker>,
    /// The events that other threads can activate.
    pub(crate) activators: Activators,
    /// What remotes have posted, if the loop has any.
    pub(crate) inbox: Option<Box<Inbox<S>>>,
    /// The process that the loop is of.
    pub(crate) stamp: ForkStamp,
    /// What a wait learnt; kept for its memory.
    pub(crate) reports: Vec<Report>,
    /// How often it was [taken early](Self::take_early) since the last wait.
    pub(crate) taken_early: usize,
    /// Each callback is measured.
    pub(crate) is_measuring: bool,
    /// Changes are told when they are made, and not with the wait.
    pub(crate) is_at_once: bool,
}

impl<S> EventLoop<S> {
    /// Makes a loop on this system's best backend, with the monotonic clock.
    ///
    /// # Errors
    ///
    /// See [`NewError`]. Nothing is left open then.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_new`.
    pub fn new() -> Result<Self, NewError> {
        Builder::new().build()
    }

    pub(crate) fn with_choice(choice: Choice) -> Result<Self, NewError> {
        let waker = Arc::new(Waker::new().map_err(NewError::Pipe)?);
        let outside = Outside::process(choice, &waker);
        Self::with_outside(outside, Box::new(MonotonicClock), waker)
    }

    pub(crate) fn with_world(world: Rc<dyn World>) -> Result<Self, NewError> {
        let waker = Arc::new(Waker::new().map_err(NewError::Pipe)?);
        let clock = world.clock();
        Self::with_outside(Outside::World(world), clock, waker)
    }

    fn with_outside(
        outside: Outside,
        clock: Box<dyn Clock>,
        waker: Arc<Waker>,
    ) -> Result<Self, NewError> {
        Ok(Self {
            backend: outside.make_backend(&waker)?,
            outside,
            core: Core::new(),
            clock,
            origins: Origins::default(),
            last: [None; 64],
            current_waker: Arc::new(CurrentWaker::new(&waker)),
            waker,
            activators: Activators::default(),
            inbox: None,
            stamp: ForkStamp::new(),
            reports: Vec::new(),
            taken_early: 0,
            is_measuring: false,
            is_at_once: false,
        })
    }

    /// An event for readiness of a source: a socket, a pipe, a terminal, anything that can be
    /// waited for. See [`NewEvent`].
    ///
    /// The loop owns the source. Several events share one if they are given clones of an `Rc` of
    /// it; they run in the order in which they were added.
    ///
    /// # Compared with libevent
    ///
    /// `event_new` with a file descriptor and `EV_READ`, `EV_WRITE` or `EV_CLOSED`. It neither owns the
    /// file descriptor nor makes it non-blocking.
    pub fn io<F: Source + 'static>(
        &mut self,
        source: F,
        interest: Interest,
    ) -> NewEvent<'_, S, Io<F>> {
        NewEvent::io(self, source, interest)
    }

    /// An event for the time when `timeout` has passed since it was added. See [`NewEvent`].
    ///
    /// It never fires early. How late it does depends on the kernel: the thread's timer slack alone is
    /// 50 µs, unless `prctl(PR_SET_TIMERSLACK)` has set another.
    ///
    /// # Compared with libevent
    ///
    /// `evtimer_new` and `event_add`.
    pub fn timer(&mut self, timeout: Duration) -> NewEvent<'_, S, Timer> {
        NewEvent::timer(self, timeout)
    }

    /// An event for a signal. See [`NewEvent`].
    ///
    /// Each loop of the process that watches a signal is told of every delivery. One that comes while
    /// callbacks run is taken after the one that runs, and costs the loop no system call. No thread's signal
    /// mask is touched.
    ///
    /// # Compared with libevent
    ///
    /// `evsignal_new` and `event_add`. There one loop of the process can watch signals.
    pub fn signal(&mut self, signal: Signal) -> NewEvent<'_, S, Catch> {
        NewEvent::signal(self, signal)
    }

    /// An event for nothing but [`EventLoop::activate`] (and a timeout, if it is given one).
    /// See [`NewEvent`].
    ///
    /// # Compared with libevent
    ///
    /// `event_new` with `-1` for a file descriptor and no events.
    pub fn user(&mut self) -> NewEvent<'_, S, User> {
        NewEvent::user(self)
    }

    /// A watcher: an event that is active before each wait. It keeps no loop running. See
    /// [`NewEvent`].
    ///
    /// # Compared with libevent
    ///
    /// `evwatch_prepare_new`.
    pub fn prepare(&mut self) -> NewEvent<'_, S, Prepare> {
        NewEvent::prepare(self)
    }

    /// A watcher: an event that is active after each wait, when what the wait brought is known and
    /// before any callback runs for it. It keeps no loop running. See [`NewEvent`].
    ///
    /// # Compared with libevent
    ///
    /// `evwatch_check_new`.
    pub fn check(&mut self) -> NewEvent<'_, S, Check> {
        NewEvent::check(self)
    }

    /// Declares a timeout to be a common one: starting, stopping and restarting it costs `O(1)`
    /// however many events have it. What is started later with exactly this timeout uses it.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_init_common_timeout`, whose result has to be passed to `event_add`.
    pub fn common_timeout(&mut self, timeout: Duration) {
        self.core.common_timeout(timeout);
    }

    /// The time on the loop's clock, whose origin means nothing: read once in a turn, however often it
    /// is asked for, so that all callbacks of a turn agree on it. [`EventLoop::update_now`] reads
    /// it anew. Between two runs each call reads it.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_gettimeofday_cached`.
    pub fn now(&mut self) -> Duration {
        Duration::from_nanos(self.core.now_ns().unwrap_or_else(|| self.read_clock()))
    }

    /// Reads the clock, for the rest of this turn.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_update_cache_time`.
    pub fn update_now(&mut self) -> Duration {
        Duration::from_nanos(self.read_clock())
    }

    fn read_clock(&mut self) -> u64 {
        let now_ns = self.clock.now_ns();
        self.core.set_now(now_ns);
        now_ns
    }

    /// Limits what one turn may run before the kernel is asked again, and how long the less urgent
    /// may be kept waiting by the more urgent ([`Limits::quota`]).
    ///
    /// # Compared with libevent
    ///
    /// `event_config_set_max_dispatch_interval`.
    pub fn set_limits(&mut self, limits: Limits) {
        self.core.set_limits(limits);
    }

    /// Runs until no event is pending or active, or an exit or a break is asked for.
    ///
    /// A callback that panics ends the run by its panic. Nothing else is lost by it: other active
    /// events stay active, its own event is as if the callback had returned, and the loop can be
    /// run again.
    ///
    /// # Errors
    ///
    /// See [`RunError`].
    ///
    /// # Compared with libevent
    ///
    /// `event_base_dispatch`.
    pub fn run(&mut self, state: &mut S) -> Result<Outcome, RunError> {
        self.run_mode(Mode::UntilEmpty, state)
    }

    /// As [`EventLoop::run`], with another end: see [`Mode`].
    ///
    /// # Errors
    ///
    /// See [`RunError`].
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loop`.
    pub fn run_mode(&mut self, mode: Mode, state: &mut S) -> Result<Outcome, RunError> {
        if self.stamp.is_child() {
            return Err(RunError::Forked);
        }
        self.core.begin(mode).map_err(|_| RunError::Reentrant)?;
        let run = Run(self);
        run.0.begin_remote();
        loop {
            // What ran last may have forked: the rest of the turn is the parent's.
            if run.0.stamp.is_child() {
                return Err(RunError::Forked);
            }
            let Self { core, clock, .. } = &mut *run.0;
            // Taken apart at once: it stays in registers.
            let (id, ready, record) = match core.step(|| clock.now_ns()) {
                Step::Run(Activation { id, ready, payload }) => (id, ready, payload),
                Step::Wait(timeout) => {
                    run.0.wait(timeout)?;
                    continue;
                }
                Step::Done(outcome) if run.0.is_over(mode, outcome)? => return Ok(outcome),
                Step::Done(_) => continue,
            };
            // While the callback runs, the record of what mostly is the next comes near.
            if let Some(next) = core.upcoming() {
                prefetch(Rc::as_ptr(next));
            }
            if run.0.is_measuring {
                run.0.call_measured(id, ready, record, state);
            } else {
                run.0.call(id, ready, record, state);
            }
            if let Some(leaving) = run.0.core.finish() {
                run.0.let_go(leaving).map_err(RunError::Remove)?;
            }
            if run.0.waker.is_woken() {
                run.0.take_early();
            }
        }
    }

    /// Whether the run stays done: what was posted last may be something to stay for, and is done within
    /// the run.
    fn is_over(&mut self, mode: Mode, outcome: Outcome) -> Result<bool, RunError> {
        self.core.begin(mode).map_err(|_| RunError::Reentrant)?;
        Ok(!self.take_posted() || outcome != Outcome::Empty)
    }

    /// Ends the run when the callbacks of this turn have run. Before a run: ends the next one at
    /// once.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loopexit` without a time.
    pub fn exit(&mut self) {
        self.core.exit();
    }

    /// Ends the run, or the next, when so much time has passed. The event that does it is an event
    /// like others: of several the earliest counts, and it keeps the loop running until then. A run that
    /// ends before leaves it to the next; [remove](EventLoop::remove) it to call it off.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loopexit` with a time.
    #[track_caller]
    #[expect(clippy::missing_panics_doc, reason = "the proof is beside the expect")]
    pub fn exit_after(&mut self, time: Duration) -> EventId {
        let timer = self
            .timer(time)
            .label("exit")
            .priority(Priority::MOST_URGENT);
        let added = timer.add(|cx| cx.events.exit());
        added.expect("a timer needs nothing of the kernel")
    }

    /// Ends the run after the callback that runs; what is active stays so for the next run.
    /// Before a run: ends the next one at once.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loopbreak`, which is lost when it comes before the run.
    pub fn break_loop(&mut self) {
        self.core.break_loop();
    }

    /// Looks at the kernel again after the callback that runs, before any other.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loopcontinue`.
    pub fn rescan(&mut self) {
        self.core.rescan();
    }

    /// Item 5 and 6 of the turn: tells the kernel the changes, waits, and reports what came.
    #[inline]
    fn wait(&mut self, timeout: Option<Duration>) -> Result<(), RunError> {
        let ghosts = self.core.ghosts();
        let waited = self.wait_for_reports(timeout);
        let is_woken = self.waker.awake();
        self.core.waited();
        if self.reports.is_empty() {
            self.core.count_empty_wait();
        } else {
            self.take_reports();
        }
        self.taken_early = 0;
        if is_woken {
            self.take_news();
        }
        waited.map_err(RunError::Wait)?;
        if self.core.ghosts() > ghosts {
            self.renew_backend().map_err(RunError::Renew)?;
        }
        Ok(())
    }

    /// Takes what the loop was woken for while callbacks run, between two of them, so that it does not wait for all.
    /// Not on and on, or who wakes the loop again and again would keep it from the kernel: what is not taken here
    /// comes with the next wait.
    #[cold]
    fn take_early(&mut self) {
        // In a child that the callback has forked the run is over, and nothing is taken.
        if self.stamp.is_child() {
            return;
        }
        let is_enough =
            self.taken_early >= EARLY && self.taken_early - EARLY >= self.core.progress() / SPACING;
        if is_enough || !self.core.is_dispatching() {
            return self.take_break();
        }
        self.taken_early += 1;
        self.waker.awake();
        self.take_news();
    }

    /// Takes what signals and other threads have left, having woken the loop.
    fn take_news(&mut self) {
        self.core.woken();
        self.outside.take(|signal, count, last| {
            self.last[signal.index()] = last;
            self.core.catch(signal, count);
        });
        self.take_posted();
    }

    /// Passes on what the backend learnt.
    #[inline]
    pub(crate) fn take_reports(&mut self) {
        let reports = std::mem::take(&mut self.reports);
        for report in &reports {
            if report.token.slot == INTERNAL.slot {
                // Edge-triggered, an eventfd need never be read.
                let is_edge = self.backend.capabilities().contains(Capabilities::EDGE);
                if self.waker.needs_drain() || !is_edge {
                    self.waker.drain();
                }
            } else if report.errno == 0 {
                self.core.report(report.token, report.ready);
            } else {
                self.core.refuse(report.token, report.errno);
            }
        }
        // Its room is for the next.
        self.reports = reports;
        self.reports.clear();
    }

    /// Waits, and leaves what came in `reports`.
    #[inline]
    fn wait_for_reports(&mut self, timeout: Option<Duration>) -> Result<(), WaitError> {
        let timeout = match timeout {
            // Who wakes the loop now need not write: it does not sleep.
            Some(Duration::ZERO) => timeout,
            _ if self.waker.sleep() => timeout,
            _ => Some(Duration::ZERO),
        };
        let changes = self.core.changes();
        self.backend.wait(changes, timeout, &mut self.reports)
    }

    /// Item 9: runs the callback of an event.
    #[inline]
    fn call(&mut self, id: EventId, ready: Ready, record: Shared<S>, state: &mut S) {
        record.call(&mut Cx {
            state,
            events: self,
            id,
            ready,
        });
    }

    /// As [`EventLoop::call`], and says how long it took, unless the callback panicked.
    #[cold]
    fn call_measured(&mut self, id: EventId, ready: Ready, record: Shared<S>, state: &mut S) {
        let began_ns = self.clock.now_ns();
        self.call(id, ready, record, state);
        let time_ns = self.clock.now_ns().saturating_sub(began_ns);
        let time = Duration::from_nanos(time_ns);
        self.core.measured(id, time);
    }
}

/// So often in a turn what comes is taken after the callback that runs.
const EARLY: usize = 32;

/// After that, it is taken once in so many callbacks of those that the turn began with.
const SPACING: usize = 16;

/// A run. However it ends, the loop is as it is between two runs.
struct Run<'a, S>(&'a mut EventLoop<S>);

impl<S> Drop for Run<'_, S> {
    fn drop(&mut self) {
        // If a callback panicked, it is over.
        let leaving = self.0.core.finish();
        let finished = leaving.map_or(Ok(()), |leaving| self.0.let_go(leaving));
        debug_assert!(finished.is_ok(), "{finished:?}");
        self.0.core.abort();
        self.0.end_remote();
    }
}

impl<S> fmt::Debug for EventLoop<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("backend", &self.backend)
            .field("events", &self.core.len())
            .finish_non_exhaustive()
    }
}
