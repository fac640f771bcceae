//! The interest table: for each file descriptor its events, and what the kernel holds for it.
//!
//! It lives here and not in the backend, so that a backend can be rebuilt from it. A table entry is
//! found by the file descriptor's number; the kernel's reports carry a [`Token`], so that a report
//! for a file that is gone is told from one for the file that took over its number.

mod check;
mod entry;

use alloc::vec::Vec;

use evloop_changelist::{Changelist, Interest, RawFd, Token, Trigger};

use self::entry::{FdEntry, FdState};
use crate::event::{Event, Kind, Ownership, State};
use crate::slab::{NONE, Slab};

/// The interest table, and what of it the kernel was not told yet.
#[derive(Debug)]
pub(crate) struct FdMap {
    /// By number. Numbers are small: the kernel gives out the lowest that is free.
    entries: Vec<FdEntry>,
    changes: Changelist,
    /// Edits of changes.
    pub(crate) recorded: u64,
    /// Changes that came to nothing, or whose file descriptor was given up, and were not told.
    pub(crate) skipped: u64,
    /// Changes that were told.
    pub(crate) told: u64,
    /// How many file descriptors the kernel holds, and the most there were.
    held: usize,
    most_held: usize,
}

/// What must be asked of the kernel before an event can be on a file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Nothing: the kernel knows the file descriptor.
    Known,
    /// To hold this interest in it, for the first time or again.
    First(Token, Interest),
    /// The events of the file descriptor are of the other trigger.
    MixedTrigger,
}

impl FdMap {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            changes: Changelist::new(),
            recorded: 0,
            skipped: 0,
            told: 0,
            held: 0,
            most_held: 0,
        }
    }

    /// Makes room for so many file descriptors more. So many numbers are open beside them mostly.
    pub(crate) fn reserve(&mut self, fds: usize) {
        const OTHERS: usize = 16;
        self.entries.reserve_exact(fds + OTHERS);
    }

    /// What is asked of the kernel before an event with this interest and trigger can be on `fd`.
    /// `but`, which may be on it already, is that event.
    #[inline]
    pub(crate) fn admit<T>(
        &self,
        events: &Slab<T>,
        fd: RawFd,
        interest: Interest,
        trigger: Trigger,
        but: u32,
    ) -> Admission {
        match self.entries.get(index(fd)) {
            Some(entry) if entry.trigger() == trigger && !entry.held.is_empty() => Admission::Known,
            Some(entry) => {
                let mut others = entry
                    .events(events)
                    .filter(|(slot, _)| *slot != but)
                    .peekable();
                if others.peek().is_some() && entry.trigger() != trigger {
                    Admission::MixedTrigger
                } else if entry.held.is_empty() {
                    let token = Token {
                        slot: slot(fd),
                        generation: entry.generation.wrapping_add(1),
                    };
                    let others: Interest = others.map(|(_, event)| event.interest()).collect();
                    Admission::First(token, interest.union(others))
                } else {
                    Admission::Known
                }
            }
            // The table does not grow before the kernel has said that there is such a number.
            None => {
                let token = Token {
                    slot: slot(fd),
                    generation: 1,
                };
                Admission::First(token, interest)
            }
        }
    }

    /// The kernel holds `interest` in a file descriptor that [`FdMap::admit`] called `First`.
    pub(crate) fn registered(&mut self, fd: RawFd, interest: Interest, trigger: Trigger) {
        let index = index(fd);
        if index >= self.entries.len() {
            self.entries.resize(index + 1, FdEntry::NEW);
        }
        self.hold(fd, interest);
        let entry = &mut self.entries[index];
        entry.generation = entry.generation.wrapping_add(1);
        entry.set_trigger(FdState::HELD_EDGE, trigger);
        entry.set_trigger(FdState::EDGE, trigger);
        // Of an event that is about to be added it is not known yet.
        if entry.head == NONE {
            entry.state.remove(FdState::BORROWED);
        }
    }

    /// Puts an event that asks for this, level-triggered, on `fd`, if that takes no word to the kernel:
    /// the file is owned, no change is to be told, and what is held is what is wanted. So it is with a
    /// one-shot that its callback adds again, and with one that was deleted and is kept. Whether it
    /// is done.
    #[inline]
    pub(crate) fn resume<T>(
        &mut self,
        events: &mut Slab<T>,
        slot: u32,
        fd: RawFd,
        interest: Interest,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(index(fd)) else {
            return false;
        };
        if !entry.state.is_empty() {
            return false;
        }
        if events[slot].state.contains(State::LISTED) {
            // What is held is what is wanted, or was refused.
            return !entry.held.is_empty();
        }
        // What the others want is held, too, so with this one it is not more.
        let is_held = entry.held == interest;
        if is_held {
            entry.push(events, slot);
        }
        is_held
    }

    /// Notes what the kernel holds for `fd` now.
    fn hold(&mut self, fd: RawFd, interest: Interest) {
        let entry = &mut self.entries[index(fd)];
        self.held -= usize::from(!entry.held.is_empty());
        self.held += usize::from(!interest.is_empty());
        self.most_held = self.most_held.max(self.held);
        entry.held = interest;
    }

    /// The kernel need not be told what it was to be told of `fd`.
    fn drop_change(&mut self, fd: RawFd) {
        let entry = &mut self.entries[index(fd)];
        if entry.state.contains(FdState::CHANGED) {
            entry.state.remove(FdState::CHANGED);
            self.changes.remove(fd);
            self.skipped += 1;
        }
    }

    /// Edits that were merged into a change that was there: each change begins with one.
    pub(crate) const fn coalesced(&self) -> u64 {
        let begun = self.told + self.skipped + self.changes.len() as u64;
        self.recorded.saturating_sub(begun)
    }

    pub(crate) const fn most_held(&self) -> usize {
        self.most_held
    }

    pub(crate) const fn reset_most_held(&mut self) {
        self.most_held = self.held;
    }

    /// Puts an event on its file descriptor, which was admitted, or says again that it wants what
    /// it wants if it is there. `first`: the kernel was told by [`FdMap::registered`].
    #[inline]
    pub(crate) fn insert<T>(&mut self, events: &mut Slab<T>, slot: u32, first: bool) {
        let Event { kind, state, .. } = events[slot];
        let Kind::Io {
            fd,
            interest,
            trigger,
            ownership,
        } = kind
        else {
            return;
        };
        let entry = &mut self.entries[index(fd)];
        entry.state.remove(FdState::QUENCH);
        if ownership == Ownership::Borrowed {
            entry.state.insert(FdState::BORROWED);
        }
        if !state.contains(State::LISTED) {
            entry.push(events, slot);
        }
        // Level-triggered, owned, and no change to be told: if the kernel holds what is wanted it need
        // not hear of it.
        let is_settled = entry.state.is_empty()
            && trigger == Trigger::Level
            && entry.held == entry.wanted(events);
        if !first && !is_settled {
            self.record(events, fd, interest, trigger);
        }
    }

    /// Whether the kernel holds interest in `fd`.
    #[inline]
    pub(crate) fn is_held(&self, fd: RawFd) -> bool {
        let entry = self.entries.get(index(fd));
        entry.is_some_and(|entry| !entry.held.is_empty())
    }

    /// An event in the list of `fd`, which is held, asks for other readiness now: for this.
    pub(crate) fn update<T>(&mut self, events: &Slab<T>, fd: RawFd, interest: Interest) {
        let entry = &mut self.entries[index(fd)];
        entry.state.remove(FdState::QUENCH);
        let trigger = entry.trigger();
        self.record(events, fd, interest, trigger);
    }

    /// Takes an event from `fd`, in whose list it is.
    #[inline]
    pub(crate) fn remove<T>(&mut self, events: &mut Slab<T>, slot: u32, fd: RawFd) {
        let entry = &mut self.entries[index(fd)];
        entry.unlink(events, slot);
        let is_told = entry.state.intersects(FdState::CHANGED | FdState::BORROWED);
        if is_told || entry.head != NONE || !entry.is_kept() {
            self.record_removal(events, fd);
        }
    }

    /// Records that an event was taken from `fd`, if the kernel holds interest in it.
    #[inline(never)]
    fn record_removal<T>(&mut self, events: &Slab<T>, fd: RawFd) {
        let entry = &self.entries[index(fd)];
        if !entry.held.is_empty() {
            let trigger = entry.trigger();
            self.record(events, fd, Interest::empty(), trigger);
        }
    }

    /// Records what became of the interest in `fd`; `added` was asked for again or anew.
    #[inline]
    fn record<T>(&mut self, events: &Slab<T>, fd: RawFd, added: Interest, trigger: Trigger) {
        let entry = &mut self.entries[index(fd)];
        let wanted = entry.wanted(events);
        // If the number is another file's by now, the kernel takes this for a registration, and what
        // it still reports of the file before is told apart only by the token.
        let is_borrowed = entry.state.contains(FdState::BORROWED);
        let token = Token {
            slot: slot(fd),
            generation: entry.generation.wrapping_add(u32::from(is_borrowed)),
        };
        let change = self
            .changes
            .record(fd, token, entry.held, entry.held_trigger());
        self.recorded += 1;
        change.set_trigger(trigger);
        entry.set_trigger(FdState::EDGE, trigger);
        entry.state.insert(FdState::CHANGED);
        change.add(added);
        change.delete(change.wanted().difference(wanted));
    }

    /// What the kernel must be told before it waits; settled by [`FdMap::commit`].
    pub(crate) fn changes(&self) -> &[evloop_changelist::Entry] {
        self.changes.entries()
    }

    /// Drops from the changes those that the kernel need not be told.
    ///
    /// That a source is owned means that its file is the one that the kernel knows. Then what comes
    /// to nothing is skipped, and so is a last delete, where it [can be](FdEntry::is_kept).
    #[inline]
    pub(crate) fn prune(&mut self) {
        if !self.changes.is_empty() {
            self.prune_changes();
        }
    }

    fn prune_changes(&mut self) {
        let before = self.changes.len();
        let entries = &mut self.entries;
        self.changes.retain(|item| {
            let entry = &mut entries[index(item.fd)];
            let is_told = if entry.state.intersects(FdState::BORROWED | FdState::QUENCH) {
                item.change.op().is_some()
            } else {
                let is_last_delete = item.change.wanted().is_empty();
                item.change.is_needed() && !(is_last_delete && entry.is_kept())
            };
            entry.state.set(FdState::CHANGED, is_told);
            is_told
        });
        self.skipped += (before - self.changes.len()) as u64;
    }

    /// The kernel was told the changes.
    #[inline]
    pub(crate) fn commit(&mut self) {
        if !self.changes.is_empty() {
            self.commit_changes();
        }
    }

    fn commit_changes(&mut self) {
        self.told += self.changes.len() as u64;
        for position in 0..self.changes.len() {
            let item = self.changes.entries()[position];
            self.hold(item.fd, item.change.wanted());
            let entry = &mut self.entries[index(item.fd)];
            entry.generation = item.token.generation;
            entry.set_trigger(FdState::HELD_EDGE, item.change.trigger());
            entry.state.remove(FdState::QUENCH | FdState::CHANGED);
        }
        self.changes.clear();
    }

    /// The first of the events that a report under this token is for, or `NONE`; `None` where the token
    /// is of an earlier registration.
    #[inline]
    pub(crate) fn reported(&self, token: Token) -> Option<u32> {
        let entry = self.entries.get(token.slot as usize)?;
        (entry.generation == token.generation && !entry.held.is_empty()).then_some(entry.head)
    }

    /// The first of the pending events of a file descriptor, in the order in which they were added,
    /// or `NONE`.
    pub(crate) fn first_on(&self, fd: RawFd) -> u32 {
        let index = usize::try_from(fd).ok();
        let entry = index.and_then(|index| self.entries.get(index));
        entry.map_or(NONE, |entry| entry.head)
    }

    /// Something was reported that nobody wants: the kernel is told so before the next wait.
    pub(crate) fn quench<T>(&mut self, events: &Slab<T>, token: Token) {
        let fd = fd(token.slot);
        let entry = &mut self.entries[index(fd)];
        entry.state.insert(FdState::QUENCH);
        let trigger = entry.trigger();
        self.record(events, fd, Interest::empty(), trigger);
    }

    /// The kernel refused a change, and holds nothing for this registration any more. The file descriptor, whose
    /// events are to hear of it.
    ///
    /// `None` where something was asked since the kernel was told, by another thread: the number may be another
    /// file's by now, and that one was not refused. All that is wanted now is then asked for by the change that
    /// waits, which the backend turns into an add. Until then it counts as held.
    pub(crate) fn refused<T>(&mut self, events: &Slab<T>, token: Token) -> Option<RawFd> {
        let entry = self.entries.get(token.slot as usize)?;
        if entry.generation != token.generation || entry.held.is_empty() {
            return None;
        }
        let fd = fd(token.slot);
        if entry.state.contains(FdState::CHANGED) {
            let (wanted, trigger) = (entry.wanted(events), entry.trigger());
            self.record(events, fd, wanted, trigger);
            return None;
        }
        self.hold(fd, Interest::empty());
        Some(fd)
    }

    /// Whether the kernel holds interest in `fd` though no event wants any.
    /// If so it counts as told that it ends.
    pub(crate) fn give_up(&mut self, fd: RawFd) -> bool {
        let Some(entry) = self.entries.get_mut(index(fd)) else {
            return false;
        };
        if entry.head != NONE || entry.held.is_empty() {
            return false;
        }
        entry.state.remove(FdState::QUENCH);
        self.hold(fd, Interest::empty());
        self.drop_change(fd);
        true
    }

    /// Forgets what the kernel holds, and what it was to be told.
    pub(crate) fn forget(&mut self) {
        self.skipped += self.changes.len() as u64;
        self.changes.clear();
        self.held = 0;
        for entry in &mut self.entries {
            entry.held = Interest::empty();
            entry.state.remove(FdState::QUENCH | FdState::CHANGED);
        }
    }

    /// The file descriptors that events want something of, and the tokens of their next
    /// registration.
    pub(crate) fn wanted<T>(&self, events: &Slab<T>) -> Vec<(RawFd, Interest, Trigger, Token)> {
        (0..)
            .zip(&self.entries)
            .filter(|(_, entry)| entry.head != NONE)
            .map(|(slot, entry)| {
                let generation = entry.generation.wrapping_add(1);
                (
                    fd(slot),
                    entry.wanted(events),
                    entry.trigger(),
                    Token { slot, generation },
                )
            })
            .collect()
    }

    /// What the kernel holds, as far as it was told: number, interest, trigger and token.
    pub(crate) fn held(&self) -> impl Iterator<Item = (RawFd, Interest, Trigger, Token)> {
        (0..)
            .zip(&self.entries)
            .filter(|(_, entry)| !entry.held.is_empty())
            .map(|(slot, entry)| {
                (
                    fd(slot),
                    entry.held,
                    entry.held_trigger(),
                    Token {
                        slot,
                        generation: entry.generation,
                    },
                )
            })
    }
}

/// File descriptors are not negative: [`Core::insert`](crate::Core::insert) refuses such.
#[expect(
    clippy::cast_sign_loss,
    reason = "checked where a file descriptor enters"
)]
const fn index(fd: RawFd) -> usize {
    fd as usize
}

#[expect(
    clippy::cast_sign_loss,
    reason = "checked where a file descriptor enters"
)]
const fn slot(fd: RawFd) -> u32 {
    fd as u32
}

#[expect(
    clippy::cast_possible_wrap,
    reason = "a slot is a file descriptor's number"
)]
const fn fd(slot: u32) -> RawFd {
    slot as RawFd
}
