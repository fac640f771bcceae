//! The backend: how a change reaches the model kernel, and how a wait ends.
//!
//! A change is not turned into a system call, which may be the wrong one, but into its meaning: the
//! kernel holds exactly what is wanted. So a loop's view is judged by a rule of its own.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use evloop_backend::{self as backend, Backend, Capabilities, ControlError, Report, WaitError};
use evloop_changelist::{Change, Edit, Edits, Entry, Interest, RawFd, Ready, Token, Trigger};

use crate::Sim;
use crate::clock::{Action, nanos};
use crate::errno::fail;
use crate::faults::Call;
use crate::kernel::{Held, Key, SetId, asked};
use crate::sim::State;

/// The kernel mechanism of a [`Sim`].
///
/// It does everything that epoll does: both triggers, and [`Interest::CLOSED`] without reading.
#[derive(Debug)]
pub struct SimBackend {
    pub(crate) sim: Sim,
    pub(crate) set: Rc<SetId>,
}

impl Drop for SimBackend {
    fn drop(&mut self) {
        self.sim.state().close_unused(&self.set);
    }
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
    /// `EBADF` for a number that is not open, `EPERM` for a regular file, and what [`Call::Add`] is made
    /// to fail with.
    fn add(
        &mut self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> Result<(), ControlError> {
        let mut state = self.sim.state();
        state.counts.controls += 1;
        let call = "epoll_ctl(EPOLL_CTL_ADD)";
        let held = match state.draw_fault(Call::Add) {
            Some(errno) => fail(errno),
            None => state.kernel.hold(*self.set, fd, token, interest, trigger),
        };
        held.map_err(|source| ControlError { call, fd, source })
    }

    /// # Errors
    ///
    /// None.
    fn delete(&mut self, fd: RawFd) -> Result<(), ControlError> {
        let mut state = self.sim.state();
        state.counts.controls += 1;
        state.kernel.forget(*self.set, fd);
        Ok(())
    }

    /// A wait that has a refusal to report does not block.
    ///
    /// With nothing to report, time jumps to what comes first: the next plan of [`Sim::at`], or
    /// the end of the timeout. A plan for the very end still counts.
    ///
    /// # Errors
    ///
    /// What [`Call::Wait`] is made to fail with. A wait without a timeout that nothing can ever end,
    /// because nothing is planned: a deadlock, which a real wait would sit out in silence. (A world
    /// whose actions plan themselves again for ever is never without a plan.) And the last of a hundred
    /// thousand waits between which no time has passed: a loop that spins, whose test would never end.
    fn wait(
        &mut self,
        changes: &[Entry],
        timeout: Option<Duration>,
        reports: &mut Vec<Report>,
    ) -> Result<(), WaitError> {
        let is_refused = self.sim.state().begin_wait(*self.set, changes, reports);
        if let Some(errno) = self.sim.state().draw_fault(Call::Wait) {
            let source = io::Error::from_raw_os_error(errno);
            return Err(WaitError { call: WAIT, source });
        }
        let started_ns = self.sim.now_ns();
        self.sim.state().watch_for_spin(started_ns)?;
        // What is overdue happens first, so that disorder is drawn for a world that stands still.
        self.sim.pass_until(started_ns);
        let plan = self.sim.state().plan_wait(*self.set, timeout, is_refused);
        self.block(plan.until_ns)?;

        let late_until_ns = self.sim.state().draw_lateness(started_ns);
        self.sim.pass_until(late_until_ns);

        let mut state = self.sim.state();
        if !(plan.is_interrupted || state.is_interrupted) {
            state.collect(*self.set, plan.spurious, reports);
        }
        Ok(())
    }

    /// What the model kernel holds, ghosts included.
    fn interest_set(&self) -> io::Result<Option<Vec<backend::Held>>> {
        let held = self.sim.state().kernel.sorted_items(*self.set);
        let held = held.into_iter().map(|held| backend::Held {
            fd: held.fd,
            token: held.token,
            interest: held.interest,
            trigger: held.trigger,
        });
        Ok(Some(held.collect()))
    }
}

impl SimBackend {
    /// Lets time pass until something is ready, the wait is interrupted or its time is over.
    fn block(&self, until_ns: Option<u64>) -> Result<(), WaitError> {
        loop {
            // Bound by `let` so that the world is free again while the action runs.
            let next = self.sim.state().step_wait(*self.set, until_ns)?;
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

impl State {
    /// Applies the changes; whether one was refused.
    fn begin_wait(&mut self, set: SetId, changes: &[Entry], reports: &mut Vec<Report>) -> bool {
        self.counts.waits += 1;
        self.is_interrupted = false;
        self.was_woken = self.signals.is_woken();
        let reported = reports.len();
        for entry in changes {
            self.apply(set, entry, reports);
        }
        reports.len() > reported
    }

    /// Refuses to go on where time does not.
    fn watch_for_spin(&mut self, now_ns: u64) -> Result<(), WaitError> {
        let (last_ns, waits) = self.standstill;
        let waits = if last_ns == now_ns { waits + 1 } else { 1 };
        self.standstill = (now_ns, waits);
        if waits < SPIN_WAITS {
            return Ok(());
        }
        let why = "so many waits, and no time has passed: it spins";
        Err(WaitError {
            call: WAIT,
            source: io::Error::new(io::ErrorKind::Deadlock, why),
        })
    }

    /// Draws how the wait is to end.
    fn plan_wait(&mut self, set: SetId, timeout: Option<Duration>, is_refused: bool) -> Plan {
        let now_ns = self.timeline.now_ns();
        let spurious = self.draw_spurious(set);
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
    fn step_wait(
        &mut self,
        set: SetId,
        until_ns: Option<u64>,
    ) -> Result<Option<Action>, WaitError> {
        // A wakeup from before the wait writes nothing that would end it: the loop was to know.
        let is_woken = !self.was_woken && self.signals.is_woken();
        let is_cut = self.is_interrupted || is_woken;
        let is_over = is_cut || !self.kernel.settle(set).is_empty();
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
    fn apply(&mut self, set: SetId, entry: &Entry, reports: &mut Vec<Report>) {
        let Entry { fd, token, change } = *entry;
        let (wanted, trigger) = (wanted(&change), change.trigger());
        let is_held = match self.kernel.held(set, fd) {
            Some(held) => (held.interest, held.trigger) == (wanted, trigger),
            None => wanted.is_empty(),
        };
        if is_held && change.edits() == Edits::KEEP {
            return;
        }
        self.counts.controls += 1;
        if wanted.is_empty() {
            self.kernel.forget(set, fd);
            return;
        }
        let held = match self.draw_fault(Call::Change) {
            None => self.kernel.hold(set, fd, token, wanted, trigger),
            Some(errno) => {
                // Once it is refused, nothing is held.
                self.kernel.forget(set, fd);
                fail(errno)
            }
        };
        if let Err(refusal) = held {
            let errno = refusal.raw_os_error().expect("a refusal has a number");
            reports.push(Report::refused(token, errno));
        }
    }

    /// Something to make up, if it is time to.
    fn draw_spurious(&mut self, set: SetId) -> Option<(Key, Ready)> {
        if !self.random.happens(self.disorder.spurious_percent) {
            return None;
        }
        let asked = |held: Held| asked(held.interest) & (Ready::READ | Ready::WRITE);
        let items = self.kernel.items(set).map(|(key, held)| (key, asked(held)));
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
    fn collect(&mut self, set: SetId, spurious: Option<(Key, Ready)>, reports: &mut Vec<Report>) {
        let mut found = self.kernel.settle(set);
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
            let token = self.kernel.token(set, key);
            reports.push(Report::ready(token, ready));
            self.kernel.reported(set, key);
        }
    }
}

/// What an entry asks the kernel to hold. Read off the edits here, and not asked of the code that is to
/// be judged by it.
fn wanted(change: &Change) -> Interest {
    let Edits {
        read,
        write,
        closed,
    } = change.edits();
    let kinds = [
        (read, Interest::READ),
        (write, Interest::WRITE),
        (closed, Interest::CLOSED),
    ];
    let mut wanted = change.held();
    for (edit, kind) in kinds {
        match edit {
            Edit::Keep => {}
            Edit::Add => wanted.insert(kind),
            Edit::Delete => wanted.remove(kind),
        }
    }
    wanted
}

fn deadlock() -> WaitError {
    let why = "nothing is ready, nothing is planned and there is no timeout: it would never end";
    WaitError {
        call: WAIT,
        source: io::Error::new(io::ErrorKind::Deadlock, why),
    }
}

/// So many waits between which no time passes are a spin. A server that is busy for a moment has fewer.
const SPIN_WAITS: u32 = 100_000;

/// What stands for `epoll_pwait2`.
const WAIT: &str = "simulated wait";
