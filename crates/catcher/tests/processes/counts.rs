//! Every run of the handler is counted, once, by each who watches.

use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier};
use std::thread;

use evloop_catcher::{Catcher, Signal, Waker};
use evloop_pipe::Pipe;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read, write};

use crate::process::in_own_process;
use crate::senders::raise;
use crate::thread_state::blocked;
use crate::{taken, watching};

#[test]
fn a_hundred_thousand_that_nobody_takes_are_all_counted() {
    in_own_process(
        "counts::a_hundred_thousand_that_nobody_takes_are_all_counted",
        || {
            let (catcher, waker) = watching(&[Signal::USR1]);
            assert!(waker.sleep());
            for _ in 0..100_000 {
                raise(Signal::USR1);
            }
            assert!(waker.awake());
            assert_eq!(taken(&catcher), [(Signal::USR1, 100_000)]);
            assert_eq!(taken(&catcher), []);

            let mut wakeups = [0; 8];
            assert_eq!(read(waker.as_fd(), &mut wakeups), Ok(8));
            assert_eq!(
                u64::from_ne_bytes(wakeups),
                1,
                "one write for a loop that slept all the time"
            );
        },
    );
}

#[test]
fn a_full_pipe_loses_none() {
    in_own_process("counts::a_full_pipe_loses_none", || {
        let pipe = Pipe::new().unwrap();
        while write(pipe.writer(), &[0; 512]).is_ok() {}
        while write(pipe.writer(), &[0]).is_ok() {}
        assert_eq!(write(pipe.writer(), &[0]), Err(Errno::AGAIN));

        let waker = Arc::new(Waker::with_pipe(pipe));
        let catcher = Catcher::new(Arc::clone(&waker));
        catcher.watch(Signal::USR1).unwrap();
        for round in 1..=3 {
            assert!(waker.sleep());
            for _ in 0..1000 * round {
                raise(Signal::USR1);
            }
            assert!(waker.awake());
            assert_eq!(taken(&catcher), [(Signal::USR1, 1000 * round)]);
        }
    });
}

#[test]
fn signals_are_counted_apart_and_taken_by_number() {
    in_own_process(
        "counts::signals_are_counted_apart_and_taken_by_number",
        || {
            let real_time = Signal::new(40).unwrap();
            let (catcher, _waker) = watching(&[real_time, Signal::USR2, Signal::HUP]);
            for (signal, times) in [(Signal::USR2, 3), (real_time, 5), (Signal::HUP, 2)] {
                for _ in 0..times {
                    raise(signal);
                }
            }
            assert_eq!(
                taken(&catcher),
                [(Signal::HUP, 2), (Signal::USR2, 3), (real_time, 5)]
            );
        },
    );
}

/// Both loops block, in threads of their own, until they have seen everything.
#[test]
fn two_loops_in_two_threads_both_see_all() {
    const EACH: u64 = 10_000;
    in_own_process("counts::two_loops_in_two_threads_both_see_all", || {
        let ready = Barrier::new(3);
        let run = || {
            let (catcher, waker) = watching(&[Signal::USR1, Signal::USR2]);
            ready.wait();
            let mut seen = [0, 0];
            while seen[0] < EACH || seen[1] < EACH {
                if waker.sleep() {
                    let _interrupted_or_ready =
                        poll(&mut [PollFd::new(&waker, PollFlags::IN)], None);
                }
                waker.awake();
                waker.drain();
                catcher.take(|signal, came| {
                    seen[usize::from(signal == Signal::USR2)] += came.count;
                });
            }
            (catcher, seen)
        };
        thread::scope(|scope| {
            let loops = [scope.spawn(run), scope.spawn(run)];
            ready.wait();
            for _ in 0..EACH {
                raise(Signal::USR1);
                raise(Signal::USR2);
            }
            for thread in loops {
                let (catcher, seen) = thread.join().unwrap();
                assert_eq!(seen, [EACH, EACH]);
                assert_eq!(taken(&catcher), []);
            }
        });
    });
}

/// The kernel merges standard signals before they are delivered, and queues the real-time ones.
#[test]
fn a_count_is_of_deliveries() {
    in_own_process("counts::a_count_is_of_deliveries", || {
        let real_time = Signal::new(40).unwrap();
        let (catcher, _waker) = watching(&[Signal::USR1, real_time]);
        blocked(&[Signal::USR1, real_time], || {
            for _ in 0..7 {
                raise(Signal::USR1);
                raise(real_time);
            }
            assert_eq!(taken(&catcher), []);
        });
        assert_eq!(taken(&catcher), [(Signal::USR1, 1), (real_time, 7)]);
    });
}

#[test]
fn what_was_not_taken_goes_with_the_watch() {
    in_own_process("counts::what_was_not_taken_goes_with_the_watch", || {
        let (catcher, _waker) = watching(&[Signal::USR1, Signal::USR2]);
        raise(Signal::USR1);
        raise(Signal::USR2);
        catcher.unwatch(Signal::USR1).unwrap();
        catcher.watch(Signal::USR1).unwrap();
        assert_eq!(taken(&catcher), [(Signal::USR2, 1)]);
        raise(Signal::USR1);
        assert_eq!(taken(&catcher), [(Signal::USR1, 1)]);
    });
}

#[test]
fn a_panic_in_a_take_keeps_the_other_counts() {
    in_own_process("counts::a_panic_in_a_take_keeps_the_other_counts", || {
        let (catcher, _waker) = watching(&[Signal::HUP, Signal::USR1, Signal::USR2]);
        raise(Signal::HUP);
        raise(Signal::USR1);
        raise(Signal::USR2);
        let result = catch_unwind(AssertUnwindSafe(|| {
            catcher.take(|signal, _| assert_ne!(signal, Signal::USR1, "on purpose"));
        }));
        assert!(result.is_err());
        assert_eq!(taken(&catcher), [(Signal::USR2, 1)]);
    });
}

#[test]
fn a_catcher_can_be_watched_with_from_any_thread() {
    in_own_process(
        "counts::a_catcher_can_be_watched_with_from_any_thread",
        || {
            let (catcher, waker) = watching(&[]);
            thread::scope(|scope| scope.spawn(|| catcher.watch(Signal::USR1)).join())
                .unwrap()
                .unwrap();
            assert!(waker.sleep());
            raise(Signal::USR1);
            assert!(waker.awake());
            let counts = thread::spawn(move || taken(&catcher)).join().unwrap();
            assert_eq!(counts, [(Signal::USR1, 1)]);
        },
    );
}
