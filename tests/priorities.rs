//! Priorities: the most urgent of what is active runs first, always.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use evloop::{EventId, Interest, Mode, Outcome, Priority, Ready};

use crate::support::files::{put, sockets, with_input};
use crate::support::trace::{Loop, io, look, new_loop, run, run_out, user};

const HIGH: Priority = Priority(10);
const LOW: Priority = Priority(200);

/// A persistent event that is active.
fn active(events: &mut Loop, name: &'static str, priority: Priority) -> EventId {
    let id = events.user().persist().priority(priority);
    let id = id.add(user(name)).unwrap();
    events.activate(id, Ready::READ).unwrap();
    id
}

#[test]
fn more_urgent_events_run_first() {
    let mut events = new_loop();
    let least = active(&mut events, "least", Priority::LEAST_URGENT);
    active(&mut events, "low", LOW);
    active(&mut events, "normal", Priority::default());
    active(&mut events, "high", HIGH);
    active(&mut events, "most", Priority::MOST_URGENT);
    let in_order = [
        "most READ",
        "high READ",
        "normal READ",
        "low READ",
        "least READ",
    ];
    assert_eq!(look(&mut events), in_order);
    events.activate(least, Ready::WRITE).unwrap();
    assert_eq!(look(&mut events), ["least WRITE"]);
}

#[test]
fn events_of_one_priority_run_first_come_first_served() {
    let mut events = new_loop();
    let ids = ["a", "b", "c"].map(|name| active(&mut events, name, LOW));
    assert_eq!(look(&mut events), ["a READ", "b READ", "c READ"]);
    for at in [2, 0, 1] {
        events.activate(ids[at], Ready::READ).unwrap();
    }
    // Active already: it keeps its place.
    events.activate(ids[2], Ready::WRITE).unwrap();
    assert_eq!(look(&mut events), ["c READ|WRITE", "a READ", "b READ"]);
}

/// Each round activates one event of each priority of those given, until the first of them has
/// been run three times; how often each ran.
fn rounds(priorities: [Priority; 2]) -> [usize; 2] {
    let mut events = new_loop();
    for (name, priority) in ["first", "second"].into_iter().zip(priorities) {
        events
            .user()
            .persist()
            .priority(priority)
            .timeout(Duration::ZERO)
            .add(move |cx, _| {
                cx.state.push(name.to_owned());
                let is_third = cx.state.iter().filter(|ran| **ran == "first").count() == 3;
                if is_third {
                    cx.events.exit();
                }
            })
            .unwrap();
    }
    let (outcome, ran) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(outcome, Outcome::Exit);
    ["first", "second"].map(|name| ran.iter().filter(|other| **other == name).count())
}

#[test]
fn equal_priorities_share_and_a_more_urgent_one_does_not() {
    assert_eq!(rounds([LOW, LOW]), [3, 3]);
    assert_eq!(rounds([HIGH, LOW]), [3, 0]);
}

/// A callback activates another event of its own priority, then an urgent one.
#[test]
fn urgent_event_overtakes_within_one_callback() {
    let mut events = new_loop();
    let idle = |events: &mut Loop, name, priority| {
        let event = events.user().persist().priority(priority);
        event.add(user(name)).unwrap()
    };
    let urgent = idle(&mut events, "urgent", HIGH);
    let same = idle(&mut events, "same", LOW);
    let first = events.user().priority(LOW);
    let first = first
        .add(move |cx, _| {
            cx.state.push("first".to_owned());
            cx.events.activate(same, Ready::READ).unwrap();
            cx.events.activate(urgent, Ready::READ).unwrap();
        })
        .unwrap();
    events.activate(first, Ready::READ).unwrap();
    active(&mut events, "second", LOW);
    events
        .timer(crate::support::clock::ms(5))
        .add(|cx| cx.events.exit())
        .unwrap();
    let (_, ran) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(ran, ["first", "urgent READ", "second READ", "same READ"]);
}

/// Between two priorities the kernel is asked again.
#[test]
fn urgent_input_that_comes_meanwhile_goes_first() {
    let (near, far) = sockets();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).priority(HIGH);
    reader.add(io("urgent")).unwrap();
    let writer = events.user();
    let writer = writer
        .add(move |cx, _| {
            put(&far, b"x");
            cx.state.push("writer".to_owned());
            // Open until the end.
            let far = far.try_clone().unwrap();
            let low = cx.events.io(far, Interest::empty()).priority(LOW);
            low.add(io("keeps it open")).unwrap();
        })
        .unwrap();
    events.activate(writer, Ready::READ).unwrap();
    let low = events.user().priority(LOW);
    let low = low
        .add(|cx, _| {
            cx.state.push("low".to_owned());
            cx.events.break_loop();
        })
        .unwrap();
    events.activate(low, Ready::READ).unwrap();
    let (outcome, ran) = run(&mut events, Mode::UntilEmpty);
    assert_eq!(outcome, Outcome::Break);
    assert_eq!(ran, ["writer", "urgent READ", "low"]);
}

#[test]
fn priority_of_an_active_event_can_be_changed() {
    let mut events = new_loop();
    let first = active(&mut events, "first", HIGH);
    let second = active(&mut events, "second", HIGH);
    active(&mut events, "third", LOW);
    events.set_priority(first, LOW).unwrap();
    events.set_priority(second, Priority::LEAST_URGENT).unwrap();
    assert_eq!(
        look(&mut events),
        ["third READ", "first READ", "second READ"]
    );
    assert_eq!(events.info(first).unwrap().priority, LOW);
    events.activate(second, Ready::READ).unwrap();
    events.activate(first, Ready::READ).unwrap();
    assert_eq!(look(&mut events), ["first READ", "second READ"]);
}

#[test]
fn callback_can_make_its_sibling_wait_and_itself() {
    let mut events = new_loop();
    let sibling = Rc::new(Cell::new(None));
    let other = Rc::clone(&sibling);
    let first = events.user().persist();
    let first = first
        .add(move |cx, _| {
            cx.state.push("first".to_owned());
            cx.events.set_priority(other.get().unwrap(), LOW).unwrap();
            cx.events.set_priority(cx.id(), HIGH).unwrap();
        })
        .unwrap();
    events.activate(first, Ready::READ).unwrap();
    sibling.set(Some(active(&mut events, "sibling", Priority::NORMAL)));
    active(&mut events, "other", Priority::NORMAL);
    assert_eq!(look(&mut events), ["first", "other READ", "sibling READ"]);
    assert_eq!(events.info(first).unwrap().priority, HIGH);
}

#[test]
fn io_runs_in_the_order_of_its_priorities() {
    let mut events = new_loop();
    let mut others = Vec::new();
    for (name, priority) in [("low", LOW), ("high", HIGH), ("normal", Priority::NORMAL)] {
        let (near, far) = with_input();
        let reader = events.io(near, Interest::READ).priority(priority);
        reader.add(io(name)).unwrap();
        others.push(far);
    }
    assert_eq!(
        run_out(&mut events),
        ["high READ", "normal READ", "low READ"]
    );
}

#[test]
fn less_urgent_event_waits_for_as_long_as_another_is_active_in_each_turn() {
    let mut events = new_loop();
    let low = events.user().priority(LOW);
    let low = low.add(user("low")).unwrap();
    events.activate(low, Ready::READ).unwrap();
    events
        .timer(Duration::ZERO)
        .persist()
        .add(|cx| {
            cx.state.push("busy".to_owned());
            if cx.state.len() == 50 {
                cx.events.remove(cx.id()).unwrap();
            }
        })
        .unwrap();
    let ran = run_out(&mut events);
    assert_eq!(ran[..50], ["busy"; 50]);
    assert_eq!(ran[50..], ["low READ"]);
}
