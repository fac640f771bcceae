//! What happened to an event: what the kernel reports, and why a callback runs.

use bitflags::bitflags;

use crate::Interest;

bitflags! {
    /// Readiness: what the kernel reports for a file descriptor, and the reasons for which an
    /// event is activated.
    ///
    /// A backend sets the first five bits only; [`Ready::TIMEOUT`] and [`Ready::SIGNAL`] are set
    /// by the loop.
    ///
    /// # Compared with libevent
    ///
    /// The result bits of a callback. libevent turns a hang-up or an error into
    /// `EV_READ | EV_WRITE`; here they are bits of their own.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Ready: u8 {
        /// Input can be read, or the end of the input was reached.
        const READ = 1;
        /// Output can be written.
        const WRITE = 2;
        /// The peer closed its writing half.
        const CLOSED = 4;
        /// Both halves are closed: a read returns what is left, then the end of the input.
        const HANGUP = 8;
        /// An error waits on the file descriptor: the next call on it returns it.
        const ERROR = 16;
        /// The event's timeout expired.
        const TIMEOUT = 32;
        /// The event's signal was caught.
        const SIGNAL = 64;
    }
}

impl Ready {
    /// What no interest has to ask for.
    pub const ALWAYS: Self = Self::HANGUP.union(Self::ERROR);

    /// Whether a read would return at once: with data, with the end of the input, or with an error.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.intersects(Self::READ.union(Self::ALWAYS))
    }

    /// Whether a write would return at once: having written, or with an error.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.intersects(Self::WRITE.union(Self::ALWAYS))
    }

    /// Whether the peer has closed at least its writing half.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.intersects(Self::CLOSED.union(Self::HANGUP))
    }

    /// Whether the event's timeout expired.
    #[must_use]
    pub const fn is_timeout(self) -> bool {
        self.contains(Self::TIMEOUT)
    }

    /// The part that an event with this interest is told: what it asked for, and
    /// [`Ready::ALWAYS`].
    #[must_use]
    #[inline]
    pub const fn for_interest(self, interest: Interest) -> Self {
        self.intersection(Self::from_bits_retain(interest.bits()).union(Self::ALWAYS))
    }
}

impl From<Interest> for Ready {
    fn from(interest: Interest) -> Self {
        Self::from_bits_retain(interest.bits())
    }
}

// `for_interest` relies on it.
const _: () = assert!(
    Interest::READ.bits() == Ready::READ.bits()
        && Interest::WRITE.bits() == Ready::WRITE.bits()
        && Interest::CLOSED.bits() == Ready::CLOSED.bits()
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_is_told_by_its_bit_alone() {
        assert!(Ready::all().is_timeout());
        assert!(!Ready::all().difference(Ready::TIMEOUT).is_timeout());
    }
}
