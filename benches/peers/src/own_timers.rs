//! evloop's timers alone, without a loop: the crate `evloop-timers`.

use std::time::Duration;

use evloop_timers::Deadlines;

use crate::work::{self, Batch, Offer, Timeouts, Work, timed};

pub(crate) fn offer(work: &Work) -> Offer {
    if work.name.starts_with("timer-") {
        Ok(timers(work))
    } else {
        Err("it is timers only")
    }
}

/// The caller knows whose timer is due, and what time it is: they look at no clock.
fn timers(work: &Work) -> Batch {
    let Timeouts {
        first,
        moved,
        longest,
    } = Timeouts::of(work);
    let [first_ns, moved_ns] =
        [first, moved].map(|timeouts| timeouts.into_iter().map(nanoseconds).collect::<Vec<_>>());
    let now_ns = nanoseconds(longest);
    let name = work.name.clone();
    let callbacks: Vec<fn(&mut u64)> = first_ns.iter().map(|_| count as _).collect();
    let mut timers = Deadlines::new();
    let set = |timers: &mut Deadlines, deadlines_ns: &[u64]| {
        for (index, &deadline_ns) in (0..).zip(deadlines_ns) {
            timers.set(index, deadline_ns);
        }
    };
    let cancel = |timers: &mut Deadlines, len: usize| {
        for index in (0..).take(len) {
            timers.remove(index);
        }
    };
    let mut ran = 0;
    Box::new(move |_| {
        let (timers, len) = (&mut timers, first_ns.len());
        cancel(timers, len);
        if name != "timer-add" {
            set(timers, &first_ns);
        }
        let time = match name.as_str() {
            "timer-add" => timed(|| set(timers, &first_ns)),
            "timer-cancel" => timed(|| cancel(timers, len)),
            "timer-later" | "timer-earlier" => timed(|| set(timers, &moved_ns)),
            name => {
                let mut time = 0.0;
                if name == "timer-moved" {
                    time = timed(|| set(timers, &moved_ns));
                }
                work::until_due(longest);
                time + timed(|| {
                    while let Some((index, _)) = timers.peek_due(now_ns) {
                        timers.remove_due(index);
                        callbacks[index as usize](&mut ran);
                    }
                })
            }
        };
        time / len as f64
    })
}

fn count(ran: &mut u64) {
    *ran += 1;
}

/// As a loop counts it, from a moment on that is 0.
fn nanoseconds(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
}
