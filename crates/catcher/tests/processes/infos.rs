//! What is told of the last delivery: who sent it, and why.

use std::process::{Command, Stdio};
use std::thread;

use evloop_catcher::{Catcher, ChildState, Deliveries, Origin, Signal, SignalInfo, Waker};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, getpid, getuid, kill_process};

use crate::child::{By, in_child};
use crate::process::in_own_process;
use crate::queue::queue;
use crate::senders::{expire_alarm, expire_timer, queue_to_parent, raise};
use crate::watching;

/// What was taken, of the one signal that is watched.
fn last(catcher: &Catcher) -> Option<Deliveries> {
    let mut last = None;
    catcher.take(|_, came| last = Some(came));
    last
}

/// Waits until the one signal that is watched has come.
fn wait_for(catcher: &Catcher, waker: &Waker) -> SignalInfo {
    loop {
        if let Some(came) = last(catcher) {
            return came.last;
        }
        if waker.sleep() {
            let _interrupted_or_ready = poll(&mut [PollFd::new(waker, PollFlags::IN)], None);
        }
        waker.awake();
        waker.drain();
    }
}

fn my_uid() -> u32 {
    getuid().as_raw()
}

#[test]
fn a_thread_that_raises_a_signal_is_told_of_its_own_process() {
    let test = "infos::a_thread_that_raises_a_signal_is_told_of_its_own_process";
    in_own_process(test, || {
        let (catcher, _waker) = watching(&[Signal::USR1]);
        raise(Signal::USR1);
        let info = last(&catcher).unwrap().last;
        let (pid, uid) = (getpid().as_raw_pid(), my_uid());
        assert_eq!(info.origin, Origin::Sent { pid, uid });
        assert_eq!(info.code, libc::SI_TKILL);
        assert_eq!((info.pid(), info.uid()), (Some(pid), Some(uid)));
    });
}

#[test]
fn another_process_is_known_by_its_number_and_user() {
    in_own_process(
        "infos::another_process_is_known_by_its_number_and_user",
        || {
            let (catcher, waker) = watching(&[Signal::USR1]);
            let mut shell = Command::new("sh")
                .args(["-c", "kill -s USR1 $PPID"])
                .spawn()
                .unwrap();
            let info = wait_for(&catcher, &waker);
            let (pid, uid) = (shell.id().try_into().unwrap(), my_uid());
            assert_eq!(info.origin, Origin::Sent { pid, uid });
            assert_eq!(info.code, libc::SI_USER);
            assert!(shell.wait().unwrap().success());
        },
    );
}

#[test]
fn a_queued_value_arrives() {
    in_own_process("infos::a_queued_value_arrives", || {
        let (catcher, waker) = watching(&[Signal::USR1]);
        in_child(By::Fork, || queue_to_parent(Signal::USR1, 0x1234_5678));
        let info = wait_for(&catcher, &waker);
        assert_eq!(info.code, libc::SI_QUEUE);
        let Origin::Queued { pid, uid, value } = info.origin else {
            panic!("{info:?}");
        };
        assert_eq!((value.int(), value.address()), (0x1234_5678, 0x1234_5678));
        assert_eq!(uid, my_uid());
        assert!(pid > 0 && pid != getpid().as_raw_pid());
    });
}

#[test]
fn a_child_is_told_of_with_what_became_of_it() {
    in_own_process("infos::a_child_is_told_of_with_what_became_of_it", || {
        let (catcher, waker) = watching(&[Signal::CHLD]);
        let uid = my_uid();
        for (script, state) in [
            ("exit 0", ChildState::Exited(0)),
            ("exit 7", ChildState::Exited(7)),
            ("exit 255", ChildState::Exited(255)),
            ("kill -s KILL $$", ChildState::Killed(libc::SIGKILL)),
            ("kill -s TERM $$", ChildState::Killed(libc::SIGTERM)),
        ] {
            let mut shell = Command::new("sh").args(["-c", script]).spawn().unwrap();
            let pid = shell.id().try_into().unwrap();
            let info = wait_for(&catcher, &waker);
            assert_eq!(info.origin, Origin::Child { pid, uid, state }, "{script}");
            shell.wait().unwrap();
        }
    });
}

#[test]
fn a_child_that_is_stopped_and_goes_on_is_told_of() {
    in_own_process(
        "infos::a_child_that_is_stopped_and_goes_on_is_told_of",
        || {
            let (catcher, waker) = watching(&[Signal::CHLD]);
            // Nothing of the test's own is left open in it if the test fails.
            let mut shell = Command::new("sh")
                .args(["-c", "kill -s STOP $$; exec cat"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let (pid, uid) = (shell.id().try_into().unwrap(), my_uid());
            let child = |state| Origin::Child { pid, uid, state };
            let stopped = child(ChildState::Stopped(libc::SIGSTOP));
            assert_eq!(wait_for(&catcher, &waker).origin, stopped);
            kill_process(Pid::from_child(&shell), rustix::process::Signal::CONT).unwrap();
            let continued = child(ChildState::Continued);
            assert_eq!(wait_for(&catcher, &waker).origin, continued);
            shell.kill().unwrap();
            let killed = child(ChildState::Killed(libc::SIGKILL));
            assert_eq!(wait_for(&catcher, &waker).origin, killed);
            shell.wait().unwrap();
        },
    );
}

#[test]
fn a_timer_tells_its_value() {
    in_own_process("infos::a_timer_tells_its_value", || {
        let (catcher, waker) = watching(&[Signal::USR1]);
        expire_timer(Signal::USR1, usize::MAX - 1);
        let info = wait_for(&catcher, &waker);
        assert_eq!(
            (info.code, info.pid(), info.uid()),
            (libc::SI_TIMER, None, None)
        );
        assert!(
            matches!(info.origin, Origin::Timer { value } if value.address() == usize::MAX - 1),
            "{info:?}"
        );
    });
}

#[test]
fn an_alarm_comes_from_the_kernel() {
    in_own_process("infos::an_alarm_comes_from_the_kernel", || {
        let (catcher, waker) = watching(&[Signal::ALRM]);
        expire_alarm();
        let info = wait_for(&catcher, &waker);
        assert_eq!((info.code, info.origin), (libc::SI_KERNEL, Origin::Kernel));
        assert_eq!((info.pid(), info.uid()), (None, None));
    });
}

#[test]
fn the_last_one_is_told_of() {
    in_own_process("infos::the_last_one_is_told_of", || {
        let (first, _waker) = watching(&[Signal::USR1]);
        let (second, _waker) = watching(&[Signal::USR1]);
        for value in 1..=5 {
            queue(Signal::USR1, libc::SI_QUEUE, 11, 12, value);
        }
        for catcher in [&first, &second] {
            let came = last(catcher).unwrap();
            assert_eq!(came.count, 5);
            let Origin::Queued { pid, uid, value } = came.last.origin else {
                panic!("{came:?}");
            };
            assert_eq!((pid, uid, value.address()), (11, 12, 5));
            assert_eq!(last(catcher), None);
        }
    });
}

#[test]
fn what_was_told_before_an_unwatch_is_forgotten() {
    in_own_process(
        "infos::what_was_told_before_an_unwatch_is_forgotten",
        || {
            let (catcher, _waker) = watching(&[Signal::USR1]);
            queue(Signal::USR1, libc::SI_QUEUE, 11, 12, 13);
            catcher.unwatch(Signal::USR1).unwrap();
            catcher.watch(Signal::USR1).unwrap();
            assert_eq!(last(&catcher), None);
            raise(Signal::USR1);
            let info = last(&catcher).unwrap().last;
            assert_eq!(info.pid(), Some(getpid().as_raw_pid()));
        },
    );
}

/// In each of several threads a handler runs, each is told something of its own, and nobody waits.
#[test]
fn in_a_storm_all_are_counted_and_the_last_one_was_sent() {
    const THREADS: u32 = 4;
    const EACH: u32 = 5000;
    in_own_process(
        "infos::in_a_storm_all_are_counted_and_the_last_one_was_sent",
        || {
            let (catcher, waker) = watching(&[Signal::USR1]);
            let sum = |pid: i32, uid: u32| (usize::try_from(pid).unwrap() << 32) ^ !(uid as usize);
            let mut seen = 0;
            let mut see = |_, came: Deliveries| {
                seen += came.count;
                let Origin::Queued { pid, uid, value } = came.last.origin else {
                    panic!("{came:?}");
                };
                assert_eq!(value.address(), sum(pid, uid), "{came:?}");
            };
            thread::scope(|scope| {
                let senders: Vec<_> = (1..=THREADS)
                    .map(|thread| {
                        scope.spawn(move || {
                            for round in 1..=EACH {
                                let pid = thread.cast_signed();
                                queue(Signal::USR1, libc::SI_QUEUE, pid, round, sum(pid, round));
                            }
                        })
                    })
                    .collect();
                while !senders.iter().all(|sender| sender.is_finished()) {
                    waker.awake();
                    catcher.take(&mut see);
                    _ = waker.sleep();
                }
            });
            catcher.take(&mut see);
            assert_eq!(seen, u64::from(THREADS * EACH));
        },
    );
}
