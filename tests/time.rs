//! The time of the turn: one for all callbacks, until it is read anew.

use std::time::Duration;

use evloop::Mode;

use crate::support::clock::{busy, ms};
use crate::support::setting::make;

#[test]
fn time_stands_still_within_a_turn() {
    let mut events = make::<Vec<Duration>>();
    for _ in 0..2 {
        events
            .timer(Duration::ZERO)
            .add(|cx| {
                cx.state.push(cx.events.now());
                busy(ms(2));
                cx.state.push(cx.events.now());
            })
            .unwrap();
    }
    let mut seen = Vec::new();
    let _empty = events.run_mode(Mode::NonBlocking, &mut seen).unwrap();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|time| *time == seen[0]), "{seen:?}");
}

#[test]
fn time_can_be_read_anew() {
    let mut events = make::<Vec<Duration>>();
    events
        .timer(Duration::ZERO)
        .add(|cx| {
            cx.state.push(cx.events.now());
            busy(ms(2));
            cx.state.push(cx.events.update_now());
            cx.state.push(cx.events.now());
        })
        .unwrap();
    let mut seen = Vec::new();
    let _empty = events.run(&mut seen).unwrap();
    assert!(seen[1] - seen[0] >= ms(2), "{seen:?}");
    assert_eq!(seen[1], seen[2]);
}

#[test]
fn time_goes_on_between_turns() {
    let mut events = make::<Vec<Duration>>();
    events
        .timer(Duration::ZERO)
        .persist()
        .add(|cx| {
            cx.state.push(cx.events.now());
            busy(ms(1));
        })
        .unwrap();
    let mut seen = Vec::new();
    for _ in 0..5 {
        let _done = events.run_mode(Mode::NonBlocking, &mut seen).unwrap();
    }
    assert_eq!(seen.len(), 5);
    for (before, after) in seen.iter().zip(&seen[1..]) {
        assert!(*after - *before >= ms(1), "{seen:?}");
    }
}

/// A timeout runs from when it was asked for, not from the time of the turn.
#[test]
fn timeout_does_not_run_from_the_time_of_the_turn() {
    let mut events = make::<Option<Duration>>();
    events
        .timer(Duration::ZERO)
        .add(|cx| {
            let turn = cx.events.now();
            busy(ms(3));
            let id = cx.events.timer(ms(1)).add(|_| {}).unwrap();
            let deadline = cx.events.info(id).unwrap().deadline_ns.unwrap();
            *cx.state = Some(Duration::from_nanos(deadline) - turn);
        })
        .unwrap();
    let mut left = None;
    let _empty = events.run(&mut left).unwrap();
    assert!(left.unwrap() >= ms(4), "{left:?}");
}
