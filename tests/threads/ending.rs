//! A run that is ended from another thread.

use std::sync::mpsc::channel;
use std::thread;

use evloop::{Mode, Outcome, Ready};

use super::beside::run_beside;
use crate::support::clock::{DAY, ms, now};
use crate::support::setting::make;
use crate::support::status::until_it_blocks;
use crate::support::trace::{Loop, NOBODY, Trace, new_loop, run, timer, user};

/// A loop in which the first of two active events calls `meanwhile`, in another thread.
fn with_first_and_second(meanwhile: impl FnOnce() + Send + 'static) -> Loop {
    let mut events = new_loop();
    let mut meanwhile = Some(meanwhile);
    let first = events.user().add(move |cx, _| {
        cx.state.push("first".to_owned());
        let meanwhile = meanwhile.take().unwrap();
        thread::spawn(meanwhile).join().unwrap();
    });
    let second = events.user().add(user("second"));
    for id in [first, second] {
        events.activate(id.unwrap(), Ready::READ).unwrap();
    }
    events
}

/// What is done from within the first callback is handed in through a channel, for it needs the
/// loop's remote.
fn ended_by(end: impl FnOnce(&evloop::Remote<Trace>) + Send + 'static) -> (Loop, Outcome, Trace) {
    let (hand, handed) = channel();
    let mut events = with_first_and_second(move || end(&handed.recv().unwrap()));
    hand.send(events.remote()).unwrap();
    let (outcome, trace) = run(&mut events, Mode::UntilEmpty);
    (events, outcome, trace)
}

#[test]
fn break_from_elsewhere_comes_after_the_callback_that_runs() {
    let (mut events, outcome, trace) = ended_by(|remote| remote.break_loop().unwrap());
    assert_eq!(outcome, Outcome::Break);
    assert_eq!(trace, ["first"]);
    // It is used up, and what was active is so still.
    let (outcome, trace) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(outcome, Outcome::Empty);
    assert_eq!(trace, ["second READ"]);
}

#[test]
fn break_from_elsewhere_overtakes_what_was_posted_before_it() {
    let (mut events, outcome, trace) = ended_by(|remote| {
        remote.post(timer("posted")).unwrap();
        remote.break_loop().unwrap();
    });
    assert_eq!(outcome, Outcome::Break);
    assert_eq!(trace, ["first"]);
    let (_, trace) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(trace, ["second READ", "posted"]);
}

#[test]
fn exit_from_elsewhere_lets_the_turn_end() {
    let (mut events, outcome, trace) = ended_by(|remote| remote.exit().unwrap());
    assert_eq!(outcome, Outcome::Exit);
    assert_eq!(trace, ["first", "second READ"]);
    let (outcome, _) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(outcome, Outcome::Empty);
}

#[test]
fn loop_that_sleeps_is_woken_to_end() {
    for (mode, expected) in [
        (Mode::UntilEmpty, Outcome::Break),
        (Mode::StayOnEmpty, Outcome::Exit),
        (Mode::Once, Outcome::Break),
        (Mode::Once, Outcome::Exit),
    ] {
        let mut events = new_loop();
        events.timer(DAY).add(timer("day")).unwrap();
        let mut trace = Trace::new();
        let (outcome, ()) = run_beside(&mut events, mode, &mut trace, |remote, its| {
            until_it_blocks(its);
            match expected {
                Outcome::Break => remote.break_loop().unwrap(),
                _ => remote.exit().unwrap(),
            }
        });
        assert_eq!(outcome, expected);
        assert_eq!(trace, NOBODY);
    }
}

/// The loop sleeps, and would for a day.
#[test]
fn exit_after_a_time_can_be_asked_for_from_elsewhere() {
    let mut events = new_loop();
    events.timer(DAY).add(timer("tomorrow")).unwrap();
    let mut trace = Trace::new();
    let (outcome, asked) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, its| {
        until_it_blocks(its);
        let asked = now();
        let command = remote.call(|events| events.exit_after(ms(2))).unwrap();
        command.wait().unwrap();
        asked
    });
    assert!(now() >= asked + ms(2));
    assert_eq!((outcome, trace), (Outcome::Exit, Trace::new()));
}

#[test]
fn what_is_asked_before_the_run_ends_it() {
    for expected in [Outcome::Break, Outcome::Exit] {
        let mut events = new_loop();
        let remote = events.remote();
        let id = events.user().add(user("event")).unwrap();
        events.activate(id, Ready::READ).unwrap();
        let asker = thread::spawn(move || match expected {
            Outcome::Break => remote.break_loop(),
            _ => remote.exit(),
        });
        asker.join().unwrap().unwrap();
        assert_eq!(run(&mut events, Mode::UntilEmpty), (expected, Trace::new()));
        let (outcome, trace) = run(&mut events, Mode::UntilEmpty);
        assert_eq!(outcome, Outcome::Empty);
        assert_eq!(trace, ["event READ"]);
    }
}

/// A loop with nothing to do is kept for those who use it from elsewhere, and does what it is told
/// at any time.
#[test]
fn loop_that_stays_on_empty_runs_for_others() {
    let mut events = new_loop();
    let mut keep = |name| events.user().keep().add(user(name)).unwrap();
    let ids = [keep("a"), keep("b")];
    for id in ids {
        events.delete(id).unwrap();
    }
    let mut trace = Trace::new();
    let (outcome, ()) = run_beside(&mut events, Mode::StayOnEmpty, &mut trace, |remote, its| {
        for id in ids {
            until_it_blocks(its);
            let activated = remote.activate(id, Ready::WRITE).unwrap();
            activated.wait().unwrap().unwrap();
        }
        let (tell, told) = channel();
        for n in 1..=2 {
            until_it_blocks(its);
            let tell = tell.clone();
            let added = remote.call(move |events| {
                events.timer(ms(n)).add(move |cx| {
                    cx.state.push(format!("timer {n}"));
                    tell.send(()).unwrap();
                })
            });
            added.unwrap().wait().unwrap().unwrap();
            told.recv().unwrap();
        }
        until_it_blocks(its);
        remote.break_loop().unwrap();
    });
    assert_eq!(outcome, Outcome::Break);
    assert_eq!(trace, ["a WRITE", "b WRITE", "timer 1", "timer 2"]);
}

/// Many threads add short timers to a loop that runs; each fires, and the loop ends by itself.
#[test]
fn timers_of_many_threads_all_fire() {
    const THREADS: u64 = 16;
    const TIMERS: u64 = 100;
    let mut events = make::<u64>();
    let day = events.timer(DAY).add(|_| ()).unwrap();
    let mut fired = 0;
    let (outcome, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut fired, |remote, _| {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(move || {
                    for _ in 0..TIMERS {
                        let timer = remote.call(|events| {
                            let at = now() + ms(3);
                            events.timer(ms(3)).add(move |cx| {
                                assert!(now() >= at);
                                *cx.state += 1;
                            })
                        });
                        timer.unwrap().wait().unwrap().unwrap();
                    }
                });
            }
        });
        _ = remote.remove(day).unwrap();
    });
    assert_eq!(outcome, Outcome::Empty);
    assert_eq!(fired, THREADS * TIMERS);
    assert_eq!(events.len(), 0);
}

/// The last event is deleted while the loop waits for it.
#[test]
fn loop_ends_when_its_last_event_is_deleted_from_elsewhere() {
    let mut events = new_loop();
    let user_event = events.user().add(user("user")).unwrap();
    let timer_event = events.timer(DAY).persist().add(timer("timer")).unwrap();
    let mut trace = Trace::new();
    let (outcome, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, its| {
        for id in [user_event, timer_event] {
            until_it_blocks(its);
            remote.delete(id).unwrap().wait().unwrap().unwrap();
        }
    });
    assert_eq!(outcome, Outcome::Empty);
    assert_eq!(trace, NOBODY);
}
