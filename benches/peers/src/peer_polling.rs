//! polling: one-shot, level- or edge-triggered readiness, and a notification.

use std::num::NonZeroUsize;
use std::sync::Arc;

use polling::{Event, Events, PollMode, Poller};

use crate::wake;
use crate::work::{self, Batch, Link, NO_SIGNALS, NO_TIMERS, NOT_WRITTEN, Offer, Work, timed};

pub(crate) fn offer(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" => Ok(ring(work, PollMode::Level)),
        "ring-edge" | "cascade" => Ok(ring(work, PollMode::Edge)),
        "ring-again" | "ring-timeout" => Err(NO_TIMERS),
        "signal" => Err(NO_SIGNALS),
        "wake" | "wake-other" => Ok(wake(work)),
        name if name.starts_with("timer") => Err(NO_TIMERS),
        _ => Err(NOT_WRITTEN),
    }
}

/// The poller goes first, so it never holds a pipe that is closed.
struct Ring {
    poller: Poller,
    links: Vec<Link>,
}

fn ring(work: &Work, mode: PollMode) -> Batch {
    let ring = Ring {
        poller: Poller::new().expect("a poller"),
        links: work::ring(work.n),
    };
    for (at, link) in ring.links.iter().enumerate() {
        // SAFETY: the source must outlive its registration: `Ring` drops the poller before the pipes.
        let added = unsafe {
            ring.poller
                .add_with_mode(&link.reader, Event::readable(at), mode)
        };
        added.expect("a pipe can be waited for");
    }
    work::prime(&ring.links, work.active);
    let mut ready = Events::with_capacity(NonZeroUsize::new(256).expect("not zero"));
    Box::new(move |ops| {
        let ring = &ring;
        let mut hops = 0_u64;
        let time = timed(|| {
            while hops < ops {
                ready.clear();
                ring.poller.wait(&mut ready, None).expect("it waits");
                for event in ready.iter() {
                    ring.links[event.key].pass_on();
                    hops += 1;
                }
            }
        });
        time / hops as f64
    })
}

fn wake(work: &Work) -> Batch {
    let poller = Arc::new(Poller::new().expect("a poller"));
    let remote = Arc::clone(&poller);
    let other = wake::Other::start(work, Arc::new(move || remote.notify().expect("notified")));
    let mut ready = Events::new();
    Box::new(move |ops| {
        timed(|| {
            other.begin(ops);
            for _ in 0..ops {
                ready.clear();
                poller.wait(&mut ready, None).expect("it waits");
                other.answer();
            }
        }) / ops as f64
    })
}
