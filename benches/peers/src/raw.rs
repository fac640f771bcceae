//! The floor: epoll by hand. Nothing can do the same system calls for less.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Signal, getpid, kill_process};

use crate::wake::{self, Waker};
use crate::work::{self, Batch, Link, NO_TIMERS, NOT_WRITTEN, Offer, Work, timed};

/// How the sources are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    Level,
    Edge,
}

pub(crate) fn offer(work: &Work, trigger: Trigger) -> Offer {
    match work.name.as_str() {
        "ring" | "ring-edge" | "ring-again" | "ring-timeout" => {
            let ring = work::ring(work.n);
            work::prime(&ring, work.active);
            Ok(turns(ring, trigger, false))
        }
        "toggle" => {
            let ring = work::ring(work.n);
            work::prime(&ring, work.active);
            Ok(turns(ring, trigger, false))
        }
        "cascade" => {
            let ring = work::ring(work.n);
            Ok(turns(ring, trigger, true))
        }
        "add-delete" | "register" => {
            let epoll = Epoll::new();
            let ring = work::ring(1);
            Ok(Box::new(move |ops| {
                timed(|| {
                    for _ in 0..ops {
                        epoll.add(&ring[0].reader, 0, trigger);
                        epoll::delete(&epoll.fd, &ring[0].reader).expect("it was added");
                    }
                }) / ops as f64
            }))
        }
        "signal" => Ok(signal(trigger)),
        "wake" | "wake-other" => Ok(wake(work, trigger)),
        name if name.starts_with("timer") => Err(NO_TIMERS),
        _ => Err(NOT_WRITTEN),
    }
}

struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    fn new() -> Self {
        let fd = epoll::create(CreateFlags::CLOEXEC).expect("an epoll");
        Self { fd }
    }

    fn add(&self, source: &OwnedFd, data: u64, trigger: Trigger) {
        let mut flags = EventFlags::IN;
        if trigger == Trigger::Edge {
            flags |= EventFlags::ET;
        }
        epoll::add(&self.fd, source, EventData::new_u64(data), flags).expect("added");
    }

    fn wait(&self, ready: &mut Vec<epoll::Event>) {
        ready.clear();
        epoll_wait(&self.fd, ready);
    }
}

fn epoll_wait(fd: &OwnedFd, ready: &mut Vec<epoll::Event>) {
    match epoll::wait(fd, spare_capacity(ready), None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => panic!("epoll_wait: {error}"),
    }
}

/// Bytes go round; with `once` a single one, each batch anew.
fn turns(ring: Vec<Link>, trigger: Trigger, once: bool) -> Batch {
    let epoll = Epoll::new();
    for (at, link) in ring.iter().enumerate() {
        epoll.add(&link.reader, at as u64, trigger);
    }
    let mut ready = Vec::with_capacity(256);
    let mut started = false;
    Box::new(move |ops| {
        if once && !started {
            work::prime(&ring, 1);
            started = true;
        }
        let mut hops = 0_u64;
        let time = timed(|| {
            while hops < ops {
                epoll.wait(&mut ready);
                for event in &ready {
                    ring[event.data.u64() as usize].pass_on();
                    hops += 1;
                }
            }
        });
        time / hops as f64
    })
}

/// A handler that writes into a pipe, and the pipe's other end in the epoll.
fn signal(trigger: Trigger) -> Batch {
    let epoll = Epoll::new();
    let pipe = work::ring(1).pop().expect("one");
    epoll.add(&pipe.reader, 0, trigger);
    signal_hook::low_level::pipe::register(Signal::USR1.as_raw(), pipe.writer).expect("caught");
    let mut ready = Vec::with_capacity(16);
    Box::new(move |ops| {
        timed(|| {
            for _ in 0..ops {
                kill_process(getpid(), Signal::USR1).expect("sent");
                epoll.wait(&mut ready);
                work::read_byte(&pipe.reader);
            }
        }) / ops as f64
    })
}

struct Eventfd(OwnedFd);

impl Waker for Eventfd {
    fn wake(&self) {
        rustix::io::write(&self.0, &1_u64.to_ne_bytes()).expect("an eventfd has room");
    }
}

fn wake(work: &Work, trigger: Trigger) -> Batch {
    let epoll = Epoll::new();
    let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).expect("an eventfd");
    epoll.add(&fd, 0, trigger);
    let eventfd = Arc::new(Eventfd(fd));
    let other = Rc::new(wake::Other::start(work, Arc::clone(&eventfd)));
    let mut ready = Vec::with_capacity(16);
    Box::new(move |ops| {
        timed(|| {
            other.begin(ops);
            for _ in 0..ops {
                epoll.wait(&mut ready);
                if trigger == Trigger::Level {
                    let mut count = [0; 8];
                    rustix::io::read(&eventfd.0, &mut count).expect("it was reported ready");
                }
                other.answer();
            }
        }) / ops as f64
    })
}
