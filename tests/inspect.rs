//! What a loop says of itself: its events, their states, counters and the table.

use std::rc::Rc;
use std::time::Duration;

use evloop::{Capabilities, Interest, Kind, Mode, Peak, Priority, Ready, Trigger};

use crate::support::clock::{DAY, ms};
use crate::support::files::{number, sockets, with_input};
use crate::support::setting::{Setting, has_edges, setting};
use crate::support::trace::{Trace, io, look, new_loop, run_out, timer, user};

#[test]
fn event_can_be_asked_what_it_is() {
    let (near, _far) = sockets();
    let fd = number(&near);
    let mut events = new_loop();
    let mut event = events.io(near, Interest::READ | Interest::CLOSED);
    let mut expected = Trigger::Level;
    if has_edges() {
        event = event.edge();
        expected = Trigger::Edge;
    }
    let event = event.persist().timeout(DAY).priority(Priority(7));
    let id = event.add(io("event")).unwrap();
    let info = events.info(id).unwrap();
    assert_eq!(info.id, id);
    let Kind::Io {
        fd: its_fd,
        interest,
        trigger,
        ..
    } = info.kind
    else {
        panic!("{info:?}");
    };
    assert_eq!(its_fd, fd);
    assert_eq!(interest, Interest::READ | Interest::CLOSED);
    assert_eq!(trigger, expected);
    assert_eq!(info.priority, Priority(7));
    assert_eq!(info.timeout, Some(DAY));
    assert!(info.persistent && info.pending && !info.internal);
    assert_eq!(info.active, None);
}

#[test]
fn event_is_pending_and_active_independently() {
    let mut events = new_loop();
    let id = events
        .user()
        .timeout(DAY)
        .keep()
        .add(user("event"))
        .unwrap();
    let state = |events: &crate::support::trace::Loop| {
        let info = events.info(id).unwrap();
        (info.pending, info.active, info.deadline_ns.is_some())
    };
    assert_eq!(state(&events), (true, None, true));
    events.activate(id, Ready::READ).unwrap();
    assert_eq!(state(&events), (true, Some(Ready::READ), true));
    look(&mut events);
    assert_eq!(state(&events), (false, None, false));
    events.activate(id, Ready::WRITE).unwrap();
    assert_eq!(state(&events), (false, Some(Ready::WRITE), false));
    events.delete(id).unwrap();
    assert_eq!(state(&events), (false, None, false));
}

#[test]
fn time_that_is_left_is_not_more_than_was_asked_for() {
    let mut events = new_loop();
    let id = events.timer(ms(500)).add(timer("timer")).unwrap();
    let described = events.iter().find(|found| found.event.id == id).unwrap();
    assert!(described.left.unwrap() <= ms(500));
    assert!(events.next_timeout().unwrap() <= described.left.unwrap());
}

#[test]
fn every_event_is_listed_once() {
    let (near, _far) = with_input();
    let near = Rc::new(near);
    let mut events = new_loop();
    let pending = events.io(Rc::clone(&near), Interest::READ).timeout(DAY);
    let pending = pending.add(io("pending")).unwrap();
    let idle = events.io(near, Interest::READ).add(io("idle")).unwrap();
    events.delete(idle).unwrap();
    let active = events.user().add(user("active")).unwrap();
    events.activate(active, Ready::READ).unwrap();
    let both = events.timer(DAY).add(timer("both")).unwrap();
    events.activate(both, Ready::READ).unwrap();

    let mut listed: Vec<_> = events.iter().map(|found| found.event.id).collect();
    let mut all = vec![pending, idle, active, both];
    for ids in [&mut listed, &mut all] {
        ids.sort_by_key(|id| format!("{id:?}"));
    }
    assert_eq!(listed, all);
    assert_eq!((events.len(), events.timers()), (4, 2));
    let is_found = events.iter().any(|found| found.event.id == idle);
    assert!(is_found, "also one that is neither pending nor active");
}

#[test]
fn event_that_is_active_for_the_next_turn_is_listed() {
    let mut events = new_loop();
    let id = events.user().add(user("later")).unwrap();
    events.activate_later(id, Ready::READ).unwrap();
    let listed: Vec<_> = events.iter().map(|found| found.event).collect();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].id, listed[0].active), (id, Some(Ready::READ)));
    assert_eq!(run_out(&mut events), ["later READ"]);
}

#[test]
fn counters_count() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    events.io(near, Interest::READ).add(io("reader")).unwrap();
    events.timer(Duration::ZERO).add(timer("timer")).unwrap();
    let id = events.user().add(user("user")).unwrap();
    events.activate(id, Ready::empty()).unwrap();
    assert_eq!(look(&mut events).len(), 3);
    let stats = events.stats();
    assert_eq!((stats.turns, stats.waits), (1, 1));
    assert_eq!((stats.io_callbacks, stats.timer_callbacks), (1, 1));
    assert_eq!((stats.callbacks, stats.signal_callbacks), (3, 0));
}

#[test]
fn high_water_marks_are_kept_until_they_are_reset() {
    let mut events = new_loop();
    for _ in 0..3 {
        let id = events.timer(Duration::ZERO).add(timer("timer")).unwrap();
        events.activate(id, Ready::READ).unwrap();
    }
    look(&mut events);
    let peaks = events.peaks();
    assert_eq!((peaks.timers, peaks.active), (3, 3));
    events.reset_peaks(Peak::TIMERS);
    events.timer(DAY).add(timer("timer")).unwrap();
    let peaks = events.peaks();
    assert_eq!((peaks.timers, peaks.active), (1, 3));
}

#[test]
fn table_has_a_line_for_each_event() {
    let (near, _far) = sockets();
    let fd = number(&near);
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).label("client");
    event.add(io("event")).unwrap();
    events
        .timer(DAY)
        .label("nightly")
        .add(timer("timer"))
        .unwrap();
    let id = events.user().add(user("user")).unwrap();
    events.activate(id, Ready::READ).unwrap();

    let table = events.table().to_string();
    assert_eq!(table.lines().count(), 4, "{table}");
    let line = |word: &str| {
        let line = table.lines().find(|line| line.contains(word));
        line.unwrap_or_else(|| panic!("{word} is missing:\n{table}"))
    };
    assert!(line("client").contains(&format!("fd {fd}")));
    assert!(line("client").contains(file!()));
    assert!(line("nightly").contains("pending"));
    assert!(line("user").contains("active"));
}

#[test]
fn event_whose_callback_runs_is_in_the_table() {
    let mut events = new_loop();
    let id = events
        .user()
        .add(|cx, _| {
            let table = cx.events.table().to_string();
            cx.state.push(table.lines().count().to_string());
        })
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
    assert_eq!(look(&mut events), ["2"]);
}

#[test]
fn backend_says_what_it_is_and_can() {
    let events = new_loop();
    let (name, edge) = match setting() {
        Setting::Epoll | Setting::AtOnce => ("epoll", Capabilities::EDGE),
        Setting::Poll => ("poll", Capabilities::empty()),
    };
    assert_eq!(events.backend_name(), name);
    assert_eq!(events.capabilities(), edge | Capabilities::EARLY_CLOSE);
}

#[test]
fn loop_counts_what_is_left_after_a_run() {
    let mut events = new_loop();
    assert!(events.is_empty());
    events.timer(DAY).add(timer("timer")).unwrap();
    assert!(!events.is_empty());
    let mut trace = Trace::new();
    let _done = events.run_mode(Mode::NonBlocking, &mut trace).unwrap();
    assert_eq!((events.len(), events.timers()), (1, 1));
    assert!(format!("{events:?}").contains("EventLoop"));
}
