//! Several loops in one process and storms of signals: each loop sees every delivery, and none is
//! lost, however many come while it is stalled.

use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use evloop::{Interest, Mode, Outcome, Ready, Signal};
use rustix::process::Pid;
use rustix::thread::gettid;

use crate::support::clock::DAY;
use crate::support::files::with_input;
use crate::support::held::held_by_the_loop;
use crate::support::process::in_own_process;
use crate::support::raw::{in_forked_child, raise, send_to};
use crate::support::setting::make;
use crate::support::status::{is_caught, until_it_blocks};
use crate::support::trace::{NOBODY, io, look, new_loop, run, signal, timer, wait};

/// Raises SIGUSR1 so often while a callback runs; how often the loop says that it came.
fn counted(raised: u64) -> u64 {
    let mut events = make::<u64>();
    let stalled = events.user();
    let stalled = stalled
        .add(move |_, _| {
            for _ in 0..raised {
                raise(Signal::USR1);
            }
        })
        .unwrap();
    events
        .signal(Signal::USR1)
        .add(|cx, caught| *cx.state += caught.count)
        .unwrap();
    events.activate(stalled, Ready::READ).unwrap();
    let mut count = 0;
    assert_eq!(events.run(&mut count).unwrap(), Outcome::Empty);
    count
}

#[test]
fn ten_thousand_signals_are_counted_exactly() {
    in_own_process("loops::ten_thousand_signals_are_counted_exactly", || {
        assert_eq!(counted(10_000), 10_000);
    });
}

/// More than a pipe has room for.
#[test]
fn hundred_thousand_signals_are_counted_exactly() {
    in_own_process(
        "loops::hundred_thousand_signals_are_counted_exactly",
        || {
            assert_eq!(counted(100_000), 100_000);
        },
    );
}

/// Two loops, each in its thread and stalled in a callback, while a third thread raises.
#[test]
fn loops_in_two_threads_both_see_every_signal() {
    in_own_process("loops::loops_in_two_threads_both_see_every_signal", || {
        const RAISED: u64 = 100_000;
        let stalled = Arc::new(Barrier::new(3));
        let raised = Arc::new(Barrier::new(3));
        let loops = [(); 2].map(|()| {
            let (stalled, raised) = (Arc::clone(&stalled), Arc::clone(&raised));
            thread::spawn(move || {
                let mut events = make::<u64>();
                events
                    .signal(Signal::USR1)
                    .persist()
                    .add(|cx, caught| {
                        *cx.state += caught.count;
                        if *cx.state >= RAISED {
                            cx.events.exit();
                        }
                    })
                    .unwrap();
                let stall = events.user();
                let stall = stall
                    .add(move |_, _| {
                        stalled.wait();
                        raised.wait();
                    })
                    .unwrap();
                events.activate(stall, Ready::READ).unwrap();
                let mut count = 0;
                assert_eq!(events.run(&mut count).unwrap(), Outcome::Exit);
                // Nothing comes afterwards.
                let _done = events.run_mode(Mode::NonBlocking, &mut count).unwrap();
                count
            })
        });
        stalled.wait();
        for _ in 0..RAISED {
            raise(Signal::USR1);
        }
        raised.wait();
        let counts = loops.map(|counting| counting.join().unwrap());
        assert_eq!(counts, [RAISED; 2]);
    });
}

#[test]
fn loops_of_one_thread_both_see_a_signal() {
    in_own_process("loops::loops_of_one_thread_both_see_a_signal", || {
        let mut first = new_loop();
        let mut second = new_loop();
        first
            .signal(Signal::USR1)
            .persist()
            .add(signal("first"))
            .unwrap();
        second
            .signal(Signal::USR1)
            .persist()
            .add(signal("second"))
            .unwrap();
        second
            .signal(Signal::USR2)
            .persist()
            .add(signal("second"))
            .unwrap();
        raise(Signal::USR1);
        raise(Signal::USR1);
        raise(Signal::USR2);
        assert_eq!(look(&mut first), ["first x2"]);
        let mut ran = look(&mut second);
        ran.sort();
        assert_eq!(ran, ["second x1", "second x2"]);
    });
}

/// The handler stays for as long as any loop wants it: otherwise the second signal would kill.
#[test]
fn loop_that_goes_leaves_the_signal_to_the_other() {
    in_own_process(
        "loops::loop_that_goes_leaves_the_signal_to_the_other",
        || {
            let mut first = new_loop();
            let mut second = new_loop();
            first
                .signal(Signal::USR1)
                .persist()
                .add(signal("first"))
                .unwrap();
            let id = second.signal(Signal::USR1).persist();
            let id = id.add(signal("second")).unwrap();
            drop(first);
            raise(Signal::USR1);
            assert_eq!(look(&mut second), ["second x1"]);

            let mut third = new_loop();
            third
                .signal(Signal::USR1)
                .persist()
                .add(signal("third"))
                .unwrap();
            second.delete(id).unwrap();
            raise(Signal::USR1);
            assert_eq!(look(&mut second), NOBODY);
            assert_eq!(look(&mut third), ["third x1"]);
            drop(third);
            assert!(!is_caught(Signal::USR1));
        },
    );
}

/// What a forked child does with its copy of a loop, and with the signals that it gets, is no
/// business of its parent's.
#[test]
fn child_that_drops_a_loop_leaves_its_parents_alone() {
    in_own_process(
        "loops::child_that_drops_a_loop_leaves_its_parents_alone",
        || {
            let (near, far) = with_input();
            let mut events = new_loop();
            let reader = events.io(near, Interest::READ).persist();
            reader.add(io("reader")).unwrap();
            let event = events.signal(Signal::USR1).persist();
            event.add(signal("USR1")).unwrap();
            let before = held_by_the_loop();
            let mut events = Some(events);
            let status = in_forked_child(|| {
                raise(Signal::USR1);
                drop(events.take());
                assert!(!is_caught(Signal::USR1));
            });
            assert_eq!(status.exit_status(), Some(0));
            let mut events = events.unwrap();
            assert_eq!(held_by_the_loop(), before);
            assert_eq!(look(&mut events), ["reader READ"]);
            raise(Signal::USR1);
            assert_eq!(look(&mut events), ["reader READ", "USR1 x1"]);
            drop(far);
        },
    );
}

#[test]
fn signal_wakes_a_loop_that_blocks() {
    in_own_process("loops::signal_wakes_a_loop_that_blocks", || {
        let (say, hear) = mpsc::channel();
        let blocking = thread::spawn(move || {
            let mut events = new_loop();
            let event = events.signal(Signal::USR1).persist();
            event.add(signal("USR1")).unwrap();
            for _ in 0..2 {
                say.send(gettid()).unwrap();
                assert_eq!(wait(&mut events), ["USR1 x1"]);
            }
        });
        // The handler runs in another thread than the one that blocks, and in that one.
        for send in [
            |_| raise(Signal::USR1),
            |thread| send_to(thread, Signal::USR1),
        ] {
            let thread: Pid = hear.recv().unwrap();
            until_it_blocks(thread);
            send(thread);
        }
        blocking.join().unwrap();
    });
}

/// A signal that this loop does not watch interrupts its wait, and the run goes on.
#[test]
fn signal_of_another_loop_does_not_end_a_run() {
    in_own_process("loops::signal_of_another_loop_does_not_end_a_run", || {
        let mut other = new_loop();
        let event = other.signal(Signal::USR1).persist();
        event.add(signal("other")).unwrap();
        let (say, hear) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let mut events = new_loop();
            events.timer(DAY).add(timer("tomorrow")).unwrap();
            say.send((events.remote(), gettid())).unwrap();
            assert_eq!(run(&mut events, Mode::UntilEmpty).0, Outcome::Exit);
            events.stats().waits
        });
        let (remote, thread) = hear.recv().unwrap();
        for _ in 0..5 {
            until_it_blocks(thread);
            send_to(thread, Signal::USR1);
        }
        remote.exit().unwrap();
        assert!(waiting.join().unwrap() > 1, "it was interrupted");
        assert_eq!(look(&mut other), ["other x5"]);
    });
}
