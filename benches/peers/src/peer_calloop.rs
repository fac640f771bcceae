//! calloop: sources with callbacks, level or edge, timers and a ping.

use std::sync::Arc;
use std::time::Duration;

use calloop::generic::Generic;
use calloop::{EventLoop, Interest, Mode, PostAction, ping};

use crate::wake;
use crate::work::{self, Batch, NOT_WRITTEN, Offer, Work, timed};

pub(crate) fn offer(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" => Ok(ring(work, Mode::Level)),
        "ring-edge" | "cascade" => Ok(ring(work, Mode::Edge)),
        "wake" | "wake-other" => Ok(wake(work)),
        _ => Err(NOT_WRITTEN),
    }
}

fn ring(work: &Work, mode: Mode) -> Batch {
    let ring = work::ring(work.n);
    work::prime(&ring, work.active);
    let mut events = EventLoop::<u64>::try_new().expect("a loop");
    for link in ring {
        let writer = link.writer;
        let source = Generic::new(link.reader, Interest::READ, mode);
        let callback = move |_, reader: &mut calloop::generic::NoIoDrop<_>, hops: &mut u64| {
            work::pass_on(reader, &writer);
            *hops += 1;
            Ok(PostAction::Continue)
        };
        let inserted = events.handle().insert_source(source, callback);
        inserted
            .map_err(|error| error.to_string())
            .expect("a pipe can be waited for");
    }
    Box::new(move |ops| turns(&mut events, ops))
}

fn turns(events: &mut EventLoop<'_, u64>, ops: u64) -> f64 {
    let mut hops = 0;
    let time = timed(|| {
        while hops < ops {
            events
                .dispatch(None::<Duration>, &mut hops)
                .expect("it runs");
        }
    });
    time / hops as f64
}

fn wake(work: &Work) -> Batch {
    let mut events = EventLoop::<u64>::try_new().expect("a loop");
    let (ping, source) = ping::make_ping().expect("a ping");
    let inserted = events
        .handle()
        .insert_source(source, |(), _, wakes| *wakes += 1);
    inserted
        .map_err(|error| error.to_string())
        .expect("a ping can be waited for");
    let other = wake::Other::start(work, Arc::new(move || ping.ping()));
    Box::new(move |ops| {
        let mut wakes = 0;
        timed(|| {
            other.begin(ops);
            while wakes < ops {
                let before = wakes;
                events
                    .dispatch(None::<Duration>, &mut wakes)
                    .expect("it runs");
                for _ in before..wakes {
                    other.answer();
                }
            }
        }) / ops as f64
    })
}
