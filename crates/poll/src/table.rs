//! The table of what is held: for `poll` the kernel keeps none.
//!
//! It is a sparse set. The entries lie next to each other, as the system call wants them, in no
//! order; an index by file descriptor says where each one lies. The index is never cleaned: what
//! it says counts only if the entry found there agrees.

use evloop_backend::Report;
use evloop_changelist::{Interest, RawFd, Token};
use libc::pollfd;

use crate::bits;

/// What is held, one entry for each file descriptor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// What the kernel is given, and writes to.
    fds: Vec<pollfd>,
    /// For each of them, under which token it is reported.
    tokens: Vec<Token>,
    /// For each number where its entry lies, if it has one.
    index: Vec<u32>,
}

impl Table {
    pub(crate) const fn new() -> Self {
        Self {
            fds: Vec::new(),
            tokens: Vec::new(),
            index: Vec::new(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.fds.len()
    }

    /// Whether the index has a place for this number, so that [`Table::set`] need not make it
    /// longer.
    pub(crate) fn has_room_for(&self, fd: RawFd) -> bool {
        usize::try_from(fd).is_ok_and(|number| number < self.index.len())
    }

    /// Holds this interest in `fd` from now on, whatever was held before. O(1), amortised.
    ///
    /// The index becomes as long as the next power of two above the number, so a caller makes sure
    /// that it came from the kernel. A negative number is not held.
    pub(crate) fn set(&mut self, fd: RawFd, token: Token, interest: Interest) {
        let Ok(number) = usize::try_from(fd) else {
            return;
        };
        let entry = pollfd {
            fd,
            events: bits::events(interest),
            revents: 0,
        };
        if let Some(at) = self.position(fd) {
            (self.fds[at], self.tokens[at]) = (entry, token);
            return;
        }
        if number >= self.index.len() {
            self.index.resize((number + 1).next_power_of_two(), 0);
        }
        self.fds.push(entry);
        self.tokens.push(token);
        self.note(self.fds.len() - 1);
    }

    /// Holds nothing for `fd` any more. O(1).
    pub(crate) fn remove(&mut self, fd: RawFd) {
        if let Some(at) = self.position(fd) {
            self.remove_at(at);
        }
    }

    /// What the kernel is given. It writes what is ready into it.
    pub(crate) fn fds_mut(&mut self) -> &mut [pollfd] {
        &mut self.fds
    }

    /// Appends what the kernel wrote, to `count` entries by its own words, in the order of the
    /// table.
    ///
    /// An entry whose file descriptor is not open is reported as that and leaves the table, or every
    /// later wait would return for it at once.
    pub(crate) fn report(&mut self, mut count: usize, reports: &mut Vec<Report>) {
        let mut at = 0;
        while count > 0 && at < self.fds.len() {
            let (said, token) = (self.fds[at].revents, self.tokens[at]);
            count -= usize::from(said != 0);
            if said & libc::POLLNVAL != 0 {
                reports.push(Report::refused(token, libc::EBADF));
                // The last entry comes here, and is next.
                self.remove_at(at);
                continue;
            }
            if said != 0 {
                let ready = bits::ready(said);
                reports.push(Report::ready(token, ready));
            }
            at += 1;
        }
    }

    /// What is held, in the order of the table.
    pub(crate) fn held(&self) -> impl Iterator<Item = (RawFd, Token, Interest)> {
        let entries = self.fds.iter().zip(&self.tokens);
        entries.map(|(entry, token)| (entry.fd, *token, bits::interest(entry.events)))
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.fds.len(), self.tokens.len(), "one token for each");
        for (at, entry) in self.fds.iter().enumerate() {
            assert_eq!(
                self.position(entry.fd),
                Some(at),
                "the index does not lead to entry {at}: {entry:?}",
            );
        }
    }

    /// Where the entry of this file descriptor lies, if it has one.
    fn position(&self, fd: RawFd) -> Option<usize> {
        let at = *self.index.get(usize::try_from(fd).ok()?)? as usize;
        let entry = self.fds.get(at)?;
        (entry.fd == fd).then_some(at)
    }

    /// Takes an entry out. The last one takes its place.
    fn remove_at(&mut self, at: usize) {
        self.fds.swap_remove(at);
        self.tokens.swap_remove(at);
        if at < self.fds.len() {
            self.note(at);
        }
    }

    /// Writes into the index where an entry lies.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "no entry is negative, and there is one for each number: less than 2^31"
    )]
    fn note(&mut self, at: usize) {
        self.index[self.fds[at].fd as usize] = at as u32;
    }
}

#[cfg(test)]
mod tests;
