//! evloop, by its facade.

use std::sync::Arc;
use std::time::Duration;

use evloop::{EventId, EventLoop, Interest, Mode, Signal};
use rustix::process::{getpid, kill_process};

use crate::wake;
use crate::work::{self, Batch, Link, NOT_WRITTEN, Offer, Work, timed};

/// The state of the loop: how many callbacks ran.
type Loop = EventLoop<u64>;

const IDLE: Duration = Duration::from_secs(60);

pub(crate) fn offer(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" | "ring-edge" | "ring-timeout" | "ring-again" | "toggle" => Ok(ring(work)),
        "cascade" => Ok(cascade(work)),
        "timer-add" | "timer-cancel" | "timer-later" | "timer-earlier" | "timer-expire" => {
            Ok(timers(work))
        }
        "signal" => Ok(signal()),
        "wake" | "wake-other" => Ok(wake(work)),
        "add-delete" => Ok(add_delete()),
        "register" => Ok(register()),
        _ => Err(NOT_WRITTEN),
    }
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
                *cx.state += 1;
            }),
            "ring-timeout" => event.persist().timeout(IDLE).add(move |cx, reader, _| {
                work::pass_on(reader, &writer);
                *cx.state += 1;
            }),
            "ring-again" => event.timeout(IDLE).add(move |cx, reader, _| {
                work::pass_on(reader, &writer);
                *cx.state += 1;
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
                *cx.state += 1;
            }),
            _ => event.persist().add(move |cx, reader, _| {
                work::pass_on(reader, &writer);
                *cx.state += 1;
            }),
        };
        added.expect("a pipe can be waited for");
    }
    Box::new(move |ops| turns(&mut events, ops))
}

/// Runs until so many callbacks ran; nanoseconds each.
fn turns(events: &mut Loop, ops: u64) -> f64 {
    let mut hops = 0;
    let time = timed(|| {
        while hops < ops {
            let _outcome = events.run_mode(Mode::Once, &mut hops).expect("it runs");
        }
    });
    time / hops as f64
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
            *cx.state += 1;
        });
        ids.push(added.expect("a pipe can be waited for"));
    }
    let n = ids.len() as u64;
    Box::new(move |ops| {
        let passes = (ops / n).max(1);
        let time = timed(|| {
            for _ in 0..passes {
                for &id in &ids {
                    events.add(id).expect("it is there");
                }
                let mut hops = 0;
                while hops < n {
                    let _outcome = events.run_mode(Mode::Once, &mut hops).expect("it runs");
                }
            }
        });
        time / (passes * n) as f64
    })
}

fn timers(work: &Work) -> Batch {
    let mut events = Loop::new().expect("a loop");
    let mut add = |at| {
        let timer = events.timer(work::timeout(at)).keep();
        timer.add(|cx| *cx.state += 1).expect("there is room")
    };
    let ids: Vec<EventId> = (0..work.n).map(&mut add).collect();
    let each = move |events: &mut Loop, act: &dyn Fn(&mut Loop, usize, EventId)| {
        for (at, &id) in ids.iter().enumerate() {
            act(events, at, id);
        }
    };
    let delete = |events: &mut Loop, _: usize, id| events.delete(id).expect("there");
    let add = |events: &mut Loop, _: usize, id| events.add(id).expect("there");
    let set =
        |events: &mut Loop, id, timeout| events.set_timeout(id, Some(timeout)).expect("there");
    let again = move |events: &mut Loop, at, id| {
        set(events, id, work::timeout(at));
        add(events, at, id);
    };
    let n = work.n as f64;
    let name = work.name.clone();
    Box::new(move |_| {
        let events = &mut events;
        let time = match name.as_str() {
            "timer-add" => {
                each(events, &delete);
                timed(|| each(events, &add))
            }
            "timer-cancel" => {
                each(events, &add);
                timed(|| each(events, &delete))
            }
            "timer-later" => {
                each(events, &again);
                timed(|| {
                    each(events, &|events, at, id| {
                        set(events, id, work::timeout(at) * 2)
                    })
                })
            }
            "timer-earlier" => {
                each(events, &again);
                timed(|| {
                    each(events, &|events, at, id| {
                        set(events, id, work::timeout(at) / 2)
                    })
                })
            }
            _ => {
                each(events, &delete);
                each(events, &|events, at, id| {
                    set(events, id, work::short_timeout(at));
                    add(events, at, id);
                });
                work::until_due();
                let mut fired = 0;
                timed(|| {
                    while (fired as f64) < n {
                        let _outcome = events.run_mode(Mode::Once, &mut fired).expect("it runs");
                    }
                })
            }
        };
        time / n
    })
}

fn signal() -> Batch {
    let mut events = Loop::new().expect("a loop");
    let event = events.signal(Signal::USR1).persist();
    event.add(|cx, _| *cx.state += 1).expect("it can be caught");
    Box::new(move |ops| {
        let mut caught = 0;
        timed(|| {
            for _ in 0..ops {
                kill_process(getpid(), rustix::process::Signal::USR1).expect("sent");
                let _outcome = events.run_mode(Mode::Once, &mut caught).expect("it runs");
            }
        }) / ops as f64
    })
}

fn wake(work: &Work) -> Batch {
    let mut events = Loop::new().expect("a loop");
    let remote = events.remote();
    let waker = move || remote.post(|cx| *cx.state += 1).expect("the loop is there");
    let other = wake::Other::start(work, Arc::new(waker));
    Box::new(move |ops| {
        let mut wakes = 0;
        timed(|| {
            other.begin(ops);
            let mut answered = 0;
            while answered < ops {
                let mode = Mode::Once;
                let _outcome = events.run_mode(mode, &mut wakes).expect("it runs");
                while answered < wakes {
                    other.answer();
                    answered += 1;
                }
            }
        }) / ops as f64
    })
}

fn add_delete() -> Batch {
    let Link { reader, writer } = work::ring(1).pop().expect("one");
    let mut events = Loop::new().expect("a loop");
    let event = events.io(reader, Interest::READ).keep();
    let id = event
        .add(|cx, _, _| *cx.state += 1)
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

/// A source that is new to the loop each time, known to the kernel, and taken back.
fn register() -> Batch {
    let Link { reader, writer } = work::ring(1).pop().expect("one");
    let mut source = Some(reader);
    let mut events = Loop::new().expect("a loop");
    Box::new(move |ops| {
        // As long as the other end is open there is nothing to report.
        let _open = &writer;
        let mut runs = 0;
        timed(|| {
            for _ in 0..ops {
                let event = events.io(source.take().expect("it was put back"), Interest::READ);
                let id = event.add(|cx, _, _| *cx.state += 1).expect("added");
                let _outcome = events
                    .run_mode(Mode::NonBlocking, &mut runs)
                    .expect("it runs");
                source = events.into_source::<std::os::fd::OwnedFd>(id).ok();
            }
        }) / ops as f64
    })
}
