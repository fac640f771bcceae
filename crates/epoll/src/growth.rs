//! How long the array should be into which the kernel writes what is ready.
//!
//! Too short, and a busy loop makes more waits than it has to; too long, and it holds memory for a
//! rush that is over. It doubles whenever it came back full, as there may be more, and halves when
//! it was all but empty for a while.

/// The length of the array, and for how long it has been too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Growth {
    len: usize,
    /// Waits in a row that used less than a quarter.
    quiet: usize,
}

impl Growth {
    pub(crate) const fn new() -> Self {
        Self { len: MIN, quiet: 0 }
    }

    /// How many events the array holds.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Takes note of a wait that used this many.
    #[inline]
    pub(crate) fn note(&mut self, used: usize) {
        self.quiet = if used < self.len / 4 {
            self.quiet + 1
        } else {
            0
        };
        if used >= self.len {
            self.len = MAX.min(self.len * 2);
        } else if self.quiet == PATIENCE {
            *self = Self {
                len: MIN.max(self.len / 2),
                quiet: 0,
            };
        }
    }
}

/// As many as libevent begins with.
const MIN: usize = 32;
/// 12 KiB. Who has more ready than that has work to do before the next wait; and what is told of too many
/// at a time has left the caches when their callbacks run: with 4096, as in libevent, an echo on 5,000
/// connections takes 5 to 10 % more.
const MAX: usize = 1024;
/// Long enough that a rush which comes every few waits finds its array still there.
const PATIENCE: usize = 64;

#[cfg(test)]
mod tests;
