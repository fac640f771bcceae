//! A new event, before it is added: what is said of it in passing, and the callback at the end.
#![expect(clippy::should_implement_trait, reason = "`add` is the field's word")]

mod raw;

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use evloop_backend::{Capabilities, Descriptor, Source};
use evloop_changelist::{Interest, Ready, Trigger};
use evloop_core::{EventId, Kind, News, Ownership, Priority, Spec};
use evloop_signals::Signal;
use rustix::io::Errno;

use crate::context::{Caught, Cx};
use crate::error::{AddError, InsertError};
use crate::event_loop::EventLoop;
use crate::origin::Origin;
use crate::record::{Shared, given_back, record};

pub use self::raw::RawSource;

/// A new event that waits for its callback: made by [`EventLoop::io`], [`EventLoop::timer`],
/// [`EventLoop::signal`] and [`EventLoop::user`], and put into the loop by `add`.
///
/// Unless it is told otherwise an event is one-shot, level-triggered, of
/// [`Priority::NORMAL`], and has no timeout (a timer's own excepted).
///
/// # Compared with libevent
///
/// `event_new` or `event_assign`, and `event_add` with it. What is one-shot there is so without
/// `EV_PERSIST`, and priorities begin in the middle of those there are.
#[must_use = "an event is in the loop when `add` was called"]
pub struct NewEvent<'a, S, W> {
    events: &'a mut EventLoop<S>,
    spec: Spec,
    label: &'static str,
    waits_for: W,
}

/// [`NewEvent`] of a source.
///
/// # Compared with libevent
///
/// An `event` with `EV_READ`, `EV_WRITE` or `EV_CLOSED`.
#[derive(Debug)]
pub struct Io<F> {
    source: F,
    interest: Interest,
    trigger: Trigger,
    nonblocking: bool,
    files: bool,
}

/// [`NewEvent`] of a timer.
///
/// # Compared with libevent
///
/// What `evtimer_assign` makes.
#[derive(Debug)]
pub struct Timer(());

/// [`NewEvent`] of a signal.
///
/// # Compared with libevent
///
/// What `evsignal_assign` makes, which is persistent.
#[derive(Debug)]
pub struct Catch(Signal);

/// [`NewEvent`] of nothing but activation.
///
/// # Compared with libevent
///
/// What `evuser_new` makes.
#[derive(Debug)]
pub struct User(());

/// [`NewEvent`] of the moment before each wait.
///
/// # Compared with libevent
///
/// What `evwatch_prepare_new` makes.
#[derive(Debug)]
pub struct Prepare(());

/// [`NewEvent`] of the moment after each wait.
///
/// # Compared with libevent
///
/// What `evwatch_check_new` makes.
#[derive(Debug)]
pub struct Check(());

impl<S, W> fmt::Debug for NewEvent<'_, S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEvent")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl<S, W> NewEvent<'_, S, W> {
    /// It stays pending when it runs; a timeout begins anew each time.
    ///
    /// A timer's next deadline is its last plus the interval, so it does not drift; ticks that were
    /// missed are skipped. After readiness or a signal the timeout runs from then.
    ///
    /// # Compared with libevent
    ///
    /// `EV_PERSIST`.
    pub const fn persist(mut self) -> Self {
        self.spec.persistent = true;
        self
    }

    /// When it has run, and was not added again, it is not freed: [`EventLoop::add`] finds it.
    ///
    /// # Compared with libevent
    ///
    /// There an event is always kept, by its owner.
    pub const fn keep(mut self) -> Self {
        self.spec.keep = true;
        self
    }

    /// How urgent it is.
    ///
    /// # Compared with libevent
    ///
    /// `event_priority_set`.
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.spec.priority = priority;
        self
    }

    /// Its callback runs with [`Ready::TIMEOUT`] if nothing else happened for this long. (To a
    /// [watcher](EventLoop::prepare) its own runs are nothing: its timeout is a timer beside them.)
    ///
    /// # Compared with libevent
    ///
    /// The timeout of `event_add`.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.spec.timeout = Some(timeout);
        self
    }

    /// The name it has in [`EventLoop::table`].
    pub const fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }
}

impl<'a, S, W> NewEvent<'a, S, W> {
    fn of(events: &'a mut EventLoop<S>, kind: Kind, label: &'static str, waits_for: W) -> Self {
        let spec = Spec::new(kind);
        Self {
            events,
            spec,
            label,
            waits_for,
        }
    }

    /// Makes the event, without a source, and adds it.
    fn insert(
        self,
        place: &'static Location<'static>,
        mut callback: impl FnMut(&mut Cx<'_, S>) + 'static,
    ) -> Result<EventId, AddError> {
        let label = self.label;
        let origin = self.events.origins.number(Origin { label, place });
        let record = record((), origin, move |cx, ()| callback(cx));
        self.events
            .insert_and_add(self.spec, record)
            .map_err(|(error, _)| error)
    }
}

impl<'a, S, F> NewEvent<'a, S, Io<F>> {
    pub(crate) fn io(events: &'a mut EventLoop<S>, source: F, interest: Interest) -> Self {
        let waits_for = Io {
            source,
            interest,
            trigger: Trigger::Level,
            nonblocking: true,
            files: false,
        };
        Self {
            events,
            spec: Spec::new(Kind::Plain),
            label: "io",
            waits_for,
        }
    }

    /// Edge-triggered: the callback runs when the source *becomes* ready, so it has to read or
    /// write until that would block. All events on one file descriptor are of one kind.
    ///
    /// # Compared with libevent
    ///
    /// `EV_ET`.
    pub const fn edge(mut self) -> Self {
        self.waits_for.trigger = Trigger::Edge;
        self
    }

    /// A source that the backend cannot wait for, because it is always ready, counts as always
    /// ready, instead of being refused: a regular file, or a directory. While such an event is
    /// pending the loop never sleeps.
    ///
    /// # Compared with libevent
    ///
    /// `EV_FEATURE_FDS`, by which a backend is chosen that takes files.
    pub const fn or_always_ready(mut self) -> Self {
        self.waits_for.files = true;
        self
    }

    /// Makes the event and adds it; gives the record back if that fails.
    fn insert_io(
        events: &mut EventLoop<S>,
        spec: Spec,
        files: bool,
        record: Shared<S>,
    ) -> Result<EventId, (AddError, Shared<S>)> {
        match (events.insert_and_add(spec, record), spec.kind) {
            (Err((AddError::Control(error), record)), Kind::Io { interest, .. })
                if files && error.source.raw_os_error() == Some(Errno::PERM.raw_os_error()) =>
            {
                let kind = Kind::Always(interest);
                events.insert_and_add(Spec { kind, ..spec }, record)
            }
            (added, _) => added,
        }
    }
}

impl<S, F: Source + 'static> NewEvent<'_, S, Io<F>> {
    /// The source is left as it is. Otherwise it is made non-blocking when it is added, which is
    /// seen by everybody who shares the open file: a shell and its children share their terminal.
    ///
    /// A callback on a source that blocks may read or write once. Of one that is non-blocking already nothing
    /// changes, except that it is added with a system call less.
    pub const fn leave_blocking(mut self) -> Self {
        self.waits_for.nonblocking = false;
        self
    }

    /// Adds the event. The callback gets what is ready: at least one of the interest,
    /// [`Ready::HANGUP`] and [`Ready::ERROR`], which need not be asked for, and
    /// [`Ready::TIMEOUT`].
    ///
    /// The loop owns the source until the event is over or removed, and closes it then.
    ///
    /// # Errors
    ///
    /// See [`AddError`]. Nothing has changed then, and the source comes back.
    ///
    /// # Compared with libevent
    ///
    /// `event_new` and `event_add`.
    #[expect(clippy::missing_panics_doc, reason = "the proof is beside the expect")]
    #[track_caller]
    pub fn add<C>(self, mut callback: C) -> Result<EventId, InsertError<F>>
    where
        C: FnMut(&mut Cx<'_, S>, &F, Ready) + 'static,
    {
        let place = Location::caller();
        let Io {
            interest,
            trigger,
            nonblocking,
            files,
            ..
        } = self.waits_for;
        let Self {
            events,
            mut spec,
            label,
            waits_for: Io { source, .. },
        } = self;
        let required = events.require(interest, trigger);
        let number = required.and_then(|()| events.outside.number(source.descriptor()));
        let fd = match number {
            Ok(fd) => fd,
            Err(reason) => return Err(InsertError { reason, source }),
        };
        spec.kind = Kind::Io {
            fd,
            interest,
            trigger,
            ownership: Ownership::Owned,
        };
        let origin = events.origins.number(Origin { label, place });
        let record = record(source, origin, move |cx, source| {
            let ready = cx.ready;
            callback(cx, source, ready);
        });
        let added = Self::insert_io(events, spec, files, record).and_then(|id| {
            let source = events.source::<F>(id).filter(|_| nonblocking);
            let made = match source.map(Source::descriptor) {
                Some(Descriptor::Process(file)) => rustix::io::ioctl_fionbio(file, true),
                // What is in another world does not block by nature.
                Some(Descriptor::World(_)) | None => Ok(()),
            };
            match made {
                Ok(()) => Ok(id),
                Err(errno) => {
                    let source = errno.into();
                    Err((AddError::Nonblocking { fd, source }, events.undo_insert(id)))
                }
            }
        });
        added.map_err(|(reason, record)| {
            let source = given_back(record).expect("the event was the only one to share it");
            InsertError { reason, source }
        })
    }
}

impl<'a, S> NewEvent<'a, S, Timer> {
    pub(crate) fn timer(events: &'a mut EventLoop<S>, timeout: Duration) -> Self {
        let spec = Spec {
            timeout: Some(timeout),
            ..Spec::new(Kind::Plain)
        };
        Self {
            events,
            spec,
            label: "timer",
            waits_for: Timer(()),
        }
    }

    /// Adds the timer.
    ///
    /// # Errors
    ///
    /// None today; see [`AddError`].
    ///
    /// # Compared with libevent
    ///
    /// `evtimer_new` and `evtimer_add`.
    #[track_caller]
    pub fn add<C>(self, callback: C) -> Result<EventId, AddError>
    where
        C: FnMut(&mut Cx<'_, S>) + 'static,
    {
        self.insert(Location::caller(), callback)
    }
}

impl<'a, S> NewEvent<'a, S, Catch> {
    pub(crate) fn signal(events: &'a mut EventLoop<S>, signal: Signal) -> Self {
        Self::of(events, Kind::Signal(signal), "signal", Catch(signal))
    }

    /// Its callback runs once for each delivery, with a count of 1. Otherwise it runs once for all that
    /// came since it ran last.
    ///
    /// It runs for them one by one, behind what is active already, as if they came one after the
    /// other: what is more urgent overtakes, limits count each, and what a break leaves is for the
    /// next run. [`EventLoop::delete`] and [`EventLoop::remove`] forget the rest. An event that is
    /// one-shot runs for each that came while it was pending.
    ///
    /// # Compared with libevent
    ///
    /// What every event of a signal does there, with nothing in between; a break forgets the rest.
    pub const fn each(mut self) -> Self {
        self.spec.each = true;
        self
    }

    /// Adds the event. From now on the process catches the signal; when the last event for it in
    /// the process is over, the disposition that it had before is restored.
    ///
    /// # Errors
    ///
    /// [`AddError::Catch`] if it cannot be caught.
    ///
    /// # Compared with libevent
    ///
    /// `evsignal_new` and `evsignal_add`.
    #[track_caller]
    pub fn add<C>(self, mut callback: C) -> Result<EventId, AddError>
    where
        C: FnMut(&mut Cx<'_, S>, Caught) + 'static,
    {
        let Catch(signal) = self.waits_for;
        self.insert(Location::caller(), move |cx| {
            let News { count, left, .. } = cx.events.core.news();
            let is_last = count > 0 && left == 0;
            let last = cx.events.last[signal.index()].filter(|_| is_last);
            let caught = Caught {
                signal,
                count,
                last,
            };
            callback(cx, caught);
        })
    }
}

impl<'a, S> NewEvent<'a, S, User> {
    pub(crate) fn user(events: &'a mut EventLoop<S>) -> Self {
        Self::of(events, Kind::Plain, "user", User(()))
    }

    /// Adds the event. While it is pending it keeps the loop running.
    ///
    /// # Errors
    ///
    /// None today; see [`AddError`].
    ///
    /// # Compared with libevent
    ///
    /// `evuser_new`.
    #[track_caller]
    pub fn add<C>(self, mut callback: C) -> Result<EventId, AddError>
    where
        C: FnMut(&mut Cx<'_, S>, Ready) + 'static,
    {
        self.insert(Location::caller(), move |cx| {
            let ready = cx.ready;
            callback(cx, ready);
        })
    }
}

impl<'a, S> NewEvent<'a, S, Prepare> {
    pub(crate) fn prepare(events: &'a mut EventLoop<S>) -> Self {
        Self::of(events, Kind::Prepare, "prepare", Prepare(()))
    }

    /// Adds the watcher. Its callback gets how long the wait would be, as things were when the first
    /// watcher ran; `None`: for ever. A timer that it adds, an event that it activates, and a break
    /// that it asks for take effect before the wait.
    ///
    /// # Errors
    ///
    /// None today; see [`AddError`].
    ///
    /// # Compared with libevent
    ///
    /// `evwatch_prepare_new`.
    #[track_caller]
    pub fn add<C>(self, mut callback: C) -> Result<EventId, AddError>
    where
        C: FnMut(&mut Cx<'_, S>, Option<Duration>) + 'static,
    {
        self.insert(Location::caller(), move |cx| {
            let coming_wait = cx.events.core.coming_wait();
            callback(cx, coming_wait);
        })
    }
}

impl<'a, S> NewEvent<'a, S, Check> {
    pub(crate) fn check(events: &'a mut EventLoop<S>) -> Self {
        Self::of(events, Kind::Check, "check", Check(()))
    }

    /// Adds the watcher.
    ///
    /// # Errors
    ///
    /// None today; see [`AddError`].
    ///
    /// # Compared with libevent
    ///
    /// `evwatch_check_new`.
    #[track_caller]
    pub fn add<C>(self, callback: C) -> Result<EventId, AddError>
    where
        C: FnMut(&mut Cx<'_, S>) + 'static,
    {
        self.insert(Location::caller(), callback)
    }
}

/// What a backend must be able to do for an event with this interest and trigger.
pub(crate) fn needs(interest: Interest, trigger: Trigger) -> Capabilities {
    let mut needs = Capabilities::empty();
    needs.set(Capabilities::EDGE, trigger == Trigger::Edge);
    needs.set(
        Capabilities::EARLY_CLOSE,
        interest.contains(Interest::CLOSED),
    );
    needs
}
