//! Seeded disorder: what a kernel may do and seldom does, done often, and the same way each time.

use std::time::Duration;

/// How often the simulated kernel uses the liberties that the contract of
/// [`Backend`](evloop_backend::Backend) gives it.
///
/// Each `_percent` is a rate, in how many waits of a hundred; 100 and more is always. What happens
/// is drawn from the seed of the [`Sim`](crate::Sim): the same seed and the same calls give the
/// same run. A rate of 0 draws nothing.
///
/// # Examples
///
/// Change what matters and leave the rest as it is; there will be more rates than these:
///
/// ```
/// use evloop_sim::{Disorder, Sim};
///
/// let sim = Sim::new(7);
/// sim.set_disorder(Disorder { spurious_percent: 30, ..Disorder::none() });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disorder {
    /// The reports come in any order, and not first come, first served.
    pub shuffled_percent: u8,
    /// Of several reports only some come, at least one; the rest is left to the next wait.
    pub partial_percent: u8,
    /// The wait returns at once, with a report of something to read or to write that need not be
    /// there. Only where an interest asks for one of the two: a closed peer, a hang-up and an
    /// error are never made up.
    pub spurious_percent: u8,
    /// The wait is interrupted at some moment before its end, and reports nothing, though
    /// something may be ready.
    pub interrupted_percent: u8,
    /// A wait that had to block returns later than what ended it.
    pub late_percent: u8,
    /// How much later at the most. What happens meanwhile is reported with the rest.
    pub late_at_most: Duration,
}

impl Disorder {
    /// A kernel that does what one expects.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            shuffled_percent: 0,
            partial_percent: 0,
            spurious_percent: 0,
            interrupted_percent: 0,
            late_percent: 0,
            late_at_most: Duration::ZERO,
        }
    }

    /// Some of everything, for property tests to start from.
    #[must_use]
    pub const fn some() -> Self {
        Self {
            shuffled_percent: 50,
            partial_percent: 25,
            spurious_percent: 10,
            interrupted_percent: 10,
            late_percent: 25,
            late_at_most: Duration::from_millis(2),
        }
    }
}

impl Default for Disorder {
    fn default() -> Self {
        Self::none()
    }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): one word of state, and every seed is a good one.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Whether something that happens in `percent` cases of a hundred happens now.
    pub(crate) fn happens(&mut self, percent: u8) -> bool {
        percent > 0 && self.up_to(99) < u64::from(percent)
    }

    /// A number from 0 to `max`. The bias of the remainder does not matter here.
    pub(crate) fn up_to(&mut self, max: u64) -> u64 {
        let drawn = self.next();
        max.checked_add(1).map_or(drawn, |count| drawn % count)
    }

    /// An index into `len` things, which are not none.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        let max = u64::try_from(len - 1).unwrap_or(u64::MAX);
        usize::try_from(self.up_to(max)).expect("it is less than a usize")
    }

    /// Puts things into any order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.index(last + 1));
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        let first = [random.next(), random.next(), random.next()];
        // The reference values that implementations in many languages are tested with.
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(first, expected);
    }

    #[test]
    fn a_rate_is_what_it_says() {
        let mut random = Random::new(3);
        for percent in [0, 1, 25, 99, 100, 255] {
            let happened = (0..10_000).filter(|_| random.happens(percent)).count();
            let expected = 100 * usize::from(percent.min(100));
            assert!(
                happened.abs_diff(expected) < 200,
                "{percent}%: {happened} of 10000"
            );
        }
    }

    #[test]
    fn a_rate_of_none_draws_nothing() {
        let mut random = Random::new(3);
        assert!(!random.happens(0));
        assert_eq!(random.next(), Random::new(3).next());
    }

    #[test]
    fn a_shuffle_can_give_every_order() {
        let mut random = Random::new(5);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let mut things = [1, 2, 3, 4];
            random.shuffle(&mut things);
            seen.insert(things);
        }
        assert_eq!(seen.len(), 24);
    }
}
