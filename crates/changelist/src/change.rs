//! One file descriptor's change: the interest that the kernel holds, and what is to become of it.
//!
//! A change remembers where it started and, of all that was asked for since, only what is still to
//! be told: one [`Edit`] for each kind of interest. However often an event is added and deleted
//! before the next wait, its file descriptor costs one system call at most.

use core::fmt;

use crate::{EpollOp, Interest, Op, Trigger, epoll_op};

/// What is to become of one kind of interest.
///
/// There are three answers, so the state "to be added and to be deleted" cannot be written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Edit {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is wanted from now on, and the kernel is told so even where it holds it already.
    Add,
    /// It is no longer wanted.
    Delete,
}

impl fmt::Display for Edit {
    /// `keep`, `add` or `delete`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Keep => "keep",
            Self::Add => "add",
            Self::Delete => "delete",
        })
    }
}

/// The edits of one file descriptor, one for each kind of interest: 27 states.
///
/// # Compared with libevent
///
/// `read_change`, `write_change` and `close_change` of `struct event_change`, less the 37 states in
/// which one of them both adds and deletes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Edits {
    /// What is to become of [`Interest::READ`].
    pub read: Edit,
    /// What is to become of [`Interest::WRITE`].
    pub write: Edit,
    /// What is to become of [`Interest::CLOSED`].
    pub closed: Edit,
}

impl Edits {
    /// Nothing is edited.
    pub const KEEP: Self = Self {
        read: Edit::Keep,
        write: Edit::Keep,
        closed: Edit::Keep,
    };

    /// All 27 states, [`Edits::read`] varying fastest and [`Edits::KEEP`] first.
    pub fn all() -> impl Iterator<Item = Self> {
        const EACH: [Edit; 3] = [Edit::Keep, Edit::Add, Edit::Delete];
        EACH.into_iter().flat_map(|closed| {
            EACH.into_iter().flat_map(move |write| {
                EACH.into_iter().map(move |read| Self {
                    read,
                    write,
                    closed,
                })
            })
        })
    }

    /// The kinds of interest that are to be added.
    #[must_use]
    pub const fn added(self) -> Interest {
        self.which_are(Edit::Add)
    }

    /// The kinds of interest that are to be deleted.
    #[must_use]
    pub const fn deleted(self) -> Interest {
        self.which_are(Edit::Delete)
    }

    /// The interest that is wanted where `held` is held: the added in, the deleted out.
    #[must_use]
    pub const fn applied_to(self, held: Interest) -> Interest {
        held.union(self.added()).difference(self.deleted())
    }

    /// Sets the edit of each kind in `interest`.
    const fn set(&mut self, interest: Interest, edit: Edit) {
        if interest.contains(Interest::READ) {
            self.read = edit;
        }
        if interest.contains(Interest::WRITE) {
            self.write = edit;
        }
        if interest.contains(Interest::CLOSED) {
            self.closed = edit;
        }
    }

    /// The kinds whose edit is this one.
    const fn which_are(self, edit: Edit) -> Interest {
        let mut found = Interest::empty();
        if self.read as u8 == edit as u8 {
            found = found.union(Interest::READ);
        }
        if self.write as u8 == edit as u8 {
            found = found.union(Interest::WRITE);
        }
        if self.closed as u8 == edit as u8 {
            found = found.union(Interest::CLOSED);
        }
        found
    }
}

/// What the kernel holds for one file descriptor, and what it is still to be told about it.
///
/// For each kind of interest the last edit wins; [`add`](Self::add) and [`delete`](Self::delete)
/// say what becomes of one that changes nothing.
///
/// Five bytes, `Copy`; every operation takes constant time.
///
/// # Examples
///
/// ```
/// use evloop_changelist::{Change, EpollOp, Interest, Op, Trigger};
///
/// let mut change = Change::new(Interest::READ, Trigger::Level);
/// change.add(Interest::WRITE);
/// change.delete(Interest::READ);
///
/// assert_eq!(change.wanted(), Interest::WRITE);
/// assert_eq!(change.op(), Some(EpollOp { op: Op::Modify, interest: Interest::WRITE }));
/// ```
///
/// # Compared with libevent
///
/// `struct event_change`. The trigger belongs to the file descriptor here, and its change is
/// told; there the last event that was touched decides, for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    held: Interest,
    /// How the kernel reports what it holds.
    held_trigger: Trigger,
    trigger: Trigger,
    /// What is to be added, and what is to be deleted: no kind is in both.
    added: Interest,
    deleted: Interest,
}

impl Change {
    /// A change of a file descriptor for which the kernel holds this interest, reported this way.
    /// Nothing is edited yet. Where the kernel holds nothing, `held` is empty and `trigger` the
    /// one to begin with.
    #[inline]
    #[must_use]
    pub const fn new(held: Interest, trigger: Trigger) -> Self {
        Self {
            held,
            held_trigger: trigger,
            trigger,
            added: Interest::empty(),
            deleted: Interest::empty(),
        }
    }

    /// Wants this interest from now on.
    ///
    /// It overrides an earlier delete. Where the kernel holds the interest already, it is told all
    /// the same: the file may have been closed in between, and the number given to another.
    #[inline]
    pub const fn add(&mut self, interest: Interest) {
        self.added = self.added.union(interest);
        self.deleted = self.deleted.difference(interest);
    }

    /// Wants this interest no longer.
    ///
    /// It overrides an earlier add. What the kernel did not hold when the change began needs no
    /// deleting: its edit becomes [`Edit::Keep`].
    #[inline]
    pub const fn delete(&mut self, interest: Interest) {
        self.added = self.added.difference(interest);
        self.deleted = self.deleted.union(interest.intersection(self.held));
    }

    /// Sets how readiness is to be reported from now on.
    #[inline]
    pub const fn set_trigger(&mut self, trigger: Trigger) {
        self.trigger = trigger;
    }

    /// How readiness is to be reported from now on.
    #[inline]
    #[must_use]
    pub const fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// The interest that the kernel held when the change began.
    #[inline]
    #[must_use]
    pub const fn held(&self) -> Interest {
        self.held
    }

    /// How the kernel reported it when the change began.
    #[inline]
    #[must_use]
    pub const fn held_trigger(&self) -> Trigger {
        self.held_trigger
    }

    /// What is to become of each kind of interest.
    #[must_use]
    pub const fn edits(&self) -> Edits {
        let mut edits = Edits::KEEP;
        edits.set(self.added, Edit::Add);
        edits.set(self.deleted, Edit::Delete);
        edits
    }

    /// The interest that the kernel is to hold: what it held, after the edits.
    #[must_use]
    #[inline]
    pub const fn wanted(&self) -> Interest {
        self.held.union(self.added).difference(self.deleted)
    }

    /// The operation that takes the kernel from what it holds to what is wanted, or `None` where
    /// there is nothing to tell.
    ///
    /// It is [`epoll_op`] of what is held and the edits. Where these leave nothing to tell and
    /// only the [trigger](Self::trigger) is another, it is a modify of what is held.
    #[must_use]
    pub const fn op(&self) -> Option<EpollOp> {
        match epoll_op(self.held, self.edits()) {
            None if self.is_retriggered() => Some(EpollOp {
                op: Op::Modify,
                interest: self.held,
            }),
            op => op,
        }
    }

    /// Whether the kernel must be told, given that the file stayed open all along.
    ///
    /// Only a caller that owns the file may ask, for only it knows that the file was not closed
    /// and its number not given to another. Everyone else goes by [`Change::op`].
    ///
    /// It is `false` where the kernel holds what is wanted and reports it as is wanted. An add
    /// under [`Trigger::Edge`] is always needed: it asks to be told again of readiness that was
    /// reported before. Where it is `true`, [`Change::op`] is an operation.
    #[inline]
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.wanted().bits() != self.held.bits()
            || self.is_retriggered()
            || (matches!(self.trigger, Trigger::Edge) && !self.added.is_empty())
    }

    /// Whether the kernel holds something, and is to report it in another way.
    #[inline]
    const fn is_retriggered(&self) -> bool {
        !self.held.is_empty() && self.trigger as u8 != self.held_trigger as u8
    }
}
