//! The monotonic clock that timeouts run by, the wall clock that programs are told, and `timeval`.
#![expect(
    unsafe_code,
    reason = "std does not tell the monotonic clock's own value"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libc::{timespec, timeval};

/// `CLOCK_MONOTONIC`, in nanoseconds: always precise, and no system call where the kernel offers the
/// clock in user space.
pub(crate) fn now_ns() -> u64 {
    let mut now = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is that of a variable. The clock is one that every Linux has.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// The wall clock, since 1970.
pub(crate) fn wall() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Both parts together, of which one may be negative. Less than nothing counts as nothing: what is
/// overdue is due.
pub(crate) fn duration(tv: timeval) -> Duration {
    // Wide enough for any two parts.
    let us = i128::from(tv.tv_sec) * 1_000_000 + i128::from(tv.tv_usec);
    let us = us.max(0).unsigned_abs();
    let seconds = u64::try_from(us / 1_000_000).unwrap_or(u64::MAX);
    let microseconds = u64::try_from(us % 1_000_000).unwrap_or(0);
    Duration::from_secs(seconds).saturating_add(Duration::from_micros(microseconds))
}

pub(crate) fn timeval(duration: Duration) -> timeval {
    timeval {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_usec: i64::from(duration.subsec_micros()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_c_are_read_as_they_are_meant() {
        let of = |tv_sec, tv_usec| duration(timeval { tv_sec, tv_usec });
        assert_eq!(of(1, 500_000), Duration::from_millis(1500));
        assert_eq!(of(1, 2_500_000), Duration::from_millis(3500));
        assert_eq!(of(1, -700_000), Duration::from_millis(300));
        assert_eq!(of(-1, 1_300_000), Duration::from_millis(300));
        for (seconds, microseconds) in [(-5, 0), (-1, 700_000), (0, -1), (1, -1_000_001)] {
            assert_eq!(of(seconds, microseconds), Duration::ZERO);
        }
        assert_eq!(of(i64::MIN, i64::MIN), Duration::ZERO);
        assert_eq!(of(i64::MIN, i64::MAX), Duration::ZERO);
        assert_eq!(
            of(i64::MAX, i64::MAX),
            Duration::from_secs(9_223_372_036_854_775_807)
                .saturating_add(Duration::from_micros(9_223_372_036_854_775_807))
        );
    }

    #[test]
    fn clock_goes_on() {
        let before = now_ns();
        assert!(before > 0 && now_ns() >= before);
    }
}
