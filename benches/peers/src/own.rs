//! evloop, by its facade.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use evloop::{Cx, EventId, EventLoop, Interest, Ready, Signal};

use crate::wake;
use crate::work::{self, Batch, IDLE, Link, NO_SUCH, Offer, Timeouts, Work, timed};

type Loop = EventLoop<Hops>;

/// How many callbacks have run, and after how many the run is to end.
struct Hops {
    ran: u64,
    goal: u64,
}

/// To be called by each callback.
fn hop(cx: &mut Cx<'_, Hops>) {
    cx.state.ran += 1;
    if cx.state.ran == cx.state.goal {
        cx.events.break_loop();
    }
}

/// Runs until so many callbacks have run.
fn run(events: &mut Loop, goal: u64) {
    let mut hops = Hops { ran: 0, goal };
    let _outcome = events.run(&mut hops).expect("it runs");
    assert_eq!(hops.ran, goal, "nothing was left to run");
}

pub(crate) fn offer(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" | "ring-edge" | "ring-timeout" | "ring-again" | "toggle" => Ok(ring(work)),
        "cascade" => Ok(cascade(work)),
        name if name.starts_with("timer-") => Ok(timers(work)),
        "signal" => Ok(signal()),
        "wake" | "wake-other" => wake(work),
        "add-delete" => Ok(add_delete()),
        "register" => Ok(register()),
        _ => Err(NO_SUCH),
    }
}

/// The same ring without a timeout, where it has one.
pub(crate) fn offer_without_timeout(work: &Work) -> Offer {
    Ok(ring(&Work {
        name: "ring".to_owned(),
        ..work.clone()
    }))
}

fn ring(work: &Work) -> Batch {
    let ring = work::ring(work.n);
    work::prime(&ring, work.active);
    let mut events = Loop::new().expect("a loop");
    for link in ring {
        let event = events.io(link.reader, Interest::READ);
        let writer = link.writer;
        let added = match work.name.as_str() {
            "ring-edge" => event.persist().edge().add(move |cx, reader, _| {
                work::pass_on(reader, &writer);
                hop(cx);
            }),
            "ring-timeout" => event.persist().timeout(IDLE).add(move |cx, reader, _| {
                work::pass_on(reader, &writer);
                hop(cx);
            }),
            "ring-again" => event.timeout(IDLE).add(move |cx, reader, _| {
                work::pass_on(reader, &writer);
                hop(cx);
                cx.events.delete(cx.id()).expect("it is there");
                cx.events.add(cx.id()).expect("it is there");
            }),
            "toggle" => event.persist().add(move |cx, reader, _| {
                let both = Interest::READ | Interest::WRITE;
                cx.events.set_interest(cx.id(), both).expect("it is there");
                work::pass_on(reader, &writer);
                cx.events
                    .set_interest(cx.id(), Interest::READ)
                    .expect("it is there");
                hop(cx);
            }),
            _ => event.persist().add(move |cx, reader, _| {
                work::pass_on(reader, &writer);
                hop(cx);
            }),
        };
        added.expect("a pipe can be waited for");
    }
    Box::new(move |ops| timed(|| run(&mut events, ops)) / ops as f64)
}

/// Kept events, so that they are there for the next pass; the byte that is left starts it.
fn cascade(work: &Work) -> Batch {
    let ring = work::ring(work.n);
    work::prime(&ring, 1);
    let mut events = Loop::new().expect("a loop");
    let mut ids = Vec::new();
    for link in ring {
        let writer = link.writer;
        let event = events.io(link.reader, Interest::READ).keep();
        let added = event.add(move |cx, reader, _| {
            work::pass_on(reader, &writer);
            hop(cx);
        });
        ids.push(added.expect("a pipe can be waited for"));
    }
    Box::new(move |ops| {
        let mut hops = 0;
        let time = timed(|| {
            while hops < ops {
                for &id in &ids {
                    events.add(id).expect("it is there");
                }
                run(&mut events, ids.len() as u64);
                hops += ids.len() as u64;
            }
        });
        time / hops as f64
    })
}

/// The loop knows the timeout of a timer that it keeps: adding says the event only.
fn timers(work: &Work) -> Batch {
    let Timeouts {
        first,
        moved,
        longest,
    } = Timeouts::of(work);
    let mut events = Loop::new().expect("a loop");
    let new = |&timeout| {
        let timer = events.timer(timeout).keep();
        timer.add(hop).expect("there is room")
    };
    let ids: Vec<EventId> = first.iter().map(new).collect();
    let name = work.name.clone();
    Box::new(move |_| {
        let events = &mut events;
        let add = |events: &mut Loop| {
            for &id in &ids {
                events.add(id).expect("it is there");
            }
        };
        let cancel = |events: &mut Loop| {
            for &id in &ids {
                events.delete(id).expect("it is there");
            }
        };
        let set = |events: &mut Loop, timeouts: &[Duration]| {
            for (&id, &timeout) in ids.iter().zip(timeouts) {
                events.set_timeout(id, Some(timeout)).expect("it is there");
            }
        };
        cancel(events);
        if ["timer-later", "timer-earlier", "timer-moved"].contains(&name.as_str()) {
            set(events, &first);
        }
        if name != "timer-add" {
            add(events);
        }
        let time = match name.as_str() {
            "timer-add" => timed(|| add(events)),
            "timer-cancel" => timed(|| cancel(events)),
            "timer-later" | "timer-earlier" => timed(|| set(events, &moved)),
            name => {
                let mut time = 0.0;
                if name == "timer-moved" {
                    time = timed(|| set(events, &moved));
                }
                work::until_due(longest);
                time + timed(|| run(events, ids.len() as u64))
            }
        };
        time / ids.len() as f64
    })
}

fn signal() -> Batch {
    let mut events = Loop::new().expect("a loop");
    let send = work::sender();
    let added = events.signal(Signal::USR1).persist().add(move |cx, _| {
        hop(cx);
        if cx.state.ran < cx.state.goal {
            send();
        }
    });
    added.expect("it can be caught");
    Box::new(move |ops| {
        timed(|| {
            send();
            run(&mut events, ops);
        }) / ops as f64
    })
}

/// An event that another thread activates.
fn wake(work: &Work) -> Offer {
    let other = Rc::new(OnceCell::new());
    let answered = Rc::clone(&other);
    let mut events = Loop::new().expect("a loop");
    let added = events.user().persist().add(move |cx, _| {
        hop(cx);
        let other: &wake::Other = answered.get().expect("it is there before it wakes");
        other.answer();
    });
    let id = added.expect("there is room");
    let activator = events.activator(id, Ready::empty()).expect("it is there");
    let waker = move || activator.activate().expect("it is there");
    let started = wake::Other::start(work, Arc::new(waker))?;
    assert!(other.set(started).is_ok(), "it is set once");
    Ok(Box::new(move |ops| {
        let other = other.get().expect("it was set");
        timed(|| {
            other.begin(ops);
            run(&mut events, ops);
        }) / ops as f64
    }))
}

fn add_delete() -> Batch {
    let Link { reader, writer } = work::ring(1).pop().expect("one");
    let mut events = Loop::new().expect("a loop");
    let event = events.io(reader, Interest::READ).keep();
    let id = event
        .add(|cx, _, _| hop(cx))
        .expect("a pipe can be waited for");
    Box::new(move |ops| {
        let _open = &writer;
        timed(|| {
            for _ in 0..ops {
                events.delete(id).expect("it is there");
                events.add(id).expect("it is there");
            }
        }) / ops as f64
    })
}

fn register() -> Batch {
    let mut events = Loop::new().expect("a loop");
    Box::new(move |ops| {
        timed(|| {
            for _ in 0..ops {
                let event = events.io(work::new_source(), Interest::READ).persist();
                let id = event.add(|cx, _, _| hop(cx));
                let id = id.expect("it can be waited for");
                events.remove(id).expect("it is there");
            }
        }) / ops as f64
    })
}
