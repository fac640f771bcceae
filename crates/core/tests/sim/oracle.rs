//! What has to hold, event by event: why each may be called, when its timeout expires, and how often
//! the loop may wait. Nothing here knows queues, change lists or heaps.

mod calls;
mod turn;

use std::collections::{BTreeMap, BTreeSet};

use evloop_changelist::{Interest, RawFd, Ready, Token, Trigger};
use evloop_core::{AddError, Core, EventId, Kind, Priority, Spec};

/// All that is expected of a loop.
#[derive(Default)]
pub(crate) struct Oracle {
    events: Vec<Expected>,
    /// The source of each registration that was ever made, by its birth.
    tokens: BTreeMap<Token, usize>,
    /// The sources whose last interest was withdrawn, and that were not reported since.
    forgotten: BTreeSet<usize>,
    waits: u64,
    /// When the last wait was over.
    waited_ns: u64,
    /// What was due then has not expired yet.
    is_unsettled: bool,
    /// The last wait need not be followed by a callback.
    is_excused: bool,
    /// The wait that goes on, or was the last, may be a look only.
    is_look: bool,
    /// Another look was asked for, and no callback ran since.
    is_rescanned: bool,
    callbacks: u64,
    /// Deadlines that were moved or withdrawn, and have not come up: the loop may wake for them.
    given_up: BTreeSet<u64>,
    /// How often a timeout was started.
    starts: u64,
    /// The last expiry of each priority whose callback ran.
    last_expired: BTreeMap<Priority, Expiry>,
}

/// One event, from when it was made.
struct Expected {
    id: EventId,
    spec: Spec,
    source: Option<Origin>,
    is_freed: bool,
    is_pending: bool,
    /// What has happened that its callback was not told yet. It is active if there is something.
    owed: Ready,
    count: u64,
    /// When its timeout runs out, if it runs.
    deadline: Option<Deadline>,
    /// The expiry that made it active, if one did.
    expiry: Option<Expiry>,
}

/// The source of an event.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) birth: usize,
    /// The kernel refuses to wait for it.
    pub(crate) is_refused: bool,
}

/// When a timeout runs out, and which start of all that was: first come, first served.
type Deadline = (u64, u64);

/// In which turn a timeout expired, and which: in this order callbacks run.
type Expiry = (u64, Deadline);

/// What a call has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Freed,
    Mixed,
    Refused,
}

impl<E> From<Result<(), AddError<E>>> for Answer {
    fn from(result: Result<(), AddError<E>>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(AddError::NoSuchEvent) => Self::Freed,
            Err(AddError::MixedTrigger(_)) => Self::Mixed,
            Err(AddError::Refused(_)) => Self::Refused,
            Err(_) => panic!("an error nobody knows"),
        }
    }
}

/// What can be looked at.
impl Oracle {
    pub(crate) fn id(&self, n: usize) -> EventId {
        self.events[n].id
    }

    pub(crate) fn is_freed(&self, n: usize) -> bool {
        self.events[n].is_freed
    }

    /// Panics unless the loop says of every event what is expected.
    pub(crate) fn check<T>(&self, core: &Core<T>) {
        for (n, event) in self.events.iter().enumerate() {
            let Some(info) = core.info(event.id) else {
                assert!(event.is_freed, "event {n} is gone");
                continue;
            };
            assert!(!event.is_freed, "the handle of event {n} names another");
            assert_eq!(info.pending, event.is_pending, "event {n} is pending");
            let active = Some(event.owed).filter(|owed| !owed.is_empty());
            assert_eq!(info.active, active, "event {n} is active");
            let deadline_ns = event.deadline.map(|(at_ns, _)| at_ns);
            assert_eq!(info.deadline_ns, deadline_ns, "the deadline of event {n}");
        }
    }

    /// What is wanted of each file: number, interest and trigger.
    pub(crate) fn wanted(&self) -> BTreeMap<RawFd, (Interest, Trigger)> {
        let mut wanted = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.is_pending) {
            if let Kind::Io {
                fd,
                interest,
                trigger,
                ..
            } = event.spec.kind
                && !interest.is_empty()
            {
                let (all, _) = wanted.entry(fd).or_insert((interest, trigger));
                *all |= interest;
            }
        }
        wanted
    }

    /// Whether the event asks for some readiness of its file.
    pub(crate) fn is_wanted(&self, n: usize) -> bool {
        self.events[n].is_pending && !self.interest(n).is_empty()
    }

    pub(crate) fn interest(&self, n: usize) -> Interest {
        match self.events[n].spec.kind {
            Kind::Io { interest, .. } => interest,
            _ => Interest::empty(),
        }
    }

    pub(crate) fn trigger(&self, n: usize) -> Option<Trigger> {
        match self.events[n].spec.kind {
            Kind::Io { trigger, .. } => Some(trigger),
            _ => None,
        }
    }

    fn wanting(&self, source: usize) -> impl Iterator<Item = usize> {
        let is_on = move |n: &usize| self.events[*n].source.is_some_and(|s| s.birth == source);
        (0..self.events.len())
            .filter(is_on)
            .filter(|n| self.is_wanted(*n))
    }

    /// What is answered when event `n` comes to want `interest`.
    fn admits(&self, n: usize, interest: Interest) -> Answer {
        let event = &self.events[n];
        let Some(source) = event.source.filter(|_| !event.is_freed) else {
            return if event.is_freed {
                Answer::Freed
            } else {
                Answer::Done
            };
        };
        let mut others = self.wanting(source.birth).filter(|other| *other != n);
        if interest.is_empty() {
            Answer::Done
        } else if others.any(|other| self.trigger(other) != self.trigger(n)) {
            Answer::Mixed
        } else if source.is_refused {
            Answer::Refused
        } else {
            Answer::Done
        }
    }
}
