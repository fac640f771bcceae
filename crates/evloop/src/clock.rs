//! The clock of a loop on a real machine.

use evloop_backend::Clock;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// `CLOCK_MONOTONIC`: nanoseconds since boot, suspended time not counted. Costs no system call where
/// the kernel offers the clock in user space.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
        let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(tv_sec), u64::try_from(tv_nsec)) else {
            unreachable!("the monotonic clock counts up from zero");
        };
        seconds * 1_000_000_000 + nanoseconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_does_not_run_backwards() {
        let times: Vec<u64> = (0..1000).map(|_| MonotonicClock.now_ns()).collect();
        assert!(times.is_sorted());
        assert!(times[0] > 0);
    }
}
