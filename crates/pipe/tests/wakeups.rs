//! Wakeups of a loop that sleeps on the real epoll.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/writes.rs"]
mod writes;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use evloop_pipe::{Method, Pipe, Waker, WakerKind};
use rustix::event::{Timespec, epoll};

const THREADS: usize = 4;
const POSTS: usize = 1_000;
/// Far more than any wakeup takes: a wait that lasts so long was not woken.
const LOST: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};
const NOTHING: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// An epoll that holds nothing but a waker.
struct Sleeper {
    epoll: rustix::fd::OwnedFd,
    events: Vec<epoll::Event>,
}

impl Sleeper {
    fn new(waker: &Waker, edge: epoll::EventFlags) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let data = epoll::EventData::new_u64(0);
        epoll::add(&epoll, waker, data, epoll::EventFlags::IN | edge).unwrap();
        Self {
            epoll,
            events: Vec::with_capacity(1),
        }
    }

    /// Whether the wait reported the waker.
    fn wait(&mut self, timeout: &Timespec) -> bool {
        self.events.clear();
        let buffer = rustix::buffer::spare_capacity(&mut self.events);
        epoll::wait(&self.epoll, buffer, Some(timeout)).unwrap() == 1
    }
}

fn wakers() -> impl Iterator<Item = Waker> {
    let pipes = Method::ALL.map(|method| Waker::with_pipe(Pipe::with_method(method).unwrap()));
    [Waker::new().unwrap()].into_iter().chain(pipes)
}

/// Lets many threads post while one loop takes, and returns how often the loop went to sleep and
/// how many writes that cost. A thread posts again when its last post was taken, so that the loop
/// is asleep, about to sleep, or just woken at most of them. `drains` says whether the loop empties
/// the file descriptor.
fn run(waker: Waker, edge: epoll::EventFlags, drains: bool) -> (usize, usize) {
    let waker = Arc::new(waker);
    let posted = Arc::new(AtomicUsize::new(0));
    let taken = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (waker, posted, taken) = (waker.clone(), posted.clone(), taken.clone());
            thread::spawn(move || {
                for _ in 0..POSTS {
                    // Published by the wakeup alone.
                    let post = posted.fetch_add(1, Ordering::Relaxed);
                    waker.wake();
                    while taken.load(Ordering::Relaxed) <= post {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();

    let mut sleeper = Sleeper::new(&waker, edge);
    let (mut sleeps, mut written) = (0, 0);
    while taken.load(Ordering::Relaxed) < THREADS * POSTS {
        let may_block = waker.sleep();
        sleeps += usize::from(may_block);
        let reported = sleeper.wait(if may_block { &LOST } else { &NOTHING });
        assert!(
            reported || !may_block,
            "lost a wakeup after {sleeps} sleeps"
        );
        if waker.awake() {
            taken.store(posted.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        if reported && drains {
            written += writes::take(&waker);
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
    (sleeps, written + writes::take(&waker))
}

#[test]
fn none_is_lost_and_each_sleep_costs_one_write_at_most() {
    for waker in wakers() {
        let drains = waker.needs_drain();
        let (sleeps, written) = run(waker, epoll::EventFlags::ET, drains);
        assert!(written <= sleeps, "{written} writes for {sleeps} sleeps");
    }
}

#[test]
fn none_is_lost_by_a_level_triggered_loop() {
    for waker in wakers() {
        let (sleeps, written) = run(waker, epoll::EventFlags::empty(), true);
        assert!(written <= sleeps, "{written} writes for {sleeps} sleeps");
    }
}

#[test]
fn a_wakeup_of_a_running_loop_writes_nothing_and_is_not_forgotten() {
    for waker in wakers() {
        let mut sleeper = Sleeper::new(&waker, epoll::EventFlags::ET);
        assert!(!waker.is_woken());
        waker.wake();
        assert!(waker.is_woken());
        assert!(!waker.sleep(), "the wakeup is pending");
        assert!(!sleeper.wait(&NOTHING), "nothing was written");
        assert!(waker.awake());
        assert!(!waker.is_woken());
        assert!(waker.sleep(), "the wakeup was taken");
        assert!(!waker.is_woken());
        assert!(!waker.awake());
    }
}

#[test]
fn every_sleep_can_be_woken_although_nobody_reads_the_eventfd() {
    let waker = Waker::new().unwrap();
    assert_eq!(waker.kind(), WakerKind::Eventfd);
    assert!(!waker.needs_drain());
    let mut sleeper = Sleeper::new(&waker, epoll::EventFlags::ET);
    for _ in 0..100 {
        assert!(waker.sleep());
        waker.wake();
        waker.wake();
        assert!(sleeper.wait(&LOST));
        assert!(waker.awake());
        assert!(!sleeper.wait(&NOTHING), "a wakeup is reported once");
    }
    assert_eq!(
        writes::take(&waker),
        100,
        "the second wakeup of each sleep is free"
    );
}

#[test]
fn an_eventfd_at_its_maximum_still_wakes() {
    let waker = Waker::new().unwrap();
    let mut sleeper = Sleeper::new(&waker, epoll::EventFlags::ET);
    rustix::io::write(waker.as_fd(), &(u64::MAX - 1).to_ne_bytes()).unwrap();
    assert!(sleeper.wait(&LOST), "the edge of the write above");
    for _ in 0..3 {
        assert!(waker.sleep());
        waker.wake();
        assert!(sleeper.wait(&NOTHING));
        assert!(waker.awake());
    }
}

#[test]
fn a_full_pipe_still_wakes_and_is_drained_to_the_end() {
    for method in Method::ALL {
        let pipe = Pipe::with_method(method).unwrap();
        let writer = pipe.writer().try_clone_to_owned().unwrap();
        let waker = Waker::with_pipe(pipe);
        while rustix::io::write(&writer, &[0; 1000]).is_ok() {}
        while rustix::io::write(&writer, &[0]).is_ok() {}
        let mut sleeper = Sleeper::new(&waker, epoll::EventFlags::ET);
        for _ in 0..3 {
            assert!(waker.sleep());
            waker.wake();
            assert!(sleeper.wait(&NOTHING), "{method:?}");
            assert!(waker.awake());
            waker.drain();
            assert_eq!(writes::take(&waker), 0, "{method:?}");
        }
    }
}

#[test]
fn a_write_that_comes_late_is_a_wait_with_nothing_to_do() {
    let pipe = Pipe::new().unwrap();
    let writer = pipe.writer().try_clone_to_owned().unwrap();
    let waker = Waker::with_pipe(pipe);
    let mut sleeper = Sleeper::new(&waker, epoll::EventFlags::ET);
    assert!(waker.sleep());
    rustix::io::write(&writer, &[1]).unwrap();
    assert!(sleeper.wait(&NOTHING));
    assert!(!waker.awake());
    waker.drain();
    assert!(waker.sleep());
    waker.wake();
    assert!(sleeper.wait(&NOTHING));
    assert!(waker.awake());
}

#[test]
fn a_waker_may_be_shared_by_all_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Waker>();
}
