//! The clock of a loop on a real machine.

use std::time::Instant;

use evloop_backend::Clock;

/// The monotonic clock, in nanoseconds since the loop was made. Costs no system call where the
/// kernel offers the clock in user space.
///
/// The standard library's, and not rustix's, which reads the kernel's page by itself and cannot be
/// run under valgrind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonotonicClock {
    origin: Instant,
}

impl MonotonicClock {
    pub(crate) fn new() -> Self {
        Self { origin: now() }
    }
}

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        let passed = now().duration_since(self.origin);
        passed.as_secs() * 1_000_000_000 + u64::from(passed.subsec_nanos())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_does_not_run_backwards_nor_stand_still() {
        let clock = MonotonicClock::new();
        let mut last_ns = 0;
        for _ in 0..1000 {
            let now_ns = clock.now_ns();
            assert!(now_ns >= last_ns);
            last_ns = now_ns;
        }
        assert!(last_ns > 0);
    }
}
