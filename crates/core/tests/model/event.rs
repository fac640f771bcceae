//! One event of the model.

use std::time::Duration;

use evloop_changelist::Ready;
use evloop_core::{Kind, Spec};

pub(super) struct Event {
    pub(super) spec: Spec,
    pub(super) freed: bool,
    /// Since when it is pending, in the order of adding.
    pub(super) pending: Option<u64>,
    /// A one-shot whose callback runs: since when it was pending. It keeps its place if its callback
    /// adds it again, and nothing else comes in between.
    pub(super) place: Option<u64>,
    /// Since when it is active, in the order of activation.
    pub(super) active: Option<u64>,
    pub(super) later: Option<u64>,
    pub(super) ready: Ready,
    /// It was activated by hand, with nothing to be told.
    pub(super) is_called: bool,
    pub(super) count: u64,
    /// Its deadline, and when that was set.
    pub(super) deadline: Option<(u64, u64)>,
}

impl Event {
    pub(super) fn new(spec: Spec) -> Self {
        Self {
            spec,
            freed: false,
            pending: None,
            place: None,
            active: None,
            later: None,
            ready: Ready::empty(),
            is_called: false,
            count: 0,
            deadline: None,
        }
    }

    pub(super) fn is_watcher(&self) -> bool {
        matches!(self.spec.kind, Kind::Prepare | Kind::Check)
    }

    pub(super) fn is_queued(&self) -> bool {
        self.active.is_some() || self.later.is_some()
    }

    pub(super) fn activate(&mut self, ready: Ready, tick: u64) {
        self.ready |= ready;
        self.later = None;
        self.active.get_or_insert(tick);
    }

    pub(super) fn delete(&mut self) {
        *self = Self {
            freed: self.freed,
            ..Self::new(self.spec)
        };
    }

    pub(super) fn start(&mut self, timeout: Duration, now_ns: u64, tick: u64) {
        self.forget_expiry();
        self.deadline = Some((now_ns + nanoseconds(timeout), tick));
    }

    pub(super) fn stop(&mut self) {
        self.forget_expiry();
        self.deadline = None;
    }

    fn forget_expiry(&mut self) {
        if self.ready.contains(Ready::TIMEOUT) {
            self.ready.remove(Ready::TIMEOUT);
            if self.ready.is_empty() && !self.is_called {
                self.active = None;
                self.later = None;
            }
        }
    }
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}
