//! mio: edge-triggered readiness, and a waker.

use std::os::fd::AsRawFd;
use std::sync::Arc;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::wake;
use crate::work::{
    self, Batch, Link, NO_LEVEL, NO_SIGNALS, NO_SUCH, NO_TIMERS, Offer, Work, timed,
};

pub(crate) fn offer(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" => Err(NO_LEVEL),
        "ring-edge" | "cascade" => Ok(ring(work, |_, link, _| link.pass_on())),
        "toggle" => Ok(ring(work, |poll, link, token| {
            let fd = link.reader.as_raw_fd();
            let set = |interest| {
                let set = poll
                    .registry()
                    .reregister(&mut SourceFd(&fd), token, interest);
                set.expect("it is registered");
            };
            set(Interest::READABLE | Interest::WRITABLE);
            link.pass_on();
            set(Interest::READABLE);
        })),
        "ring-again" | "ring-timeout" => Err(NO_TIMERS),
        "signal" => Err(NO_SIGNALS),
        "wake" | "wake-other" => wake(work),
        "add-delete" => {
            let link = work::ring(1).pop().expect("one");
            Ok(add_delete(move |poll| {
                let _open = &link.writer;
                register(poll, link.reader.as_raw_fd());
            }))
        }
        "register" => Ok(add_delete(|poll| {
            let source = work::new_source();
            register(poll, source.as_raw_fd());
        })),
        name if name.starts_with("timer") => Err(NO_TIMERS),
        _ => Err(NO_SUCH),
    }
}

fn ring(work: &Work, each: impl Fn(&Poll, &Link, Token) + 'static) -> Batch {
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
                    each(&poll, &ring[event.token().0], event.token());
                    hops += 1;
                }
            }
        });
        time / hops as f64
    })
}

fn wake(work: &Work) -> Offer {
    let mut poll = Poll::new().expect("a poll");
    let waker = Waker::new(poll.registry(), Token(0)).expect("a waker");
    let other = wake::Other::start(work, Arc::new(move || waker.wake().expect("woken")))?;
    let mut ready = Events::with_capacity(16);
    Ok(Box::new(move |ops| {
        timed(|| {
            other.begin(ops);
            for _ in 0..ops {
                poll.poll(&mut ready, None).expect("it waits");
                other.answer();
            }
        }) / ops as f64
    }))
}

fn add_delete(pair: impl Fn(&Poll) + 'static) -> Batch {
    let poll = Poll::new().expect("a poll");
    Box::new(move |ops| timed(|| (0..ops).for_each(|_| pair(&poll))) / ops as f64)
}

fn register(poll: &Poll, fd: i32) {
    let (mut source, registry) = (SourceFd(&fd), poll.registry());
    let registered = registry.register(&mut source, Token(0), Interest::READABLE);
    registered.expect("it can be waited for");
    registry.deregister(&mut source).expect("it is registered");
}
