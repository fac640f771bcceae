//! The sets of interest of all backends: what happens to a file, happens in each of them.

use std::collections::BTreeMap;

use evloop_changelist::Ready;

use super::{FileId, InterestSet};

/// A set. Never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SetId(u64);

#[derive(Debug, Default)]
pub(crate) struct Sets {
    sets: BTreeMap<SetId, InterestSet>,
    made: u64,
}

impl Sets {
    /// An empty one.
    pub(crate) fn make(&mut self) -> SetId {
        self.made += 1;
        let id = SetId(self.made);
        self.sets.insert(id, InterestSet::default());
        id
    }

    /// Its last backend is gone.
    pub(crate) fn close(&mut self, id: SetId) {
        self.sets.remove(&id);
    }

    pub(crate) fn get(&self, id: SetId) -> &InterestSet {
        &self.sets[&id]
    }

    pub(crate) fn get_mut(&mut self, id: SetId) -> &mut InterestSet {
        self.sets.get_mut(&id).expect("a backend has its set")
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &InterestSet> {
        self.sets.values()
    }

    /// Something happened to a file that may have made `ready` true.
    pub(crate) fn wake(&mut self, file: FileId, ready: Ready) {
        for set in self.sets.values_mut() {
            set.wake(file, ready);
        }
    }

    /// A file is no longer open.
    pub(crate) fn forget_file(&mut self, file: FileId) {
        for set in self.sets.values_mut() {
            set.forget_file(file);
        }
    }
}
