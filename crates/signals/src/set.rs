//! A set of signals in one word.

use core::fmt;
use core::iter::FusedIterator;

use crate::Signal;

/// A set of signals: 64 bits, [`Signal::bit`] each.
///
/// # Examples
///
/// ```
/// use evloop_signals::{Signal, SignalSet};
///
/// let mut set = SignalSet::new();
/// assert!(set.insert(Signal::TERM) && set.insert(Signal::INT));
/// assert!(!set.insert(Signal::INT));
/// assert!(set.into_iter().eq([Signal::INT, Signal::TERM]));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SignalSet(u64);

impl SignalSet {
    /// The set of none.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// The signals of these bits. Bits that are no signal's are left out.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & ALL)
    }

    /// The bits of the signals.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Puts a signal in. True: it was not there.
    pub const fn insert(&mut self, signal: Signal) -> bool {
        let is_new = !self.contains(signal);
        self.0 |= signal.bit();
        is_new
    }

    /// Takes a signal out. True: it was there.
    pub const fn remove(&mut self, signal: Signal) -> bool {
        let was_there = self.contains(signal);
        self.0 &= !signal.bit();
        was_there
    }

    /// Whether a signal is in the set.
    #[must_use]
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & signal.bit() != 0
    }

    /// The number of signals.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(*self).finish()
    }
}

impl IntoIterator for SignalSet {
    type Item = Signal;
    type IntoIter = Signals;

    fn into_iter(self) -> Signals {
        Signals(self)
    }
}

/// The signals of a [`SignalSet`], by number.
#[derive(Clone, Debug)]
pub struct Signals(SignalSet);

impl Iterator for Signals {
    type Item = Signal;

    fn next(&mut self) -> Option<Signal> {
        // Of an empty set this is number 65, which is no signal.
        let number = self.0.bits().trailing_zeros().cast_signed() + 1;
        let signal = Signal::new(number).ok()?;
        self.0.remove(signal);
        Some(signal)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for Signals {}
impl FusedIterator for Signals {}

/// The bits of all signals.
const ALL: u64 = {
    let mut bits = 0;
    let mut number = 1;
    while number <= 64 {
        if let Ok(signal) = Signal::new(number) {
            bits |= signal.bit();
        }
        number += 1;
    }
    bits
};

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn set<const N: usize>(signals: [Signal; N]) -> SignalSet {
        let mut set = SignalSet::new();
        assert!(signals.into_iter().all(|signal| set.insert(signal)));
        set
    }

    #[test]
    fn signals_to_come_are_counted() {
        let mut signals = set([Signal::INT, Signal::TERM, Signal::USR1]).into_iter();
        for left in (0..=3).rev() {
            assert_eq!(signals.size_hint(), (left, Some(left)));
            assert_eq!(signals.next().is_some(), left > 0);
        }
    }

    #[test]
    fn set_is_shown_by_its_signals() {
        let shown = format!("{:?}", set([Signal::INT]));
        assert_eq!(shown, format!("{{{:?}}}", Signal::INT));
    }
}
