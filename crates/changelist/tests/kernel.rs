//! Changes and the recovery rule against a naive model of the kernel: one file descriptor, and what
//! `epoll_ctl` says about it.

use evloop_changelist::{
    Change, Edit, Edits, EpollOp, Interest, Op, Recovery, Trigger, epoll_op, recover,
};
use proptest::collection::vec;
use proptest::prelude::*;

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EBADF: i32 = 9;
const EEXIST: i32 = 17;

type Held = Option<(Interest, Trigger)>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kernel {
    /// No file under this number.
    Closed,
    /// A file that cannot be waited for.
    RegularFile,
    /// A file that can, and the interest in it.
    Pollable(Held),
}

impl Kernel {
    fn control(&mut self, op: Op, new: (Interest, Trigger)) -> Result<(), i32> {
        match (&mut *self, op) {
            (Self::Closed, _) => return Err(EBADF),
            (Self::RegularFile, _) => return Err(EPERM),
            (Self::Pollable(Some(_)), Op::Add) => return Err(EEXIST),
            (Self::Pollable(None), Op::Modify | Op::Delete) => return Err(ENOENT),
            (Self::Pollable(held), Op::Add | Op::Modify) => *held = Some(new),
            (Self::Pollable(held), Op::Delete) => *held = None,
        }
        Ok(())
    }

    /// Makes the call and at most one more, as the recovery rule says.
    fn tell(&mut self, call: EpollOp, trigger: Trigger) -> Result<(), i32> {
        let new = (call.interest, trigger);
        let Err(errno) = self.control(call.op, new) else {
            return Ok(());
        };
        match recover(call.op, errno) {
            Recovery::Retry(op) => self.control(op, new),
            Recovery::Done => Ok(()),
            Recovery::Fail => Err(errno),
        }
    }

    fn every() -> impl Iterator<Item = Self> {
        let holding = some_interests()
            .flat_map(|interest| TRIGGERS.map(|trigger| Self::Pollable(Some((interest, trigger)))));
        [Self::Closed, Self::RegularFile, Self::Pollable(None)]
            .into_iter()
            .chain(holding)
    }
}

const TRIGGERS: [Trigger; 2] = [Trigger::Level, Trigger::Edge];

fn some_interests() -> impl Iterator<Item = Interest> {
    Interest::all_subsets().filter(|set| !set.is_empty())
}

fn as_held(interest: Interest, trigger: Trigger) -> Held {
    (!interest.is_empty()).then_some((interest, trigger))
}

/// Each state that a change can be brought into, with the trigger it began with.
fn every_change() -> impl Iterator<Item = (Trigger, Change)> {
    let starts = || {
        TRIGGERS
            .into_iter()
            .flat_map(|before| TRIGGERS.map(|after| (before, after)))
    };
    Interest::all_subsets().flat_map(move |held| {
        starts().flat_map(move |(before, after)| {
            Edits::all().map(move |edits| {
                let mut change = Change::new(held, before);
                change.set_trigger(after);
                change.add(edits.added());
                change.delete(edits.deleted());
                (before, change)
            })
        })
    })
}

#[test]
fn row_takes_the_kernel_from_held_to_wanted() {
    for held in Interest::all_subsets() {
        for edits in Edits::all() {
            let mut kernel = Kernel::Pollable(as_held(held, Trigger::Level));
            if let Some(call) = epoll_op(held, edits) {
                kernel
                    .tell(call, Trigger::Level)
                    .expect("the file is pollable");
            }
            let wanted = as_held(edits.applied_to(held), Trigger::Level);
            assert_eq!(kernel, Kernel::Pollable(wanted), "held {held}, {edits:?}");
        }
    }
}

#[test]
fn first_guess_is_right_where_the_record_is() {
    for (before, change) in every_change() {
        let mut kernel = Kernel::Pollable(as_held(change.held(), before));
        if let Some(call) = change.op() {
            let new = (call.interest, change.trigger());
            assert_eq!(kernel.control(call.op, new), Ok(()), "{change:?}");
        }
        let wanted = as_held(change.wanted(), change.trigger());
        assert_eq!(kernel, Kernel::Pollable(wanted), "{change:?}");
    }
}

#[test]
fn two_calls_reach_what_is_wanted_from_every_kernel_state() {
    for (_, change) in every_change() {
        let Some(call) = change.op() else { continue };
        for start in Kernel::every() {
            let mut kernel = start;
            let told = kernel.tell(call, change.trigger());
            match start {
                Kernel::Pollable(_) => {
                    let wanted = as_held(change.wanted(), change.trigger());
                    assert_eq!(told, Ok(()), "{change:?} from {start:?}");
                    assert_eq!(
                        kernel,
                        Kernel::Pollable(wanted),
                        "{change:?} from {start:?}"
                    );
                }
                Kernel::Closed | Kernel::RegularFile => {
                    assert_eq!(
                        told.is_ok(),
                        change.wanted().is_empty(),
                        "{change:?}: {start:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_is_not_needed_leaves_an_open_file_as_wanted() {
    for (before, change) in every_change() {
        let is_edge_add = change.trigger() == Trigger::Edge && !change.edits().added().is_empty();
        let kernel = as_held(change.held(), before);
        let differs = kernel != as_held(change.wanted(), change.trigger());
        assert_eq!(change.is_needed(), differs || is_edge_add, "{change:?}");
        assert!(!change.is_needed() || change.op().is_some(), "{change:?}");
    }
}

#[test]
fn refusals_that_no_rule_knows_fail() {
    for errno in (0..200).chain([-1, i32::MIN, i32::MAX]) {
        let known = [
            (Op::Modify, ENOENT),
            (Op::Add, EEXIST),
            (Op::Delete, ENOENT),
            (Op::Delete, EBADF),
            (Op::Delete, EPERM),
        ];
        for op in [Op::Add, Op::Modify, Op::Delete] {
            let is_known = known.contains(&(op, errno));
            assert_eq!(
                recover(op, errno) != Recovery::Fail,
                is_known,
                "{op} {errno}"
            );
        }
    }
}

#[test]
fn add_after_delete_is_told() {
    let mut change = Change::new(Interest::READ, Trigger::Level);
    change.delete(Interest::READ);
    change.add(Interest::READ);
    assert_eq!(
        change.op(),
        Some(EpollOp {
            op: Op::Modify,
            interest: Interest::READ
        })
    );
    assert!(!change.is_needed());
}

#[test]
fn delete_after_add_is_not() {
    let mut change = Change::new(Interest::READ, Trigger::Level);
    change.add(Interest::WRITE);
    change.delete(Interest::WRITE);
    assert_eq!(change, Change::new(Interest::READ, Trigger::Level));
    assert_eq!(change.op(), None);
}

#[test]
fn delete_of_what_was_held_outlives_an_add() {
    let mut change = Change::new(Interest::READ, Trigger::Level);
    change.add(Interest::READ);
    change.delete(Interest::READ);
    assert_eq!(
        change.edits(),
        Edits {
            read: Edit::Delete,
            ..Edits::KEEP
        }
    );
}

#[test]
fn trigger_alone_is_a_modify_of_what_is_held() {
    let mut change = Change::new(Interest::WRITE, Trigger::Level);
    change.set_trigger(Trigger::Edge);
    assert_eq!(
        change.op(),
        Some(EpollOp {
            op: Op::Modify,
            interest: Interest::WRITE
        })
    );
    assert!(change.is_needed());

    let mut change = Change::new(Interest::empty(), Trigger::Level);
    change.set_trigger(Trigger::Edge);
    assert_eq!(change.op(), None);
    assert!(!change.is_needed());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(Interest),
    Delete(Interest),
    SetTrigger(Trigger),
}

impl Step {
    fn edit(self, change: &mut Change) {
        match self {
            Self::Add(interest) => change.add(interest),
            Self::Delete(interest) => change.delete(interest),
            Self::SetTrigger(trigger) => change.set_trigger(trigger),
        }
    }
}

fn any_interest() -> impl Strategy<Value = Interest> {
    (0..8u8).prop_map(Interest::from_bits_truncate)
}

fn any_trigger() -> impl Strategy<Value = Trigger> {
    prop_oneof![Just(Trigger::Level), Just(Trigger::Edge)]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any_interest().prop_map(Step::Add),
        any_interest().prop_map(Step::Delete),
        any_trigger().prop_map(Step::SetTrigger),
    ]
}

proptest! {
    /// Also: the last edit of each kind of interest wins.
    #[test]
    fn coalesced_history_is_the_history_played_one_by_one(
        held in any_interest(),
        trigger in any_trigger(),
        steps in vec(any_step(), 0..12),
    ) {
        let mut one_by_one = Kernel::Pollable(as_held(held, trigger));
        let mut now = (held, trigger);
        let mut wanted = held;
        let mut coalesced = Change::new(held, trigger);
        for step in steps {
            let mut change = Change::new(now.0, now.1);
            step.edit(&mut change);
            if let Some(call) = change.op() {
                prop_assert_eq!(one_by_one.tell(call, change.trigger()), Ok(()));
            }
            now = (change.wanted(), change.trigger());

            step.edit(&mut coalesced);
            match step {
                Step::Add(interest) => wanted.insert(interest),
                Step::Delete(interest) => wanted.remove(interest),
                Step::SetTrigger(_) => {}
            }
            prop_assert_eq!(coalesced.wanted(), wanted);
            prop_assert_eq!(coalesced.held(), held);
        }

        let mut at_once = Kernel::Pollable(as_held(held, trigger));
        if let Some(call) = coalesced.op() {
            prop_assert_eq!(at_once.control(call.op, (call.interest, coalesced.trigger())), Ok(()));
        }
        prop_assert_eq!(at_once, one_by_one);
    }

    /// An open file is as wanted even if only what is needed is told.
    #[test]
    fn skipping_what_is_not_needed_changes_nothing(
        turns in vec(vec(any_step(), 0..5), 0..8),
    ) {
        let mut kernel = Kernel::Pollable(None);
        let mut now = (Interest::empty(), Trigger::Level);
        for turn in turns {
            let mut change = Change::new(now.0, now.1);
            for step in turn {
                step.edit(&mut change);
            }
            if change.is_needed() {
                let call = change.op().expect("what is needed has an operation");
                prop_assert_eq!(kernel.tell(call, change.trigger()), Ok(()));
            }
            now = (change.wanted(), change.trigger());
            prop_assert_eq!(kernel, Kernel::Pollable(as_held(now.0, now.1)));
        }
    }
}
