//! The floor: epoll by hand. Nothing can do the same system calls for less.

use std::mem;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::wake::{self, Waker};
use crate::work::{self, Batch, NO_SUCH, NO_TIMERS, Offer, Work, timed};

/// How the sources are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Level,
    Edge,
}

pub(crate) fn offer_level(work: &Work) -> Offer {
    offer(work, Trigger::Level)
}

pub(crate) fn offer_edge(work: &Work) -> Offer {
    offer(work, Trigger::Edge)
}

fn offer(work: &Work, trigger: Trigger) -> Offer {
    match work.name.as_str() {
        "ring" | "ring-edge" | "ring-again" | "ring-timeout" | "toggle" | "cascade" => {
            Ok(ring(work, trigger))
        }
        "add-delete" => {
            let ring = work::ring(1);
            Ok(add_delete(move |epoll| {
                epoll.add(&ring[0].reader, 0, trigger);
                epoll::delete(&epoll.fd, &ring[0].reader).expect("it was added");
            }))
        }
        "register" => Ok(add_delete(move |epoll| {
            let source = work::new_source();
            epoll.add(&source, 0, trigger);
            epoll::delete(&epoll.fd, &source).expect("it was added");
        })),
        "signal" => Ok(signal(trigger)),
        "wake" | "wake-other" => wake(work, trigger),
        name if name.starts_with("timer") => Err(NO_TIMERS),
        _ => Err(NO_SUCH),
    }
}

/// The floor of all that have callbacks: for each event a closure is called that is known by a pointer only.
pub(crate) fn offer_called(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" | "ring-again" | "ring-timeout" | "toggle" => Ok(called(work, Trigger::Level)),
        "ring-edge" | "cascade" => Ok(called(work, Trigger::Edge)),
        _ => Err(NO_SUCH),
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

fn ring(work: &Work, trigger: Trigger) -> Batch {
    let ring = work::ring(work.n);
    work::prime(&ring, work.active);
    let epoll = Epoll::new();
    for (at, link) in ring.iter().enumerate() {
        epoll.add(&link.reader, at as u64, trigger);
    }
    turns(epoll, move |at, hops| {
        ring[at].pass_on();
        *hops += 1;
    })
}

fn called(work: &Work, trigger: Trigger) -> Batch {
    let ring = work::ring(work.n);
    work::prime(&ring, work.active);
    let epoll = Epoll::new();
    type Callback = Box<dyn FnMut(&mut u64)>;
    let mut callbacks: Vec<Callback> = Vec::new();
    for (at, link) in ring.into_iter().enumerate() {
        epoll.add(&link.reader, at as u64, trigger);
        callbacks.push(Box::new(move |hops| {
            link.pass_on();
            *hops += 1;
        }));
    }
    turns(epoll, move |at, hops| callbacks[at](hops))
}

/// Answers each report, which is of the source at a position, and counts.
fn turns(epoll: Epoll, mut answer: impl FnMut(usize, &mut u64) + 'static) -> Batch {
    let mut ready = Vec::with_capacity(256);
    Box::new(move |ops| {
        let mut hops = 0_u64;
        let time = timed(|| {
            while hops < ops {
                epoll.wait(&mut ready);
                for event in &ready {
                    answer(event.data.u64() as usize, &mut hops);
                }
            }
        });
        time / hops as f64
    })
}

fn add_delete(pair: impl Fn(&Epoll) + 'static) -> Batch {
    let epoll = Epoll::new();
    Box::new(move |ops| timed(|| (0..ops).for_each(|_| pair(&epoll))) / ops as f64)
}

/// A handler that writes into a pipe, and the pipe's other end in the epoll.
fn signal(trigger: Trigger) -> Batch {
    let epoll = Epoll::new();
    let pipe = work::ring(1).pop().expect("one");
    epoll.add(&pipe.reader, 0, trigger);
    catch(pipe.writer);
    let (send, mut ready) = (work::sender(), Vec::with_capacity(16));
    Box::new(move |ops| {
        timed(|| {
            for _ in 0..ops {
                send();
                epoll.wait(&mut ready);
                work::read_byte(&pipe.reader);
            }
        }) / ops as f64
    })
}

/// The pipe of the handler.
static CAUGHT: AtomicI32 = AtomicI32::new(-1);

/// Has the signal written into a pipe, from here on and for good.
fn catch(writer: OwnedFd) {
    CAUGHT.store(writer.into_raw_fd(), Ordering::Relaxed);
    let handler: extern "C" fn(libc::c_int) = on_signal;
    // SAFETY: it is numbers, an address and a set of signals, for each of which zeros are a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the action is there, and its handler does only what a handler may.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) };
    assert_eq!(result, 0, "it can be caught");
}

/// No more than a handler has to do: one write, and the error number is as it was.
extern "C" fn on_signal(_: libc::c_int) {
    // SAFETY: it takes nothing, and answers where this thread's error number is for as long as the thread lives.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it points to the number, which no other thread touches.
    let before = unsafe { *errno };
    // SAFETY: the text is a byte long; the pipe was given away for good, so it is open.
    unsafe { libc::write(CAUGHT.load(Ordering::Relaxed), b"s".as_ptr().cast(), 1) };
    // SAFETY: as above.
    unsafe { *errno = before };
}

struct Eventfd(OwnedFd);

impl Waker for Eventfd {
    fn wake(&self) {
        rustix::io::write(&self.0, &1_u64.to_ne_bytes()).expect("an eventfd has room");
    }
}

fn wake(work: &Work, trigger: Trigger) -> Offer {
    let epoll = Epoll::new();
    let fd = work::new_source();
    epoll.add(&fd, 0, trigger);
    let eventfd = Arc::new(Eventfd(fd));
    let other = wake::Other::start(work, Arc::clone(&eventfd))?;
    let mut ready = Vec::with_capacity(16);
    Ok(Box::new(move |ops| {
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
    }))
}
