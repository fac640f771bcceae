//! The backend: how a change reaches the model kernel, and how a wait ends.
//!
//! A change is not turned into a system call, which may be the wrong one, but into its meaning: the
//! kernel holds exactly what is wanted. So a loop's view is judged by a rule of its own.

use std::io;
use std::time::Duration;

use evloop_backend::{Backend, Capabilities, ControlError, Report, WaitError};
use evloop_changelist::{Edits, Entry, Interest, RawFd, Ready, Token, Trigger};

use crate::Sim;
use crate::clock::{Action, nanos};
use crate::kernel::{Held, Key};
use crate::sim::World;

/// The kernel mechanism of a [`Sim`].
///
/// It does everything that epoll does: both triggers, and [`Interest::CLOSED`] without reading.
#[derive(Debug)]
pub struct SimBackend {
    pub(crate) sim: Sim,
}

impl Backend for SimBackend {
    fn name(&self) -> &'static str {
        "sim"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::EDGE | Capabilities::EARLY_CLOSE
    }

    /// # Errors
    ///
    /// `EBADF` for a number that is not open, `EPERM` for a regular file.
    fn add(
        &mut self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> Result<(), ControlError> {
        let mut world = self.sim.world();
        world.counts.controls += 1;
        let call = "epoll_ctl(EPOLL_CTL_ADD)";
        let held = world.kernel.hold(fd, token, interest, trigger);
        held.map_err(|source| ControlError { call, fd, source })
    }

    /// # Errors
    ///
    /// None.
    fn delete(&mut self, fd: RawFd) -> Result<(), ControlError> {
        let mut world = self.sim.world();
        world.counts.controls += 1;
        world.kernel.forget(fd);
        Ok(())
    }

    /// A wait that has a refusal to report does not block.
    ///
    /// With nothing to report, time jumps to what comes first: the next plan of [`Sim::at`], or
    /// the end of the timeout. A plan for the very end still counts.
    ///
    /// # Errors
    ///
    /// A wait without a timeout that nothing can ever end, because nothing is planned: a deadlock,
    /// which a real wait would sit out in silence. A world whose actions plan themselves again for
    /// ever is never without a plan.
    fn wait(
        &mut self,
        changes: &[Entry],
        timeout: Option<Duration>,
        reports: &mut Vec<Report>,
    ) -> Result<(), WaitError> {
        let is_refused = self.sim.world().begin_wait(changes, reports);
        let started_ns = self.sim.now_ns();
        // What is overdue happens first, so that disorder is drawn for a world that stands still.
        self.sim.pass_until(started_ns);
        let plan = self.sim.world().plan_wait(timeout, is_refused);
        self.block(plan.until_ns)?;

        let late_until_ns = self.sim.world().draw_lateness(started_ns);
        self.sim.pass_until(late_until_ns);

        let mut world = self.sim.world();
        if !(plan.is_interrupted || world.is_interrupted) {
            world.collect(plan.spurious, reports);
        }
        Ok(())
    }
}

impl SimBackend {
    /// Lets time pass until something is ready, the wait is interrupted or its time is over.
    fn block(&self, until_ns: Option<u64>) -> Result<(), WaitError> {
        loop {
            // Bound by `let` so that the world is free again while the action runs.
            let next = self.sim.world().step_wait(until_ns)?;
            let Some(action) = next else { return Ok(()) };
            action(&self.sim);
        }
    }
}

/// How a wait is to end, if nothing becomes ready.
struct Plan {
    until_ns: Option<u64>,
    is_interrupted: bool,
    spurious: Option<(Key, Ready)>,
}

impl World {
    /// Applies the changes; whether one was refused.
    fn begin_wait(&mut self, changes: &[Entry], reports: &mut Vec<Report>) -> bool {
        self.counts.waits += 1;
        self.is_interrupted = false;
        let reported = reports.len();
        for entry in changes {
            self.apply(entry, reports);
        }
        reports.len() > reported
    }

    /// Draws how the wait is to end.
    fn plan_wait(&mut self, timeout: Option<Duration>, is_refused: bool) -> Plan {
        let now_ns = self.timeline.now_ns();
        let spurious = self.draw_spurious();
        let has_report = is_refused || spurious.is_some();
        let timeout_ns = if has_report {
            Some(0)
        } else {
            timeout.map(nanos)
        };
        let mut until_ns = timeout_ns.map(|timeout_ns| now_ns.saturating_add(timeout_ns));

        let is_interrupted = self.random.happens(self.disorder.interrupted_percent);
        if is_interrupted {
            // Before it would have ended, as far as that is known.
            let end_ns = until_ns.into_iter().chain(self.timeline.next_ns()).min();
            let span_ns = end_ns.unwrap_or(now_ns) - now_ns;
            until_ns = Some(now_ns + self.random.up_to(span_ns));
        }
        Plan {
            until_ns,
            is_interrupted,
            spurious,
        }
    }

    /// Moves on to the next action before the end of the wait, or to that end.
    fn step_wait(&mut self, until_ns: Option<u64>) -> Result<Option<Action>, WaitError> {
        let is_over = self.is_interrupted || !self.kernel.settle().is_empty();
        // What happens at this very moment still happens.
        let over_ns = is_over.then(|| self.timeline.now_ns());
        let limit_ns = over_ns.or(until_ns).unwrap_or(u64::MAX);
        let action = self.timeline.take_due(limit_ns);
        if action.is_none() && !is_over {
            self.timeline.move_to(until_ns.ok_or_else(deadlock)?);
        }
        Ok(action)
    }

    /// Makes the kernel hold what an entry wants, or reports why it does not.
    fn apply(&mut self, entry: &Entry, reports: &mut Vec<Report>) {
        let Entry { fd, token, change } = *entry;
        let (wanted, trigger) = (change.wanted(), change.trigger());
        let is_held = match self.kernel.held(fd) {
            Some(held) => (held.interest, held.trigger) == (wanted, trigger),
            None => wanted.is_empty(),
        };
        if is_held && change.edits() == Edits::KEEP {
            return;
        }
        self.counts.controls += 1;
        if wanted.is_empty() {
            self.kernel.forget(fd);
            return;
        }
        if let Err(refusal) = self.kernel.hold(fd, token, wanted, trigger) {
            let errno = refusal.raw_os_error().expect("a refusal has a number");
            reports.push(Report {
                token,
                ready: Ready::ERROR,
                errno,
            });
        }
    }

    /// Something to make up, if it is time to.
    fn draw_spurious(&mut self) -> Option<(Key, Ready)> {
        if !self.random.happens(self.disorder.spurious_percent) {
            return None;
        }
        let asked = |held: Held| Ready::from(held.interest) & (Ready::READ | Ready::WRITE);
        let items = self.kernel.items().map(|(key, held)| (key, asked(held)));
        let items: Vec<_> = items.filter(|(_, ready)| !ready.is_empty()).collect();
        let drawn = (!items.is_empty()).then(|| self.random.index(items.len()));
        drawn.map(|index| items[index])
    }

    /// When a wait that began at `started_ns` and could end now does end.
    fn draw_lateness(&mut self, started_ns: u64) -> u64 {
        let now_ns = self.timeline.now_ns();
        if now_ns == started_ns || !self.random.happens(self.disorder.late_percent) {
            return now_ns;
        }
        now_ns.saturating_add(self.random.up_to(nanos(self.disorder.late_at_most)))
    }

    /// Reports what is ready, and what is made up, in the order and to the extent drawn.
    fn collect(&mut self, spurious: Option<(Key, Ready)>, reports: &mut Vec<Report>) {
        let mut found = self.kernel.settle();
        if let Some((key, made_up)) = spurious {
            match found.iter_mut().find(|(other, _)| *other == key) {
                Some((_, ready)) => *ready |= made_up,
                None => found.push((key, made_up)),
            }
        }
        if self.random.happens(self.disorder.shuffled_percent) {
            self.random.shuffle(&mut found);
        }
        if found.len() > 1 && self.random.happens(self.disorder.partial_percent) {
            found.truncate(1 + self.random.index(found.len() - 1));
        }
        for (key, ready) in found {
            let token = self.kernel.token(key);
            reports.push(Report {
                token,
                ready,
                errno: 0,
            });
            self.kernel.reported(key);
        }
    }
}

fn deadlock() -> WaitError {
    let why = "nothing is ready, nothing is planned and there is no timeout: it would never end";
    WaitError {
        call: "simulated wait",
        source: io::Error::new(io::ErrorKind::Deadlock, why),
    }
}
