//! The clock that the timeouts of the wait are counted by.

use evloop_backend::Clock;

use crate::sys;

/// The monotonic clock, in nanoseconds since a moment that means nothing. Costs no system call where
/// the kernel offers the clock in user space.
///
/// The C library's. The standard library's `Instant` is the same clock, and makes four times the
/// instructions of it; rustix's reads the kernel's page by itself and cannot be run under valgrind.
///
/// # Compared with libevent
///
/// `evutil_gettime_monotonic_` with `EVENT_BASE_FLAG_PRECISE_TIMER`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        sys::monotonic_ns()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_does_not_run_backwards_nor_stand_still() {
        let clock = MonotonicClock;
        let mut last_ns = 0;
        for _ in 0..1000 {
            let now_ns = clock.now_ns();
            assert!(now_ns >= last_ns);
            last_ns = now_ns;
        }
        assert!(last_ns > 0);
    }
}
