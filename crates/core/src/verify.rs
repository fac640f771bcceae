//! Whether all is in order: each record of the loop held against the others.
//!
//! A program may look while it runs, so a check ends with what is wrong in words and never with a
//! panic. It trusts no link between two records before it has looked at both ends, and follows no list
//! further than there are events.

use alloc::format;
use alloc::string::String;
use core::fmt;

use evloop_signals::Signal;

use crate::Core;
use crate::event::{Event, Kind, State};
use crate::slab::EventId;

/// Two of a loop's own records contradict each other. That is a defect of this library, not of its
/// user, and what it says is for who mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect(String);

impl From<String> for Defect {
    fn from(words: String) -> Self {
        Self(words)
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Defect {}

impl<T> Core<T> {
    /// Holds everything that the loop records against everything else. `O(n)` in all that there is, and
    /// `O(k²)` in the events of one file descriptor or signal; allocates nothing unless something is
    /// wrong.
    ///
    /// # Errors
    ///
    /// The first [`Defect`] that is found.
    ///
    /// # Compared with libevent
    ///
    /// `event_base_assert_ok_nolock_`, which is internal there and aborts the program.
    pub fn verify(&self) -> Result<(), Defect> {
        self.events.verify()?;
        self.timers.verify()?;
        self.active.verify(&self.events)?;
        self.fds.verify(&self.events)?;
        self.verify_signals()?;
        self.prepare.verify()?;
        self.check.verify()?;
        let mut counted = Counted::default();
        for (id, event) in self.events.iter() {
            self.verify_event(id, event)
                .map_err(|broken| format!("event {} {broken}", id.slot))?;
            counted.count(event);
        }
        self.verify_counts(&counted)
    }

    /// Panics where [`Core::verify`] finds something wrong. For tests.
    ///
    /// # Panics
    ///
    /// As said.
    pub fn check_invariants(&self) {
        if let Err(defect) = self.verify() {
            panic!("{defect}");
        }
    }

    /// Whether an event is where its state says that it is, and nowhere else.
    fn verify_event(&self, id: EventId, event: &Event<T>) -> Result<(), String> {
        let slot = id.slot;
        let is_on = event.is_on();
        let watches = self.prepare.contains(slot) || self.check.contains(slot);
        ensure(watches == (is_on && event.is_watcher()), || {
            "is a watcher, or waits, not both".into()
        })?;
        let is_timed = event.state.contains(State::TIMED);
        ensure(is_on || !is_timed, || {
            "has a timer and is not pending".into()
        })?;
        ensure(self.timers.get(slot).is_some() == is_timed, || {
            "has a timer, or is said to have, not both".into()
        })?;
        let is_paused = event.is_io() && event.interest().is_empty();
        let is_there = match event.kind {
            Kind::Io { fd, .. } => self.fds.is_on(&self.events, fd, slot),
            Kind::Signal(signal) => self.signals.events(signal).contains(&slot),
            Kind::Always(_) => self.always.contains(&slot),
            Kind::Plain | Kind::Prepare | Kind::Check => is_on,
        };
        ensure(is_there == (is_on && !is_paused), || {
            "is on what it waits for, or pending, not both".into()
        })?;
        let is_queued = event.state.intersects(State::QUEUED);
        let has_news = !event.ready.is_empty() || event.count() > 0;
        ensure(is_queued || !has_news, || {
            "has news and is not active".into()
        })?;
        ensure(
            event.state.contains(State::LISTED) == (is_there && event.is_io()),
            || "is in the list of its file descriptor, or knows nothing of it".into(),
        )
    }

    /// Whether each signal has its events once, and those with an event are watched and caught.
    fn verify_signals(&self) -> Result<(), String> {
        for signal in (1..=64).filter_map(|number| Signal::new(number).ok()) {
            let slots = self.signals.events(signal);
            for (position, &slot) in slots.iter().enumerate() {
                let event = self.events.at(slot);
                let is_its = event.is_some_and(|event| event.kind == Kind::Signal(signal));
                ensure(is_its && !slots[..position].contains(&slot), || {
                    format!("{signal} has event {slot}, which is not its, or twice")
                })?;
            }
            let is_watched = self.signals.is_watched(signal);
            ensure(is_watched != slots.is_empty(), || {
                format!("{signal} has an event, or is watched, not both")
            })?;
            let is_caught = self.caught.contains(signal);
            ensure(slots.is_empty() || is_caught, || {
                format!("{signal} is watched and not caught")
            })?;
        }
        Ok(())
    }

    /// Whether what is counted as it comes and goes is as many as there are.
    fn verify_counts(&self, counted: &Counted) -> Result<(), Defect> {
        let counts = [
            ("events are pending", counted.pending, self.pending),
            ("timers run", counted.timers, self.timers.len()),
            ("events are always ready", counted.always, self.always.len()),
            (
                "events watch",
                counted.watchers,
                self.prepare.len() + self.check.len(),
            ),
        ];
        for (what, found, recorded) in counts {
            ensure(found == recorded, || {
                format!("{found} {what}, {recorded} are recorded")
            })?;
        }
        let peaks = self.peaks();
        let is_most = peaks.pending >= self.pending && peaks.timers >= self.timers.len();
        Ok(ensure(is_most, || {
            "there is more than there ever was".into()
        })?)
    }
}

/// What there is, found by looking at each event.
#[derive(Default)]
struct Counted {
    pending: usize,
    timers: usize,
    always: usize,
    watchers: usize,
}

impl Counted {
    fn count<T>(&mut self, event: &Event<T>) {
        let is_on = event.is_on();
        let is_always = matches!(event.kind, Kind::Always(_));
        self.pending += usize::from(event.state.contains(State::PENDING) && event.counts());
        self.timers += usize::from(event.state.contains(State::TIMED));
        self.always += usize::from(is_on && is_always);
        self.watchers += usize::from(is_on && event.is_watcher());
    }
}

/// An error in words, unless `holds`.
pub(crate) fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}

#[cfg(test)]
mod tests;
