//! What comes while callbacks run: taken between two of them, not after the last.

use std::thread;

use evloop::{EventLoop, Interest, Mode, Outcome, Priority, Ready, Signal};

use crate::support::files::{put, sockets};
use crate::support::process::in_own_process;
use crate::support::raw::raise;
use crate::support::setting::make;
use crate::support::trace::{Loop, Trace, io, look, new_loop, run, signal, timer, user};

/// So often in a turn what comes is taken after the callback that runs.
const EARLY: usize = 32;

/// After that, once in so many callbacks.
const SPACING: usize = 16;

/// A loop with three active events, the first of which calls `meanwhile`.
fn with_three(meanwhile: impl FnOnce() + 'static) -> Loop {
    let mut events = new_loop();
    let mut meanwhile = Some(meanwhile);
    let first = events.user().add(move |cx, _| {
        cx.state.push("first".to_owned());
        meanwhile.take().unwrap()();
    });
    let second = events.user().add(user("second"));
    let third = events.user().add(user("third"));
    for id in [first, second, third] {
        events.activate(id.unwrap(), Ready::READ).unwrap();
    }
    events
}

#[test]
fn urgent_signal_overtakes_within_one_callback() {
    in_own_process("early::urgent_signal_overtakes_within_one_callback", || {
        let mut events = with_three(|| raise(Signal::USR1));
        let urgent = events.signal(Signal::USR1).priority(Priority::MOST_URGENT);
        urgent.add(signal("signal")).unwrap();
        let expected = ["first", "signal x1", "second READ", "third READ"];
        assert_eq!(look(&mut events), expected);
    });
}

#[test]
fn signal_as_urgent_as_the_others_waits_its_turn() {
    in_own_process(
        "early::signal_as_urgent_as_the_others_waits_its_turn",
        || {
            let mut events = with_three(|| raise(Signal::USR1));
            events.signal(Signal::USR1).add(signal("signal")).unwrap();
            let expected = ["first", "second READ", "third READ", "signal x1"];
            assert_eq!(look(&mut events), expected);
            assert_eq!(events.stats().waits, 1);
        },
    );
}

#[test]
fn urgent_activation_from_elsewhere_overtakes_within_one_callback() {
    let (hand, handed) = std::sync::mpsc::channel::<evloop::Activator>();
    let mut events = with_three(move || {
        let activator = handed.recv().unwrap();
        let activate = move || activator.activate().unwrap();
        thread::spawn(activate).join().unwrap();
    });
    let urgent = events.user().priority(Priority::MOST_URGENT);
    let urgent = urgent.add(user("urgent")).unwrap();
    hand.send(events.activator(urgent, Ready::WRITE).unwrap())
        .unwrap();
    let expected = ["first", "urgent WRITE", "second READ", "third READ"];
    assert_eq!(look(&mut events), expected);
}

#[test]
fn command_is_done_and_answered_between_two_callbacks() {
    let mut events = new_loop();
    let remote = events.remote();
    let (say, hear) = std::sync::mpsc::channel();
    let first = events.user().add(move |_, _| {
        say.send(remote.call(|_| 7).unwrap()).unwrap();
    });
    let second = events.user().add(move |cx, _| {
        let answer = hear.recv().unwrap().poll();
        cx.state.push(format!("{answer:?}"));
    });
    for id in [first, second] {
        events.activate(id.unwrap(), Ready::READ).unwrap();
    }
    assert_eq!(look(&mut events), ["Ok(Some(7))"]);
}

/// Runs a loop whose signal is raised in each of its callbacks, until a reader runs whose data came with the first
/// of them; how many ran, and how often the kernel was asked.
fn signals_before_the_reader(events: &mut EventLoop<usize>) -> (usize, u64) {
    let (near, far) = sockets();
    let reader = events.io(near, Interest::READ);
    reader.add(|cx, _, _| cx.events.break_loop()).unwrap();
    let each = events.signal(Signal::USR1).persist();
    let each = each.add(move |cx, _| {
        if *cx.state == 0 {
            put(&far, b"x");
        }
        *cx.state += 1;
        raise(Signal::USR1);
    });
    each.unwrap();
    raise(Signal::USR1);
    let mut ran = 0;
    assert_eq!(events.run(&mut ran).unwrap(), Outcome::Break);
    (ran, events.stats().waits)
}

#[test]
fn signals_without_end_do_not_keep_the_loop_from_its_files() {
    in_own_process(
        "early::signals_without_end_do_not_keep_the_loop_from_its_files",
        || {
            let mut events = make();
            let (ran, waits) = signals_before_the_reader(&mut events);
            // The first came with a wait, and what the next wait brings is behind the last.
            assert_eq!((ran, waits), (1 + EARLY, 2));
        },
    );
}

/// A run in which so many callbacks of one turn each activate an event that runs behind them; one of them
/// asks for a break, as another thread might.
fn break_in(callback: usize, of: usize) -> (Outcome, usize) {
    let mut events = make::<usize>();
    let remote = events.remote();
    let last = events.user().priority(Priority::LEAST_URGENT).persist();
    let last = last.add(|_, _| ()).unwrap();
    let activator = events.activator(last, Ready::empty()).unwrap();
    for n in 0..of {
        let (remote, activator) = (remote.clone(), activator.clone());
        let id = events.user().add(move |cx, _| {
            *cx.state += 1;
            activator.activate().unwrap();
            if n == callback {
                remote.break_loop().unwrap();
            }
        });
        events.activate(id.unwrap(), Ready::READ).unwrap();
    }
    let mut ran = 0;
    let outcome = events.run_mode(Mode::Once, &mut ran).unwrap();
    (outcome, ran)
}

#[test]
fn break_comes_after_the_callback_that_runs_however_often_the_loop_was_woken() {
    for callback in [0, EARLY - 1, EARLY, 2 * EARLY] {
        let expected = (Outcome::Break, callback + 1);
        assert_eq!(break_in(callback, 3 * EARLY), expected);
    }
}

/// A run in which so many callbacks of one turn each wake the loop, and one of them raises an urgent signal; how
/// many have run when that is caught.
fn ran_before_the_signal(raised_in: usize, of: usize) -> usize {
    let mut events = make::<usize>();
    let urgent = events.signal(Signal::USR1).priority(Priority::MOST_URGENT);
    urgent.add(|cx, _| cx.events.break_loop()).unwrap();
    let last = events.user().priority(Priority::LEAST_URGENT).persist();
    let last = last.add(|_, _| ()).unwrap();
    let activator = events.activator(last, Ready::empty()).unwrap();
    for n in 0..of {
        let activator = activator.clone();
        let id = events.user().add(move |cx, _| {
            *cx.state += 1;
            activator.activate().unwrap();
            if n == raised_in {
                raise(Signal::USR1);
            }
        });
        events.activate(id.unwrap(), Ready::READ).unwrap();
    }
    let mut ran = 0;
    assert_eq!(events.run(&mut ran).unwrap(), Outcome::Break);
    ran
}

#[test]
fn urgent_signal_waits_for_few_callbacks_however_often_the_loop_was_woken() {
    in_own_process(
        "early::urgent_signal_waits_for_few_callbacks_however_often_the_loop_was_woken",
        || {
            for raised_in in [0, EARLY - 1, 500, 998] {
                let waited_for = ran_before_the_signal(raised_in, 1000) - (raised_in + 1);
                let most = if raised_in < EARLY { 0 } else { SPACING - 1 };
                assert!(waited_for <= most, "{waited_for}, raised in {raised_in}");
            }
        },
    );
}

#[test]
fn signal_raised_before_the_wait_comes_behind_what_the_wait_brings() {
    in_own_process(
        "early::signal_raised_before_the_wait_comes_behind_what_the_wait_brings",
        || {
            let (near, far) = sockets();
            let mut events = new_loop();
            events.signal(Signal::USR1).add(signal("signal")).unwrap();
            events.io(near, Interest::READ).add(io("reader")).unwrap();
            put(&far, b"x");
            let watcher = events.prepare();
            watcher.add(|_, _| raise(Signal::USR1)).unwrap();
            assert_eq!(look(&mut events), ["reader READ", "signal x1"]);
        },
    );
}

#[test]
fn break_from_elsewhere_in_a_watcher_ends_the_run_before_the_wait() {
    let mut events = new_loop();
    let remote = events.remote();
    events.defer(timer("deferred"));
    let watcher = events.prepare();
    watcher
        .add(move |_, _| remote.break_loop().unwrap())
        .unwrap();
    let (outcome, trace) = run(&mut events, Mode::UntilEmpty);
    assert_eq!((outcome, trace), (Outcome::Break, Trace::new()));
    assert_eq!(events.stats().waits, 0);
}
