//! Timeouts of events that wait for something else: what came first, and what begins anew.

use std::rc::Rc;
use std::time::Duration;

use evloop::{EventId, Interest, Priority, Ready};

use crate::support::clock::{DAY, busy, deadline, loop_now, ms, now};
use crate::support::files::{for_several, put, sockets, take, with_input};
use crate::support::setting::make;
use crate::support::trace::{NOBODY, io, line, look, new_loop, run_out, timer, user, wait};

#[test]
fn reader_without_input_hears_of_its_timeout() {
    let (near, _far) = sockets();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).timeout(ms(2));
    let id = reader.add(io("reader")).unwrap();
    let deadline = deadline(&events, id);
    assert_eq!(run_out(&mut events), ["reader TIMEOUT"]);
    assert!(loop_now(&mut events) >= deadline);
}

#[test]
fn input_is_no_timeout() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).timeout(DAY);
    reader.add(io("reader")).unwrap();
    assert_eq!(run_out(&mut events), ["reader READ"]);
    assert_eq!(events.timers(), 0);
}

#[test]
fn persistent_timeout_begins_anew_at_each_input() {
    let (near, far) = sockets();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).persist().timeout(DAY);
    let id = reader
        .add(|cx, near, ready| {
            take(near);
            cx.state.push(line("reader", ready));
        })
        .unwrap();
    for _ in 0..3 {
        busy(ms(1));
        let (before, first) = (loop_now(&mut events), deadline(&events, id));
        put(&far, b"x");
        assert_eq!(wait(&mut events), ["reader READ"]);
        let second = deadline(&events, id);
        assert!(second > first && second >= before + DAY);
    }
    events.set_timeout(id, Some(ms(1))).unwrap();
    assert_eq!(wait(&mut events), ["reader TIMEOUT"]);
    assert!(events.info(id).unwrap().pending);
    events.set_timeout(id, Some(DAY)).unwrap();
    put(&far, b"x");
    assert_eq!(wait(&mut events), ["reader READ"]);
}

#[test]
fn persistent_event_is_still_told_of_input_after_its_timeout() {
    let (near, far) = sockets();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).persist().timeout(ms(1));
    reader.add(io("reader")).unwrap();
    assert_eq!(wait(&mut events), ["reader TIMEOUT"]);
    put(&far, b"x");
    let ran = wait(&mut events);
    assert!(ran[0].starts_with("reader READ"), "{ran:?}");
}

/// What happens to an event before its callback runs is told at once.
#[test]
fn input_and_timeout_of_one_turn_are_one_callback() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).timeout(Duration::ZERO);
    reader.add(io("reader")).unwrap();
    assert_eq!(run_out(&mut events), ["reader READ|TIMEOUT"]);
}

#[test]
fn timeout_of_an_active_event_is_not_lost() {
    let mut events = new_loop();
    let id = events.user().timeout(Duration::ZERO);
    let id = id.add(user("event")).unwrap();
    events.activate(id, Ready::READ).unwrap();
    assert_eq!(run_out(&mut events), ["event READ|TIMEOUT"]);
}

#[test]
fn timeout_that_is_taken_away_leaves_the_rest_of_the_event() {
    let (near, far) = for_several();
    let mut events = new_loop();
    let mut ids = Vec::new();
    for name in ["first", "second"] {
        let reader = events.io(Rc::clone(&near), Interest::READ).persist();
        ids.push(reader.timeout(ms(10)).add(io(name)).unwrap());
    }
    let urgent = events.timer(ms(0)).priority(Priority::MOST_URGENT);
    urgent
        .add(move |cx| {
            for id in &ids {
                cx.events.set_timeout(*id, None).unwrap();
            }
            cx.state.push("taken away".to_owned());
        })
        .unwrap();
    assert_eq!(wait(&mut events), ["taken away"]);
    assert_eq!(events.timers(), 0);
    events.timer(ms(15)).add(timer("later")).unwrap();
    assert_eq!(wait(&mut events), ["later"]);
    put(&far, b"x");
    assert_eq!(look(&mut events), ["first READ", "second READ"]);
}

/// The expiry has made the event active already; so has the input.
#[test]
fn expiry_that_is_called_off_leaves_the_input() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let (first_near, _first_far) = with_input();
    let ids = Rc::new(std::cell::Cell::new(None));
    let second = Rc::clone(&ids);
    // The first to be active, for it is more urgent: it runs when all is known.
    events
        .io(first_near, Interest::READ)
        .priority(Priority::MOST_URGENT)
        .add(move |cx, _, _| {
            let id: EventId = second.get().unwrap();
            let active = cx.events.info(id).unwrap().active.unwrap();
            assert_eq!(active, Ready::READ | Ready::TIMEOUT);
            cx.events.set_timeout(id, Some(DAY)).unwrap();
        })
        .unwrap();
    let reader = events.io(near, Interest::READ).persist().timeout(ms(0));
    let reader = reader.add(io("reader")).unwrap();
    ids.set(Some(reader));
    assert_eq!(look(&mut events), ["reader READ"]);
}

#[test]
fn timeout_goes_on_while_an_event_is_paused() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).timeout(ms(1));
    let id = reader.add(io("reader")).unwrap();
    events.set_interest(id, Interest::empty()).unwrap();
    assert_eq!(run_out(&mut events), ["reader TIMEOUT"]);
}

/// No other timeout runs, so nobody has asked for the time of the turn.
#[test]
fn event_that_is_added_and_activated_in_a_callback_has_all_of_its_timeout() {
    let mut events = new_loop();
    events.defer(|cx| {
        let event = cx.events.user().persist().timeout(DAY);
        let id = event.add(user("event")).unwrap();
        cx.events.activate(id, Ready::READ).unwrap();
    });
    let before = loop_now(&mut events);
    assert_eq!(look(&mut events), ["event READ"]);
    let id = events.iter().next().unwrap().event.id;
    assert!(deadline(&events, id) >= before + DAY);
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn deleted_event_has_no_timeout() {
    let (near, _far) = sockets();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).timeout(ms(0));
    let id = reader.add(io("reader")).unwrap();
    events.delete(id).unwrap();
    assert_eq!(events.timers(), 0);
    assert_eq!(look(&mut events), NOBODY);
    events.add(id).unwrap();
    assert_eq!(run_out(&mut events), ["reader TIMEOUT"]);
}

/// Many events with two common timeouts; some are moved between them, and from and to others.
#[test]
fn common_timeouts_are_timeouts() {
    const SHORT: Duration = ms(3);
    const LONG: Duration = ms(6);
    const TICKS: usize = 4;

    let mut events = make::<Vec<Vec<Duration>>>();
    events.common_timeout(SHORT);
    let mut fired = Vec::new();
    for n in 0..100 {
        let mine = if n % 2 == 0 { SHORT } else { LONG };
        let other = if n % 3 == 0 { DAY } else { mine };
        let id = events
            .timer(other)
            .persist()
            .add(move |cx| {
                cx.state[n].push(now());
                if cx.state[n].len() == TICKS {
                    cx.events.remove(cx.id()).unwrap();
                }
            })
            .unwrap();
        fired.push(vec![now()]);
        events.set_timeout(id, Some(mine)).unwrap();
        if n == 50 {
            events.common_timeout(LONG);
            events.common_timeout(SHORT);
        }
    }
    let began = std::mem::replace(&mut fired, vec![Vec::new(); 100]);
    let _empty = events.run(&mut fired).unwrap();
    for (n, (fired, began)) in fired.into_iter().zip(began).enumerate() {
        let interval = if n % 2 == 0 { SHORT } else { LONG };
        assert_eq!(fired.len(), TICKS);
        for (tick, at) in (1..).zip(fired) {
            assert!(at - began[0] >= interval * tick, "timer {n}, tick {tick}");
        }
    }
    events.check_invariants();
    assert_eq!((events.len(), events.timers()), (0, 0));
}
