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
    fn it_is_the_kernel_s_monotonic_clock() {
        let kernel_ns = || {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
        };
        for _ in 0..1000 {
            let before_ns = kernel_ns();
            let now_ns = MonotonicClock.now_ns();
            assert!((before_ns..=kernel_ns()).contains(&now_ns));
        }
    }
}
