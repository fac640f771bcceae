//! What always holds between the interest table, the changes and the events.

use alloc::format;
use alloc::string::String;

use evloop_changelist::{Change, RawFd};

use super::{FdEntry, FdMap, FdState, fd};
use crate::event::Kind;
use crate::slab::{NONE, Slab};
use crate::verify::ensure;

impl FdMap {
    /// Says what is wrong unless the table, the changes and the events agree.
    pub(crate) fn verify<T>(&self, events: &Slab<T>) -> Result<(), String> {
        for item in self.changes.entries() {
            let found = self.changes.get(item.fd);
            let is_known = usize::try_from(item.fd).is_ok_and(|fd| fd < self.entries.len());
            let is_found = found.is_some_and(|change| core::ptr::eq(change, &item.change));
            ensure(is_known && is_found, || {
                format!("the change of file descriptor {} is not found", item.fd)
            })?;
        }
        let mut held = 0;
        for (slot, entry) in (0..).zip(&self.entries) {
            entry
                .verify(events, slot, self.changes.get(fd(slot)))
                .map_err(|broken| format!("file descriptor {slot} {broken}"))?;
            held += usize::from(!entry.held.is_empty());
        }
        ensure(held == self.held && held <= self.most_held, || {
            format!("{held} file descriptors are held, {} counted", self.held)
        })?;
        let told = self.told + self.skipped + self.changes.len() as u64;
        ensure(told <= self.recorded, || {
            format!("{told} changes were made of {} edits", self.recorded)
        })
    }
}

impl FdMap {
    /// Whether an event is in the list of a file descriptor.
    pub(crate) fn is_on<T>(&self, events: &Slab<T>, fd: RawFd, slot: u32) -> bool {
        let entry = usize::try_from(fd).ok().and_then(|fd| self.entries.get(fd));
        entry.is_some_and(|entry| entry.events(events).any(|(other, _)| other == slot))
    }
}

impl FdEntry {
    /// Says what is wrong unless it and its events agree, and what the kernel holds, or is to be told,
    /// is what they want.
    fn verify<T>(
        &self,
        events: &Slab<T>,
        number: u32,
        change: Option<&Change>,
    ) -> Result<(), String> {
        let (mut slot, mut listed) = (self.head, 0);
        while slot != NONE {
            let event = events.at(slot).ok_or("has an event that was freed")?;
            let is_its = matches!(
                event.kind,
                Kind::Io { fd: its_fd, interest, trigger, .. }
                    if its_fd == fd(number) && trigger == self.trigger() && !interest.is_empty()
            );
            listed += 1;
            ensure(is_its && listed <= events.len(), || {
                format!("has event {slot}, which is not its, or twice")
            })?;
            slot = event.next_on_fd();
        }
        ensure(
            change.is_some() == self.state.contains(FdState::CHANGED),
            || "has a change, or is said to have, not both".into(),
        )?;
        let told = change.map_or(self.held, Change::wanted);
        ensure(
            change.is_none_or(|change| change.held() == self.held),
            || format!("has a change, but not of the {} that is held", self.held),
        )?;
        let wanted = self.wanted(events);
        // Empty where the kernel refused: the events were told so. And what nobody wants any more
        // may still be held.
        ensure(
            told == wanted || told.is_empty() || wanted.is_empty(),
            || format!("is to be held for {told}, and wanted for {wanted}"),
        )
    }
}
