//! Random programs on a few sources, held after each look against two oracles that share nothing
//! with the loop: `poll(2)` says who had to run, and `/proc` what the kernel holds.

use std::os::unix::net::UnixStream;
use std::rc::Rc;

use evloop::{AddError, Builder, EventId, EventLoop, Interest, Mechanism, Mode, Ready, Trigger};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::support::files::{number, put, sockets, take};
use crate::support::held::held_by_the_loop;
use crate::support::process::in_own_process;

/// An [`Index`] picks one of the events that were made; a number is that of a source.
#[derive(Clone, Debug)]
enum Op {
    New {
        source: usize,
        interest: Interest,
        trigger: Trigger,
        is_persistent: bool,
    },
    Add(Index),
    Delete(Index),
    Remove(Index),
    SetInterest(Index, Interest),
    Put(usize),
    Take(usize),
    Hangup(usize),
    /// Removes the events of a source and opens another file in its place.
    Replace(usize),
    Look,
}

const SOURCES: usize = 3;

fn op() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    let source = || 0..SOURCES;
    let interest = || (0..8_u8).prop_map(Interest::from_bits_truncate);
    // Mostly of one kind, so that most are not refused.
    let trigger = select(
        &[
            Trigger::Level,
            Trigger::Level,
            Trigger::Level,
            Trigger::Edge,
        ][..],
    );
    let new = (source(), interest(), trigger, any::<bool>());
    prop_oneof![
        5 => new.prop_map(|(source, interest, trigger, is_persistent)| Op::New {
            source, interest, trigger, is_persistent
        }),
        4 => index().prop_map(Op::Add),
        4 => index().prop_map(Op::Delete),
        2 => index().prop_map(Op::Remove),
        4 => (index(), interest()).prop_map(|(which, what)| Op::SetInterest(which, what)),
        3 => source().prop_map(Op::Put),
        2 => source().prop_map(Op::Take),
        1 => source().prop_map(Op::Hangup),
        1 => source().prop_map(Op::Replace),
        6 => Just(Op::Look),
    ]
}

/// What is known of an event.
struct Event {
    id: EventId,
    source: usize,
    interest: Interest,
    trigger: Trigger,
    is_persistent: bool,
    is_pending: bool,
}

impl Event {
    /// Whether it is among those of its source that can be told something.
    fn is_on(&self, source: usize) -> bool {
        self.source == source && self.is_pending && !self.interest.is_empty()
    }
}

/// Who ran and what it was told.
type Ran = Vec<(EventId, Ready)>;

struct World {
    events: EventLoop<Ran>,
    mechanism: Mechanism,
    sources: [(Rc<UnixStream>, Option<UnixStream>); SOURCES],
    /// In the order in which they were added last.
    model: Vec<Event>,
}

fn open() -> (Rc<UnixStream>, Option<UnixStream>) {
    let (near, far) = sockets();
    (Rc::new(near), Some(far))
}

impl World {
    fn new(mechanism: Mechanism) -> Self {
        let events = Builder::new().mechanism(mechanism);
        Self {
            events: events.build().unwrap(),
            mechanism,
            sources: [(); SOURCES].map(|()| open()),
            model: Vec::new(),
        }
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::New {
                source,
                interest,
                trigger,
                is_persistent,
            } => self.make(*source, *interest, *trigger, *is_persistent),
            Op::Look => self.look(),
            Op::Put(source) => {
                let (near, far) = &self.sources[*source];
                if let Some(far) = far
                    && take_would_block(near)
                {
                    put(far, b"x");
                }
            }
            Op::Take(source) => {
                let near = &*self.sources[*source].0;
                near.set_nonblocking(true).unwrap();
                take(near);
            }
            Op::Hangup(source) => self.sources[*source].1 = None,
            Op::Replace(source) => {
                for event in self.model.extract_if(.., |event| event.source == *source) {
                    self.events.remove(event.id).unwrap();
                }
                self.sources[*source] = open();
            }
            Op::Add(_) | Op::Delete(_) | Op::Remove(_) | Op::SetInterest(..)
                if self.model.is_empty() => {}
            Op::Add(which) => self.add(which.index(self.model.len())),
            Op::Delete(which) => {
                let event = which.get_mut(&mut self.model);
                event.is_pending = false;
                self.events.delete(event.id).unwrap();
            }
            Op::Remove(which) => {
                let event = self.model.remove(which.index(self.model.len()));
                self.events.remove(event.id).unwrap();
                self.is_given_up(event.source);
            }
            Op::SetInterest(which, interest) => {
                self.set_interest(which.index(self.model.len()), *interest);
            }
        }
        self.events.verify().unwrap();
    }

    /// Whether others keep the source from taking an event with this trigger.
    fn is_mixed(&self, source: usize, trigger: Trigger, but: Option<EventId>) -> bool {
        self.model
            .iter()
            .any(|event| event.is_on(source) && Some(event.id) != but && event.trigger != trigger)
    }

    fn make(&mut self, source: usize, interest: Interest, trigger: Trigger, is_persistent: bool) {
        // One of them knows no edges.
        let trigger = match self.mechanism {
            Mechanism::Epoll => trigger,
            _ => Trigger::Level,
        };
        let near = Rc::clone(&self.sources[source].0);
        let is_mixed = !interest.is_empty() && self.is_mixed(source, trigger, None);
        let mut event = self.events.io(near, interest).keep();
        if trigger == Trigger::Edge {
            event = event.edge();
        }
        if is_persistent {
            event = event.persist();
        }
        match event.add(|cx, _, ready| cx.state.push((cx.id(), ready))) {
            Ok(id) => {
                assert!(!is_mixed);
                self.model.push(Event {
                    id,
                    source,
                    interest,
                    trigger,
                    is_persistent,
                    is_pending: true,
                });
            }
            Err(error) => {
                assert!(matches!(error.reason, AddError::MixedTrigger(_)));
                assert!(is_mixed);
            }
        }
    }

    fn add(&mut self, at: usize) {
        let Event {
            id,
            source,
            interest,
            trigger,
            is_pending,
            ..
        } = self.model[at];
        let is_mixed = !interest.is_empty() && self.is_mixed(source, trigger, Some(id));
        assert_eq!(self.events.add(id).is_err(), is_mixed);
        if !is_mixed && !is_pending {
            let mut event = self.model.remove(at);
            event.is_pending = true;
            self.model.push(event);
        }
    }

    fn set_interest(&mut self, at: usize, interest: Interest) {
        let Event {
            id,
            source,
            interest: before,
            trigger,
            is_pending,
            ..
        } = self.model[at];
        let asks = is_pending && !interest.is_empty() && interest != before;
        let is_mixed = asks && self.is_mixed(source, trigger, Some(id));
        assert_eq!(self.events.set_interest(id, interest).is_err(), is_mixed);
        if !is_mixed {
            self.model[at].interest = interest;
            if is_pending && before.is_empty() {
                let event = self.model.remove(at);
                self.model.push(event);
            }
        }
    }

    /// A source that no event has any more is not held.
    fn is_given_up(&self, source: usize) {
        let is_in_the_kernel = self.mechanism == Mechanism::Epoll;
        if is_in_the_kernel && self.model.iter().all(|event| event.source != source) {
            let fd = number(&self.sources[source].0);
            assert!(held_by_the_loop().iter().all(|held| held.fd != fd));
        }
    }

    fn wanted(&self, source: usize) -> Interest {
        let on = self.model.iter().filter(|event| event.is_on(source));
        on.map(|event| event.interest).collect()
    }

    /// Who has to run for what is ready, where that is told by the level.
    fn to_run(&self, source: usize) -> Ran {
        let ready = ready(&self.sources[source].0);
        let on = self.model.iter().filter(|event| event.is_on(source));
        on.map(|event| (event.id, ready.for_interest(event.interest)))
            .filter(|(_, ready)| !ready.is_empty())
            .collect()
    }

    fn look(&mut self) {
        let wanted: [_; SOURCES] = std::array::from_fn(|source| self.wanted(source));
        let to_run: [_; SOURCES] = std::array::from_fn(|source| self.to_run(source));
        let mut ran = Ran::new();
        let _outcome = self.events.run_mode(Mode::NonBlocking, &mut ran).unwrap();
        let looked = !wanted.iter().all(|interest| interest.is_empty());
        for source in 0..SOURCES {
            let of_source = self.model.iter().filter(|event| event.source == source);
            let ids: Vec<_> = of_source.map(|event| event.id).collect();
            let on = self.model.iter().find(|event| event.is_on(source));
            let trigger = on.map(|event| event.trigger);
            let ran: Ran = ran
                .iter()
                .copied()
                .filter(|(id, _)| ids.contains(id))
                .collect();
            if trigger == Some(Trigger::Edge) {
                // Nobody runs for what is not so; whether it was told before is not known here.
                assert!(ran.iter().all(|told| to_run[source].contains(told)));
            } else {
                assert_eq!(ran, to_run[source]);
            }
            if looked && self.mechanism == Mechanism::Epoll {
                self.is_held(source, wanted[source], trigger);
            }
        }
        for event in &mut self.model {
            let has_run = ran.iter().any(|(id, _)| *id == event.id);
            event.is_pending &= event.is_persistent || !has_run;
        }
    }

    /// What is wanted is held, and nothing else; where nothing is wanted, what was may be held
    /// still, until it is reported, but no wish to write.
    fn is_held(&self, source: usize, wanted: Interest, trigger: Option<Trigger>) {
        let fd = number(&self.sources[source].0);
        let held = held_by_the_loop();
        let held: Vec<_> = held.iter().filter(|held| held.fd == fd).collect();
        match (trigger, &held[..]) {
            (Some(trigger), [held]) => {
                assert_eq!((held.interest, held.trigger()), (wanted, trigger));
            }
            (None, [held]) => assert!(!held.interest.contains(Interest::WRITE)),
            (None, []) => {}
            _ => panic!("{wanted} is wanted, {held:?} held"),
        }
    }
}

/// Whether there is nothing to be read.
fn take_would_block(near: &UnixStream) -> bool {
    !ready(near).contains(Ready::READ)
}

/// What `poll` says of a file.
fn ready(near: &UnixStream) -> Ready {
    let all = PollFlags::IN | PollFlags::OUT | PollFlags::RDHUP;
    let mut fds = [PollFd::new(near, all)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&at_once)).unwrap();
    let said = fds[0].revents();
    [
        (PollFlags::IN, Ready::READ),
        (PollFlags::OUT, Ready::WRITE),
        (PollFlags::RDHUP, Ready::CLOSED),
        (PollFlags::HUP, Ready::HANGUP),
        (PollFlags::ERR, Ready::ERROR),
    ]
    .into_iter()
    .filter(|(flag, _)| said.contains(*flag))
    .map(|(_, ready)| ready)
    .collect()
}

fn programs_on(mechanism: Mechanism) {
    proptest!(|(program in vec(op(), 0..60))| {
        let mut world = World::new(mechanism);
        for op in &program {
            world.run(op);
        }
    });
}

#[test]
fn programs_run_whom_poll_says_and_the_kernel_holds_what_they_want() {
    in_own_process(
        "programs::programs_run_whom_poll_says_and_the_kernel_holds_what_they_want",
        || programs_on(Mechanism::Epoll),
    );
}

#[test]
fn programs_run_whom_poll_says_without_epoll_as_well() {
    in_own_process(
        "programs::programs_run_whom_poll_says_without_epoll_as_well",
        || programs_on(Mechanism::Poll),
    );
}
