//! Measurements: how long callbacks take, and how much happens in a second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use evloop::Stats;

/// What time it is, for what the server measures and promises itself. The loop has its own clock.
#[expect(
    clippy::disallowed_methods,
    reason = "a program that uses the loop has clocks of its own"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Counts of durations, in buckets of which each is twice as wide as the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Histogram {
    buckets: [u64; BUCKETS],
    longest: Duration,
}

/// The first bucket ends at 256 ns, less than which a call is not worth telling apart; the last
/// begins at 1.07 s.
const BUCKETS: usize = 24;
const FIRST_BITS: u32 = 8;

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        let ns = nanoseconds(duration);
        let bits = u64::BITS - (ns >> FIRST_BITS).leading_zeros();
        let bucket = (bits as usize).min(BUCKETS - 1);
        self.buckets[bucket] += 1;
        self.longest = self.longest.max(duration);
    }

    /// The counts, shortest first, each with the nanoseconds that its durations are below; the
    /// last one has no such limit.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + Clone {
        let below_ns = (0..BUCKETS).map(|bucket| {
            let is_last = bucket == BUCKETS - 1;
            (!is_last).then(|| 1 << (FIRST_BITS as usize + bucket))
        });
        below_ns.zip(self.buckets.iter().copied())
    }

    pub(crate) const fn longest(&self) -> Duration {
        self.longest
    }
}

/// Turns and callbacks per second, for each of the last [`SECONDS`] seconds.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    at: Instant,
    before: Stats,
    seconds: VecDeque<Rate>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) turns: u64,
    pub(crate) callbacks: u64,
}

/// How far back the rates go.
pub(crate) const SECONDS: usize = 120;

impl Rates {
    pub(crate) fn new(at: Instant) -> Self {
        Self {
            at,
            before: Stats::default(),
            seconds: VecDeque::with_capacity(SECONDS),
        }
    }

    /// Takes the counters of now; the rate is what they grew by since the last time, per second.
    pub(crate) fn sample(&mut self, at: Instant, stats: Stats) {
        let elapsed = at.saturating_duration_since(self.at);
        let rate = |now: u64, before: u64| per_second(now.saturating_sub(before), elapsed);
        let rate = Rate {
            turns: rate(stats.turns, self.before.turns),
            callbacks: rate(stats.callbacks, self.before.callbacks),
        };
        if self.seconds.len() == SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back(rate);
        self.at = at;
        self.before = stats;
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Rate> + Clone {
        self.seconds.iter().copied()
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Rounded to the nearest; 0 if no time has passed.
fn per_second(count: u64, elapsed: Duration) -> u64 {
    let ns = elapsed.as_nanos();
    let rounded = (u128::from(count) * 1_000_000_000 + ns / 2).checked_div(ns);
    rounded.map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket_of(ns: u64) -> usize {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_nanos(ns));
        let counts: Vec<u64> = histogram.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts.iter().sum::<u64>(), 1);
        counts.iter().position(|count| *count == 1).unwrap()
    }

    #[test]
    fn bucket_is_the_first_whose_limit_is_above() {
        let limits: Vec<_> = Histogram::default()
            .buckets()
            .map(|(limit, _)| limit)
            .collect();
        for ns in [0, 1, 255, 256, 511, 512, 1_000_000, 1 << 30, u64::MAX] {
            let expected = limits
                .iter()
                .position(|limit| limit.is_none_or(|limit| ns < limit));
            assert_eq!(Some(bucket_of(ns)), expected, "{ns} ns");
        }
    }

    #[test]
    fn longest_duration_is_kept() {
        let mut histogram = Histogram::default();
        for us in [3, 90, 5] {
            histogram.record(Duration::from_micros(us));
        }
        assert_eq!(histogram.longest(), Duration::from_micros(90));
    }

    fn stats(turns: u64) -> Stats {
        let mut stats = Stats::default();
        stats.turns = turns;
        stats.callbacks = 2 * turns;
        stats
    }

    #[test]
    fn rate_is_growth_over_the_time_it_took() {
        let start = now();
        let mut rates = Rates::new(start);
        rates.sample(start + Duration::from_millis(500), stats(10));
        rates.sample(start + Duration::from_millis(2500), stats(13));
        let expected = [(20, 40), (2, 3)].map(|(turns, callbacks)| Rate { turns, callbacks });
        assert_eq!(rates.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rates_of_the_last_seconds_are_kept() {
        let start = now();
        let mut rates = Rates::new(start);
        for second in 1..=SECONDS as u64 + 5 {
            rates.sample(start + Duration::from_secs(second), stats(second * second));
        }
        assert_eq!(rates.iter().count(), SECONDS);
        // n² - (n - 1)² = 2n - 1, and the first five are gone.
        assert_eq!(rates.iter().next().unwrap().turns, 2 * 6 - 1);
    }

    #[test]
    fn no_time_is_no_rate() {
        assert_eq!(per_second(7, Duration::ZERO), 0);
    }
}
