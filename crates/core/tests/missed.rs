//! What becomes of a persistent timeout that the loop comes to late.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

use std::time::Duration;

use evloop_core::{Core, Demand, Kind, Missed, Mode, Spec, Step};

/// One turn at this time, and when the next timeout is due after it.
fn next_after(core: &mut Core<()>, now_ns: u64) -> u64 {
    core.begin(Mode::NonBlocking).unwrap();
    loop {
        match core.step(|| now_ns) {
            Step::Wait(_) => core.waited(),
            Step::Run(_) => assert_eq!(core.finish(), None),
            Step::Done(_) => break,
        }
    }
    core.check_invariants();
    core.next_deadline_ns().unwrap()
}

/// The deadlines of one of 100 ns, which was started at 0 and is looked at then and then.
fn deadlines<const N: usize>(missed: Missed, nows_ns: [u64; N]) -> [u64; N] {
    let mut core = Core::new();
    core.set_missed(missed);
    let ticks = Spec {
        persistent: true,
        timeout: Some(Duration::from_nanos(100)),
        ..Spec::new(Kind::Plain)
    };
    let id = core.insert(ticks, ()).unwrap();
    core.add(id, || 0, |_: Demand| Ok::<_, ()>(())).unwrap();
    nows_ns.map(|now_ns| next_after(&mut core, now_ns))
}

#[test]
fn missed_ticks_are_skipped_and_the_others_stay_where_they_were() {
    let deadlines = deadlines(Missed::Skipped, [100, 230, 299, 520]);
    assert_eq!(deadlines, [200, 300, 300, 600]);
}

#[test]
fn missed_ticks_are_forgotten_and_the_next_is_an_interval_away() {
    let deadlines = deadlines(Missed::Forgotten, [100, 230, 299, 520, 699]);
    assert_eq!(deadlines, [200, 300, 300, 620, 720]);
}

#[test]
fn ticks_that_are_missed_by_the_billion_cost_no_more_than_one() {
    let mut core = Core::new();
    let ticks = Spec {
        persistent: true,
        timeout: Some(Duration::from_nanos(1)),
        ..Spec::new(Kind::Plain)
    };
    let id = core.insert(ticks, ()).unwrap();
    core.add(id, || 0, |_: Demand| Ok::<_, ()>(())).unwrap();
    let hours_ns = 10_000_000_000_000;
    assert_eq!(next_after(&mut core, hours_ns), hours_ns + 1);
}
