//! A loop of everything, and each of its records made wrong in turn.

use core::convert::Infallible;
use core::time::Duration;

use alloc::string::ToString;
use evloop_changelist::{Interest, Ready, Trigger};
use evloop_signals::SignalSet;

use super::*;
use crate::event::{Ownership, Priority, Spec};
use crate::slab::NONE;

const IO: u32 = 0;
const SIGNAL: u32 = 2;
const TIMER: u32 = 3;
const PREPARE: u32 = 4;
const ACTIVE: u32 = 7;
const LATER: u32 = 9;
const FREE: u32 = 10;

/// An event of each sort in a slot of its own: 0 and 1 on one file descriptor, 7 and 8 in one queue.
fn sound() -> Core<()> {
    let io = |interest| Kind::Io {
        fd: 3,
        interest,
        trigger: Trigger::Level,
        ownership: Ownership::Owned,
    };
    let kinds = [
        io(Interest::READ),
        io(Interest::WRITE),
        Kind::Signal(Signal::USR1),
        Kind::Plain,
        Kind::Prepare,
        Kind::Check,
        Kind::Always(Interest::READ),
        Kind::Plain,
        Kind::Plain,
        Kind::Plain,
        Kind::Plain,
    ];
    let mut core = Core::new();
    for (slot, kind) in (0..).zip(kinds) {
        let timeout = [SIGNAL, TIMER].contains(&slot).then_some(Duration::MAX);
        let spec = Spec {
            timeout,
            ..Spec::new(kind)
        };
        let id = core.insert(spec, ()).unwrap();
        assert_eq!(id.slot, slot);
        match slot {
            ACTIVE | 8 => core.activate(id, Ready::READ).unwrap(),
            LATER => core.activate_later(id, Ready::READ).unwrap(),
            FREE => drop(core.remove(id).unwrap()),
            _ => core.add(id, || 0, |_| Ok::<_, Infallible>(())).unwrap(),
        }
    }
    core
}

/// What [`Core::verify`] says of a loop that was sound before.
fn broken(break_it: impl FnOnce(&mut Core<()>)) -> String {
    let mut core = sound();
    assert_eq!(core.verify(), Ok(()));
    break_it(&mut core);
    core.verify().unwrap_err().to_string()
}

type Fault = (&'static str, fn(&mut Core<()>));

fn check(faults: &[Fault]) {
    for (expected, break_it) in faults {
        let said = broken(break_it);
        assert!(said.contains(expected), "{said}, not: {expected}");
    }
}

#[test]
fn counts_that_are_wrong_are_found() {
    check(&[
        ("5 events are pending, 4 are recorded", |c| c.pending = 4),
        ("than there ever was", |c| c.most.pending = 4),
        ("than there ever was", |c| c.most.timers = 1),
        ("timers run", |c| c.timers.set(FREE, 1)),
        ("events are always ready", |c| c.always.push(ACTIVE)),
        ("events watch", |c| c.check.insert(FREE)),
    ]);
}

#[test]
fn events_that_are_not_where_they_should_be_are_found() {
    check(&[
        ("event 4 is a watcher", |c| c.prepare.remove(PREPARE)),
        ("event 7 is a watcher", |c| c.check.insert(ACTIVE)),
        ("event 6 is on what", |c| c.always.clear()),
        ("event 0 is on what", |c| {
            c.events[IO].state.remove(State::PENDING);
        }),
        ("event 2 is on what", |c| {
            let _last = c.signals.remove(Signal::USR1, SIGNAL);
        }),
        ("event 3 has a timer, or is said to have", |c| {
            c.events[TIMER].state.remove(State::TIMED);
        }),
        ("event 2 has a timer, or is said to have", |c| {
            c.timers.remove(SIGNAL);
        }),
        ("event 7 has a timer and is not pending", |c| {
            c.events[ACTIVE].state.insert(State::TIMED);
        }),
        ("event 2 has news", |c| c.events[SIGNAL].set_count(1 << 32)),
    ]);
}

#[test]
fn queues_that_are_wrong_are_found() {
    check(&[
        ("event 8 does not know the one before", |c| {
            c.events[8].prev = NONE;
        }),
        ("event 7 does not know the one before", |c| {
            c.events[8].next = ACTIVE;
        }),
        ("is last in its queue", |c| c.events[ACTIVE].next = NONE),
        ("a freed event is active", |c| c.events[8].next = FREE),
        ("wrong queue", |c| c.events[8].priority = Priority(1)),
        ("wrong queue", |c| c.events[LATER].state = State::ACTIVE),
        ("2 active events", |c| {
            c.events[TIMER].state.insert(State::ACTIVE);
        }),
        ("1 events are in the later queue", |c| {
            c.events[TIMER].state.insert(State::LATER);
        }),
    ]);
}

#[test]
fn file_descriptors_that_are_wrong_are_found() {
    check(&[
        (
            "is to be held for read+write, and wanted for read+closed",
            |c| {
                if let Kind::Io { interest, .. } = &mut c.events[1].kind {
                    *interest = Interest::CLOSED;
                }
            },
        ),
        ("which is not its", |c| {
            c.events[IO].kind = Kind::Plain;
        }),
        ("an event that was freed", |c| {
            c.events.remove(c.events.id_at(IO));
        }),
        ("not of the closed that is held", |c| {
            c.fds.registered(3, Interest::CLOSED, Trigger::Level);
        }),
        ("2 changes were made of 1 edits", |c| c.fds.told = 1),
    ]);
}

#[test]
fn signals_that_are_wrong_are_found() {
    check(&[
        ("SIGUSR1 is watched and not caught", |c| {
            c.caught = SignalSet::new();
        }),
        ("SIGUSR2 has event 3", |c| {
            let _first = c.signals.insert(Signal::USR2, TIMER);
        }),
    ]);
}
