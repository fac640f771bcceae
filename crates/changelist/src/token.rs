//! The name under which the kernel reports a registered file descriptor.

/// One registration of a file descriptor: a slot, and how often the slot had been given out before.
///
/// A file descriptor's number is used again as soon as it is closed; a token is not. A report that
/// carries the token of an earlier registration is recognised and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The slot, of the owner's choosing (an index into its table of file descriptors).
    pub slot: u32,
    /// Which use of the slot this is.
    pub generation: u32,
}

impl Token {
    /// The token as the 64 bits that the kernel keeps for it.
    #[must_use]
    #[inline]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// The token that [`Token::to_bits`] turned into these bits.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves are taken apart on purpose"
    )]
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            slot: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}
