//! A user of the strategies that `evloop-changelist` exports: the op table is held against a model
//! of a few lines, and against the real kernel through an epoll instance of the test's own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/fdinfo.rs"]
mod fdinfo;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use evloop_changelist::strategy::{
    Action, FDS, Touch, any_change, any_edits, any_interest, history,
};
use evloop_changelist::{
    Change, Changelist, Edits, Entry, EpollOp, Interest, Op, RawFd, Recovery, Token, Trigger,
    epoll_op, recover,
};
use proptest::prelude::*;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;

use crate::fdinfo::{EDGE, KINDS, held_under};

/// The whole of the table, as a user would say it.
fn model(held: Interest, edits: Edits) -> Option<Interest> {
    let touched = edits != Edits::KEEP;
    touched.then(|| (held | edits.added()) - edits.deleted())
}

/// An epoll instance, and the files that a history is about.
struct Kernel {
    epoll: OwnedFd,
    files: Vec<OwnedFd>,
}

impl Kernel {
    fn new() -> Self {
        let mut kernel = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).unwrap(),
            files: Vec::new(),
        };
        for at in 0..FDS {
            kernel.open(at);
        }
        kernel
    }

    /// Opens a file in the place of the one that is there, if one is, which is closed.
    fn open(&mut self, at: RawFd) {
        let new = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        match self.files.get_mut(index(at)) {
            // Under the same number, as nothing else is open in between.
            Some(file) => rustix::io::dup3(&new, file, rustix::io::DupFlags::CLOEXEC).unwrap(),
            None => self.files.push(new),
        }
    }

    fn file(&self, at: RawFd) -> BorrowedFd<'_> {
        self.files[index(at)].as_fd()
    }

    fn call(&self, op: Op, at: RawFd, interest: Interest, trigger: Trigger) -> Result<(), Errno> {
        let bits = KINDS
            .iter()
            .filter(|(_, kind)| interest.contains(*kind))
            .fold(0, |bits, (bit, _)| bits | bit);
        let edge = if trigger == Trigger::Edge { EDGE } else { 0 };
        let flags = epoll::EventFlags::from_bits_retain(bits | edge);
        let data = epoll::EventData::new_u64(u64::from(at.unsigned_abs()));
        match op {
            Op::Add => epoll::add(&self.epoll, self.file(at), data, flags),
            Op::Modify => epoll::modify(&self.epoll, self.file(at), data, flags),
            Op::Delete => epoll::delete(&self.epoll, self.file(at)),
        }
    }

    /// Makes the calls of a change; how many of them were refused, at most one.
    fn apply(&self, at: RawFd, change: Change) -> usize {
        let Some(EpollOp { op, interest }) = change.op() else {
            return 0;
        };
        let Err(errno) = self.call(op, at, interest, change.trigger()) else {
            return 0;
        };
        match recover(op, errno.raw_os_error()) {
            Recovery::Retry(other) => {
                self.call(other, at, interest, change.trigger()).unwrap();
            }
            Recovery::Done => {}
            Recovery::Fail => panic!("{change:?}: {errno}"),
        }
        1
    }

    /// What is held for each file of the history.
    fn held(&self) -> BTreeMap<RawFd, (Interest, Trigger)> {
        let number = |fd| {
            let is_it = |file: &OwnedFd| file.as_raw_fd() == fd;
            RawFd::try_from(self.files.iter().position(is_it).unwrap()).unwrap()
        };
        let all = held_under(&self.epoll.as_raw_fd().to_string()).into_iter();
        all.map(|held| (number(held.fd), (held.interest, held.trigger())))
            .collect()
    }
}

fn index(at: RawFd) -> usize {
    at.try_into().unwrap()
}

/// What a history wants, without a changelist.
fn want(wanted: &mut BTreeMap<RawFd, (Interest, Trigger)>, touch: Touch) {
    let (interest, trigger) = wanted.entry(touch.fd).or_default();
    match touch.action {
        Action::Add(more, how) => (*interest, *trigger) = (*interest | more, how),
        Action::Delete(less) => *interest -= less,
    }
    if interest.is_empty() {
        wanted.remove(&touch.fd);
    }
}

fn record(changes: &mut Changelist, held: &BTreeMap<RawFd, (Interest, Trigger)>, touch: Touch) {
    let token = Token {
        slot: touch.fd.unsigned_abs(),
        generation: 0,
    };
    let (interest, trigger) = held.get(&touch.fd).copied().unwrap_or_default();
    touch.edit(changes.record(touch.fd, token, interest, trigger));
}

proptest! {
    #[test]
    fn table_says_what_the_model_says(held in any_interest(), edits in any_edits()) {
        let call = epoll_op(held, edits);
        let Some(wanted) = model(held, edits) else {
            prop_assert_eq!(call, None);
            return Ok(());
        };
        let Some(EpollOp { op, interest }) = call else {
            // Nothing was held and nothing is wanted: there is nothing to say.
            prop_assert!(wanted.is_empty());
            return Ok(());
        };
        prop_assert_eq!(op == Op::Delete, wanted.is_empty());
        if op == Op::Delete {
            prop_assert!(!interest.is_empty());
        } else {
            prop_assert_eq!(interest, wanted);
            prop_assert_eq!(op == Op::Add, held.is_empty());
        }
    }

    /// Each row, on a file that the kernel holds as the row says.
    #[test]
    fn kernel_goes_from_held_to_wanted(change in any_change(), before in any_interest()) {
        let kernel = Kernel::new();
        let held = change.held();
        if !held.is_empty() {
            kernel.call(Op::Add, 0, held, Trigger::Level).unwrap();
        }
        prop_assert_eq!(kernel.apply(0, change), 0, "the table's guess is right");
        let wanted = change.wanted();
        let now = kernel.held();
        prop_assert_eq!(now.get(&0).map(|(interest, _)| *interest), some(wanted));

        // The record may be wrong: what the kernel holds is something else, or nothing.
        let kernel = Kernel::new();
        if !before.is_empty() {
            kernel.call(Op::Add, 0, before, Trigger::Level).unwrap();
        }
        if change.op().is_some() {
            kernel.apply(0, change);
            let now = kernel.held();
            prop_assert_eq!(now.get(&0).map(|(interest, _)| *interest), some(wanted));
        }
    }

    /// A history in turns; at the end of each the kernel holds what the history wants.
    #[test]
    fn kernel_holds_what_a_history_wants(history in history(60), turn in 1..8_usize) {
        let kernel = Kernel::new();
        let mut wanted = BTreeMap::new();
        for turn in history.chunks(turn) {
            let held = kernel.held();
            let mut changes = Changelist::new();
            for touch in turn {
                record(&mut changes, &held, *touch);
                want(&mut wanted, *touch);
            }
            for Entry { fd, change, .. } in changes.entries() {
                // Told or not, if it need not be.
                if change.is_needed() {
                    prop_assert_eq!(kernel.apply(*fd, *change), 0);
                }
            }
            prop_assert_eq!(kernel.held(), wanted.clone());
        }
    }

    /// As above, while files are closed and others opened under their numbers, of which the
    /// changelist is not told: whatever it says of such a file afterwards is made true.
    #[test]
    fn files_that_are_opened_anew_get_what_is_added(
        history in history(40),
        reopen in proptest::collection::vec(0..FDS, 40),
    ) {
        let mut kernel = Kernel::new();
        let mut record_of = BTreeMap::<RawFd, (Interest, Trigger)>::new();
        for (touch, reopened) in history.into_iter().zip(reopen) {
            kernel.open(reopened);
            let mut changes = Changelist::new();
            record(&mut changes, &record_of, touch);
            want(&mut record_of, touch);
            for Entry { fd, change, .. } in changes.entries() {
                if change.op().is_some() {
                    kernel.apply(*fd, *change);
                    let now = kernel.held();
                    prop_assert_eq!(now.get(fd), record_of.get(fd));
                }
            }
        }
    }
}

fn some(interest: Interest) -> Option<Interest> {
    Some(interest).filter(|interest| !interest.is_empty())
}
