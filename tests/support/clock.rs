//! Time as the tests and the loop see it, and ways to let it pass.

use std::time::Duration;

use evloop::{EventId, EventLoop};
use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC`.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap();
    Duration::new(seconds, nanoseconds)
}

/// The time on the loop's own clock, whose origin is the loop's affair.
pub(crate) fn loop_now<S: 'static>(events: &mut EventLoop<S>) -> Duration {
    let probe = events.timer(DAY).add(|_| {}).unwrap();
    let all = events.iter().find(|described| described.event.id == probe);
    let left = all.unwrap().left.unwrap();
    let now = deadline(events, probe) - left;
    events.remove(probe).unwrap();
    now
}

/// When an event's timeout expires, on the loop's own clock.
pub(crate) fn deadline<S>(events: &EventLoop<S>, id: EventId) -> Duration {
    Duration::from_nanos(events.info(id).unwrap().deadline_ns.unwrap())
}

/// Returns when an event's timeout has expired, with no more to show for it.
pub(crate) fn until_due<S>(events: &EventLoop<S>, id: EventId) {
    let is_due = || {
        let mut all = events.iter();
        let described = all.find(|described| described.event.id == id);
        described.unwrap().left == Some(Duration::ZERO)
    };
    while !is_due() {
        std::hint::spin_loop();
    }
}

/// Keeps the thread busy, as a callback that computes would.
pub(crate) fn busy(duration: Duration) {
    let end = now() + duration;
    while now() < end {
        std::hint::spin_loop();
    }
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Longer than any test runs.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
