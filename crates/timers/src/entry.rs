//! What the heap orders: a key, and the index of the timer that stands under it.

/// What timers are ordered by. No two that are armed are equal: a sequence number is drawn once, until
/// all are drawn anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) deadline_ns: u64,
    pub(crate) sequence: u32,
}

/// A key with the index of its timer. Compared as one number, without a branch; no two are equal.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) deadline_ns: u64,
    /// The sequence number above, the index below.
    tie: u64,
}

impl Entry {
    /// No entry: later than all.
    pub(crate) const EMPTY: Self = Self {
        deadline_ns: u64::MAX,
        tie: u64::MAX,
    };

    #[inline]
    pub(crate) const fn new(key: Key, index: u32) -> Self {
        Self {
            deadline_ns: key.deadline_ns,
            tie: (key.sequence as u64) << 32 | index as u64,
        }
    }

    #[inline]
    pub(crate) const fn key(self) -> Key {
        Key {
            deadline_ns: self.deadline_ns,
            sequence: (self.tie >> 32) as u32,
        }
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lower half is the index"
    )]
    pub(crate) const fn index(self) -> u32 {
        self.tie as u32
    }

    #[inline]
    pub(crate) const fn is_before(self, other: Self) -> bool {
        self.number() < other.number()
    }

    #[inline]
    pub(crate) const fn number(self) -> u128 {
        (self.deadline_ns as u128) << 64 | self.tie as u128
    }
}
