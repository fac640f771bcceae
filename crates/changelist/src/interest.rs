//! What is asked of the kernel for one file descriptor: which readiness, reported how.

use core::fmt;

use bitflags::bitflags;

bitflags! {
    /// The readiness that is asked for.
    ///
    /// Hang-up and error are not in the set: the kernel reports them whether they are asked for or
    /// not, and they reach every event of the file descriptor.
    ///
    /// # Compared with libevent
    ///
    /// `EV_READ`, `EV_WRITE` and `EV_CLOSED`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Interest: u8 {
        /// Input can be read, or the end of the input was reached.
        const READ = 1;
        /// Output can be written.
        const WRITE = 2;
        /// The peer closed its writing half; nothing has to be read to learn it.
        const CLOSED = 4;
    }
}

impl Interest {
    /// Every set there is: 8, the empty one first, [`Interest::READ`] varying fastest.
    pub fn all_subsets() -> impl Iterator<Item = Self> {
        (0..=Self::all().bits()).map(Self::from_bits_truncate)
    }
}

impl fmt::Display for Interest {
    /// `read+write`; the empty set is `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 8] = [
            "none",
            "read",
            "write",
            "read+write",
            "closed",
            "read+closed",
            "write+closed",
            "read+write+closed",
        ];
        f.pad(NAMES[usize::from(self.bits() & Self::all().bits())])
    }
}

/// When readiness is reported again.
///
/// # Compared with libevent
///
/// `EV_ET` is [`Trigger::Edge`], its absence [`Trigger::Level`]. It belongs to the file
/// descriptor, not to one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// At every wait, as long as the file descriptor is ready.
    #[default]
    Level,
    /// Once, when the file descriptor becomes ready (and once when it is added while ready).
    Edge,
}
