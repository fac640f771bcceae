//! A user of the exported strategies, who brings a table and a backend of their own.

use std::collections::BTreeMap;

use evloop_changelist::strategy::{
    Action, FDS, Touch, any_change, any_edits, any_interest, any_trigger, history,
};
use evloop_changelist::{
    Change, Changelist, Edits, EpollOp, Interest, Op, RawFd, Token, Trigger, epoll_op,
};
use proptest::prelude::*;

/// A table of one's own: a chain of questions.
fn chain(held: Interest, edits: Edits) -> Option<EpollOp> {
    let wanted = (held | edits.added()) - edits.deleted();
    let (op, interest) = if edits == Edits::KEEP {
        return None;
    } else if wanted.is_empty() {
        (Op::Delete, edits.deleted())
    } else if held.is_empty() && !edits.added().is_empty() {
        (Op::Add, wanted)
    } else {
        (Op::Modify, wanted)
    };
    Some(EpollOp { op, interest })
}

/// A backend of one's own: a list such as `poll` takes, without a table.
#[derive(Debug, Default)]
struct Poll(Vec<(RawFd, Interest, Trigger)>);

impl Poll {
    fn held(&self, fd: RawFd) -> (Interest, Trigger) {
        let found = self.0.iter().find(|(other, ..)| *other == fd);
        found.map_or_else(Default::default, |(_, interest, trigger)| {
            (*interest, *trigger)
        })
    }

    fn flush(&mut self, changes: &mut Changelist) {
        for entry in changes
            .entries()
            .iter()
            .filter(|entry| entry.change.is_needed())
        {
            self.0.retain(|(fd, ..)| *fd != entry.fd);
            let wanted = entry.change.wanted();
            if !wanted.is_empty() {
                self.0.push((entry.fd, wanted, entry.change.trigger()));
            }
        }
        changes.clear();
    }
}

proptest! {
    #[test]
    fn own_table_is_the_table(held in any_interest(), edits in any_edits()) {
        prop_assert_eq!(chain(held, edits), epoll_op(held, edits));
    }

    #[test]
    fn own_table_serves_every_change(change in any_change()) {
        if let Some(call) = chain(change.held(), change.edits()) {
            prop_assert_eq!(Some(call), change.op());
        }
    }

    #[test]
    fn own_backend_holds_what_the_history_wants(
        history in history(40),
        cuts in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut poll = Poll::default();
        let mut changes = Changelist::new();
        let mut wanted = BTreeMap::<RawFd, (Interest, Trigger)>::new();
        for (touch, cut) in history.into_iter().zip(cuts) {
            let (held, trigger) = poll.held(touch.fd);
            let token = Token { slot: 0, generation: 0 };
            touch.edit(changes.record(touch.fd, token, held, trigger));

            let wanted_here = wanted.entry(touch.fd).or_default();
            match touch.action {
                Action::Add(interest, trigger) => *wanted_here = (wanted_here.0 | interest, trigger),
                Action::Delete(interest) => wanted_here.0 -= interest,
            }
            if cut {
                poll.flush(&mut changes);
                for (fd, (interest, trigger)) in &wanted {
                    let held = poll.held(*fd);
                    prop_assert_eq!(held.0, *interest);
                    prop_assert!(interest.is_empty() || held.1 == *trigger);
                }
            }
        }
    }

    #[test]
    fn touch_is_in_range_and_asks_for_something(history in history(40)) {
        prop_assert!(history.len() <= 40);
        for Touch { fd, action } in history {
            prop_assert!((0..FDS).contains(&fd));
            let (Action::Add(interest, _) | Action::Delete(interest)) = action;
            prop_assert!(!interest.is_empty());
        }
    }

    #[test]
    fn change_is_one_that_edits_can_make(change in any_change(), trigger in any_trigger()) {
        prop_assert!(change.held().contains(change.edits().deleted()));
        let mut again = Change::new(change.held(), trigger);
        again.add(change.edits().added());
        again.delete(change.edits().deleted());
        prop_assert_eq!(again.edits(), change.edits());
    }
}
