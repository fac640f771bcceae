//! The set of what is waited for, keyed as Linux keys it: by the number *and* the open file.
//!
//! The one idea is the ready list. A file that changes *wakes* its items, with a key that says
//! what may have become ready; a woken item that is interested in the key joins the list. A wait
//! asks each listed file what is ready now. Level-triggered items join the list again when they
//! are reported, edge-triggered ones when they are woken again: that is the whole difference.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use evloop_changelist::{Interest, RawFd, Ready, Token, Trigger};

use super::FileId;

/// What one item is known by. Closing the number changes nothing here while the file lives.
///
/// The file comes first so that the items of one file are neighbours.
pub(crate) type Key = (FileId, RawFd);

/// The items, and which of them may be ready.
#[derive(Debug, Default)]
pub(crate) struct InterestSet {
    items: BTreeMap<Key, Item>,
    /// Place in the list -> item. First come, first served.
    listed: BTreeMap<u64, Key>,
    /// The next place to be given out.
    next_place: u64,
    /// How often something was held.
    made: u64,
}

/// What is held for one number of one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) token: Token,
    pub(crate) interest: Interest,
    pub(crate) trigger: Trigger,
    /// Orders the items by when they entered the set.
    made: u64,
    /// The place in the ready list, if any.
    place: Option<u64>,
}

impl Item {
    /// The part of `ready` that this item is told.
    fn told(&self, ready: Ready) -> Ready {
        ready & (asked(self.interest) | Ready::HANGUP | Ready::ERROR)
    }
}

/// What an interest asks to be told of. Of this kernel's own, like everything that judges.
pub(crate) fn asked(interest: Interest) -> Ready {
    let mut asked = Ready::empty();
    asked.set(Ready::READ, interest.contains(Interest::READ));
    asked.set(Ready::WRITE, interest.contains(Interest::WRITE));
    asked.set(Ready::CLOSED, interest.contains(Interest::CLOSED));
    asked
}

impl InterestSet {
    /// Makes `key` hold exactly this, whatever it held before; `ready` is the file's state now.
    pub(crate) fn hold(
        &mut self,
        key: Key,
        token: Token,
        interest: Interest,
        trigger: Trigger,
        ready: Ready,
    ) {
        let before = self.items.get(&key);
        let made = before.map_or(self.made, |item| item.made);
        let place = before.and_then(|item| item.place);
        let item = Item {
            token,
            interest,
            trigger,
            made,
            place,
        };
        self.items.insert(key, item);
        self.made += 1;
        if !item.told(ready).is_empty() {
            self.list(key);
        }
    }

    /// Makes `key` hold nothing.
    pub(crate) fn forget(&mut self, key: Key) {
        if let Some(place) = self.items.remove(&key).and_then(|item| item.place) {
            self.listed.remove(&place);
        }
    }

    /// Forgets every number of a file that is no longer open under any.
    pub(crate) fn forget_file(&mut self, file: FileId) {
        for key in self.keys_of(file) {
            self.forget(key);
        }
    }

    /// Something happened to a file that may have made `ready` true.
    ///
    /// Of several numbers of the file, the one that entered the set last is woken first.
    pub(crate) fn wake(&mut self, file: FileId, ready: Ready) {
        let mut keys = self.keys_of(file);
        keys.retain(|key| !self.items[key].told(ready).is_empty());
        keys.sort_unstable_by_key(|key| Reverse(self.items[key].made));
        for key in keys {
            self.list(key);
        }
    }

    /// What is listed and ready now, in the list's order; what is no longer ready leaves the list.
    pub(crate) fn settle(&mut self, ready: impl Fn(FileId) -> Ready) -> Vec<(Key, Ready)> {
        let mut found = Vec::new();
        let items = &mut self.items;
        self.listed.retain(|_, key| {
            let item = items.get_mut(key).expect("a listed item is in the set");
            let told = item.told(ready(key.0));
            if told.is_empty() {
                item.place = None;
            } else {
                found.push((*key, told));
            }
            !told.is_empty()
        });
        found
    }

    /// An item was reported: it leaves the list, and joins its end again if level-triggered.
    pub(crate) fn reported(&mut self, key: Key) {
        let Some(item) = self.items.get_mut(&key) else {
            return;
        };
        let Some(place) = item.place.take() else {
            return;
        };
        let again = item.trigger == Trigger::Level;
        self.listed.remove(&place);
        if again {
            self.list(key);
        }
    }

    /// What is held for `key`.
    pub(crate) fn get(&self, key: Key) -> Option<&Item> {
        self.items.get(&key)
    }

    /// Every item, by file and number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Item)> {
        self.items.iter().map(|(key, item)| (*key, item))
    }

    /// Panics unless the ready list and the items agree.
    pub(crate) fn check_invariants(&self) {
        for (place, key) in &self.listed {
            assert_eq!(
                self.items[key].place,
                Some(*place),
                "{key:?} does not know its place"
            );
            assert!(
                *place < self.next_place,
                "place {place} was never given out"
            );
        }
        let placed = self
            .items
            .values()
            .filter(|item| item.place.is_some())
            .count();
        assert_eq!(
            placed,
            self.listed.len(),
            "an item claims a place that it does not have"
        );
    }

    fn list(&mut self, key: Key) {
        let item = self
            .items
            .get_mut(&key)
            .expect("only items of the set are listed");
        if item.place.is_none() {
            item.place = Some(self.next_place);
            self.listed.insert(self.next_place, key);
            self.next_place += 1;
        }
    }

    fn keys_of(&self, file: FileId) -> Vec<Key> {
        self.items
            .range((file, RawFd::MIN)..=(file, RawFd::MAX))
            .map(|(key, _)| *key)
            .collect()
    }
}
