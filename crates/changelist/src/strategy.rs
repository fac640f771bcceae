//! Strategies for property tests of what is built on this crate: a backend, a table, a loop.
//!
//! They reach every state there is: each interest, each edit, and by way of [`history`] each order
//! of adds and deletes on a few file descriptors. Values shrink towards nothing held, nothing
//! edited, level-triggered, file descriptor 0.
//!
//! # Examples
//!
//! A backend of one's own, here a list such as `poll` takes. After each flush it is to hold what
//! the history up to there wants:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use evloop_changelist::strategy::{Action, history};
//! use evloop_changelist::{Changelist, Entry, Interest, RawFd, Token, Trigger};
//! use proptest::test_runner::TestRunner;
//!
//! #[derive(Default)]
//! struct Poll(Vec<(RawFd, Interest)>);
//!
//! impl Poll {
//!     fn apply(&mut self, changes: &[Entry]) {
//!         for Entry { fd, change, .. } in changes {
//!             self.0.retain(|(other, _)| other != fd);
//!             if !change.wanted().is_empty() {
//!                 self.0.push((*fd, change.wanted()));
//!             }
//!         }
//!     }
//! }
//!
//! TestRunner::default().run(&history(40), |history| {
//!     let mut poll = Poll::default();
//!     let mut wanted = BTreeMap::<RawFd, Interest>::new();
//!     for turn in history.chunks(5) {
//!         let mut changes = Changelist::new();
//!         for touch in turn {
//!             let held = poll.0.iter().find(|(fd, _)| *fd == touch.fd);
//!             let held = held.map_or(Interest::empty(), |(_, interest)| *interest);
//!             let token = Token { slot: 0, generation: 0 };
//!             touch.edit(changes.record(touch.fd, token, held, Trigger::Level));
//!
//!             let wanted = wanted.entry(touch.fd).or_default();
//!             match touch.action {
//!                 Action::Add(interest, _) => wanted.insert(interest),
//!                 Action::Delete(interest) => wanted.remove(interest),
//!             }
//!         }
//!         poll.apply(changes.entries());
//!
//!         wanted.retain(|_, interest| !interest.is_empty());
//!         assert_eq!(wanted, poll.0.iter().copied().collect());
//!     }
//!     Ok(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::Strategy;
use proptest::prop_oneof;
use proptest::sample::select;

use crate::{Change, Edit, Edits, Interest, RawFd, Trigger};

/// How many file descriptors a [`history`] touches: few, so that they meet often.
pub const FDS: RawFd = 4;

/// One step of a history: something was asked for a file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Touch {
    /// Which file descriptor, from 0 to [`FDS`] - 1. A test on a real kernel takes it as an index
    /// into files of its own.
    pub fd: RawFd,
    /// What was asked.
    pub action: Action,
}

/// What a [`Touch`] asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// This interest, not empty, reported this way from now on.
    Add(Interest, Trigger),
    /// This interest, not empty, no longer.
    Delete(Interest),
}

impl Touch {
    /// Edits the change as this step asks.
    pub const fn edit(self, change: &mut Change) {
        match self.action {
            Action::Add(interest, trigger) => {
                change.set_trigger(trigger);
                change.add(interest);
            }
            Action::Delete(interest) => change.delete(interest),
        }
    }
}

/// Any of the 8 sets of interest, the empty one included.
pub fn any_interest() -> impl Strategy<Value = Interest> {
    (0..=Interest::all().bits()).prop_map(Interest::from_bits_truncate)
}

/// Level or edge.
pub fn any_trigger() -> impl Strategy<Value = Trigger> {
    select(&[Trigger::Level, Trigger::Edge][..])
}

/// Any of the 27 states of edits. With [`any_interest`] for what is held they cover the op table.
pub fn any_edits() -> impl Strategy<Value = Edits> {
    let any_edit = || select(&[Edit::Keep, Edit::Add, Edit::Delete][..]);
    (any_edit(), any_edit(), any_edit()).prop_map(|(read, write, closed)| Edits {
        read,
        write,
        closed,
    })
}

/// Any state that adds and deletes can bring a change into.
pub fn any_change() -> impl Strategy<Value = Change> {
    let triggers = (any_trigger(), any_trigger());
    (any_interest(), triggers, any_edits()).prop_map(|(held, (before, after), edits)| {
        let mut change = Change::new(held, before);
        change.set_trigger(after);
        change.add(edits.added());
        change.delete(edits.deleted());
        change
    })
}

/// A history of at most `max` touches, in the order in which they were made.
///
/// It says nothing of waits: a test cuts it where it likes, for example by
/// [`chunks`](slice::chunks).
pub fn history(max: usize) -> impl Strategy<Value = Vec<Touch>> {
    let some_interest = || (1..=Interest::all().bits()).prop_map(Interest::from_bits_truncate);
    let action = prop_oneof![
        (some_interest(), any_trigger())
            .prop_map(|(interest, trigger)| Action::Add(interest, trigger)),
        some_interest().prop_map(Action::Delete),
    ];
    vec(
        (0..FDS, action).prop_map(|(fd, action)| Touch { fd, action }),
        0..=max,
    )
}
