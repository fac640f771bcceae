//! What the process does at a signal: changed for the first watcher, restored after the last.

use std::error::Error;

use evloop_catcher::Signal;

use crate::child::{By, become_shell, in_child};
use crate::process::in_own_process;
use crate::senders::raise;
use crate::signals::{disposition, parts, set_disposition};
use crate::thread_state::{errno, mask, set_errno};
use crate::{taken, watching};

extern "C" fn somebody_elses(_: i32) {}

static SOMEBODY_ELSES: extern "C" fn(i32) = somebody_elses;

#[test]
fn the_handler_restarts_calls_uses_the_other_stack_and_blocks_all() {
    let test = "dispositions::the_handler_restarts_calls_uses_the_other_stack_and_blocks_all";
    in_own_process(test, || {
        let (_catcher, _waker) = watching(&[Signal::USR1]);
        let (_, flags, mask) = parts(&disposition(Signal::USR1));
        assert_eq!(
            flags,
            libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK
        );
        // The kernel lets nobody block KILL and STOP, the C library what it keeps for itself.
        let unblockable =
            |number: &i32| [libc::SIGKILL, libc::SIGSTOP, 32, 33, 34].contains(number);
        let all_others = (1..=64).filter(|number| !unblockable(number));
        assert!(
            mask.into_iter()
                .filter(|number| !unblockable(number))
                .eq(all_others)
        );
    });
}

#[test]
fn the_last_watcher_restores_what_the_first_found() {
    in_own_process(
        "dispositions::the_last_watcher_restores_what_the_first_found",
        || {
            let signals = [Signal::USR1, Signal::USR2, Signal::HUP];
            let flags = libc::SA_NODEFER | libc::SA_RESETHAND;
            set_disposition(Signal::USR1, SOMEBODY_ELSES as libc::sighandler_t, flags);
            set_disposition(Signal::USR2, libc::SIG_IGN, 0);
            set_disposition(Signal::HUP, libc::SIG_DFL, 0);
            let before = signals.map(|signal| parts(&disposition(signal)));

            let (first, _waker) = watching(&signals);
            let (second, _waker) = watching(&signals);
            let handled = signals.map(|signal| parts(&disposition(signal)));
            assert!(
                before
                    .iter()
                    .zip(&handled)
                    .all(|(before, handled)| before.0 != handled.0)
            );
            drop(first);
            assert_eq!(signals.map(|signal| parts(&disposition(signal))), handled);
            second.unwatch(Signal::USR1).unwrap();
            drop(second);
            assert_eq!(signals.map(|signal| parts(&disposition(signal))), before);
        },
    );
}

#[test]
fn a_second_watch_of_the_same_catcher_is_none() {
    in_own_process(
        "dispositions::a_second_watch_of_the_same_catcher_is_none",
        || {
            let before = parts(&disposition(Signal::URG));
            let (catcher, _waker) = watching(&[Signal::URG, Signal::URG]);
            raise(Signal::URG);
            assert_eq!(taken(&catcher), [(Signal::URG, 1)]);
            catcher.unwatch(Signal::URG).unwrap();
            assert_eq!(parts(&disposition(Signal::URG)), before);
            catcher.unwatch(Signal::URG).unwrap();
            assert_eq!(parts(&disposition(Signal::URG)), before);
        },
    );
}

#[test]
fn what_somebody_else_has_set_meanwhile_stays() {
    in_own_process(
        "dispositions::what_somebody_else_has_set_meanwhile_stays",
        || {
            let (catcher, _waker) = watching(&[Signal::USR1]);
            set_disposition(Signal::USR1, SOMEBODY_ELSES as libc::sighandler_t, 0);
            catcher.unwatch(Signal::USR1).unwrap();
            assert_eq!(
                disposition(Signal::USR1).sa_sigaction,
                SOMEBODY_ELSES as libc::sighandler_t
            );

            // And is what the next watcher restores.
            catcher.watch(Signal::USR1).unwrap();
            raise(Signal::USR1);
            assert_eq!(taken(&catcher), [(Signal::USR1, 1)]);
            drop(catcher);
            assert_eq!(
                disposition(Signal::USR1).sa_sigaction,
                SOMEBODY_ELSES as libc::sighandler_t
            );
        },
    );
}

/// As by a program that ignores the signal for a while, with another loop beside it.
#[test]
fn who_watches_next_gets_the_signal_though_somebody_has_taken_the_handler_away() {
    in_own_process(
        "dispositions::who_watches_next_gets_the_signal_though_somebody_has_taken_the_handler_away",
        || {
            let (first, _waker) = watching(&[Signal::USR1]);
            set_disposition(Signal::USR1, libc::SIG_IGN, 0);
            let (second, _waker) = watching(&[Signal::USR1]);
            raise(Signal::USR1);
            assert_eq!(taken(&second), [(Signal::USR1, 1)]);
            assert_eq!(taken(&first), [(Signal::USR1, 1)]);
            drop((first, second));
            assert_eq!(disposition(Signal::USR1).sa_sigaction, libc::SIG_IGN);
        },
    );
}

#[test]
fn a_signal_of_the_c_library_is_refused_and_nothing_changes() {
    in_own_process(
        "dispositions::a_signal_of_the_c_library_is_refused_and_nothing_changes",
        || {
            let reserved = Signal::new(32).unwrap();
            let (catcher, _waker) = watching(&[Signal::USR1]);
            let error = catcher.watch(reserved).unwrap_err();
            assert_eq!((error.signal, error.call), (reserved, "sigaction"));
            assert_eq!(error.source.raw_os_error(), Some(libc::EINVAL));
            assert_eq!(error.to_string(), "sigaction failed for signal 32");
            assert!(error.source().is_some());

            assert!(catcher.watched().into_iter().eq([Signal::USR1]));
            catcher.unwatch(reserved).unwrap();
            raise(Signal::USR1);
            assert_eq!(taken(&catcher), [(Signal::USR1, 1)]);
        },
    );
}

#[test]
fn the_mask_of_the_thread_and_errno_stay_as_they_are() {
    in_own_process(
        "dispositions::the_mask_of_the_thread_and_errno_stay_as_they_are",
        || {
            let before = mask();
            let (catcher, waker) = watching(&[Signal::USR1, Signal::TERM]);
            assert_eq!(mask(), before);
            assert!(waker.sleep());
            set_errno(12345);
            raise(Signal::USR1);
            assert_eq!(errno(), 12345);
            assert_eq!(mask(), before);
            assert_eq!(taken(&catcher), [(Signal::USR1, 1)]);
            drop(catcher);
            assert_eq!(mask(), before);
        },
    );
}

/// Neither blocked, nor ignored, nor caught: as if the parent had never watched them.
#[test]
fn a_program_that_is_started_is_clean() {
    in_own_process("dispositions::a_program_that_is_started_is_clean", || {
        let signals = [Signal::USR1, Signal::USR2, Signal::TERM, Signal::WINCH];
        let (_catcher, _waker) = watching(&signals);
        let bits = signals.iter().fold(0, |bits, signal| bits | signal.bit());
        in_child(By::Fork, || {
            become_shell(&format!(
                "while read -r key value; do
                     case $key in
                         SigBlk:|SigIgn:|SigCgt:) [ $((0x$value & {bits})) -eq 0 ] || exit 1; seen=$seen+;;
                     esac
                 done < /proc/self/status
                 [ $seen = +++ ]"
            ));
        });
    });
}
