//! mio: edge-triggered readiness, and a waker.

use std::os::fd::AsRawFd;
use std::sync::Arc;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::wake;
use crate::work::{self, Batch, NO_LEVEL, NO_SIGNALS, NO_TIMERS, NOT_WRITTEN, Offer, Work, timed};

pub(crate) fn offer(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" => Err(NO_LEVEL),
        "ring-edge" | "cascade" => Ok(ring(work)),
        "ring-again" | "ring-timeout" => Err(NO_TIMERS),
        "signal" => Err(NO_SIGNALS),
        "wake" | "wake-other" => Ok(wake(work)),
        "register" => Ok(register()),
        name if name.starts_with("timer") => Err(NO_TIMERS),
        _ => Err(NOT_WRITTEN),
    }
}

fn ring(work: &Work) -> Batch {
    let ring = work::ring(work.n);
    let mut poll = Poll::new().expect("a poll");
    for (at, link) in ring.iter().enumerate() {
        let fd = link.reader.as_raw_fd();
        let registry = poll.registry();
        let registered = registry.register(&mut SourceFd(&fd), Token(at), Interest::READABLE);
        registered.expect("a pipe can be waited for");
    }
    work::prime(&ring, work.active);
    let mut ready = Events::with_capacity(256);
    Box::new(move |ops| {
        let mut hops = 0_u64;
        let time = timed(|| {
            while hops < ops {
                poll.poll(&mut ready, None).expect("it waits");
                for event in &ready {
                    ring[event.token().0].pass_on();
                    hops += 1;
                }
            }
        });
        time / hops as f64
    })
}

fn wake(work: &Work) -> Batch {
    let mut poll = Poll::new().expect("a poll");
    let waker = Waker::new(poll.registry(), Token(0)).expect("a waker");
    let other = wake::Other::start(work, Arc::new(move || waker.wake().expect("woken")));
    let mut ready = Events::with_capacity(16);
    Box::new(move |ops| {
        timed(|| {
            other.begin(ops);
            for _ in 0..ops {
                poll.poll(&mut ready, None).expect("it waits");
                other.answer();
            }
        }) / ops as f64
    })
}

fn register() -> Batch {
    let link = work::ring(1).pop().expect("one");
    let poll = Poll::new().expect("a poll");
    Box::new(move |ops| {
        let fd = link.reader.as_raw_fd();
        let mut source = SourceFd(&fd);
        let registry = poll.registry();
        timed(|| {
            for _ in 0..ops {
                let registered = registry.register(&mut source, Token(0), Interest::READABLE);
                registered.expect("a pipe can be waited for");
                registry.deregister(&mut source).expect("it is registered");
            }
        }) / ops as f64
    })
}
