//! In the steady state nothing is allocated and nothing given back: re-arming, and adding as many
//! timers as go.

use std::ops::Range;
use std::time::Duration;

use allocation_counter::measure;
use evloop_timers::{Deadlines, LaneId, TimerId, Timers};

/// How often memory is asked for meanwhile; making a block longer or shorter asks for another.
fn calls(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

#[test]
fn the_allocator_is_counted() {
    let mut timers = Timers::new();
    assert_eq!(
        calls(|| _ = timers.insert(1, ())),
        4,
        "slots, keys, a heap, and places in it"
    );
    assert_eq!(measure(|| drop(timers)).count_current, -4);
}

/// Some hundred re-armings and exchanges of each kind, spread over the timers, the same in each run.
fn churn(timers: &mut Timers<()>, ids: &mut [TimerId], lane: LaneId, times_ns: Range<u64>) {
    for now_ns in times_ns {
        let hop = now_ns.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let hop = usize::try_from(hop).expect("24 bits are left");
        let id = &mut ids[hop % ids.len()];
        match hop % 7 {
            0 => _ = timers.rearm(*id, now_ns + 900),
            1 => _ = timers.rearm(*id, now_ns + 10),
            2 => _ = timers.rearm_in_lane(*id, lane, now_ns),
            3 => {
                timers.remove(*id);
                *id = timers.insert(now_ns + 300, ());
            }
            4 => {
                timers.remove(*id);
                *id = timers.insert_in_lane(lane, now_ns, ());
            }
            _ => {
                if let Some((id, deadline_ns, ())) = timers.peek()
                    && deadline_ns <= now_ns
                {
                    timers.rearm(id, deadline_ns + 100);
                }
            }
        }
    }
}

#[test]
fn nothing_is_allocated_in_the_steady_state() {
    for timers_at_once in [1, 10, 63, 64, 65, 1000] {
        let mut timers = Timers::new();
        let lane = timers.lane(Duration::from_nanos(500));
        let mut ids: Vec<_> = (0..timers_at_once)
            .map(|at_ns| timers.insert(at_ns, ()))
            .collect();

        // At first all are in the heap; how many are in the lane has to settle.
        churn(&mut timers, &mut ids, lane, 0..10_000);
        let count = calls(|| churn(&mut timers, &mut ids, lane, 10_000..20_000));
        assert_eq!(count, 0, "with {timers_at_once} timers at once");
        timers.check_invariants();
    }
}

#[test]
fn nothing_is_allocated_in_the_steady_state_after_a_burst() {
    let mut timers = Timers::new();
    let burst: Vec<_> = (0..10_000).map(|at_ns| timers.insert(at_ns, ())).collect();
    for &id in &burst[100..] {
        timers.remove(id);
    }
    let count = calls(|| {
        for at_ns in 0..10_000 {
            let id = timers.insert(at_ns, ());
            timers.remove(id);
        }
    });
    assert_eq!(count, 0);
    assert!(timers.capacity() <= 1000, "{}", timers.capacity());
}

#[test]
fn a_number_of_timers_that_swings_does_not_thrash() {
    let mut timers = Timers::new();
    let mut ids = Vec::with_capacity(10_000);
    ids.extend((0..10_000).map(|at_ns| timers.insert(at_ns, ())));
    // Down through every number at which memory may be given back, and up and down a third there.
    while ids.len() > 10 {
        let (less, more) = (ids.len() * 3 / 4, ids.len());
        ids.drain(less..).for_each(|id| _ = timers.remove(id));
        let count = calls(|| {
            for _ in 0..3 {
                ids.extend((less..more).map(|_| timers.insert(1, ())));
                ids.drain(less..).for_each(|id| _ = timers.remove(id));
            }
        });
        assert_eq!(count, 0, "about {less} timers");
    }
}

#[test]
fn a_burst_costs_few_calls_of_the_allocator() {
    let mut timers = Timers::new();
    let mut ids = Vec::with_capacity(10_000);
    let up = calls(|| ids.extend((0..10_000).map(|at_ns| timers.insert(at_ns, ()))));
    let down = calls(|| ids.iter().for_each(|&id| _ = timers.remove(id)));
    // Four vectors, which double and halve between a few elements and 2^14.
    assert!(up <= 4 * 14, "{up} calls on the way up");
    assert!(0 < down && down <= 4 * 14, "{down} calls on the way down");
}

#[test]
fn capacity_is_room_for_what_is_there_and_is_given_back() {
    let mut timers = Timers::new();
    let mut ids: Vec<_> = (0..10_000).map(|at_ns| timers.insert(at_ns, ())).collect();
    let at_most = timers.capacity();
    assert!(at_most >= 10_000);
    ids.drain(100..).for_each(|id| _ = timers.remove(id));
    assert!((100..at_most / 4).contains(&timers.capacity()));
}

#[test]
fn a_burst_leaves_little_memory_behind() {
    let mut timers = Timers::new();
    let lane = timers.lane(Duration::from_nanos(500));
    let left = measure(|| {
        let mut ids: Vec<_> = (0..10_000).map(|at_ns| timers.insert(at_ns, ())).collect();
        ids.extend((0..10_000).map(|at_ns| timers.insert_in_lane(lane, at_ns, ())));
        ids.iter().for_each(|&id| _ = timers.remove(id));
    });
    assert!(left.bytes_max > 20_000 * 40, "{} at most", left.bytes_max);
    // Room for some hundred.
    assert!(left.bytes_current < 10_000, "{} bytes", left.bytes_current);
}

#[test]
fn a_burst_that_is_due_together_leaves_little_memory_behind() {
    let mut timers = Timers::new();
    let left = measure(|| {
        (0..10_000).for_each(|at_ns| _ = timers.insert(at_ns, ()));
        while timers.pop_due(10_000).is_some() {}
    });
    assert!(left.bytes_max > 10_000 * 52, "{} at most", left.bytes_max);
    // Room for some hundred.
    assert!(left.bytes_current < 13_000, "{} bytes", left.bytes_current);
}

#[test]
fn periodic_timers_that_are_due_together_allocate_nothing() {
    for room in [0, 1100] {
        let mut timers = Deadlines::new();
        timers.reserve(room);
        (0..1100).for_each(|index| timers.set(index, 1));
        let mut turn = |now_ns| {
            while let Some((index, _)) = timers.peek_due(now_ns) {
                timers.set(index, now_ns + 1);
            }
        };
        turn(1);
        assert_eq!(calls(|| (2..100).for_each(turn)), 0, "with room for {room}");
    }
}

#[test]
fn timers_for_which_there_is_room_allocate_nothing() {
    let mut timers = Deadlines::new();
    timers.set(3, 1);
    let reserved = measure(|| timers.reserve(1000));
    assert!(reserved.bytes_current < 1000 * 37, "{reserved:?}");
    assert_eq!(
        calls(|| (0..1000).for_each(|index| timers.set(index, 5))),
        0
    );
    assert!(calls(|| timers.set(1000, 5)) > 0);
}

#[test]
fn timers_show_how_many_they_are() {
    let mut timers = Timers::new();
    let first = timers.insert(1, ());
    let _lane = timers.lane(Duration::from_secs(1));
    let shown = format!("{timers:?} {first:?}");
    assert!(shown.contains("lanes: 1"), "{shown}");
    assert!(shown.contains("TimerId(0v1)"), "{shown}");
}
