//! What went wrong once: numbers that are wild, and turns that watchers and rescans lead astray.

use std::time::Duration;

use evloop::{Interest, Mode, Outcome, Ready};

use crate::support::clock::DAY;
use crate::support::process::in_own_process;
use crate::support::raw::closed;
use crate::support::trace::{NOBODY, io, look, new_loop, run, run_out, timer, user, wait};

#[test]
fn greatest_number_is_refused_as_any_that_is_not_open() {
    in_own_process(
        "regressions::greatest_number_is_refused_as_any_that_is_not_open",
        || {
            let mut events = new_loop();
            let event = events.io(closed(i32::MAX), Interest::READ);
            event.add(io("never")).unwrap_err();
            assert_eq!(events.len(), 0);
        },
    );
}

#[test]
fn rescan_in_the_last_callback_does_not_keep_a_run_once_waiting() {
    in_own_process(
        "regressions::rescan_in_the_last_callback_does_not_keep_a_run_once_waiting",
        || {
            let mut events = new_loop();
            events
                .timer(Duration::ZERO)
                .add(|cx| cx.events.rescan())
                .unwrap();
            events.timer(DAY).add(timer("tomorrow")).unwrap();
            assert_eq!(wait(&mut events), NOBODY);
        },
    );
}

#[test]
fn prepare_watcher_that_takes_the_last_event_away_ends_the_run() {
    in_own_process(
        "regressions::prepare_watcher_that_takes_the_last_event_away_ends_the_run",
        || {
            let mut events = new_loop();
            let id = events.user().persist().add(user("user")).unwrap();
            let watcher = events.prepare();
            watcher
                .add(move |cx, _| cx.events.remove(id).unwrap())
                .unwrap();
            assert_eq!(run_out(&mut events), NOBODY);
        },
    );
}

#[test]
fn prepare_watcher_can_exit_the_run_before_the_wait() {
    in_own_process(
        "regressions::prepare_watcher_can_exit_the_run_before_the_wait",
        || {
            let mut events = new_loop();
            events.timer(DAY).add(timer("tomorrow")).unwrap();
            events.prepare().add(|cx, _| cx.events.exit()).unwrap();
            assert_eq!(run(&mut events, Mode::UntilEmpty).0, Outcome::Exit);
        },
    );
}

#[test]
fn watchers_that_rescan_starve_nobody() {
    in_own_process("regressions::watchers_that_rescan_starve_nobody", || {
        for is_prepare in [true, false] {
            let mut events = new_loop();
            let id = events.user().persist().add(user("user")).unwrap();
            events.activate(id, Ready::READ).unwrap();
            if is_prepare {
                let watcher = events.prepare().persist();
                watcher.add(|cx, _| cx.events.rescan()).unwrap();
            } else {
                let watcher = events.check().persist();
                watcher.add(|cx| cx.events.rescan()).unwrap();
            }
            assert_eq!(look(&mut events), ["user READ"]);
        }
    });
}
