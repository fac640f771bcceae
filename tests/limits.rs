//! Limits: how much a turn may run before the kernel is asked again.

use std::time::Duration;

use evloop::{DEFERRED, EventId, Interest, Limits, Mode, Outcome, Priority, Ready};

use crate::support::clock::{busy, ms};
use crate::support::files::with_input;
use crate::support::trace::{
    Loop, NOBODY, Trace, io, look, new_loop, run_out, timer as timer_of, user,
};

/// Persistent events that are active, in this order.
fn active<const N: usize>(
    events: &mut Loop,
    priority: Priority,
    names: [&'static str; N],
) -> [EventId; N] {
    names.map(|name| {
        let event = events.user().persist().priority(priority);
        let id = event.add(user(name)).unwrap();
        events.activate(id, Ready::READ).unwrap();
        id
    })
}

fn callbacks(callbacks: u32) -> Limits {
    Limits {
        callbacks: Some(callbacks),
        ..Limits::NONE
    }
}

#[test]
fn limited_turn_leaves_the_rest_active() {
    let mut events = new_loop();
    events.set_limits(callbacks(2));
    active(&mut events, Priority::NORMAL, ["a", "b", "c", "d", "e"]);
    assert_eq!(look(&mut events), ["a READ", "b READ"]);
    assert_eq!(look(&mut events), ["c READ", "d READ"]);
    assert_eq!(look(&mut events), ["e READ"]);
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn limit_of_nothing_is_a_limit_of_one() {
    let mut events = new_loop();
    events.set_limits(callbacks(0));
    active(&mut events, Priority::NORMAL, ["a", "b"]);
    assert_eq!(look(&mut events), ["a READ"]);
    assert_eq!(look(&mut events), ["b READ"]);
}

#[test]
fn limits_are_for_a_priority_and_those_that_are_less_urgent() {
    let mut events = new_loop();
    events.set_limits(Limits {
        from: Priority::NORMAL,
        ..callbacks(1)
    });
    active(&mut events, Priority(1), ["a", "b"]);
    active(&mut events, Priority::NORMAL, ["c", "d"]);
    active(&mut events, Priority(200), ["e"]);
    assert_eq!(look(&mut events), ["a READ", "b READ", "c READ"]);
    assert_eq!(look(&mut events), ["d READ"]);
    assert_eq!(look(&mut events), ["e READ"]);
}

/// The kernel is asked between two turns, so what is urgent does not wait for a long queue.
#[test]
fn urgent_input_is_heard_between_limited_turns() {
    let mut events = new_loop();
    events.set_limits(Limits {
        from: Priority::NORMAL,
        ..callbacks(1)
    });
    active(&mut events, Priority::NORMAL, ["a", "b", "c"]);
    let (near, _far) = with_input();
    let event = events.user();
    let id = event
        .add(move |cx, _| {
            let near = near.try_clone().unwrap();
            let reader = cx.events.io(near, Interest::READ);
            let reader = reader.priority(Priority::MOST_URGENT);
            reader.add(io("urgent")).unwrap();
        })
        .unwrap();
    events.set_priority(id, Priority(1)).unwrap();
    events.activate(id, Ready::READ).unwrap();
    let mut ran = Trace::new();
    for _ in 0..3 {
        ran.extend(look(&mut events));
    }
    assert_eq!(ran, ["a READ", "urgent READ", "b READ", "c READ"]);
}

#[test]
fn turn_that_took_its_time_runs_no_more() {
    let mut events = new_loop();
    events.set_limits(Limits {
        interval: Some(ms(1)),
        ..Limits::NONE
    });
    for name in ["a", "b", "c"] {
        let event = events.user();
        let id = event
            .add(move |cx, _| {
                busy(ms(2));
                cx.state.push(name.to_owned());
            })
            .unwrap();
        events.activate(id, Ready::READ).unwrap();
    }
    assert_eq!(look(&mut events), ["a"]);
    assert_eq!(look(&mut events), ["b"]);
    assert_eq!(look(&mut events), ["c"]);
}

#[test]
fn run_with_limits_runs_all_in_the_end() {
    let mut events = new_loop();
    events.set_limits(Limits {
        callbacks: Some(3),
        interval: Some(Duration::ZERO),
        quota: Some(1),
        from: Priority::MOST_URGENT,
    });
    for _ in 0..20 {
        let id = events.user().add(user("event")).unwrap();
        events.activate(id, Ready::READ).unwrap();
    }
    assert_eq!(run_out(&mut events).len(), 20);
    events.set_limits(Limits::NONE);
    for _ in 0..20 {
        let id = events.user().add(user("event")).unwrap();
        events.activate(id, Ready::READ).unwrap();
    }
    assert_eq!(look(&mut events).len(), 20);
}

/// Input that is never read makes its callback run in every turn. What is less urgent gets its share
/// all the same, and each of it in its turn.
#[test]
fn quota_keeps_the_less_urgent_from_starving() {
    let scene = |quota| {
        let (near, _far) = with_input();
        let mut events = new_loop();
        events.set_limits(Limits {
            quota,
            ..Limits::NONE
        });
        let urgent = events.io(near, Interest::READ).persist();
        urgent.priority(Priority(1)).add(io("urgent")).unwrap();
        for (name, priority) in [("low", Priority(200)), ("lowest", Priority(255))] {
            let timer = events.timer(Duration::ZERO).persist().priority(priority);
            timer.add(timer_of(name)).unwrap();
        }
        let last = events.check().persist();
        last.add(|cx| {
            if cx.state.len() >= 9 {
                cx.events.exit();
            }
        })
        .unwrap();
        let mut ran = Trace::new();
        let outcome = events.run(&mut ran).unwrap();
        assert_eq!(outcome, Outcome::Exit);
        ran.truncate(9);
        ran
    };
    let urgent = "urgent READ";
    assert_eq!(scene(None), [urgent; 9]);
    let shared = [
        urgent, urgent, "low", urgent, urgent, "lowest", urgent, urgent, "low",
    ];
    assert_eq!(scene(Some(2)), shared);
}

#[test]
fn once_runs_all_that_is_active_in_as_many_turns_as_it_takes() {
    let mut events = new_loop();
    events.set_limits(callbacks(2));
    active(&mut events, Priority::NORMAL, ["a", "b", "c", "d", "e"]);
    let mut trace = Trace::new();
    let outcome = events.run_mode(Mode::Once, &mut trace).unwrap();
    assert_eq!((outcome, trace.len()), (Outcome::Done, 5));
}

/// A flood of deferred closures is spread over turns, and the kernel asked in between.
#[test]
fn deferred_closures_that_defer_again_starve_nobody() {
    fn defer(events: &mut Loop, left: usize) {
        events.defer(move |cx| {
            cx.state.push("deferred".to_owned());
            if left > 0 {
                defer(cx.events, left - 1);
            }
        });
    }
    let share = usize::try_from(DEFERRED).unwrap();
    let (near, _far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).persist();
    reader.add(io("reader")).unwrap();
    defer(&mut events, 3 * share);
    let mut all = 0;
    for _ in 0..3 {
        let ran = look(&mut events);
        let deferred = ran.iter().filter(|ran| *ran == "deferred").count();
        assert!(deferred <= share + 1, "{deferred}");
        assert_eq!(ran.len(), deferred + 1, "the reader ran once");
        all += deferred;
    }
    assert!(all >= 2 * share, "{all}");
}
