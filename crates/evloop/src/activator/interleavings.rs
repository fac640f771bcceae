//! Threads that activate and the loop that takes, in every order that the threads and the memory model
//! allow.
//!
//! What a thread does before it activates is relaxed, so what the loop sees of it it sees by the board
//! or by the waker. An activation that is lost shows as a loop that waits for ever, which loom reports.

use std::collections::VecDeque;

use evloop_core::{Kind, Spec};
use evloop_pipe::Waker;
use loom::thread;

use super::*;
use crate::mailbox::Mailbox;

struct World {
    core: Core<()>,
    activators: Activators,
    waker: Arc<Waker>,
    current: Arc<CurrentWaker>,
}

impl World {
    fn new() -> Self {
        let waker = Arc::new(Waker::new().expect("there are file descriptors left"));
        Self {
            core: Core::new(),
            activators: Activators::default(),
            current: Arc::new(CurrentWaker::new(&waker)),
            waker,
        }
    }

    fn activator(&mut self) -> Activator {
        let id = self.core.insert(Spec::new(Kind::Plain), ());
        let id = id.expect("it has no file descriptor to be wrong");
        let added = self.core.add(id, || 0, |_| Ok::<(), NoSuchEvent>(()));
        added.expect("it needs nothing of the kernel");
        let ready = Ready::empty();
        let place = Place { id, ready };
        let seat = self.activators.seat(&mut self.core, &self.current, place);
        Activator { seat }
    }

    /// A wait for the waker alone, as the loop's backend does it; the bits that it brings.
    fn turn(&self) -> u64 {
        if self.waker.sleep() {
            while rustix::io::read(&*self.waker, &mut [0; 8]).is_err() {
                thread::yield_now();
            }
        }
        if self.waker.awake() {
            self.activators.boards[0].take()
        } else {
            0
        }
    }
}

/// A thread that works and activates so often.
fn working(work: &Arc<AtomicU64>, activator: Activator, times: u64) -> thread::JoinHandle<()> {
    let work = Arc::clone(work);
    thread::spawn(move || {
        for _ in 0..times {
            work.fetch_add(1, Ordering::Relaxed);
            activator.activate().expect("the event is there");
        }
    })
}

fn join(thread: thread::JoinHandle<()>) {
    thread.join().expect("no thread panics");
}

/// The callback looks for work only when it is activated.
#[test]
fn work_of_two_threads_is_found_by_the_callback_of_one_event() {
    loom::model(|| {
        let mut world = World::new();
        let activator = world.activator();
        let work = Arc::new(AtomicU64::new(0));
        let threads = [1, 2].map(|times| working(&work, activator.clone(), times));
        while world.turn() == 0 || work.load(Ordering::Relaxed) < 3 {}
        threads.into_iter().for_each(join);
    });
}

/// Who finds the other's bit set leaves the waking to it.
#[test]
fn events_of_one_board_are_activated_each_for_its_own_work() {
    loom::model(|| {
        let mut world = World::new();
        let works = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
        let activators = [world.activator(), world.activator()];
        let bits = activators.each_ref().map(|activator| activator.seat.bit());
        let mut threads = Vec::new();
        for (work, activator) in works.iter().zip(activators) {
            threads.push(working(work, activator, 1));
        }
        let mut left = bits[0] | bits[1];
        while left != 0 {
            let taken = world.turn();
            assert_eq!(taken & !left, 0, "one activation is taken once");
            for (work, bit) in works.iter().zip(bits) {
                if taken & bit != 0 {
                    assert_eq!(work.load(Ordering::Relaxed), 1);
                }
            }
            left &= !taken;
        }
        threads.into_iter().for_each(join);
    });
}

/// It activates and ends, while its place is given to another event.
#[test]
fn what_is_activated_is_not_what_has_its_place_next() {
    loom::model(|| {
        let mut world = World::new();
        let before = world.activator();
        let at = before.seat.at;
        let work = Arc::new(AtomicU64::new(0));
        let thread = working(&work, before, 1);
        let next = world.activator();
        let active = if next.seat.at == at {
            assert_eq!(world.activators.boards[0].take(), 0);
            1
        } else {
            0
        };
        assert_eq!(world.core.active(), active);
        join(thread);
    });
}

/// So the loop takes what was posted first: who activates an event and then posts its deletion has deleted
/// it.
#[test]
fn what_was_activated_before_a_post_is_taken_with_it() {
    loom::model(|| {
        let mut world = World::new();
        let activator = world.activator();
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&world.current), None));
        let poster = thread::spawn({
            let mailbox = Arc::clone(&mailbox);
            move || {
                activator.activate().expect("the event is there");
                mailbox.post("delete").expect("the loop is there");
            }
        });
        let (mut posted, mut bits) = (VecDeque::new(), 0);
        for _ in 0..2 {
            mailbox.take(&mut posted);
            bits |= world.activators.boards[0].take();
            assert!(posted.is_empty() || bits != 0);
        }
        join(poster);
    });
}
