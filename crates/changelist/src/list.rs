//! The changelist: the changes of all file descriptors that were touched since the last wait.
//!
//! It is a sparse set. The entries lie next to each other in the order in which their file
//! descriptors were first touched; an index by file descriptor says where each one lies. The index
//! is never cleaned: what it says counts only if the entry found there agrees.

use alloc::vec::Vec;

use crate::{Change, Interest, RawFd, Token, Trigger};

/// One line of a [`Changelist`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The file descriptor.
    pub fd: RawFd,
    /// The name under which the kernel is to report it.
    pub token: Token,
    /// What the kernel is to be told.
    pub change: Change,
}

/// The changes that the kernel has not been told yet, one for each file descriptor.
///
/// # Order
///
/// [`entries`](Self::entries) are in the order in which their file descriptors were first touched
/// since they last left the list. Nothing reorders those that stay.
///
/// # Cost
///
/// Each operation says its own. The index takes 4 bytes for every number up to the highest file
/// descriptor that was ever recorded, and at most as much again in reserve. The kernel gives out
/// the lowest free number and stops at the process's limit (`RLIMIT_NOFILE`): a million open files
/// make 4 MB. A number that did not come from the kernel is taken as it is, and can make it 8 GiB.
///
/// # Examples
///
/// ```
/// use evloop_changelist::{Changelist, Interest, Token, Trigger};
///
/// let mut changes = Changelist::new();
/// let token = Token { slot: 0, generation: 0 };
/// changes.record(5, token, Interest::empty(), Trigger::Level).add(Interest::READ);
/// changes.record(5, token, Interest::empty(), Trigger::Level).add(Interest::WRITE);
///
/// let [entry] = changes.entries() else { panic!("one file descriptor, one entry") };
/// assert_eq!(entry.change.wanted(), Interest::READ | Interest::WRITE);
/// changes.clear();
/// ```
///
/// # Compared with libevent
///
/// `struct event_changelist`. The index lies in the list, not behind the entries of another
/// table, and an entry can leave the list before the wait.
#[derive(Clone, Debug, Default)]
pub struct Changelist {
    entries: Vec<Entry>,
    /// For each file descriptor where its entry lies, if it has one.
    index: Vec<u32>,
}

impl Changelist {
    /// An empty list. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
            index: Vec::new(),
        }
    }

    /// The change of this file descriptor, to be edited.
    ///
    /// The first touch since the last [`clear`](Self::clear) appends an entry that starts from
    /// what the kernel holds, `held`, and from how it reports it, `trigger`. Later touches return
    /// the same change as it stands by then; they look at neither, and the entry takes the
    /// `token` of the latest.
    ///
    /// A file descriptor that begins a new life under its old number is to be taken out with
    /// [`remove`](Self::remove) first, or it would inherit the change of its predecessor.
    ///
    /// O(1), amortised. Allocates only while the list is longer, or the number higher, than ever
    /// before.
    ///
    /// # Panics
    ///
    /// In debug builds, if `fd` is negative. In others each touch then makes an entry of its own,
    /// and the kernel refuses it (`EBADF`).
    #[inline]
    pub fn record(
        &mut self,
        fd: RawFd,
        token: Token,
        held: Interest,
        trigger: Trigger,
    ) -> &mut Change {
        debug_assert!(fd >= 0, "{fd} is not a file descriptor");
        let at = match self.position(fd) {
            Some(at) => at,
            None => self.append(fd, token, held, trigger),
        };
        let entry = &mut self.entries[at];
        entry.token = token;
        &mut entry.change
    }

    /// The change of this file descriptor, if it was touched. O(1).
    #[inline]
    #[must_use]
    pub fn get(&self, fd: RawFd) -> Option<&Change> {
        self.position(fd).map(|at| &self.entries[at].change)
    }

    /// Takes the entry of this file descriptor out, if there is one; the others keep their order.
    ///
    /// O(n) in the number of entries behind it.
    pub fn remove(&mut self, fd: RawFd) -> Option<Entry> {
        let at = self.position(fd)?;
        let entry = self.entries.remove(at);
        self.index_from(at);
        Some(entry)
    }

    /// Takes out the entries for which `keep` returns `false`; the others keep their order.
    ///
    /// O(n) in the number of entries.
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
        self.index_from(0);
    }

    /// The entries, in the order in which their file descriptors were first touched. O(1).
    ///
    /// Entries whose change came to nothing in the end are among them: see [`Change::op`] and
    /// [`Change::is_needed`].
    #[inline]
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Takes all entries out and keeps the memory. O(1).
    #[inline]
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The number of entries. O(1).
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry. O(1).
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Checks that each entry is found under its file descriptor, and so that no two are of the
    /// same one. O(n); meant for tests.
    ///
    /// # Panics
    ///
    /// If the list is broken, which is a defect of this crate.
    pub fn check_invariants(&self) {
        for (at, entry) in self.entries.iter().enumerate() {
            assert!(
                entry.fd < 0 || self.position(entry.fd) == Some(at),
                "the index does not lead to entry {at}: {entry:?}",
            );
        }
    }

    /// Where the entry of this file descriptor lies, if it has one.
    #[inline]
    fn position(&self, fd: RawFd) -> Option<usize> {
        let at = *self.index.get(usize::try_from(fd).ok()?)? as usize;
        let entry = self.entries.get(at)?;
        (entry.fd == fd).then_some(at)
    }

    /// Appends an entry of a file descriptor that has none, and returns where it lies.
    // It is given in parts, which travel in registers: one that is put together in memory field by field,
    // and copied from there at once, takes some 10 ns more, as the copy waits for the fields.
    #[inline(never)]
    fn append(&mut self, fd: RawFd, token: Token, held: Interest, trigger: Trigger) -> usize {
        let at = self.entries.len();
        if let Ok(fd) = usize::try_from(fd)
            && fd >= self.index.len()
        {
            self.index.resize(fd + 1, 0);
        }
        let change = Change::new(held, trigger);
        self.entries.push(Entry { fd, token, change });
        self.note(at, fd);
        at
    }

    /// Writes into the index where the entries from `first` on lie.
    fn index_from(&mut self, first: usize) {
        for at in first..self.entries.len() {
            self.note(at, self.entries[at].fd);
        }
    }

    /// Writes into the index where an entry lies.
    #[inline]
    fn note(&mut self, at: usize, fd: RawFd) {
        // A negative file descriptor has no place in the index.
        if let Ok(fd) = usize::try_from(fd) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "one entry for each file descriptor, and these are less than 2^31"
            )]
            let at = at as u32;
            self.index[fd] = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Token = Token {
        slot: 0,
        generation: 0,
    };

    fn touch(list: &mut Changelist, fd: RawFd) -> &mut Change {
        list.record(fd, TOKEN, Interest::empty(), Trigger::Level)
    }

    #[test]
    fn steady_state_allocates_nothing() {
        let mut list = Changelist::new();
        let fill = |list: &mut Changelist| (0..100).for_each(|fd| _ = touch(list, fd));
        let memory = |list: &Changelist| {
            let (entries, index) = (&list.entries, &list.index);
            (
                entries.as_ptr(),
                entries.capacity(),
                index.as_ptr(),
                index.capacity(),
            )
        };
        fill(&mut list);
        let filled = memory(&list);
        list.clear();
        assert_eq!(memory(&list), filled);
        fill(&mut list);
        assert_eq!(memory(&list), filled);
    }

    #[test]
    fn new_allocates_nothing() {
        let list = Changelist::new();
        assert_eq!((list.entries.capacity(), list.index.capacity()), (0, 0));
    }

    #[test]
    fn index_left_behind_by_clear_is_not_believed() {
        let mut list = Changelist::new();
        touch(&mut list, 7);
        list.clear();
        touch(&mut list, 8);
        assert_eq!(list.position(7), None);
        assert_eq!(list.position(8), Some(0));
    }

    #[test]
    fn nothing_is_found_under_a_negative_number() {
        let mut list = Changelist::new();
        assert_eq!(list.get(-1), None);
        assert_eq!(list.remove(-1), None);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic = "-1 is not a file descriptor"]
    fn negative_number_panics_in_debug() {
        touch(&mut Changelist::new(), -1);
    }

    #[test]
    #[cfg(not(debug_assertions))]
    fn negative_number_makes_an_entry_for_each_touch() {
        let mut list = Changelist::new();
        for fd in [-1, 3, -1] {
            touch(&mut list, fd).add(Interest::READ);
        }
        list.check_invariants();
        let fds: Vec<_> = list.entries().iter().map(|entry| entry.fd).collect();
        assert_eq!(fds, [-1, 3, -1]);
        list.retain(|entry| entry.fd >= 0);
        assert_eq!(list.get(3).map(Change::wanted), Some(Interest::READ));
    }
}
