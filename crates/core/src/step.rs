//! The turn of the loop, as a step machine.
//!
//! [`Core::step`] is the list of the crate's documentation, in order: leave, splice, wait, report,
//! expire, run. It returns whenever the front has something to do, and goes on from there at the
//! next call.

use core::time::Duration;

use evloop_changelist::{Interest, Ready};

use crate::Core;
use crate::error::Reentrant;
use crate::event::{Priority, State};
use crate::run::{Limits, Mode, Outcome};
use crate::slab::EventId;
use crate::timeout::nanoseconds;

/// What the front is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Say what time it is: [`Core::set_now`].
    Time,
    /// Tell the kernel [`Core::changes`] and wait for this long (`None`: for ever). Then say so
    /// by [`Core::waited`], and what was learnt by [`Core::report`], [`Core::refuse`] and
    /// [`Core::catch`].
    Wait(Option<Duration>),
    /// Run the callback of an event: [`Core::take`] its payload, and give it back by
    /// [`Core::finish`].
    Run(Activation),
    /// The run is over.
    Done(Outcome),
}

/// An event whose callback is to run, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The event.
    pub id: EventId,
    /// All that happened since its callback ran last.
    pub ready: Ready,
    /// How often its signal was caught since. No more than 1 if its callback runs for
    /// [each](crate::Spec::each) delivery.
    pub count: u64,
    /// Deliveries for which its callback is still to run, each in its turn: it is active for them
    /// already.
    pub left: u64,
    /// Where the kernel refused a change of interest in its file descriptor: why. Else 0.
    pub errno: i32,
}

/// Where in the turn the loop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No run.
    Idle,
    /// The turn begins.
    Top,
    /// What is later is now; the prepare watchers are to be told how long the wait would be.
    Announce,
    /// The prepare watchers run.
    Prepare,
    /// The wait comes next.
    BeforeWait,
    /// The front waits.
    Waiting,
    /// What the wait brought has been reported; the check watchers run.
    Waited,
    /// Timeouts expire next.
    Expire,
    /// Callbacks run; those of the level named only, once one has been.
    Dispatch(Option<Priority>),
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
        self.has_run = false;
        self.phase = Phase::Top;
        Ok(())
    }

    /// Ends a run in its middle: because the wait failed, or a callback panicked. What is active
    /// stays active; nothing is lost.
    pub fn abort(&mut self) {
        self.phase = Phase::Idle;
        self.requests.rescan = false;
        if let Some(id) = self.running.take()
            && let Some(event) = self.events.get_mut(id)
        {
            event.state.remove(State::RUNNING);
            if event.state.contains(State::LINGERING) {
                self.withdraw(id.slot);
            }
        }
    }

    /// Does the next part of the turn, up to where the front is needed.
    ///
    /// # Panics
    ///
    /// In debug builds if the front has not done what the step before asked for.
    pub fn step(&mut self) -> Step {
        loop {
            match self.phase {
                Phase::Idle => return Step::Done(Outcome::Break),
                Phase::Top => {
                    if let Some(outcome) = self.leave() {
                        return self.done(outcome);
                    }
                    self.stats.turns += 1;
                    self.deferred = 0;
                    self.active.splice_later(&mut self.events);
                    self.phase = Phase::Announce;
                }
                Phase::Announce => {
                    if self.prepare.is_empty() {
                        self.phase = Phase::BeforeWait;
                        continue;
                    }
                    let Some(timeout) = self.timeout() else {
                        return Step::Time;
                    };
                    self.coming_wait = timeout.finite();
                    self.prepare.rewind();
                    self.phase = Phase::Prepare;
                }
                Phase::Prepare => match self.prepare.advance() {
                    Some(slot) => return self.run_watcher(slot),
                    // They may have left nothing to wait for.
                    None if self.is_over() => self.phase = Phase::Top,
                    None => self.phase = Phase::BeforeWait,
                },
                Phase::BeforeWait => {
                    let Some(timeout) = self.timeout() else {
                        return Step::Time;
                    };
                    self.fds.prune();
                    self.now_is_fresh = false;
                    self.now_is_of_turn = false;
                    self.stats.waits += 1;
                    self.phase = Phase::Waiting;
                    return Step::Wait(timeout.finite());
                }
                Phase::Waiting => {
                    debug_assert!(false, "the front has not said that it waited");
                    self.waited();
                }
                Phase::Waited => match self.check.advance() {
                    Some(slot) => return self.run_watcher(slot),
                    None => self.phase = Phase::Expire,
                },
                Phase::Expire => {
                    if !self.timers.is_empty() {
                        if !self.now_is_fresh {
                            return Step::Time;
                        }
                        self.expire();
                    }
                    self.began = None;
                    // A watcher need not ask for what is done anyway.
                    self.requests.rescan = false;
                    self.phase = Phase::Dispatch(None);
                }
                Phase::Dispatch(level) => match self.next(level) {
                    Next::Run(slot) => return self.run(slot),
                    Next::Done if self.is_work_done() => return self.done(Outcome::Done),
                    Next::Done | Next::Leave => self.phase = Phase::Top,
                    Next::Time => return Step::Time,
                    Next::Limit => {
                        self.stats.throttled_turns += 1;
                        if self.mode == Mode::NonBlocking {
                            return self.done(Outcome::Done);
                        }
                        self.phase = Phase::Top;
                    }
                },
            }
        }
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

    fn done(&mut self, outcome: Outcome) -> Step {
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

    /// How long to wait; `None` if that takes the time to tell.
    fn timeout(&mut self) -> Option<Timeout> {
        let busy =
            self.active.len() != 0 || !self.active.is_later_empty() || self.is_always_ready();
        let finished = self.mode == Mode::Once && self.has_run;
        if busy || finished || self.requests.exit || self.mode == Mode::NonBlocking {
            return Some(Timeout::Zero);
        }
        if self.timers.is_empty() {
            return Some(Timeout::Never);
        }
        if !self.now_is_fresh {
            return None;
        }
        if self.timers.peek_due(self.now_ns).is_some() {
            return Some(Timeout::Zero);
        }
        // Nothing is due now, nor before then.
        let until_ns = self.timers.look_again_ns()?;
        Some(Timeout::In(until_ns - self.now_ns))
    }

    /// What comes next while the turn dispatches.
    fn next(&mut self, level: Option<Priority>) -> Next {
        if self.requests.stop || core::mem::take(&mut self.requests.rescan) {
            return Next::Leave;
        }
        let Some(urgent) = self.active.most_urgent() else {
            return Next::Done;
        };
        let level = if self.mode.runs_all_levels() {
            urgent
        } else {
            level.unwrap_or(urgent)
        };
        match self.active.first(level) {
            Some(slot) if urgent == level => self.within_limits(level, slot),
            // Something more urgent came, or the level is done.
            _ => Next::Done,
        }
    }

    /// Runs the event, unless this turn has had its share of callbacks.
    fn within_limits(&mut self, level: Priority, slot: u32) -> Next {
        let Limits {
            callbacks,
            interval,
            from,
        } = self.limits;
        if level < from || (callbacks.is_none() && interval.is_none()) {
            return Next::Run(slot);
        }
        let (began_ns, ran) = match self.began {
            Some(began) => began,
            None if interval.is_some() && !self.now_is_fresh => return Next::Time,
            None => (self.now_ns, 0),
        };
        if ran > 0 {
            if callbacks.is_some_and(|callbacks| ran >= callbacks) {
                return Next::Limit;
            }
            if let Some(interval) = interval {
                if !self.now_is_fresh {
                    return Next::Time;
                }
                if self.now_ns - began_ns >= nanoseconds(interval) {
                    return Next::Limit;
                }
            }
        }
        self.began = Some((began_ns, ran.saturating_add(1)));
        Next::Run(slot)
    }

    /// Whether a run that ends when its work is done has done it, where nothing is active any more.
    const fn is_work_done(&self) -> bool {
        match self.mode {
            Mode::NonBlocking => true,
            Mode::Once => self.has_run,
            Mode::UntilEmpty | Mode::StayOnEmpty => false,
        }
    }

    /// Hands a watcher to the front.
    fn run_watcher(&mut self, slot: u32) -> Step {
        let id = self.events.id_at(slot);
        self.events[slot].state.insert(State::RUNNING);
        self.events[slot].runs += 1;
        if !self.events[slot].spec.persistent {
            self.linger(slot);
        }
        self.running = Some(id);
        self.now_is_fresh = false;
        Step::Run(Activation {
            id,
            ready: Ready::empty(),
            count: 0,
            left: 0,
            errno: 0,
        })
    }

    /// Takes an event from its queue and hands it to the front.
    fn run(&mut self, slot: u32) -> Step {
        self.active.unlink(&mut self.events, slot);
        let id = self.events.id_at(slot);
        let event = &mut self.events[slot];
        let level = event.spec.priority;
        let count = if event.spec.each {
            event.count.min(1)
        } else {
            event.count
        };
        event.count -= count;
        let activation = Activation {
            id,
            ready: core::mem::replace(&mut event.ready, Ready::empty()),
            count,
            left: event.count,
            errno: core::mem::take(&mut event.errno),
        };
        event.state.insert(State::RUNNING);
        event.runs += 1;
        let internal = event.spec.internal;
        self.has_run |= !internal;
        if !event.spec.persistent {
            self.linger(slot);
        } else if let (Some(timer), Some(interval)) = (event.timer, event.spec.timeout)
            && !activation.ready.contains(Ready::TIMEOUT)
        {
            // It was heard of in another way: its interval begins anew, with this turn, or with the
            // callback of this turn that has started it since.
            let started_ns = self.timers.deadline(timer).map_or(0, |deadline_ns| {
                deadline_ns.saturating_sub(nanoseconds(interval))
            });
            self.rearm(
                timer,
                self.lane(interval),
                interval,
                started_ns.max(self.now_ns),
            );
        }
        if activation.left > 0 {
            // As if the others came now. The callback may still delete them.
            self.make_active(slot, Ready::SIGNAL);
        }
        self.stats.count(activation.ready, internal);
        self.running = Some(id);
        self.now_is_fresh = false;
        // Internal events do not decide which level a turn is for.
        let Phase::Dispatch(current) = self.phase else {
            unreachable!("events run while the turn dispatches");
        };
        self.phase = Phase::Dispatch(if internal {
            current
        } else {
            current.or(Some(level))
        });
        Step::Run(activation)
    }
}

/// See [`Core::next`].
enum Next {
    /// This event.
    Run(u32),
    /// Nothing: all that this turn is for has run.
    Done,
    /// Nothing: the turn was cut short.
    Leave,
    /// Nothing: the turn has had its share.
    Limit,
    /// That takes the time to tell.
    Time,
}

enum Timeout {
    Zero,
    /// Nanoseconds.
    In(u64),
    Never,
}

impl Timeout {
    const fn finite(&self) -> Option<Duration> {
        match *self {
            Self::Zero => Some(Duration::ZERO),
            Self::In(ns) => Some(Duration::from_nanos(ns)),
            Self::Never => None,
        }
    }
}
