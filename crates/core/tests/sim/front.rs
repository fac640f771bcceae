//! The smallest front there is: it does in the simulated world what the core asks for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use evloop_changelist::{Interest, RawFd, Token};
use evloop_core::{AddError, Core, Demand, EventId, NoSuchEvent, Release, Step};
use evloop_signals::Signal;
use evloop_sim::{Backend, Clock, ControlError, Report, Sim, SimBackend, SimClock};

/// A core, and the world it runs in.
pub(crate) struct Front<T> {
    pub(crate) core: Core<T>,
    pub(crate) handlers: Handlers,
    pub(crate) grants: Vec<(RawFd, Token)>,
    backend: SimBackend,
    clock: SimClock,
}

/// The signals that are caught, and how often each was since the loop looked last.
#[derive(Clone, Default)]
pub(crate) struct Handlers(Rc<RefCell<BTreeMap<Signal, u64>>>);

/// What a wait brought.
#[derive(Default)]
pub(crate) struct Waited {
    pub(crate) reports: Vec<Report>,
    pub(crate) caught: Vec<(Signal, u64)>,
    /// It would never have ended: nothing is ready, planned or timed.
    pub(crate) is_stuck: bool,
}

impl<T> Front<T> {
    pub(crate) fn new(sim: &Sim) -> Self {
        Self {
            core: Core::new(),
            handlers: Handlers::default(),
            grants: Vec::new(),
            backend: sim.backend(),
            clock: sim.clock(),
        }
    }

    pub(crate) fn add(&mut self, id: EventId) -> Result<(), AddError<ControlError>> {
        let Self { core, clock, .. } = self;
        let (backend, handlers, grants) = (&mut self.backend, &self.handlers, &mut self.grants);
        let grant = |demand| grant(backend, handlers, grants, demand);
        core.add(id, || clock.now_ns(), grant)
    }

    pub(crate) fn set_interest(
        &mut self,
        id: EventId,
        interest: Interest,
    ) -> Result<(), AddError<ControlError>> {
        let (backend, handlers, grants) = (&mut self.backend, &self.handlers, &mut self.grants);
        let grant = |demand| grant(backend, handlers, grants, demand);
        self.core.set_interest(id, interest, grant)
    }

    pub(crate) fn set_timeout(
        &mut self,
        id: EventId,
        timeout: Option<Duration>,
    ) -> Result<(), NoSuchEvent> {
        let clock = &self.clock;
        self.core.set_timeout(id, timeout, || clock.now_ns())
    }

    /// Does what has to be done before a source may be closed.
    pub(crate) fn release(&mut self, release: Option<Release>) {
        match release {
            Some(Release::Fd(fd)) => self.backend.delete(fd).unwrap(),
            Some(Release::Signal(signal)) => self.handlers.uninstall(signal),
            None => {}
        }
    }

    /// What the loop asks for next.
    pub(crate) fn step(&mut self) -> Step<T>
    where
        T: Clone,
    {
        self.core.step(|| self.clock.now_ns())
    }

    /// Answers `Step::Wait`. A wait that was interrupted reported nothing, and that is all.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> Waited {
        // A signal that came since the last wait cannot interrupt this one any more.
        let has_caught = self.handlers.has_caught();
        let timeout = if has_caught {
            Some(Duration::ZERO)
        } else {
            timeout
        };
        let mut waited = Waited::default();
        let result = self
            .backend
            .wait(self.core.changes(), timeout, &mut waited.reports);
        waited.is_stuck = result.is_err();
        self.core.waited();
        for report in &waited.reports {
            match report.errno {
                0 => self.core.report(report.token, report.ready),
                errno => self.core.refuse(report.token, errno),
            }
        }
        waited.caught = self.handlers.take();
        for (signal, count) in &waited.caught {
            self.core.catch(*signal, *count);
        }
        waited
    }
}

/// Does what an event needs before it can be pending.
fn grant(
    backend: &mut SimBackend,
    handlers: &Handlers,
    grants: &mut Vec<(RawFd, Token)>,
    demand: Demand,
) -> Result<(), ControlError> {
    match demand {
        Demand::Fd {
            fd,
            token,
            interest,
            trigger,
        } => {
            backend.add(fd, token, interest, trigger)?;
            grants.push((fd, token));
        }
        Demand::Signal(signal) => handlers.install(signal),
    }
    Ok(())
}

impl Handlers {
    fn install(&self, signal: Signal) {
        let before = self.0.borrow_mut().insert(signal, 0);
        assert_eq!(before, None, "what is caught already is not demanded");
    }

    fn uninstall(&self, signal: Signal) {
        let count = self.0.borrow_mut().remove(&signal);
        assert!(count.is_some(), "what is released was caught");
    }

    /// The signal is delivered. Does what a handler does: counts, and interrupts the wait.
    pub(crate) fn raise(&self, sim: &Sim, signal: Signal) {
        if let Some(count) = self.0.borrow_mut().get_mut(&signal) {
            *count += 1;
            sim.interrupt();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    fn has_caught(&self) -> bool {
        self.0.borrow().values().any(|count| *count > 0)
    }

    fn take(&self) -> Vec<(Signal, u64)> {
        let mut handlers = self.0.borrow_mut();
        let counts = handlers.iter_mut().filter(|(_, count)| **count > 0);
        counts
            .map(|(signal, count)| (*signal, mem::take(count)))
            .collect()
    }
}
