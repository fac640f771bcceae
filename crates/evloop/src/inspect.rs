//! Looking at a loop: its events, its counters, and a table of both to read.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use evloop_backend::Capabilities;
use evloop_core::{EventId, EventInfo, Kind, Stats};

use crate::event_loop::EventLoop;

/// What can be told of one event.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Described {
    /// Its state, and what it waits for.
    pub event: EventInfo,
    /// Its name: see [`NewEvent::label`](crate::NewEvent::label).
    pub label: &'static str,
    /// Where it was added first; `None` while its callback runs.
    pub place: Option<&'static Location<'static>>,
    /// How long it is until its timeout expires, if one runs.
    pub left: Option<Duration>,
}

impl<S> EventLoop<S> {
    /// What can be told of an event; `None` if it was freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_pending` and the getters.
    #[must_use]
    pub fn info(&self, id: EventId) -> Option<EventInfo> {
        self.core.info(id)
    }

    /// All events that were not freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_foreach_event`.
    pub fn iter(&self) -> impl Iterator<Item = Described> {
        let now_ns = self.clock.now_ns();
        self.core.iter().map(move |event| {
            let payload = self.core.payload(event.id);
            let left = |at_ns: u64| Duration::from_nanos(at_ns.saturating_sub(now_ns));
            Described {
                event,
                label: payload.map_or("(runs now)", |payload| payload.label),
                place: payload.map(|payload| payload.place),
                left: event.deadline_ns.map(left),
            }
        })
    }

    /// The counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// How many events were not freed.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_get_num_events`, which counts states and not events.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.core.len()
    }

    /// Whether no event is pending or active.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.core.is_empty()
    }

    /// How many timeouts run.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.core.timers()
    }

    /// How long it is until the next timeout expires, if any runs.
    #[must_use]
    pub fn next_timeout(&mut self) -> Option<Duration> {
        let deadline_ns = self.core.next_deadline_ns()?;
        Some(Duration::from_nanos(
            deadline_ns.saturating_sub(self.clock.now_ns()),
        ))
    }

    /// The backend's name.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_get_method`.
    #[must_use]
    pub fn backend_name(&self) -> &'static str {
        self.backend.name()
    }

    /// What the backend can do.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_get_features`.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    /// The events as a table to read, a line each.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_dump_events`.
    #[must_use]
    pub const fn table(&self) -> Table<'_, S> {
        Table { events: self }
    }

    /// Panics unless everything that the loop records agrees with everything else. For tests.
    ///
    /// # Panics
    ///
    /// If there is a defect in the loop.
    pub fn check_invariants(&self) {
        self.core.check_invariants();
    }
}

/// The events of a loop, to be printed: [`EventLoop::table`].
#[derive(Debug)]
pub struct Table<'a, S> {
    events: &'a EventLoop<S>,
}

impl<S> fmt::Display for Table<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16} {:<24} {:>8} {:<10} {:>12}  added at",
            "event", "waits for", "priority", "state", "timeout in"
        )?;
        for Described {
            event,
            label,
            place,
            left,
        } in self.events.iter()
        {
            let state = match (event.pending, event.active) {
                (_, Some(_)) => "active",
                (true, None) => "pending",
                (false, None) => "idle",
            };
            let left = left.map_or_else(|| "-".to_owned(), |left| format!("{left:.1?}"));
            let priority = event.priority.0;
            let what = WaitsFor(event.kind).to_string();
            write!(
                f,
                "{label:<16} {what:<24} {priority:>8} {state:<10} {left:>12}  "
            )?;
            match place {
                Some(place) => writeln!(f, "{}:{}", place.file(), place.line())?,
                None => writeln!(f, "-")?,
            }
        }
        Ok(())
    }
}

struct WaitsFor(Kind);

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Io {
                fd,
                interest,
                trigger,
                ..
            } => {
                write!(f, "fd {fd} {trigger:?} ")?;
                bitflags::parser::to_writer(&interest, f)
            }
            Kind::Signal(signal) => signal.fmt(f),
            Kind::Plain => f.write_str("-"),
            Kind::Always(interest) => {
                f.write_str("always ready ")?;
                bitflags::parser::to_writer(&interest, f)
            }
            Kind::Prepare => f.write_str("before the wait"),
            Kind::Check => f.write_str("after the wait"),
        }
    }
}
