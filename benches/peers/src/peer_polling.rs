//! polling: one-shot, level- or edge-triggered readiness, and a notification.

use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use polling::{Event, Events, PollMode, Poller};

use crate::wake;
use crate::work::{self, Batch, Link, NO_SIGNALS, NO_SUCH, NO_TIMERS, Offer, Work, timed};

pub(crate) fn offer(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" => Ok(ring(work, PollMode::Level, |_, link, _| link.pass_on())),
        "ring-edge" | "cascade" => Ok(ring(work, PollMode::Edge, |_, link, _| link.pass_on())),
        "toggle" => Ok(ring(work, PollMode::Level, |poller, link, key| {
            let set = |interest| {
                let set = poller.modify_with_mode(&link.reader, interest, PollMode::Level);
                set.expect("it was added");
            };
            set(Event::all(key));
            link.pass_on();
            set(Event::readable(key));
        })),
        "ring-again" | "ring-timeout" => Err(NO_TIMERS),
        "signal" => Err(NO_SIGNALS),
        "wake" | "wake-other" => wake(work),
        "add-delete" => {
            let link = work::ring(1).pop().expect("one");
            Ok(add_delete(move |poller| {
                let _open = &link.writer;
                register(poller, &link.reader);
            }))
        }
        "register" => Ok(add_delete(|poller| register(poller, &work::new_source()))),
        name if name.starts_with("timer") => Err(NO_TIMERS),
        _ => Err(NO_SUCH),
    }
}

/// The poller goes first, so it never holds a pipe that is closed.
struct Ring {
    poller: Poller,
    links: Vec<Link>,
}

fn ring(work: &Work, mode: PollMode, each: impl Fn(&Poller, &Link, usize) + 'static) -> Batch {
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
                    each(&ring.poller, &ring.links[event.key], event.key);
                    hops += 1;
                }
            }
        });
        time / hops as f64
    })
}

fn wake(work: &Work) -> Offer {
    let poller = Arc::new(Poller::new().expect("a poller"));
    let remote = Arc::clone(&poller);
    let other = wake::Other::start(work, Arc::new(move || remote.notify().expect("notified")))?;
    let mut ready = Events::new();
    Ok(Box::new(move |ops| {
        timed(|| {
            other.begin(ops);
            for _ in 0..ops {
                ready.clear();
                poller.wait(&mut ready, None).expect("it waits");
                other.answer();
            }
        }) / ops as f64
    }))
}

fn add_delete(pair: impl Fn(&Poller) + 'static) -> Batch {
    let poller = Poller::new().expect("a poller");
    Box::new(move |ops| timed(|| (0..ops).for_each(|_| pair(&poller))) / ops as f64)
}

fn register(poller: &Poller, source: &OwnedFd) {
    // SAFETY: the source must outlive its registration, which ends two lines below.
    let added = unsafe { poller.add_with_mode(source, Event::readable(0), PollMode::Level) };
    added.expect("it can be waited for");
    poller.delete(source).expect("it was added");
}
