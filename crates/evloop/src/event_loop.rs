//! The loop: the core's step machine, the kernel's side of it, and closures for callbacks.

use std::any::Any;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd};
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use evloop_backend::{Backend, Clock, Report};
use evloop_catcher::Catcher;
use evloop_changelist::{Interest, Ready, Token, Trigger};
use evloop_core::{
    Activation, Core, Demand, EventId, Leaving, Mode, Outcome, Priority, Release, Spec, Step,
};
use evloop_epoll::Epoll;
use evloop_pipe::Waker;
use evloop_signals::Signal;

use crate::clock::MonotonicClock;
use crate::context::Cx;
use crate::error::{AddError, IntoSourceError, NewError, RemoveError, RunError};
use crate::new_event::{Catch, Io, NewEvent, Timer, User, needs};

/// An event loop: I/O readiness, signals and timers as one kind of thing, run in turn.
///
/// `S` is the state that callbacks share; it is lent to them by [`EventLoop::run`]. A loop stays on
/// the thread that made it. A process may have any number of them.
///
/// # Compared with libevent
///
/// `struct event_base`.
pub struct EventLoop<S> {
    // First, so that the kernel forgets the sources before they are closed.
    backend: Box<dyn Backend>,
    core: Core<Payload<S>>,
    clock: Box<dyn Clock>,
    catcher: Catcher,
    waker: Arc<Waker>,
    /// What a wait learnt; kept for its memory.
    reports: Vec<Report>,
}

/// A callback, whatever its event waits for.
pub(crate) type Callback<S> = Box<dyn FnMut(&mut Cx<'_, S>, Activation)>;

/// What the loop attaches to an event of the core.
pub(crate) struct Payload<S> {
    pub(crate) callback: Callback<S>,
    /// The source, which the callback has as well.
    pub(crate) source: Option<Rc<dyn Any>>,
    pub(crate) label: &'static str,
    pub(crate) place: &'static Location<'static>,
}

/// The token of the internal pipe: no file descriptor has this number.
const INTERNAL: Token = Token {
    slot: u32::MAX,
    generation: u32::MAX,
};

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
        let mut backend = Epoll::new().map_err(NewError::Backend)?;
        let waker = Arc::new(Waker::new().map_err(NewError::Pipe)?);
        backend
            .add(
                waker.as_fd().as_raw_fd(),
                INTERNAL,
                Interest::READ,
                Trigger::Edge,
            )
            .map_err(NewError::Control)?;
        let catcher = Catcher::new(Arc::clone(&waker));
        Ok(Self {
            backend: Box::new(backend),
            core: Core::new(),
            clock: Box::new(MonotonicClock),
            catcher,
            waker,
            reports: Vec::new(),
        })
    }

    /// An event for readiness of a source: a socket, a pipe, a terminal, anything that can be
    /// waited for. See [`NewEvent`].
    ///
    /// The loop owns the source. Several events share one if they are given clones of an `Rc` of
    /// it; they run in the order in which they were added.
    pub fn io<F: AsFd + 'static>(
        &mut self,
        source: F,
        interest: Interest,
    ) -> NewEvent<'_, S, Io<F>> {
        NewEvent::io(self, source, interest)
    }

    /// An event for the time when `timeout` has passed since it was added. See [`NewEvent`].
    pub fn timer(&mut self, timeout: Duration) -> NewEvent<'_, S, Timer> {
        NewEvent::timer(self, timeout)
    }

    /// An event for a signal. See [`NewEvent`].
    ///
    /// Each loop of the process that watches a signal is told of every delivery. No thread's signal
    /// mask is touched.
    pub fn signal(&mut self, signal: Signal) -> NewEvent<'_, S, Catch> {
        NewEvent::signal(self, signal)
    }

    /// An event for nothing but [`EventLoop::activate`] (and a timeout, if it is given one).
    /// See [`NewEvent`].
    pub fn user(&mut self) -> NewEvent<'_, S, User> {
        NewEvent::user(self)
    }

    /// Adds an event again: one that was deleted, or a one-shot from its own callback, or one that
    /// was [kept](NewEvent::keep). If it is pending already its timeout begins anew, and its edge
    /// is re-armed.
    ///
    /// # Errors
    ///
    /// See [`AddError`]. Nothing has changed then.
    ///
    /// # Compared with libevent
    ///
    /// `event_add`.
    pub fn add(&mut self, id: EventId) -> Result<(), AddError> {
        let Self {
            core,
            backend,
            catcher,
            clock,
            ..
        } = self;
        core.add(
            id,
            || clock.now_ns(),
            |demand| grant(&mut **backend, catcher, demand),
        )
        .map_err(AddError::from)
    }

    /// Deletes an event: it is neither pending nor active any more, and its callback does not run,
    /// also not for what has happened already. It is kept, with its source, and can be added again.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    ///
    /// # Compared with libevent
    ///
    /// `event_del`.
    pub fn delete(&mut self, id: EventId) -> Result<(), RemoveError> {
        let release = self.core.delete(id).map_err(|_| RemoveError::NoSuchEvent)?;
        self.release(release)
    }

    /// Deletes an event and frees it: its source is closed (unless it is shared, or the event's own
    /// callback runs and still has it), and the handle names nothing any more.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    ///
    /// # Compared with libevent
    ///
    /// `event_free`.
    pub fn remove(&mut self, id: EventId) -> Result<(), RemoveError> {
        let leaving = self.core.remove(id).map_err(|_| RemoveError::NoSuchEvent)?;
        self.let_go(leaving)
    }

    /// Removes an event and gives its source back, open and as it is.
    ///
    /// # Errors
    ///
    /// See [`IntoSourceError`].
    #[expect(
        clippy::missing_panics_doc,
        reason = "the proofs are beside the expects"
    )]
    pub fn into_source<F: 'static>(&mut self, id: EventId) -> Result<F, IntoSourceError> {
        if self.core.running() == Some(id) {
            return Err(IntoSourceError::Running);
        }
        let payload = self.core.payload(id).ok_or(IntoSourceError::NoSuchEvent)?;
        if !payload
            .source
            .as_ref()
            .is_some_and(|source| source.is::<F>())
        {
            return Err(IntoSourceError::WrongType);
        }
        let leaving = self.core.remove(id).expect("it was there just now");
        let payload = leaving.payload.expect("it was there just now");
        match self.release(leaving.release) {
            Ok(()) => {}
            Err(RemoveError::Control(error)) => return Err(IntoSourceError::Control(error)),
            Err(_) => unreachable!("the event has a source, not a signal"),
        }
        drop(payload.callback);
        let source = payload
            .source
            .and_then(|source| source.downcast::<F>().ok());
        Ok(source
            .and_then(Rc::into_inner)
            .expect("only the event's callback shared it"))
    }

    /// The source of an event; `None` if the event was freed or has no source of this type.
    #[must_use]
    pub fn source<F: 'static>(&self, id: EventId) -> Option<&F> {
        self.core.payload(id)?.source.as_ref()?.downcast_ref()
    }

    /// Makes an event active by hand, whether it is pending or not: its callback runs, in this turn
    /// if one is being run.
    ///
    /// # Errors
    ///
    /// [`RemoveError::NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_active`.
    pub fn activate(&mut self, id: EventId, ready: Ready) -> Result<(), RemoveError> {
        self.core
            .activate(id, ready)
            .map_err(|_| RemoveError::NoSuchEvent)
    }

    /// Changes the readiness that an event asks for. An empty interest pauses it: it stays pending,
    /// hears of nothing, and its timeout goes on.
    ///
    /// # Errors
    ///
    /// See [`AddError`]. Nothing has changed then.
    ///
    /// # Compared with libevent
    ///
    /// `event_del`, `event_assign`, `event_add`.
    pub fn set_interest(&mut self, id: EventId, interest: Interest) -> Result<(), AddError> {
        self.require(interest, Trigger::Level)?;
        let Self {
            core,
            backend,
            catcher,
            ..
        } = self;
        core.set_interest(id, interest, |demand| {
            grant(&mut **backend, catcher, demand)
        })
        .map_err(AddError::from)
    }

    /// Changes the timeout of an event; if it is pending, the new one begins now. `None` takes it
    /// away: a timer without one waits for [`EventLoop::activate`].
    ///
    /// # Errors
    ///
    /// [`AddError::NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_add` with another timeout, and `event_remove_timer`.
    pub fn set_timeout(&mut self, id: EventId, timeout: Option<Duration>) -> Result<(), AddError> {
        let Self { core, clock, .. } = self;
        core.set_timeout(id, timeout, || clock.now_ns())
            .map_err(|_| AddError::NoSuchEvent)
    }

    /// Changes how urgent an event is, also one that is active.
    ///
    /// # Errors
    ///
    /// [`AddError::NoSuchEvent`] if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_priority_set`.
    pub fn set_priority(&mut self, id: EventId, priority: Priority) -> Result<(), AddError> {
        self.core
            .set_priority(id, priority)
            .map_err(|_| AddError::NoSuchEvent)
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
        self.core.begin(mode).map_err(|_| RunError::Reentrant)?;
        loop {
            let done = match self.core.step() {
                Step::Time => {
                    self.core.set_now(self.clock.now_ns());
                    Ok(())
                }
                Step::Wait(timeout) => self.wait(timeout),
                Step::Run(activation) => self.call(activation, state),
                Step::Done(outcome) => return Ok(outcome),
            };
            if let Err(error) = done {
                self.core.abort();
                return Err(error);
            }
        }
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

    pub(crate) const fn core(&self) -> &Core<Payload<S>> {
        &self.core
    }

    pub(crate) const fn core_mut(&mut self) -> &mut Core<Payload<S>> {
        &mut self.core
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Whether the backend can do what an event needs.
    pub(crate) fn require(&self, interest: Interest, trigger: Trigger) -> Result<(), AddError> {
        let needed = needs(interest, trigger).difference(self.backend.capabilities());
        if needed.is_empty() {
            Ok(())
        } else {
            Err(AddError::Unsupported {
                needed,
                backend: self.backend.name(),
            })
        }
    }

    pub(crate) fn insert_and_add(
        &mut self,
        spec: Spec,
        payload: Payload<S>,
    ) -> Result<EventId, AddError> {
        let id = self
            .core
            .insert(spec, payload)
            .map_err(|(reason, _)| reason)?;
        self.add(id).inspect_err(|_| self.undo_insert(id))?;
        Ok(id)
    }

    /// Takes a new event back, whose adding failed for a reason that the caller is told.
    pub(crate) fn undo_insert(&mut self, id: EventId) {
        let undone = self.remove(id);
        debug_assert!(undone.is_ok(), "{undone:?}");
    }

    /// Item 5 and 6 of the turn: tells the kernel the changes, waits, and reports what came.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<(), RunError> {
        let timeout = match timeout {
            // Who wakes the loop now need not write: it does not sleep.
            Some(Duration::ZERO) => timeout,
            _ if self.waker.sleep() => timeout,
            _ => Some(Duration::ZERO),
        };
        let waited = self
            .backend
            .wait(self.core.changes(), timeout, &mut self.reports);
        let woken = self.waker.awake();
        self.core.waited();
        for report in self.reports.drain(..) {
            if report.token == INTERNAL {
                continue;
            }
            if report.errno == 0 {
                self.core.report(report.token, report.ready);
            } else {
                self.core.refuse(report.token, report.errno);
            }
        }
        if woken {
            if self.waker.needs_drain() {
                self.waker.drain();
            }
            self.catcher
                .take(|signal, count| self.core.catch(signal, count));
        }
        waited.map_err(RunError::Wait)
    }

    /// Item 9: runs the callback of an event.
    fn call(&mut self, activation: Activation, state: &mut S) -> Result<(), RunError> {
        let id = activation.id;
        let payload = self.core.take(id);
        let mut call = Call {
            events: self,
            id,
            payload,
        };
        if let Some(payload) = &mut call.payload {
            let mut cx = Cx {
                state,
                events: call.events,
                id,
            };
            (payload.callback)(&mut cx, activation);
        }
        call.finish().map_err(RunError::Remove)
    }

    /// Does what an event leaves to be done, and drops what it carried.
    fn let_go(&mut self, leaving: Leaving<Payload<S>>) -> Result<(), RemoveError> {
        let Leaving { release, payload } = leaving;
        let released = self.release(release);
        drop(payload);
        released
    }

    fn release(&mut self, release: Option<Release>) -> Result<(), RemoveError> {
        match release {
            None => Ok(()),
            Some(Release::Fd(fd)) => self.backend.delete(fd).map_err(RemoveError::Control),
            Some(Release::Signal(signal)) => {
                self.catcher.unwatch(signal).map_err(RemoveError::Catch)
            }
        }
    }
}

/// A callback that runs. However it ends, its event is finished.
struct Call<'a, S> {
    events: &'a mut EventLoop<S>,
    id: EventId,
    payload: Option<Payload<S>>,
}

impl<S> Call<'_, S> {
    fn finish(mut self) -> Result<(), RemoveError> {
        let leaving = self.events.core.finish(self.id, self.payload.take());
        self.events.let_go(leaving)
    }
}

impl<S> Drop for Call<'_, S> {
    /// The callback panicked: the run ends here, and the loop is as it is between two runs.
    fn drop(&mut self) {
        if self.payload.is_some() {
            let leaving = self.events.core.finish(self.id, self.payload.take());
            let released = self.events.let_go(leaving);
            self.events.core.abort();
            debug_assert!(released.is_ok(), "{released:?}");
        }
    }
}

/// Does what an event demands of the kernel.
fn grant(backend: &mut dyn Backend, catcher: &Catcher, demand: Demand) -> Result<(), AddError> {
    match demand {
        Demand::Fd {
            fd,
            token,
            interest,
            trigger,
        } => backend
            .add(fd, token, interest, trigger)
            .map_err(AddError::Control),
        Demand::Signal(signal) => catcher.watch(signal).map_err(AddError::Catch),
    }
}

impl From<evloop_core::AddError<Self>> for AddError {
    fn from(error: evloop_core::AddError<Self>) -> Self {
        match error {
            evloop_core::AddError::MixedTrigger(fd) => Self::MixedTrigger(fd),
            evloop_core::AddError::Refused(error) => error,
            _ => Self::NoSuchEvent,
        }
    }
}

impl From<evloop_core::InsertError> for AddError {
    fn from(error: evloop_core::InsertError) -> Self {
        match error {
            evloop_core::InsertError::BadFd(fd) => Self::BadFd(fd),
            _ => Self::NoSuchEvent,
        }
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

impl<S> fmt::Debug for Payload<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}
