//! Timeouts.

use std::os::fd::AsRawFd;
use std::time::Instant;

use evloop_libevent::{
    event_add, event_base_init_common_timeout, event_pending, event_remove_timer,
};
use libc::timeval;

use crate::support::{Ev, Loop, NONBLOCK, Notes, ONCE, PERSIST, READ, TIMEOUT, ms, time};

fn remove_timer(event: &Ev) {
    // SAFETY: the event is one.
    assert_eq!(unsafe { event_remove_timer(event.event()) }, 0);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test measures real time")]
fn timer_is_not_early() {
    for events in Loop::each() {
        let (event, notes) = Ev::noting(&events, -1, 0);
        let began = Instant::now();
        event.add_for(ms(20));
        assert_eq!(events.run(0), 1);
        assert!(began.elapsed() >= ms(20));
        assert_eq!(notes.take(), [TIMEOUT]);
    }
}

/// As a program has them that subtracts one time from another.
#[test]
fn overdue_time_is_due_at_once_and_one_with_a_negative_part_is_what_both_parts_make() {
    let events = Loop::new();
    for (tv_sec, tv_usec, other) in [(-1, 700_000, ms(1)), (1, -999_000, ms(500))] {
        let (first, told) = Ev::noting(&events, -1, 0);
        let (second, other_told) = Ev::noting(&events, -1, 0);
        let time = timeval { tv_sec, tv_usec };
        // SAFETY: the event is one.
        assert_eq!(unsafe { event_add(first.event(), Some(&time)) }, 0);
        second.add_for(other);
        assert_eq!(events.run(ONCE), 0);
        assert_eq!(told.take(), [TIMEOUT], "{tv_sec} s {tv_usec} us");
        // Both were due, where the machine was busy.
        assert!(other_told.len() <= 1);
        second.del();
    }
}

#[test]
fn timeout_is_taken_away_and_the_rest_stays() {
    let events = Loop::new();
    let (event, notes) = Ev::noting(&events, -1, READ | PERSIST);
    event.add_for(ms(0));
    remove_timer(&event);
    assert_eq!(event.pending(), READ);
    assert_eq!(events.run(NONBLOCK), 0);
    assert_eq!(notes.take(), []);
    event.del();
    // A timer has nothing but its time.
    let (timer, notes) = Ev::noting(&events, -1, 0);
    timer.add_for(ms(0));
    remove_timer(&timer);
    assert_eq!(timer.pending(), 0);
    assert_eq!(events.run(0), 1);
    assert_eq!(notes.take(), []);
}

#[test]
fn timeout_stays_as_it_is_when_an_event_is_added_again_without_one() {
    let events = Loop::new();
    let (event, notes) = Ev::noting(&events, -1, READ | PERSIST);
    event.add_for(ms(1));
    event.add();
    assert_eq!(event.pending(), READ | TIMEOUT);
    assert_eq!(events.run(ONCE), 0);
    assert_eq!(notes.take(), [TIMEOUT]);
    event.del();
}

#[test]
fn persistent_event_with_a_timeout_of_nothing_fires_once() {
    let events = Loop::new();
    let (event, notes) = Ev::noting(&events, -1, PERSIST);
    event.add_for(ms(0));
    assert_eq!(events.run(0), 1);
    assert_eq!(notes.take(), [TIMEOUT]);
    assert_eq!(event.pending(), 0);
}

#[test]
fn persistent_timer_goes_on() {
    let events = Loop::new();
    let (event, notes) = Ev::noting(&events, -1, PERSIST);
    event.add_for(ms(1));
    while notes.len() < 3 {
        assert_eq!(events.run(ONCE), 0);
    }
    assert_eq!(event.pending(), TIMEOUT);
    event.del();
}

#[test]
fn timers_with_one_deadline_and_events_of_one_file_run_in_the_order_of_adding() {
    let events = Loop::new();
    let order = Notes::default();
    let fd = rustix::event::eventfd(1, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    // SAFETY: the base is one, and the time lives for the call.
    let common = unsafe { event_base_init_common_timeout(events.base(), Some(&time(ms(0)))) };
    // SAFETY: it lives as long as the base.
    let common = unsafe { *common };
    let all: Vec<Ev> = (0..8)
        .map(|number| {
            let noted = order.clone();
            let is_timer = number < 4;
            let fd = if is_timer { -1 } else { fd.as_raw_fd() };
            let what = if is_timer { 0 } else { READ };
            let event = Ev::new(&events, fd, what, move |_, _| noted.note(number));
            let timeout = is_timer.then_some(&common);
            // SAFETY: event and time are there.
            let added = unsafe { event_add(event.event(), timeout) };
            assert_eq!(added, 0);
            event
        })
        .collect();
    assert_eq!(events.run(0), 1);
    assert_eq!(order.take(), [4, 5, 6, 7, 0, 1, 2, 3]);
    drop(all);
}

#[test]
fn expiry_is_told_by_the_wall_clock() {
    let events = Loop::new();
    let (event, _) = Ev::noting(&events, -1, 0);
    event.add_for(ms(10_000));
    let mut expiry = timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    // SAFETY: the event is one.
    let pending = unsafe { event_pending(event.event(), TIMEOUT, Some(&mut expiry)) };
    assert_eq!(pending, i32::from(TIMEOUT));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let left = i128::from(expiry.tv_sec) - i128::from(now.as_secs());
    assert!((8..=11).contains(&left), "{left}");
    event.del();
}

#[test]
fn common_timeout_is_one_for_all_who_ask_for_its_time() {
    let events = Loop::new();
    let common = |after| {
        // SAFETY: the base is one, and the time lives for the call.
        unsafe { event_base_init_common_timeout(events.base(), Some(&time(ms(after)))) }
    };
    let first = common(1);
    assert!(!first.is_null());
    assert_eq!(common(1), first);
    assert_ne!(common(2), first);
    // SAFETY: it lives as long as the base.
    let marked = unsafe { *first };
    // SAFETY: the base is one.
    let again = unsafe { event_base_init_common_timeout(events.base(), Some(&marked)) };
    assert_eq!(again, first);

    let (event, notes) = Ev::noting(&events, -1, 0);
    // SAFETY: event and time are there.
    let added = unsafe { event_add(event.event(), Some(&marked)) };
    assert_eq!(added, 0);
    assert_eq!(events.run(0), 1);
    assert_eq!(notes.take(), [TIMEOUT]);
    for after in 3..=256 {
        assert!(!common(after).is_null());
    }
    assert!(common(300).is_null());
}
