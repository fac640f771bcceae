//! Looking at a loop: its events, its counters, and what it can do.

use std::panic::Location;
use std::time::Duration;

use evloop_backend::Capabilities;
use evloop_core::{EventId, EventInfo, Peak, Peaks, Stats};

use crate::event_loop::EventLoop;
use crate::origin::Origin;
use crate::table::Table;

/// What can be told of one event, as it was when it was asked for.
///
/// # Compared with libevent
///
/// What `event_base_foreach_event` passes to its callback, and what the getters tell of it. There an
/// event has neither a name nor a place, and counts nothing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// Its state, what it waits for, and how often it ran.
    pub event: EventInfo,
    /// Its name: see [`NewEvent::label`](crate::NewEvent::label).
    pub label: &'static str,
    /// Where in the program it was added first.
    pub place: &'static Location<'static>,
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

    /// What can be told of an event, its name and place as well; `None` if it was freed. Reads the
    /// clock.
    ///
    /// # Compared with libevent
    ///
    /// `event_pending` and the getters.
    #[must_use]
    pub fn snapshot(&self, id: EventId) -> Option<Snapshot> {
        let event = self.core.info(id)?;
        Some(self.describe(event, self.clock.now_ns()))
    }

    /// All events that were not freed, in no order that means anything. Reads the clock, once.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_foreach_event`, which does not see events that are neither pending nor active.
    pub fn iter(&self) -> impl Iterator<Item = Snapshot> {
        let now_ns = self.clock.now_ns();
        let events = self.core.iter();
        events.map(move |event| self.describe(event, now_ns))
    }

    fn describe(&self, event: EventInfo, now_ns: u64) -> Snapshot {
        let record = self.core.payload(event.id);
        let origin = record.expect("it stays with its event").origin();
        let Origin { label, place } = self.origins[origin];
        let left = |at_ns: u64| Duration::from_nanos(at_ns.saturating_sub(now_ns));
        Snapshot {
            event,
            label,
            place,
            left: event.deadline_ns.map(left),
        }
    }

    /// Measures from now on how long each callback takes, watchers too: two readings of the clock a
    /// callback. The few nanoseconds of the loop's own are in it; a callback that panics, and one after
    /// which its event is freed, is left out. What they come to is [`EventInfo::callback_time`] and
    /// [`EventInfo::longest_callback`], and a column of the [table](EventLoop::table).
    ///
    /// Counted without being asked for is how often each runs, [`EventInfo::runs`].
    ///
    /// # Compared with libevent
    ///
    /// There is nothing of the kind there.
    pub const fn start_measuring(&mut self) {
        self.is_measuring = true;
    }

    /// Measures the callbacks no longer, but for one that runs now. What was measured stays.
    ///
    /// # Compared with libevent
    ///
    /// There is nothing of the kind there.
    pub const fn stop_measuring(&mut self) {
        self.is_measuring = false;
    }

    /// The counters. `O(1)`.
    ///
    /// # Compared with libevent
    ///
    /// There is nothing of the kind there.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// The high-water marks: the most events, timeouts and sources there were at a time, and how late
    /// a timeout expired at the latest. `O(1)`.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_get_max_events`.
    #[must_use]
    pub const fn peaks(&self) -> Peaks {
        self.core.peaks()
    }

    /// Begins anew with these high-water marks: each is what there is now, and the lateness nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use evloop::{EventLoop, Peak};
    ///
    /// let mut events = EventLoop::<()>::new()?;
    /// for _ in 0..3 {
    ///     events.timer(Duration::ZERO).add(|_| ())?;
    /// }
    /// let _outcome = events.run(&mut ())?;
    /// assert_eq!(events.peaks().timers, 3);
    ///
    /// events.reset_peaks(Peak::TIMERS | Peak::LATENESS);
    /// assert_eq!(events.peaks().timers, 0);
    /// assert_eq!(events.peaks().active, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Compared with libevent
    ///
    /// `event_base_get_max_events` with `clear`. There a mark becomes 0, and is too low until something
    /// is added.
    pub fn reset_peaks(&mut self, which: Peak) {
        self.core.reset_peaks(which);
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
    ///
    /// # Compared with libevent
    ///
    /// `event_base_loop` returns 1 when it is so. See [`EventLoop::len`] for the number.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.core.is_empty()
    }

    /// How many timeouts run.
    ///
    /// # Compared with libevent
    ///
    /// There is no counterpart: `event_base_get_num_events` counts all kinds in one.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.core.timers()
    }

    /// How long it is until the next timeout expires, if any runs.
    ///
    /// # Compared with libevent
    ///
    /// `evwatch_prepare_get_timeout`, which there is in a prepare watcher alone.
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

    /// The events as a table to read, a line each, in the order of [`EventLoop::iter`].
    ///
    /// # Compared with libevent
    ///
    /// `event_base_dump_events`.
    #[must_use]
    pub const fn table(&self) -> Table<'_, S> {
        Table { events: self }
    }

    /// Panics unless everything that the loop records agrees with everything else. For tests; a program
    /// that checks itself calls [`EventLoop::verify`].
    ///
    /// # Panics
    ///
    /// If there is a defect in the loop.
    pub fn check_invariants(&self) {
        self.core.check_invariants();
    }
}
