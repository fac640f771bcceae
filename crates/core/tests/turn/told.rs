//! What the kernel is told of changes of interest, and what it is not.

use evloop_changelist::{EpollOp, Interest, Op, Ready, Token, Trigger};
use evloop_core::{EventId, Kind, Mode, NoSuchEvent, Ownership, Spec, Step};

use super::{FIRST, Loop, READ, added, granted, modify, persistent, refused, steps, told};

#[test]
fn level_triggered_add_again_costs_nothing_where_the_file_is_owned() {
    let mut core = Loop::new();
    let id = added(&mut core, Spec::new(READ));
    assert_eq!(core.delete(id), Ok(None));
    core.add(id, || 0, refused).unwrap();
    assert_eq!(core.changes(), [], "not even recorded");
    assert_eq!(told(&mut core), []);
    let stats = core.stats();
    assert_eq!((stats.changes_recorded, stats.changes_skipped), (0, 0));
}

#[test]
fn add_again_is_told_where_the_file_is_borrowed() {
    let mut core = Loop::new();
    let kind = borrowed(Interest::READ);
    let id = added(&mut core, Spec::new(kind));
    let _ = core.delete(id);
    core.add(id, || 0, refused).unwrap();
    assert_eq!(told(&mut core), [modify(Interest::READ)]);
}

#[test]
fn edge_is_rearmed_by_every_add() {
    let mut core = Loop::new();
    let kind = Kind::Io {
        fd: 4,
        interest: Interest::READ,
        trigger: Trigger::Edge,
        ownership: Ownership::Owned,
    };
    let id = added(&mut core, persistent(kind));
    core.add(id, || 0, refused).unwrap();
    assert_eq!(told(&mut core), [modify(Interest::READ)]);
}

/// Of file descriptor 4, to be read.
fn read(trigger: Trigger, ownership: Ownership) -> Kind {
    Kind::Io {
        fd: 4,
        interest: Interest::READ,
        trigger,
        ownership,
    }
}

#[test]
fn first_add_is_told_by_its_demand_alone() {
    for kind in [
        read(Trigger::Edge, Ownership::Owned),
        read(Trigger::Level, Ownership::Borrowed),
    ] {
        let mut core = Loop::new();
        added(&mut core, persistent(kind));
        assert_eq!(core.changes(), []);
        assert_eq!(core.stats().changes_recorded, 0);
    }
}

#[test]
fn number_is_borrowed_no_more_when_its_next_file_is_owned() {
    let mut core = Loop::new();
    let borrowed = added(
        &mut core,
        persistent(read(Trigger::Level, Ownership::Borrowed)),
    );
    let _ = core.remove(borrowed);
    let owned = added(&mut core, persistent(READ));
    let _ = core.delete(owned);
    core.add(owned, || 0, refused).unwrap();
    assert_eq!(told(&mut core), []);
}

#[test]
fn number_stays_borrowed_when_it_is_registered_anew_for_its_events() {
    let mut core = Loop::new();
    let id = added(
        &mut core,
        persistent(read(Trigger::Level, Ownership::Borrowed)),
    );
    core.restore_fds(|_, _, _, _| Ok(()));
    let _ = core.delete(id);
    let [entry] = core.changes_by_now() else {
        panic!("one file descriptor");
    };
    assert_eq!(entry.change.op().map(|op| op.op), Some(Op::Delete));
}

#[test]
fn add_of_an_event_that_was_refused_demands_it_again() {
    let mut core = Loop::new();
    let id = added(&mut core, persistent(READ));
    steps(&mut core, Mode::NonBlocking, |core| core.refuse(FIRST, 12));
    let mut demanded = Vec::new();
    core.add(
        id,
        || 0,
        |demand| {
            demanded.push(demand);
            Ok::<_, ()>(())
        },
    )
    .unwrap();
    assert_eq!(demanded.len(), 1, "the kernel holds nothing");
    core.check_invariants();
}

#[test]
fn last_delete_is_kept_for_reading_and_told_for_writing() {
    for (interest, op) in [(Interest::READ, None), (Interest::WRITE, Some(Op::Delete))] {
        let mut core = Loop::new();
        let kind = Kind::Io {
            fd: 4,
            interest,
            trigger: Trigger::Level,
            ownership: Ownership::Owned,
        };
        let id = added(&mut core, persistent(kind));
        let _ = core.delete(id);
        core.activate(id, Ready::READ).unwrap();
        let told: Vec<_> = told(&mut core)
            .into_iter()
            .flatten()
            .map(|told| told.op)
            .collect();
        assert_eq!(told, Vec::from_iter(op), "{interest:?}");
    }
}

#[test]
fn trigger_of_a_change_that_was_not_told_is_not_believed() {
    let mut core = Loop::new();
    let io = |trigger| {
        Spec::new(Kind::Io {
            fd: 4,
            interest: Interest::READ,
            trigger,
            ownership: Ownership::Owned,
        })
    };
    let edge = added(&mut core, io(Trigger::Edge));
    let _ = core.delete(edge);
    let level = added(&mut core, io(Trigger::Level));
    let _ = core.delete(level);
    core.activate(level, Ready::READ).unwrap();
    assert_eq!(told(&mut core), [], "the kernel keeps it, edge-triggered");
    assert_eq!(core.held().next().unwrap().2, Trigger::Edge);
    core.add(level, || 0, refused).unwrap();
    assert_eq!(told(&mut core), [modify(Interest::READ)]);
    assert_eq!(core.held().next().unwrap().2, Trigger::Level);
}

#[test]
fn kept_delete_is_taken_back_by_its_first_report() {
    let mut core = Loop::new();
    let id = added(
        &mut core,
        Spec {
            keep: true,
            ..Spec::new(READ)
        },
    );
    let _ = core.delete(id);
    steps(&mut core, Mode::StayOnEmpty, |core| {
        core.report(FIRST, Ready::READ);
        core.exit();
    });
    assert_eq!(core.stats().quenched, 1);
    core.activate(id, Ready::READ).unwrap();
    assert_eq!(
        told(&mut core),
        [Some(EpollOp {
            op: Op::Delete,
            interest: Interest::READ
        })]
    );
    assert_eq!(core.held().count(), 0);
}

#[test]
fn what_changes_while_the_changes_are_away_is_for_the_next_wait() {
    let mut core = Loop::new();
    let first = added(&mut core, persistent(READ));
    core.set_interest(first, Interest::WRITE, granted).unwrap();
    core.begin(Mode::StayOnEmpty).unwrap();
    assert_eq!(core.step(|| 0), Step::Wait(None));
    assert_eq!(core.changes().len(), 1);
    core.told();
    // Another thread comes in.
    core.set_interest(first, Interest::READ, granted).unwrap();
    core.waited();
    let changes: Vec<_> = core.changes().iter().map(|entry| entry.change).collect();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].held(), Interest::WRITE);
    assert_eq!(changes[0].op(), modify(Interest::READ));
    core.abort();
}

/// The number of a file that was closed: the kernel, which is told of it, refuses that. Meanwhile another
/// thread has opened the number again, and made an event for it.
#[test]
fn what_is_wanted_since_a_change_was_told_outlives_its_refusal() {
    let kind = borrowed(Interest::READ);
    let deleted = Some(EpollOp {
        op: Op::Delete,
        interest: Interest::READ,
    });
    type After = fn(&mut Loop, EventId);
    let cases: [(After, _); 4] = [
        (|_, _| {}, modify(Interest::READ)),
        (
            |core, _| _ = added_without_the_kernel(core, borrowed(Interest::WRITE)),
            modify(Interest::READ | Interest::WRITE),
        ),
        (
            |core, new| assert_eq!(core.retire(new).unwrap().release, None),
            deleted,
        ),
        // What is changed may be nothing but one event less.
        (
            |core, new| {
                added_without_the_kernel(core, core.info(new).unwrap().kind);
                assert_eq!(core.retire(new).unwrap().release, None);
            },
            modify(Interest::READ),
        ),
    ];
    for (after, op) in cases {
        let mut core = Loop::new();
        added(&mut core, persistent(Kind::Plain));
        let old = added(&mut core, persistent(kind));
        core.begin(Mode::StayOnEmpty).unwrap();
        assert_eq!(core.step(|| 0), Step::Wait(None));
        core.told();
        let new = added_without_the_kernel(&mut core, kind);
        assert_eq!(core.retire(old).unwrap().release, None);
        core.waited();
        core.refuse(FIRST, 9);
        core.check_invariants();
        after(&mut core, new);
        core.check_invariants();
        // Nobody runs with an error that is not its own.
        assert!(matches!(core.step(|| 0), Step::Wait(_)));
        let ops: Vec<_> = core.changes().iter().map(|told| told.change.op()).collect();
        assert_eq!(ops, [op]);
        core.abort();
    }
}

/// There are two, and one of them goes while the kernel refuses both.
#[test]
fn what_is_refused_while_another_goes_is_asked_for_again() {
    let mut core = Loop::new();
    let kind = borrowed(Interest::READ);
    let [one, _other] = [(); 2].map(|()| added(&mut core, persistent(kind)));
    core.begin(Mode::StayOnEmpty).unwrap();
    assert!(matches!(core.step(|| 0), Step::Wait(None)));
    core.told();
    assert_eq!(core.retire(one).unwrap().release, None);
    core.waited();
    let generation = core.held().next().unwrap().3.generation;
    core.refuse(
        Token {
            slot: 4,
            generation,
        },
        9,
    );
    assert!(matches!(core.step(|| 0), Step::Wait(_)));
    let ops: Vec<_> = core.changes().iter().map(|told| told.change.op()).collect();
    assert_eq!(ops, [modify(Interest::READ)]);
    core.abort();
}

#[test]
fn retired_event_is_told_with_the_wait_and_one_that_follows_it_is_told_once() {
    let read = borrowed(Interest::READ);
    let mut core = Loop::new();
    // Keeps the run from being empty.
    added(&mut core, persistent(Kind::Plain));
    let first = added(&mut core, persistent(read));
    let leaving = core.retire(first).unwrap();
    assert_eq!((leaving.release, leaving.payload), (None, Some("event")));
    assert_eq!(core.delete(first), Err(NoSuchEvent));
    let write = borrowed(Interest::WRITE);
    let second = added_without_the_kernel(&mut core, write);
    assert_eq!(told(&mut core), [modify(Interest::WRITE)]);

    assert_eq!(core.retire(second).unwrap().release, None);
    let delete = EpollOp {
        op: Op::Delete,
        interest: Interest::WRITE,
    };
    assert_eq!(told(&mut core), [Some(delete)]);
    assert_eq!(core.held().count(), 0);
}

/// For a file that its owner may close.
fn borrowed(interest: Interest) -> Kind {
    Kind::Io {
        fd: 4,
        interest,
        trigger: Trigger::Level,
        ownership: Ownership::Borrowed,
    }
}

/// An event that the kernel need not be asked for.
fn added_without_the_kernel(core: &mut Loop, kind: Kind) -> EventId {
    let id = core.insert(persistent(kind), "event").unwrap();
    core.add(id, || 0, refused).unwrap();
    id
}

/// A front whose callback panicked may not come to say that it is over.
#[test]
fn one_shot_whose_run_is_aborted_in_its_callback_is_off_its_file() {
    let mut core = Loop::new();
    let kind = Kind::Io {
        fd: 4,
        interest: Interest::WRITE,
        trigger: Trigger::Level,
        ownership: Ownership::Owned,
    };
    let id = added(&mut core, Spec::new(kind));
    added(&mut core, persistent(Kind::Plain)); // what the next run waits for
    core.begin(Mode::UntilEmpty).unwrap();
    let Step::Wait(_) = core.step(|| 0) else {
        panic!("it waits");
    };
    core.waited();
    core.report(FIRST, Ready::WRITE);
    assert!(matches!(core.step(|| 0), Step::Run(why) if why.id == id));
    core.abort();
    core.check_invariants();
    assert!(!core.info(id).unwrap().pending);
    let deleted = EpollOp {
        op: Op::Delete,
        interest: Interest::WRITE,
    };
    assert_eq!(told(&mut core), [Some(deleted)]);
    // It is kept, and can be added again.
    core.add(id, || 0, granted).unwrap();
    assert!(core.info(id).unwrap().pending);
}
