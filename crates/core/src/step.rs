//! The turn of the loop, as a step machine.
//!
//! [`Core::step`] is the list of the crate's documentation, in order: leave, splice, wait, report,
//! expire, run. It returns whenever the front has something to do, and goes on from there at the
//! next call.

use core::time::Duration;

use evloop_changelist::{Interest, Ready};

use crate::Core;
use crate::active::Level;
use crate::error::Reentrant;
use crate::event::{Priority, State};
use crate::run::{Mode, Outcome};
use crate::slab::EventId;
use crate::timeout::{NEVER, before_never};

/// What the front is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step<T> {
    /// Tell the kernel [`Core::changes`] and wait for this long (`None`: for ever). Then say so
    /// by [`Core::waited`], and what was learnt by [`Core::report`], [`Core::refuse`] and
    /// [`Core::catch`].
    Wait(Option<Duration>),
    /// Run the callback of an event, and say so by [`Core::finish`].
    Run(Activation<T>),
    /// The run is over.
    Done(Outcome),
}

/// An event whose callback is to run, and why.
///
/// There may be [`Core::news`] as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation<T> {
    /// The event.
    pub id: EventId,
    /// All that happened since its callback ran last.
    pub ready: Ready,
    /// A clone of what is attached to it: there for as long as the callback runs, whatever that does to
    /// its event.
    pub payload: T,
}

/// Where in the turn the loop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No run.
    Idle,
    /// The turn begins.
    Top,
    /// The prepare watchers run.
    Prepare,
    /// The front waits.
    Waiting,
    /// The front waits, and has told the changes: what is recorded from now on is for the next wait.
    Told,
    /// What a look brought has been reported.
    Looked,
    /// What the wait brought has been reported; the check watchers run.
    Waited,
    /// Callbacks run.
    Dispatch,
}

impl<T> Core<T> {
    /// Begins a run.
    ///
    /// # Errors
    ///
    /// [`Reentrant`] if a run has begun and was neither done nor [aborted](Core::abort).
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loop`.
    pub fn begin(&mut self, mode: Mode) -> Result<(), Reentrant> {
        if self.phase != Phase::Idle {
            return Err(Reentrant);
        }
        self.mode = mode;
        self.now_is_fresh = false;
        self.now_is_of_turn = false;
        self.ran_before = self.ran.callbacks;
        self.phase = Phase::Top;
        Ok(())
    }

    /// Ends a run in its middle: because the wait failed, or a callback panicked. What is active
    /// stays active; nothing is lost.
    pub fn abort(&mut self) {
        self.phase = Phase::Idle;
        self.cleared = Level::NEVER;
        self.requests.rescan = false;
        self.forget_news();
        if let Some(id) = self.running.take()
            && let Some(event) = self.events.get(id)
            && event.state.contains(State::LINGERING)
        {
            self.withdraw(id.slot);
        }
    }
}

impl<T: Clone> Core<T> {
    /// Does the next part of the turn, up to where the front is needed.
    ///
    /// `now` is asked for the time, in nanoseconds since an origin of the clock's choosing: once before
    /// a wait that ends with a timeout (not before a look), once after it, and never where no timeout
    /// runs. (With prepare watchers also before these, with a limit of time also before each callback.)
    ///
    /// # Panics
    ///
    /// In debug builds if the front has not done what the step before asked for.
    #[inline]
    pub fn step(&mut self, mut now: impl FnMut() -> u64) -> Step<T> {
        loop {
            // It is never cleared for no level. Mostly it is while a turn dispatches.
            if self.cleared == self.active.most_urgent() {
                return Step::Run(self.run(self.cleared.known_priority()));
            }
            if let Some(step) = self.turn(&mut now) {
                return step;
            }
        }
    }

    /// The turn, from where it is to where the front is needed; `None` if a level is cleared for it.
    #[inline(never)]
    fn turn(&mut self, mut now: impl FnMut() -> u64) -> Option<Step<T>> {
        loop {
            match self.phase {
                Phase::Idle => return Some(Step::Done(Outcome::Break)),
                Phase::Top => {
                    if let Some(outcome) = self.leave() {
                        return Some(self.done(outcome));
                    }
                    self.stats.turns += 1;
                    self.deferred = 0;
                    self.active.splice_later(&mut self.events);
                    if self.prepare.is_empty() {
                        return Some(self.wait(&mut now));
                    }
                    // What is later is now: so they are told how long the wait would be.
                    self.coming_wait = self.timeout(&mut now);
                    self.prepare.rewind();
                    self.phase = Phase::Prepare;
                }
                Phase::Prepare => match self.prepare.advance() {
                    Some(slot) => return Some(self.run_watcher(slot)),
                    // They may have left nothing to wait for.
                    None if self.is_over() => self.phase = Phase::Top,
                    None => return Some(self.wait(&mut now)),
                },
                Phase::Waiting | Phase::Told => {
                    debug_assert!(false, "the front has not said that it waited");
                    self.waited();
                }
                Phase::Looked => {
                    if let Some(step) = self.wait_after_look(&mut now) {
                        return Some(step);
                    }
                    self.phase = Phase::Waited;
                }
                Phase::Waited => {
                    if let Some(slot) = self.check.advance() {
                        return Some(self.run_watcher(slot));
                    }
                    let brought = self.active.len();
                    let mut was_at_once = self.is_look;
                    if !self.timers.is_empty() {
                        let now_ns = self.fresh_ns(&mut now);
                        was_at_once |= self.wait_took_less(AT_ONCE_NS, now_ns);
                        self.expire(now_ns);
                    }
                    self.is_busy = brought > 1 || (brought == 1 && was_at_once);
                    self.active.note_most();
                    self.dispatch_began = (self.ran.callbacks, self.active.len());
                    self.began = None;
                    // A watcher need not ask for what is done anyway.
                    self.requests.rescan = false;
                    self.level = None;
                    self.phase = Phase::Dispatch;
                }
                // Items 9 and 10.
                Phase::Dispatch => {
                    match self.next(&mut now) {
                        Next::Run(level) if self.clear(level) => return None,
                        // What goes ahead, or is internal, does not decide which level the turn is for.
                        Next::Run(level) | Next::Yield(level) => {
                            return Some(Step::Run(self.run(level)));
                        }
                        Next::Done if self.is_work_done() => {
                            return Some(self.done(Outcome::Done));
                        }
                        Next::Done | Next::Leave => {}
                        Next::Limit => {
                            self.stats.throttled_turns += 1;
                            if self.mode == Mode::NonBlocking {
                                return Some(self.done(Outcome::Done));
                            }
                        }
                    }
                    self.phase = Phase::Top;
                    self.cleared = Level::NEVER;
                }
            }
        }
    }

    /// Hands a watcher to the front.
    fn run_watcher(&mut self, slot: u32) -> Step<T> {
        let event = &mut self.events[slot];
        event.runs += 1;
        let id = event.id(slot);
        let payload = event.shared_payload();
        if !event.state.contains(State::PERSISTENT) {
            self.linger(slot);
            self.settles = true;
        }
        self.running = Some(id);
        Step::Run(Activation {
            id,
            ready: Ready::empty(),
            payload,
        })
    }

    /// Takes the first event from the queue of this level and hands it to the front.
    #[inline]
    fn run(&mut self, level: Priority) -> Activation<T> {
        let (slot, event) = self.active.pop(&mut self.events, level);
        let id = event.id(slot);
        let ready = core::mem::replace(&mut event.ready, Ready::empty());
        event.runs += 1;
        self.running = Some(id);
        self.ran.count(ready);
        let payload = event.shared_payload();
        if !event.is_plain() {
            self.begin_run(slot, ready);
        }
        Activation { id, ready, payload }
    }
}

impl<T> Core<T> {
    /// What else is to be done where the callback of an event is about to run, if it is not
    /// [plain](crate::event::Event::is_plain).
    #[inline]
    fn begin_run(&mut self, slot: u32, ready: Ready) {
        let state = self.events[slot].state;
        if !state.contains(State::PERSISTENT) {
            self.linger(slot);
            self.settles = true;
        } else if state.contains(State::TIMED) && !ready.contains(Ready::TIMEOUT) {
            self.rearm_idle(slot);
        }
        if state.intersects(State::NEWS | State::INTERNAL) {
            self.take_news(slot, ready);
        }
    }

    /// Lets the turn be for this level, the most urgent, unless its first event is internal; whether the
    /// level is cleared: with limits there is something to ask between two of its events.
    fn clear(&mut self, level: Priority) -> bool {
        let first = &self.events[self.active.first(level)];
        if first.state.contains(State::INTERNAL) {
            return false;
        }
        if !self.mode.runs_all_levels() {
            self.level = Some(level);
        }
        if !self.is_limited {
            self.cleared = level.into();
        }
        !self.is_limited
    }

    /// Item 5 of the turn.
    ///
    /// A timeout costs the kernel more than a look, and us a reading of the clock. So where something may well
    /// be ready a look comes first, and the wait only if that finds nothing.
    ///
    /// Inlined in both places: a turn takes 20 instructions less.
    #[inline(always)]
    fn wait(&mut self, now: impl FnMut() -> u64) -> Step<T> {
        self.stats.waits += 1;
        self.is_look = self.is_busy && !self.timers.is_empty() && !self.has_no_time();
        let timeout = if self.is_look {
            Some(Duration::ZERO)
        } else {
            self.timeout(now)
        };
        self.wait_for(timeout)
    }

    /// The wait for which a look was first; `None` if there is no need of it any more.
    fn wait_after_look(&mut self, now: impl FnMut() -> u64) -> Option<Step<T>> {
        if self.is_woken || self.is_over() {
            return None;
        }
        let timeout = self.timeout(now);
        if timeout == Some(Duration::ZERO) {
            return None;
        }
        self.stats.vain_looks += 1;
        self.is_look = false;
        Some(self.wait_for(timeout))
    }

    #[inline]
    fn wait_for(&mut self, timeout: Option<Duration>) -> Step<T> {
        self.fds.prune();
        self.is_woken = false;
        self.wait_began_ns = self.now_is_fresh.then_some(self.now_ns);
        self.now_is_fresh = false;
        self.now_is_of_turn = false;
        self.phase = Phase::Waiting;
        Step::Wait(timeout)
    }

    /// Whether the last wait is known to have taken less than so long, at its end.
    #[inline]
    fn wait_took_less(&self, most_ns: u64, now_ns: u64) -> bool {
        self.wait_began_ns
            .is_some_and(|began_ns| now_ns - began_ns < most_ns)
    }

    /// Whether to leave before the wait, after the prepare watchers. (After an exit the turn is gone
    /// through, without waiting.)
    const fn is_over(&self) -> bool {
        self.requests.stop || (self.is_empty() && !matches!(self.mode, Mode::StayOnEmpty))
    }

    /// Item 1 and 2 of the turn.
    fn leave(&self) -> Option<Outcome> {
        if self.requests.stop {
            Some(Outcome::Break)
        } else if self.requests.exit {
            Some(Outcome::Exit)
        } else if self.mode != Mode::StayOnEmpty && self.is_empty() {
            Some(Outcome::Empty)
        } else {
            None
        }
    }

    fn done(&mut self, outcome: Outcome) -> Step<T> {
        let outcome = match outcome {
            Outcome::Done if self.requests.exit => Outcome::Exit,
            outcome => outcome,
        };
        match outcome {
            Outcome::Break => self.requests.stop = false,
            Outcome::Exit => self.requests.exit = false,
            Outcome::Empty | Outcome::Done => {}
        }
        self.requests.rescan = false;
        self.phase = Phase::Idle;
        self.cleared = Level::NEVER;
        Step::Done(outcome)
    }

    /// Whether an event that is always ready asks for anything.
    fn is_always_ready(&self) -> bool {
        self.always.iter().any(|slot| {
            self.events[*slot]
                .interest()
                .intersects(Interest::READ | Interest::WRITE)
        })
    }

    /// Whether a callback has run in this run, internal events and watchers aside.
    const fn has_run(&self) -> bool {
        self.ran.callbacks != self.ran_before
    }

    /// Whether there is not to be waited, whatever the timeouts are.
    #[inline]
    fn has_no_time(&self) -> bool {
        let is_active =
            self.active.len() != 0 || !self.active.is_later_empty() || self.is_always_ready();
        let is_finished = self.mode == Mode::Once && self.has_run();
        is_active || is_finished || self.requests.exit || self.mode == Mode::NonBlocking
    }

    /// How long to wait; `None`: for ever.
    #[inline]
    fn timeout(&mut self, now: impl FnMut() -> u64) -> Option<Duration> {
        if self.has_no_time() {
            return Some(Duration::ZERO);
        }
        if self.timers.is_empty() {
            return None;
        }
        self.time_left(now)
    }

    /// How long it is until something may be due.
    #[inline(never)]
    fn time_left(&mut self, now: impl FnMut() -> u64) -> Option<Duration> {
        let now_ns = self.fresh_ns(now);
        if self.timers.peek_due(before_never(now_ns)).is_some() {
            return Some(Duration::ZERO);
        }
        // Nothing is due now, nor before then.
        let until_ns = self.timers.look_again_ns().filter(|ns| *ns != NEVER)?;
        Some(Duration::from_nanos(until_ns - now_ns))
    }

    /// The time, read anew if a wait or a callback came since it was read last.
    #[inline]
    pub(crate) fn fresh_ns(&mut self, mut now: impl FnMut() -> u64) -> u64 {
        if !self.now_is_fresh {
            self.set_now(now());
            self.now_is_fresh = true;
        }
        self.now_ns
    }

    /// What comes next while the turn dispatches.
    fn next(&mut self, now: impl FnMut() -> u64) -> Next {
        if self.requests.stop || core::mem::take(&mut self.requests.rescan) {
            return Next::Leave;
        }
        match self.active.most_urgent().priority() {
            None => Next::Done,
            // Something more urgent came, or the level is done.
            Some(urgent) if self.level.is_some_and(|level| level != urgent) => Next::Done,
            Some(urgent) if self.is_limited => self.next_within_limits(urgent, now),
            Some(urgent) => Next::Run(urgent),
        }
    }

    /// Whether a run that ends when its work is done has done it, where nothing is active any more.
    const fn is_work_done(&self) -> bool {
        match self.mode {
            Mode::NonBlocking => true,
            Mode::Once => self.has_run(),
            Mode::UntilEmpty | Mode::StayOnEmpty => false,
        }
    }
}

/// A wait that takes no longer has not slept: to be woken takes a thread longer than that.
const AT_ONCE_NS: u64 = 2_000;

/// See [`Core::next`].
pub(crate) enum Next {
    /// The first event of this level.
    Run(Priority),
    /// The first event of this level, ahead of something more urgent.
    Yield(Priority),
    /// Nothing: all that this turn is for has run.
    Done,
    /// Nothing: the turn was cut short.
    Leave,
    /// Nothing: the turn has had its share.
    Limit,
}
