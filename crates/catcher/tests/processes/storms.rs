//! Handlers run in other threads while catchers come and go.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use evloop_catcher::{Deliveries, Signal};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, read};

use crate::process::in_own_process;
use crate::senders::raise;
use crate::{IsOver, taken, watching};

/// The permanent watcher counts each of them; the others, what came while they watched.
#[test]
fn no_run_is_lost_while_catchers_come_and_go() {
    const THREADS: u64 = 4;
    const EACH: u64 = 20_000;
    in_own_process("storms::no_run_is_lost_while_catchers_come_and_go", || {
        let (permanent, _waker) = watching(&[Signal::USR1, Signal::USR2]);
        let running = AtomicU64::new(THREADS);
        let mut seen = [0, 0];
        let mut see = |signal, came: Deliveries| {
            seen[usize::from(signal == Signal::USR2)] += came.count;
        };
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        raise(Signal::USR1);
                        raise(Signal::USR2);
                    }
                    running.fetch_sub(1, Ordering::Relaxed);
                });
            }
            let mut random = Random(1);
            let mut guests = Vec::new();
            while running.load(Ordering::Relaxed) > 0 {
                let signal = [Signal::USR1, Signal::USR2][random.below(2)];
                match (random.below(4), guests.len()) {
                    (0, 0..4) | (_, 0) => guests.push(watching(&[signal])),
                    (1, guest) => drop(guests.swap_remove(random.below(guest))),
                    (2, guest) => guests[random.below(guest)].0.unwatch(signal).unwrap(),
                    (_, guest) => {
                        let (catcher, waker) = &guests[random.below(guest)];
                        catcher.watch(signal).unwrap();
                        waker.awake();
                        _ = waker.sleep();
                        let counts = taken(catcher);
                        assert!(counts.iter().all(|&(_, count)| count <= THREADS * EACH));
                    }
                }
                permanent.take(&mut see);
            }
        });
        permanent.take(&mut see);
        assert_eq!(seen, [THREADS * EACH; 2]);
    });
}

/// A file descriptor that takes the number of a dropped catcher's waker is not written to.
#[test]
fn nothing_is_written_to_a_number_that_was_used_again() {
    const ROUNDS: usize = 300;
    in_own_process(
        "storms::nothing_is_written_to_a_number_that_was_used_again",
        || {
            let is_over = AtomicBool::new(false);
            let raised = AtomicU64::new(0);
            // Keeps the handler installed.
            let (_permanent, _waker) = watching(&[Signal::USR1]);
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        while !is_over.load(Ordering::Relaxed) {
                            raise(Signal::USR1);
                            raised.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                let _is_over = IsOver(&is_over);
                let mut successor: Option<OwnedFd> = None;
                let mut used_again = 0;
                for _ in 0..ROUNDS {
                    let before = raised.load(Ordering::Relaxed);
                    while raised.load(Ordering::Relaxed) < before + 3 {
                        thread::yield_now();
                    }
                    if let Some(fd) = successor.take() {
                        assert_eq!(read(fd, &mut [0; 8]), Err(Errno::AGAIN), "somebody wrote");
                    }
                    let (catcher, waker) = watching(&[Signal::USR1]);
                    let number = waker.as_fd().as_raw_fd();
                    // The next handler has to write.
                    waker.awake();
                    _ = waker.sleep();
                    drop(catcher);
                    drop(waker);
                    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap();
                    // Somebody else may open a file now and then: a sanitizer that reads symbols does.
                    used_again += usize::from(fd.as_raw_fd() == number);
                    successor = Some(fd);
                }
                assert!(used_again > ROUNDS / 2, "used again: {used_again} times");
            });
        },
    );
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}
