//! A child is told apart from its parent, and does nothing to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use evloop_catcher::{ForkStamp, Signal, Waker};

use crate::child::{By, in_child, kill_myself};
use crate::process::in_own_process;
use crate::senders::raise;
use crate::signals::disposition;
use crate::{IsOver, is_written, taken, watching};

/// `counted`: in the child, with one that its parent has not taken.
fn a_signal_of_a_child_wakes_nobody_in_the_parent(by: By, counted: u64) {
    let (catcher, waker) = watching(&[Signal::USR1]);
    raise(Signal::USR1);
    waker.awake();
    assert!(waker.sleep());
    in_child(by, || {
        kill_myself(Signal::USR1);
        assert_eq!(
            taken(&catcher),
            [(Signal::USR1, counted)],
            "it is counted all the same"
        );
        assert!(!waker.awake());
    });
    assert!(!is_written(&waker));

    raise(Signal::USR1);
    assert!(is_written(&waker) && waker.awake());
    assert_eq!(taken(&catcher), [(Signal::USR1, 2)]);
}

#[test]
fn a_signal_of_a_forked_child_wakes_nobody_in_the_parent() {
    in_own_process(
        "forks::a_signal_of_a_forked_child_wakes_nobody_in_the_parent",
        || {
            a_signal_of_a_child_wakes_nobody_in_the_parent(By::Fork, 1);
        },
    );
}

#[test]
fn a_signal_of_a_child_that_fork_knows_nothing_of_wakes_nobody_in_the_parent() {
    let test = "forks::a_signal_of_a_child_that_fork_knows_nothing_of_wakes_nobody_in_the_parent";
    in_own_process(test, || {
        a_signal_of_a_child_wakes_nobody_in_the_parent(By::SystemCall, 2);
    });
}

#[test]
fn a_child_that_drops_a_catcher_changes_nothing_in_its_parent() {
    in_own_process(
        "forks::a_child_that_drops_a_catcher_changes_nothing_in_its_parent",
        || {
            let (catcher, waker) = watching(&[Signal::USR1]);
            let mut inherited = Some(catcher);
            in_child(By::Fork, || {
                inherited = None;
                assert_eq!(disposition(Signal::USR1).sa_sigaction, libc::SIG_DFL);
            });
            assert!(waker.sleep());
            raise(Signal::USR1);
            assert!(is_written(&waker) && waker.awake());
            assert_eq!(taken(&inherited.unwrap()), [(Signal::USR1, 1)]);
        },
    );
}

#[test]
fn a_child_has_catchers_of_its_own() {
    in_own_process("forks::a_child_has_catchers_of_its_own", || {
        let (inherited, theirs) = watching(&[Signal::USR1]);
        assert!(theirs.sleep());
        in_child(By::Fork, || {
            let (catcher, waker) = watching(&[Signal::USR1]);
            assert!(waker.sleep());
            raise(Signal::USR1);
            assert!(is_written(&waker) && waker.awake());
            assert_eq!(taken(&catcher), [(Signal::USR1, 1)]);
            assert_eq!(taken(&inherited), [(Signal::USR1, 1)]);
        });
        assert!(!is_written(&theirs));
    });
}

#[test]
fn a_catcher_that_is_renewed_in_a_child_wakes_the_childs_loop() {
    let test = "forks::a_catcher_that_is_renewed_in_a_child_wakes_the_childs_loop";
    in_own_process(test, || {
        let (catcher, theirs) = watching(&[Signal::USR1]);
        assert!(theirs.sleep());
        let mut inherited = Some(catcher);
        in_child(By::Fork, || {
            let mut catcher = inherited.take().unwrap();
            raise(Signal::USR1);
            let waker = Arc::new(Waker::new().unwrap());
            catcher.renew(Arc::clone(&waker));
            assert!(waker.sleep());
            raise(Signal::USR1);
            assert!(is_written(&waker) && waker.awake());
            assert_eq!(taken(&catcher), [(Signal::USR1, 2)]);
        });
        assert!(!is_written(&theirs));
    });
}

#[test]
fn a_stamp_knows_its_process_from_all_descendants() {
    in_own_process(
        "forks::a_stamp_knows_its_process_from_all_descendants",
        || {
            for by in [By::Fork, By::SystemCall] {
                let ours = ForkStamp::new();
                assert!(!ours.is_child());
                in_child(by, || {
                    assert!(ours.is_child());
                    let childs = ForkStamp::new();
                    assert!(ours.is_child() && !childs.is_child());
                    in_child(by, || {
                        assert!(ours.is_child() && childs.is_child());
                        let grandchilds = ForkStamp::new();
                        assert!(ours.is_child() && childs.is_child() && !grandchilds.is_child());
                    });
                    assert!(!childs.is_child());
                });
                assert!(!ours.is_child() && !ForkStamp::new().is_child());
            }
        },
    );
}

/// Neither a handler that was at work in another thread, nor a thread that was about to watch, is
/// waited for by the child: they do not exist in it.
#[test]
fn a_child_waits_for_no_thread_of_its_parent() {
    in_own_process("forks::a_child_waits_for_no_thread_of_its_parent", || {
        let is_over = AtomicBool::new(false);
        let (catcher, _waker) = watching(&[Signal::USR1, Signal::USR2]);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    raise(Signal::USR1);
                }
            });
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    drop(watching(&[Signal::USR2, Signal::URG]));
                }
            });
            let _is_over = IsOver(&is_over);
            for _ in 0..200 {
                in_child(By::Fork, || {
                    catcher.unwatch(Signal::USR1).unwrap();
                    raise(Signal::USR2);
                    drop(watching(&[Signal::USR1]));
                });
            }
        });
    });
}
