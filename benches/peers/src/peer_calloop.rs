//! calloop: sources with callbacks, level or edge, timers, signals by signalfd, and a ping.

use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use calloop::generic::{Generic, NoIoDrop};
use calloop::signals::{Signal, Signals};
use calloop::timer::{TimeoutAction, Timer};
use calloop::{
    Dispatcher, EventLoop, Interest, LoopHandle, Mode, PostAction, RegistrationToken, ping,
};

use crate::wake;
use crate::work::{self, Batch, IDLE, Link, NO_SUCH, Offer, Timeouts, Work, timed};

/// The data of the loop: how many callbacks ran.
type Loop = EventLoop<'static, u64>;
type Handle = LoopHandle<'static, u64>;

/// From here on a batch of timers that expire takes minutes.
const VERY_MANY: usize = 100_000;

/// From here on a batch of cancelled timers takes minutes.
const MANY: usize = 20_000;

pub(crate) fn offer(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" | "ring-timeout" | "ring-again" => Ok(ring(work, Mode::Level)),
        "ring-edge" | "cascade" => Ok(ring(work, Mode::Edge)),
        "toggle" => Err("a source's interest cannot be changed within its callback"),
        "add-delete" => Ok(add_delete()),
        "register" => Ok(register()),
        "signal" => Ok(signal()),
        "wake" | "wake-other" => wake(work),
        "timer-cancel" | "timer-later" | "timer-earlier" | "timer-moved" if work.n > MANY => {
            Err("it looks through all timers to cancel one")
        }
        "timer-add" if work.n > MANY => {
            Err("it looks through all timers to cancel one, for the next batch")
        }
        "timer-expire" if work.n > VERY_MANY => Err("a batch of so many takes minutes"),
        name if name.starts_with("timer-") => Ok(timers(work)),
        _ => Err(NO_SUCH),
    }
}

/// Its errors hold the source, which is not `Send`, or cannot be printed.
fn need<T, E: Display>(result: Result<T, E>) -> T {
    result.map_err(|error| error.to_string()).expect("it works")
}

fn ring(work: &Work, mode: Mode) -> Batch {
    let ring = work::ring(work.n);
    work::prime(&ring, work.active);
    let mut events: Loop = need(EventLoop::try_new());
    let handle = events.handle();
    for Link { reader, writer } in ring {
        let source = Generic::new(reader, Interest::READ, mode);
        let name = work.name.as_str();
        let inserted = if name == "ring-timeout" || name == "ring-again" {
            let idle = Timeout::new(&handle, IDLE);
            let handle = handle.clone();
            let then = match name {
                "ring-timeout" => PostAction::Continue,
                _ => PostAction::Reregister,
            };
            handle.clone().insert_source(
                source,
                move |_, reader: &mut NoIoDrop<OwnedFd>, hops: &mut u64| {
                    work::pass_on(reader, &writer);
                    *hops += 1;
                    idle.move_to(&handle, IDLE);
                    Ok(then)
                },
            )
        } else {
            let pass_on = move |_, reader: &mut NoIoDrop<OwnedFd>, hops: &mut u64| {
                work::pass_on(reader, &writer);
                *hops += 1;
                Ok(PostAction::Continue)
            };
            handle.insert_source(source, pass_on)
        };
        need(inserted);
    }
    Box::new(move |ops| turns(&mut events, ops))
}

fn turns(events: &mut Loop, ops: u64) -> f64 {
    let mut hops = 0;
    let time = timed(|| run(events, &mut hops, ops));
    time / hops as f64
}

fn run(events: &mut Loop, hops: &mut u64, ops: u64) {
    while *hops < ops {
        need(events.dispatch(None::<Duration>, hops));
    }
}

/// A timer that can be moved: the loop and its holder share it.
struct Timeout {
    timer: Dispatcher<'static, Timer, u64>,
    token: RegistrationToken,
}

impl Timeout {
    fn new(handle: &Handle, after: Duration) -> Self {
        let timer = Dispatcher::new(
            Timer::from_duration(after),
            |_, &mut (), fired: &mut u64| {
                *fired += 1;
                TimeoutAction::Drop
            },
        );
        let token = need(handle.register_dispatcher(timer.clone()));
        Self { timer, token }
    }

    fn move_to(&self, handle: &Handle, after: Duration) {
        self.timer.as_source_mut().set_duration(after);
        need(handle.update(&self.token));
    }
}

fn timers(work: &Work) -> Batch {
    let Timeouts {
        first,
        moved,
        longest,
    } = Timeouts::of(work);
    let mut events: Loop = need(EventLoop::try_new());
    let handle = events.handle();
    let name = work.name.clone();
    let mut timers: Vec<Timeout> = Vec::with_capacity(work.n);
    Box::new(move |_| {
        let add = |timers: &mut Vec<Timeout>| {
            timers.extend(first.iter().map(|&after| Timeout::new(&handle, after)));
        };
        let cancel = |timers: &mut Vec<Timeout>| {
            for timer in timers.drain(..) {
                handle.remove(timer.token);
            }
        };
        cancel(&mut timers);
        if name != "timer-add" {
            add(&mut timers);
        }
        let set = |timers: &[Timeout]| {
            for (timer, &after) in timers.iter().zip(&moved) {
                timer.move_to(&handle, after);
            }
        };
        let time = match name.as_str() {
            "timer-add" => timed(|| add(&mut timers)),
            "timer-cancel" => timed(|| cancel(&mut timers)),
            "timer-later" | "timer-earlier" => timed(|| set(&timers)),
            name => {
                let mut time = 0.0;
                if name == "timer-moved" {
                    time = timed(|| set(&timers));
                }
                work::until_due(longest);
                let all = first.len() as u64;
                time + timed(|| run(&mut events, &mut 0, all))
            }
        };
        time / first.len() as f64
    })
}

fn add_delete() -> Batch {
    let Link { reader, writer } = work::ring(1).pop().expect("one");
    let events: Loop = need(EventLoop::try_new());
    let handle = events.handle();
    let source = Generic::new(reader, Interest::READ, Mode::Level);
    let inserted = handle.insert_source(source, |_, _, _| Ok(PostAction::Continue));
    let token = need(inserted);
    Box::new(move |ops| {
        let (_open, handle) = (&writer, events.handle());
        timed(|| {
            for _ in 0..ops {
                need(handle.disable(&token));
                need(handle.enable(&token));
            }
        }) / ops as f64
    })
}

fn register() -> Batch {
    let events: Loop = need(EventLoop::try_new());
    Box::new(move |ops| {
        let handle = events.handle();
        timed(|| {
            for _ in 0..ops {
                let source = Generic::new(work::new_source(), Interest::READ, Mode::Level);
                let inserted = handle.insert_source(source, |_, _, _| Ok(PostAction::Continue));
                handle.remove(need(inserted));
            }
        }) / ops as f64
    })
}

fn signal() -> Batch {
    let mut events: Loop = need(EventLoop::try_new());
    let source = need(Signals::new(&[Signal::SIGUSR1]));
    let inserted = events
        .handle()
        .insert_source(source, |_, &mut (), caught| *caught += 1);
    need(inserted);
    let send = work::sender();
    Box::new(move |ops| {
        let mut caught = 0;
        timed(|| {
            for sent in 1..=ops {
                send();
                run(&mut events, &mut caught, sent);
            }
        }) / ops as f64
    })
}

fn wake(work: &Work) -> Offer {
    let mut events: Loop = need(EventLoop::try_new());
    let (ping, source) = need(ping::make_ping());
    let inserted = events
        .handle()
        .insert_source(source, |(), _, wakes| *wakes += 1);
    need(inserted);
    let other = wake::Other::start(work, Arc::new(move || ping.ping()))?;
    Ok(Box::new(move |ops| {
        let mut wakes = 0;
        timed(|| {
            other.begin(ops);
            for woken in 1..=ops {
                run(&mut events, &mut wakes, woken);
                other.answer();
            }
        }) / ops as f64
    }))
}
