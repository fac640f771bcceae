//! Timers: never early, in the order of their deadlines, on the grid of their interval.

use std::time::Duration;

use evloop::{EventId, Mode, Outcome, Ready};

use crate::support::clock::{DAY, busy, deadline, loop_now, ms, now, until_due};
use crate::support::setting::make;
use crate::support::trace::{Loop, NOBODY, look, new_loop, run_out, timer, wait};

#[test]
fn timer_is_over_when_it_fired() {
    let mut events = new_loop();
    let id = events.timer(ms(1)).add(timer("timer")).unwrap();
    assert_eq!(run_out(&mut events), ["timer"]);
    assert_eq!(events.info(id), None);
    assert_eq!((events.len(), events.timers()), (0, 0));
}

#[test]
fn timers_never_fire_early() {
    let mut events = make::<u32>();
    for n in 0..200 {
        let timeout = Duration::from_micros(n * 37 % 5_000);
        let added = now();
        events
            .timer(timeout)
            .add(move |cx| {
                assert!(now() - added >= timeout);
                *cx.state += 1;
            })
            .unwrap();
    }
    let mut fired = 0;
    assert_eq!(events.run(&mut fired).unwrap(), Outcome::Empty);
    assert_eq!(fired, 200);
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines() {
    let mut events = make::<Vec<Duration>>();
    let mut deadlines = Vec::new();
    for n in 0..50 {
        let timeout = Duration::from_micros(n * 7_919 % 3_000);
        let id = events.timer(timeout).keep();
        let id = id
            .add(move |cx| {
                let deadline = cx.events.info(cx.id()).unwrap().timeout.unwrap();
                cx.state.push(deadline);
            })
            .unwrap();
        deadlines.push((deadline(&events, id), timeout));
    }
    // Stable: what is due at the same nanosecond fires in the order of adding.
    deadlines.sort_by_key(|(deadline, _)| *deadline);
    let mut fired = Vec::new();
    let _empty = events.run(&mut fired).unwrap();
    let expected: Vec<_> = deadlines.into_iter().map(|(_, timeout)| timeout).collect();
    assert_eq!(fired, expected);
}

#[test]
fn timers_of_one_duration_fire_in_the_order_of_adding() {
    let mut events = make::<Vec<u32>>();
    for n in 0..12 {
        events.timer(ms(2)).add(move |cx| cx.state.push(n)).unwrap();
    }
    let mut fired = Vec::new();
    let _empty = events.run(&mut fired).unwrap();
    assert_eq!(fired, Vec::from_iter(0..12));
}

#[test]
fn persistent_timer_fires_on_its_grid() {
    const INTERVAL: Duration = ms(3);
    let mut events = make::<Vec<Duration>>();
    let id = events
        .timer(INTERVAL)
        .persist()
        .add(|cx| {
            let now = loop_now(cx.events);
            cx.state.push(now);
            if cx.state.len() == 6 {
                cx.events.remove(cx.id()).unwrap();
            }
        })
        .unwrap();
    let mut ticks = vec![deadline(&events, id)];
    let mut fired = Vec::new();
    while events.run_mode(Mode::Once, &mut fired).unwrap() == Outcome::Done {
        let last = ticks.len() - 1;
        assert!(fired[last] >= ticks[last]);
        if events.info(id).is_some() {
            ticks.push(deadline(&events, id));
        }
    }
    assert_eq!(fired.len(), 6);
    for tick in &ticks {
        let since = *tick - ticks[0];
        assert_eq!(since.as_nanos() % INTERVAL.as_nanos(), 0);
    }
    assert!(ticks.is_sorted_by(|a, b| a < b));
}

#[test]
fn ticks_that_were_missed_are_skipped() {
    const INTERVAL: Duration = ms(4);
    let mut events = new_loop();
    let id = events.timer(INTERVAL).persist();
    let id = id.add(timer("tick")).unwrap();
    let first = deadline(&events, id);
    busy(ms(14));
    let before = loop_now(&mut events);
    assert_eq!(look(&mut events), ["tick"]);
    let next = deadline(&events, id);
    assert!(next > before, "no tick of the past is made up for");
    assert_eq!((next - first).as_nanos() % INTERVAL.as_nanos(), 0);
}

#[test]
fn interval_begins_anew_when_a_persistent_timer_is_activated_by_hand() {
    let mut events = new_loop();
    let timer = events.user().persist().timeout(DAY);
    let id = timer.add(crate::support::trace::user("timer")).unwrap();
    let first = deadline(&events, id);
    busy(ms(2));
    events.activate(id, Ready::READ).unwrap();
    let before = loop_now(&mut events);
    assert_eq!(look(&mut events), ["timer READ"]);
    assert!(deadline(&events, id) >= before + DAY);
    assert!(before + DAY > first);
    events.set_timeout(id, Some(ms(1))).unwrap();
    assert_eq!(wait(&mut events), ["timer TIMEOUT"]);
}

#[test]
fn timer_without_a_timeout_waits_for_activation() {
    let mut events = new_loop();
    let id = events.timer(ms(0)).persist();
    let id = id.add(timer("timer")).unwrap();
    events.set_timeout(id, None).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    assert_eq!((events.timers(), events.next_timeout()), (0, None));
    events.activate(id, Ready::READ).unwrap();
    assert_eq!(look(&mut events), ["timer"]);
    events.set_timeout(id, Some(ms(0))).unwrap();
    assert_eq!(look(&mut events), ["timer"]);
}

#[test]
fn timer_of_nothing_fires_in_the_next_turn() {
    let mut events = new_loop();
    events
        .timer(Duration::ZERO)
        .add(|cx| {
            cx.state.push("first".to_owned());
            let second = cx.events.timer(Duration::ZERO);
            second.add(timer("second")).unwrap();
        })
        .unwrap();
    assert_eq!(look(&mut events), ["first"]);
    assert_eq!(look(&mut events), ["second"]);
}

#[test]
fn persistent_timer_of_nothing_fires_once_a_turn_and_starves_nobody() {
    use crate::support::files::with_input;
    use crate::support::trace::io;

    let (near, _far) = with_input();
    let mut events = new_loop();
    let ticker = events.timer(Duration::ZERO).persist();
    ticker.add(timer("tick")).unwrap();
    let reader = events.io(near, evloop::Interest::READ).persist();
    reader.add(io("reader")).unwrap();
    for _ in 0..3 {
        assert_eq!(look(&mut events), ["reader READ", "tick"]);
    }
}

#[test]
fn longest_timeout_never_fires() {
    let mut events = new_loop();
    let never = events.timer(Duration::MAX);
    never.add(timer("never")).unwrap();
    let tomorrow = events.timer(DAY).persist();
    tomorrow.add(timer("tomorrow")).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    let next = events.next_timeout().unwrap();
    assert!(next <= DAY && next > DAY / 2);
    events.timer(ms(1)).add(|cx| cx.events.exit()).unwrap();
    let (outcome, ran) = crate::support::trace::run(&mut events, Mode::UntilEmpty);
    assert_eq!((outcome, ran.len()), (Outcome::Exit, 0));
}

#[test]
fn time_counts_from_when_a_timer_was_added_in_a_long_callback() {
    let mut events = make::<Option<Duration>>();
    events
        .timer(Duration::ZERO)
        .add(|cx| {
            busy(ms(15));
            let added = now();
            let late = cx.events.timer(ms(10));
            late.add(move |cx| *cx.state = Some(now() - added)).unwrap();
        })
        .unwrap();
    let mut after = None;
    let _empty = events.run(&mut after).unwrap();
    assert!(after.unwrap() >= ms(10));
}

/// By how much a timer was late that a callback of `BUSY` ran into.
fn lateness_after_a_long_callback() -> Duration {
    let mut events = make::<Option<Duration>>();
    let id = events
        .timer(BUSY + ms(2))
        .add(|cx| *cx.state = Some(loop_now(cx.events)))
        .unwrap();
    let deadline = deadline(&events, id);
    let long = events.timer(Duration::ZERO);
    long.add(|_| busy(BUSY)).unwrap();
    let mut fired = None;
    let _empty = events.run(&mut fired).unwrap();
    fired.unwrap() - deadline
}

const BUSY: Duration = ms(10);

/// A loop that took the time of the turn for the time of the wait would be late by the callback
/// each time; one that does not is in time when the machine is.
#[test]
fn long_callback_makes_no_timer_wait_longer() {
    let in_time = (0..100).any(|_| lateness_after_a_long_callback() < BUSY / 2);
    assert!(in_time);
}

#[test]
fn timer_may_be_moved_to_later_and_to_sooner() {
    let mut events = new_loop();
    let moved = events.timer(DAY).keep();
    let moved = moved.add(timer("moved")).unwrap();
    events.set_timeout(moved, Some(ms(1))).unwrap();
    assert_eq!(wait(&mut events), ["moved"]);
    events.set_timeout(moved, Some(Duration::ZERO)).unwrap();
    assert_eq!(look(&mut events), NOBODY, "it is not pending");
    events.add(moved).unwrap();
    events.set_timeout(moved, Some(DAY)).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    assert_eq!(events.timers(), 1);
    events.set_timeout(moved, Some(Duration::ZERO)).unwrap();
    assert_eq!(look(&mut events), ["moved"]);
}

#[test]
fn adding_again_begins_the_timeout_anew() {
    let mut events = new_loop();
    let id = events.timer(ms(20)).add(timer("timer")).unwrap();
    let first = deadline(&events, id);
    busy(ms(1));
    let before = loop_now(&mut events);
    events.add(id).unwrap();
    let second = deadline(&events, id);
    assert!(second > first && second >= before + ms(20));
    assert_eq!(run_out(&mut events), ["timer"]);
    assert!(loop_now(&mut events) >= second);
}

/// A timer that is due but was moved, deleted or stripped of its timeout by another callback of the
/// same turn does not fire.
#[test]
fn timer_that_is_due_and_put_off_in_the_same_turn_does_not_fire() {
    let put_off: [fn(&mut Loop, EventId); 5] = [
        |events, id| {
            events.set_timeout(id, Some(DAY)).unwrap();
        },
        |events, id| {
            events.set_timeout(id, Some(DAY)).unwrap();
            events.add(id).unwrap();
        },
        |events, id| events.set_timeout(id, None).unwrap(),
        |events, id| events.delete(id).unwrap(),
        |events, id| events.remove(id).unwrap(),
    ];
    for (case, put_off) in put_off.into_iter().enumerate() {
        for is_persistent in [false, true] {
            let mut events = new_loop();
            // They are due in the order of adding; the first has the handle of the second.
            let ids = std::rc::Rc::new(std::cell::Cell::new(None));
            let second = std::rc::Rc::clone(&ids);
            events
                .timer(ms(0))
                .add(move |cx| {
                    put_off(cx.events, second.get().unwrap());
                    cx.state.push("first".to_owned());
                })
                .unwrap();
            let second = events.timer(ms(0));
            let second = if is_persistent {
                second.persist()
            } else {
                second
            };
            let second = second.add(timer("second")).unwrap();
            ids.set(Some(second));
            until_due(&events, second);
            assert_eq!(look(&mut events), ["first"], "case {case}");
            assert_eq!(look(&mut events), NOBODY, "case {case}");
        }
    }
}

/// Ever more timers added and taken away by callbacks, until there were many.
#[test]
fn timers_that_add_and_delete_each_other_come_to_an_end() {
    const TIMERS: usize = 500;
    const CALLS: u32 = 5_000;

    struct State {
        ids: Vec<EventId>,
        calls: u32,
        random: u64,
    }

    impl State {
        fn random(&mut self) -> u64 {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            self.random
        }
    }

    let mut events = make::<State>();
    let mut ids = Vec::new();
    for n in 0..TIMERS {
        let timer = events.timer(Duration::from_micros(n as u64 % 50)).keep();
        let id = timer.add(|cx| {
            cx.state.calls += 1;
            if cx.state.calls >= CALLS {
                return;
            }
            for _ in 0..10 {
                let at = usize::try_from(cx.state.random() % TIMERS as u64).unwrap();
                let id = cx.state.ids[at];
                if cx.state.random() & 1 == 0 {
                    cx.events.delete(id).unwrap();
                } else {
                    let timeout = Duration::from_micros(cx.state.random() % 50);
                    cx.events.set_timeout(id, Some(timeout)).unwrap();
                    cx.events.add(id).unwrap();
                }
            }
        });
        ids.push(id.unwrap());
    }
    let mut state = State {
        ids,
        calls: 0,
        random: 0x9e37_79b9_7f4a_7c15,
    };
    // When by chance nothing is pending any more, one begins again.
    loop {
        assert_eq!(events.run(&mut state).unwrap(), Outcome::Empty);
        events.check_invariants();
        if state.calls >= CALLS {
            break;
        }
        events.add(state.ids[0]).unwrap();
    }
    assert_eq!((events.len(), events.timers()), (TIMERS, 0));
}
