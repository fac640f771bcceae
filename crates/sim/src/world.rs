//! The simulated world as a loop sees it, signals among it; and the process that forked it off.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::mem;

use evloop_backend::{Backend, Bell, Clock, World};
use evloop_signals::Signal;

use crate::Sim;
use crate::errno::fail;
use crate::faults::Call;
use crate::kernel::ParentId;

/// The signals that are watched, how often each came, and whom to wake.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    came: BTreeMap<Signal, u64>,
    bell: Option<Box<dyn Bell>>,
}

impl Signals {
    pub(crate) fn is_woken(&self) -> bool {
        self.bell.as_ref().is_some_and(|bell| bell.is_woken())
    }
}

/// An `evloop` loop is built in the world by `Builder::build_in`.
impl World for Sim {
    /// What [`Sim::new_backend`] makes.
    ///
    /// # Errors
    ///
    /// What [`Call::Backend`] is made to fail with.
    fn backend(&self) -> io::Result<Box<dyn Backend>> {
        let refusal = self.state().draw_fault(Call::Backend);
        match refusal {
            Some(errno) => fail(errno),
            None => Ok(Box::new(self.new_backend())),
        }
    }

    fn clock(&self) -> Box<dyn Clock> {
        Box::new(Self::clock(self))
    }

    fn attach(&self, bell: Box<dyn Bell>) {
        let before = self.state().signals.bell.replace(bell);
        drop(before);
    }

    /// # Errors
    ///
    /// None.
    fn watch(&self, signal: Signal) -> io::Result<()> {
        self.state().signals.came.entry(signal).or_default();
        Ok(())
    }

    fn unwatch(&self, signal: Signal) {
        self.state().signals.came.remove(&signal);
    }

    fn take(&self, f: &mut dyn FnMut(Signal, u64)) {
        let mut came: Vec<(Signal, u64)> = Vec::new();
        for (signal, count) in &mut self.state().signals.came {
            came.push((*signal, mem::take(count)));
        }
        // With the state free again, as `f` may be anything.
        for (signal, count) in came {
            if count > 0 {
                f(signal, count);
            }
        }
    }
}

/// Signals and processes.
impl Sim {
    /// A signal is delivered, on the loop's thread. If it is [watched](World::watch) the handler
    /// counts it, rings the loop's bell and interrupts the wait in progress. If not it is ignored.
    pub fn raise(&self, signal: Signal) {
        let mut state = self.state();
        if let Some(count) = state.signals.came.get_mut(&signal) {
            *count += 1;
            state.is_interrupted = true;
            if let Some(bell) = &state.signals.bell {
                bell.wake();
            }
        }
    }

    /// Whether a signal came that was not taken.
    #[must_use]
    pub fn has_caught(&self) -> bool {
        self.state().signals.came.values().any(|count| *count > 0)
    }

    /// The signals that are watched, by number.
    #[must_use]
    pub fn watched(&self) -> Vec<Signal> {
        self.state().signals.came.keys().copied().collect()
    }

    /// The process forks, and the program under test goes on in the child. The parent has the same
    /// files open, and does nothing with them until it [ends](SimParent): what the child closes
    /// stays open there, and what the backend of before holds is the parent's.
    ///
    /// The loop in the child has to begin anew, as a real one: `EventLoop::after_fork`.
    #[must_use = "the parent ends when this is dropped"]
    pub fn fork(&self) -> SimParent {
        let id = self.state().kernel.fork();
        let sim = self.clone();
        SimParent { sim, id }
    }
}

/// The process that was forked off from: made by [`Sim::fork`]. It ends when this is dropped, and what
/// only it had open is closed then.
pub struct SimParent {
    sim: Sim,
    id: ParentId,
}

impl Drop for SimParent {
    fn drop(&mut self) {
        self.sim.state().kernel.end(self.id);
    }
}

impl fmt::Debug for SimParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimParent").field(&self.id).finish()
    }
}
