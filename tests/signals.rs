//! Signals: caught by a loop, told with their count, given back as they were.

use evloop::{Interest, Mode, Outcome, Priority, Ready, Signal};
use rustix::process::{getpid, kill_process};

use crate::support::clock::{DAY, ms};
use crate::support::files::{put, sockets};
use crate::support::process::in_own_process;
use crate::support::raw::raise;
use crate::support::status::{blocked, is_caught, is_ignored};
use crate::support::trace::{NOBODY, io, look, new_loop, run, run_out, signal, timer, wait};

#[test]
fn signal_from_elsewhere_reaches_its_event() {
    in_own_process("signals::signal_from_elsewhere_reaches_its_event", || {
        let mut events = new_loop();
        events.signal(Signal::USR1).add(signal("USR1")).unwrap();
        kill_process(getpid(), rustix::process::Signal::USR1).unwrap();
        assert_eq!(run_out(&mut events), ["USR1 x1"]);
    });
}

#[test]
fn signal_raised_before_a_look_is_seen_by_it() {
    in_own_process("signals::signal_raised_before_a_look_is_seen_by_it", || {
        let mut events = new_loop();
        events
            .signal(Signal::USR1)
            .persist()
            .add(signal("USR1"))
            .unwrap();
        assert_eq!(look(&mut events), NOBODY);
        raise(Signal::USR1);
        assert_eq!(look(&mut events), ["USR1 x1"]);
        assert_eq!(look(&mut events), NOBODY);
    });
}

#[test]
fn deliveries_are_counted_and_told_at_once() {
    in_own_process("signals::deliveries_are_counted_and_told_at_once", || {
        let mut events = new_loop();
        for (name, which) in [("USR1", Signal::USR1), ("USR2", Signal::USR2)] {
            events.signal(which).persist().add(signal(name)).unwrap();
        }
        for _ in 0..5 {
            raise(Signal::USR2);
        }
        raise(Signal::USR1);
        let mut ran = look(&mut events);
        ran.sort();
        assert_eq!(ran, ["USR1 x1", "USR2 x5"]);
    });
}

#[test]
fn events_of_one_signal_all_run_in_the_order_of_adding() {
    in_own_process(
        "signals::events_of_one_signal_all_run_in_the_order_of_adding",
        || {
            let mut events = new_loop();
            let mut ids = Vec::new();
            for name in ["a", "b", "c"] {
                let event = events.signal(Signal::USR1).persist();
                ids.push(event.add(signal(name)).unwrap());
            }
            raise(Signal::USR1);
            raise(Signal::USR1);
            assert_eq!(look(&mut events), ["a x2", "b x2", "c x2"]);
            // Who is deleted hears nothing; who is added again was added last.
            events.delete(ids[0]).unwrap();
            raise(Signal::USR1);
            assert_eq!(look(&mut events), ["b x1", "c x1"]);
            events.add(ids[0]).unwrap();
            raise(Signal::USR1);
            assert_eq!(look(&mut events), ["b x1", "c x1", "a x1"]);
        },
    );
}

#[test]
fn deleted_and_added_signal_is_caught() {
    in_own_process("signals::deleted_and_added_signal_is_caught", || {
        let mut events = new_loop();
        let id = events.signal(Signal::USR1).persist();
        let id = id.add(signal("USR1")).unwrap();
        events.delete(id).unwrap();
        assert!(!is_caught(Signal::USR1));
        events.add(id).unwrap();
        assert!(is_caught(Signal::USR1));
        raise(Signal::USR1);
        assert_eq!(look(&mut events), ["USR1 x1"]);
    });
}

#[test]
fn disposition_is_given_back_with_the_last_event() {
    in_own_process(
        "signals::disposition_is_given_back_with_the_last_event",
        || {
            // The runtime of the language ignores this one.
            assert!(is_ignored(Signal::PIPE));
            let mut events = new_loop();
            let mut ids = Vec::new();
            for name in ["a", "b"] {
                let event = events.signal(Signal::PIPE).persist();
                ids.push(event.add(signal(name)).unwrap());
                assert!(is_caught(Signal::PIPE) && !is_ignored(Signal::PIPE));
            }
            events.remove(ids[0]).unwrap();
            assert!(is_caught(Signal::PIPE));
            events.remove(ids[1]).unwrap();
            assert!(!is_caught(Signal::PIPE) && is_ignored(Signal::PIPE));
        },
    );
}

#[test]
fn dropped_loop_gives_its_dispositions_back() {
    in_own_process("signals::dropped_loop_gives_its_dispositions_back", || {
        let watched = [Signal::PIPE, Signal::USR1, Signal::TERM];
        let mut events = new_loop();
        for which in watched {
            events
                .signal(which)
                .persist()
                .add(signal("signal"))
                .unwrap();
            assert!(is_caught(which));
        }
        raise(Signal::TERM);
        drop(events);
        for which in watched {
            assert!(!is_caught(which));
        }
        assert!(is_ignored(Signal::PIPE));
    });
}

#[test]
fn one_shot_gives_the_disposition_back_when_its_callback_is_over() {
    in_own_process(
        "signals::one_shot_gives_the_disposition_back_when_its_callback_is_over",
        || {
            let mut events = new_loop();
            events
                .signal(Signal::PIPE)
                .add(|cx, caught| {
                    assert!(is_caught(Signal::PIPE), "it may be added again");
                    cx.state.push(format!("PIPE x{}", caught.count));
                })
                .unwrap();
            raise(Signal::PIPE);
            raise(Signal::PIPE);
            assert_eq!(run_out(&mut events), ["PIPE x2"]);
            assert!(is_ignored(Signal::PIPE));
            assert_eq!(events.len(), 0);
        },
    );
}

/// What comes while the callback runs is for the next turn, as the event was added again by then:
/// before and after the call.
#[test]
fn one_shot_that_adds_itself_misses_nothing() {
    in_own_process("signals::one_shot_that_adds_itself_misses_nothing", || {
        let mut events = new_loop();
        events
            .signal(Signal::USR1)
            .add(|cx, caught| {
                cx.state.push(format!("USR1 x{}", caught.count));
                if cx.state.len() == 1 {
                    raise(Signal::USR1);
                    cx.events.add(cx.id()).unwrap();
                    raise(Signal::USR1);
                }
            })
            .unwrap();
        raise(Signal::USR1);
        assert_eq!(run_out(&mut events), ["USR1 x1", "USR1 x2"]);
    });
}

#[test]
fn signals_raised_in_the_callback_are_not_lost() {
    in_own_process(
        "signals::signals_raised_in_the_callback_are_not_lost",
        || {
            let mut events = new_loop();
            events
                .signal(Signal::USR1)
                .persist()
                .add(|cx, caught| {
                    cx.state.push(format!("x{}", caught.count));
                    let round = u64::try_from(cx.state.len()).unwrap();
                    if round > 5 {
                        cx.events.exit();
                        return;
                    }
                    for _ in 0..=round {
                        raise(Signal::USR1);
                    }
                })
                .unwrap();
            raise(Signal::USR1);
            let (outcome, ran) = run(&mut events, Mode::UntilEmpty);
            assert_eq!(outcome, Outcome::Exit);
            assert_eq!(ran, ["x1", "x2", "x3", "x4", "x5", "x6"]);
        },
    );
}

#[test]
fn event_that_removes_itself_is_not_called_for_what_is_on_its_way() {
    in_own_process(
        "signals::event_that_removes_itself_is_not_called_for_what_is_on_its_way",
        || {
            let mut events = new_loop();
            events
                .signal(Signal::USR1)
                .persist()
                .add(|cx, caught| {
                    raise(Signal::USR1);
                    cx.events.remove(cx.id()).unwrap();
                    assert!(!is_caught(Signal::USR1));
                    cx.state.push(format!("x{}", caught.count));
                })
                .unwrap();
            raise(Signal::USR1);
            raise(Signal::USR1);
            assert_eq!(run_out(&mut events), ["x2"]);
        },
    );
}

#[test]
fn deleted_event_of_a_signal_that_came_does_not_run() {
    in_own_process(
        "signals::deleted_event_of_a_signal_that_came_does_not_run",
        || {
            let mut events = new_loop();
            let others = std::rc::Rc::new(std::cell::Cell::new(None));
            let other = std::rc::Rc::clone(&others);
            events
                .signal(Signal::USR1)
                .persist()
                .add(move |cx, _| {
                    cx.state.push("first".to_owned());
                    cx.events.delete(other.get().unwrap()).unwrap();
                })
                .unwrap();
            let second = events.signal(Signal::USR1).persist();
            others.set(Some(second.add(signal("second")).unwrap()));
            raise(Signal::USR1);
            assert_eq!(look(&mut events), ["first"]);
            events.add(others.get().unwrap()).unwrap();
            assert_eq!(look(&mut events), NOBODY, "the old count is forgotten");
        },
    );
}

#[test]
fn signal_with_a_timeout_hears_of_it_and_goes_on() {
    in_own_process(
        "signals::signal_with_a_timeout_hears_of_it_and_goes_on",
        || {
            let mut events = new_loop();
            let event = events.signal(Signal::USR1).persist().timeout(ms(1));
            let id = event.add(signal("USR1")).unwrap();
            assert_eq!(wait(&mut events), ["USR1 x0"]);
            assert_eq!(wait(&mut events), ["USR1 x0"]);
            events.set_timeout(id, Some(DAY)).unwrap();
            raise(Signal::USR1);
            assert_eq!(wait(&mut events), ["USR1 x1"]);

            let event = events.signal(Signal::USR2).timeout(ms(1));
            event.add(signal("USR2")).unwrap();
            assert_eq!(wait(&mut events), ["USR2 x0"]);
            assert!(!is_caught(Signal::USR2) && is_caught(Signal::USR1));
        },
    );
}

/// The signal, and the expiry of its timeout, have made the event active already.
#[test]
fn timeout_that_is_taken_away_leaves_the_signals_that_came() {
    in_own_process(
        "signals::timeout_that_is_taken_away_leaves_the_signals_that_came",
        || {
            for timeout in [DAY, ms(0)] {
                let mut events = new_loop();
                let event = events.signal(Signal::USR1).persist().timeout(timeout);
                let id = event.add(signal("USR1")).unwrap();
                let urgent = events.user().priority(Priority::MOST_URGENT);
                let urgent = urgent.add(move |cx, _| {
                    let active = cx.events.info(id).unwrap().active.unwrap();
                    assert!(active.contains(Ready::SIGNAL));
                    cx.events.set_timeout(id, None).unwrap();
                });
                events.activate(urgent.unwrap(), Ready::READ).unwrap();
                raise(Signal::USR1);
                raise(Signal::USR1);
                assert_eq!(look(&mut events), ["USR1 x2"]);
                raise(Signal::USR1);
                assert_eq!(look(&mut events), ["USR1 x1"]);
            }
        },
    );
}

#[test]
fn signal_activated_by_hand_was_not_caught() {
    in_own_process("signals::signal_activated_by_hand_was_not_caught", || {
        let mut events = new_loop();
        let event = events.signal(Signal::USR1).persist();
        let id = event.add(signal("USR1")).unwrap();
        events.activate(id, Ready::SIGNAL).unwrap();
        assert_eq!(look(&mut events), ["USR1 x0"]);
        events.activate_signal(Signal::USR1);
        events.activate_signal(Signal::USR2);
        assert_eq!(look(&mut events), ["USR1 x1"]);
    });
}

#[test]
fn mask_of_the_thread_is_left_alone() {
    in_own_process("signals::mask_of_the_thread_is_left_alone", || {
        let before = blocked();
        let mut events = new_loop();
        events
            .signal(Signal::USR1)
            .add(move |cx, _| {
                assert_eq!(blocked(), before);
                cx.state.push("USR1".to_owned());
            })
            .unwrap();
        assert_eq!(blocked(), before);
        raise(Signal::USR1);
        assert_eq!(run_out(&mut events), ["USR1"]);
        drop(events);
        assert_eq!(blocked(), before);
    });
}

#[test]
fn signal_io_and_timer_of_one_turn_run_in_this_order_of_kinds() {
    in_own_process(
        "signals::signal_io_and_timer_of_one_turn_run_in_this_order_of_kinds",
        || {
            let (near, far) = sockets();
            let mut events = new_loop();
            events.timer(ms(0)).add(timer("timer")).unwrap();
            events.signal(Signal::USR1).add(signal("signal")).unwrap();
            events.io(near, Interest::READ).add(io("reader")).unwrap();
            put(&far, b"x");
            raise(Signal::USR1);
            assert_eq!(run_out(&mut events), ["reader READ", "signal x1", "timer"]);
        },
    );
}

#[test]
fn signal_can_be_more_urgent_than_io() {
    in_own_process("signals::signal_can_be_more_urgent_than_io", || {
        let (near, far) = sockets();
        let mut events = new_loop();
        events.io(near, Interest::READ).add(io("reader")).unwrap();
        let urgent = events.signal(Signal::USR1).priority(Priority::MOST_URGENT);
        urgent.add(signal("signal")).unwrap();
        put(&far, b"x");
        raise(Signal::USR1);
        assert_eq!(run_out(&mut events), ["signal x1", "reader READ"]);
    });
}
