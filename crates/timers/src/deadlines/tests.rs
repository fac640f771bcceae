//! What cannot be seen from outside: how little is done.

mod together;

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Deadlines, GONE};
use crate::shrink::FLOOR;

/// The deadline under which a timer stands in the heap.
fn heap_deadline(timers: &Deadlines, index: u32) -> Option<u64> {
    timers.heap.key(index).map(|key| key.deadline_ns)
}

/// Timers by rising deadline, the first of them due at 10.
fn rising(len: u32) -> Deadlines {
    let mut timers = Deadlines::new();
    for index in 0..len {
        timers.set(index, u64::from(index) * 10 + 10);
    }
    timers
}

/// Everything that is left, in order.
fn drain(timers: &mut Deadlines) -> Vec<(u32, u64)> {
    core::iter::from_fn(|| {
        let first = timers.peek()?;
        timers.remove(first.0);
        timers.verify().unwrap();
        Some(first)
    })
    .collect()
}

#[test]
fn a_later_deadline_reaches_the_heap_when_the_old_one_comes_up() {
    let mut timers = rising(2);
    timers.set(0, 30);
    let of_first = heap_deadline(&timers, 0);
    assert_eq!(of_first, Some(10), "nothing but the key is written");

    assert_eq!(timers.peek_due(9), None);
    let of_first = heap_deadline(&timers, 0);
    assert_eq!(of_first, Some(10), "nothing is due, so nothing is settled");

    assert_eq!(timers.peek(), Some((1, 20)));
    assert_eq!(heap_deadline(&timers, 0), Some(30));
    timers.verify().unwrap();
}

#[test]
fn an_earlier_deadline_that_is_not_before_the_old_one_in_the_heap_is_left_there() {
    let mut timers = rising(1);
    timers.set(0, 30);
    timers.set(0, 20);
    assert_eq!(heap_deadline(&timers, 0), Some(10));

    timers.set(0, 5);
    assert_eq!(heap_deadline(&timers, 0), Some(5));
    timers.verify().unwrap();
}

#[test]
fn a_removed_timer_leaves_its_entry_to_the_next_of_its_index() {
    let mut timers = rising(3);
    assert_eq!(timers.remove(1), Some(20));
    assert_eq!(timers.remove(1), None);
    assert_eq!((timers.get(1), timers.len()), (None, 2));
    assert_eq!(heap_deadline(&timers, 1), Some(20));

    timers.set(1, 40);
    assert_eq!(heap_deadline(&timers, 1), Some(20), "it is taken over");
    timers.verify().unwrap();
    timers.remove(1);
    timers.set(1, 15);
    assert_eq!(heap_deadline(&timers, 1), Some(15), "it is brought forward");
    assert_eq!(drain(&mut timers), [(0, 10), (1, 15), (2, 30)]);
}

#[test]
fn what_was_due_takes_its_entry_with_it() {
    let mut timers = rising(3);
    assert_eq!(timers.peek_due(10), Some((0, 10)));
    assert_eq!(timers.remove_due(0), Some(10));
    assert_eq!((timers.heap.len(), timers.dead), (2, 0));
    assert_eq!(timers.remove_due(0), None);
    timers.verify().unwrap();

    assert_eq!(timers.remove_due(2), Some(30), "it is not the first");
    assert_eq!(
        heap_deadline(&timers, 2),
        Some(30),
        "so it leaves its entry"
    );
    assert_eq!(drain(&mut timers), [(1, 20)]);
}

#[test]
fn what_is_armed_is_counted_and_shown() {
    let mut timers = rising(1);
    assert!(!timers.is_empty());
    timers.remove(0);
    assert!(timers.is_empty());
    timers.set(1, 10);
    for ns in [7, 9] {
        timers.lane(Duration::from_nanos(ns));
    }
    let shown = format!("{timers:?}");
    assert_eq!(shown, "Deadlines { len: 1, lanes: 2, .. }");
}

#[test]
fn nobody_looks_again_for_a_removed_timer() {
    let mut timers = rising(4);
    timers.remove(1);
    timers.remove(2);
    assert_eq!(timers.look_again_ns(), Some(10));
    // What comes first goes when it is asked for, and those that have gone with it.
    timers.remove(0);
    assert_eq!(timers.look_again_ns(), Some(40));
    assert_eq!((timers.heap.len(), timers.dead), (1, 0));
    timers.verify().unwrap();

    let mut timers = rising(4);
    timers.remove(1);
    timers.set(0, 50);
    assert_eq!(timers.peek_due(15), None);
    assert_eq!(timers.look_again_ns(), Some(30));
    timers.verify().unwrap();
}

#[test]
fn removed_timers_are_never_more_than_three_quarters_of_the_entries() {
    let mut timers = rising(1000);
    for index in (0..1000).rev() {
        timers.remove(index);
        let entries = timers.heap.len();
        assert!(
            timers.dead <= entries / 4 * 3 || entries <= FLOOR,
            "{entries}"
        );
        assert_eq!(entries - timers.dead, timers.len());
    }
    assert_eq!(timers.heap.len(), 0, "the last one takes all with it");
}

#[test]
fn more_than_three_quarters_go_in_one_sweep_unless_there_are_few() {
    let mut timers = rising(100);
    (1..=75).for_each(|index| _ = timers.remove(index));
    assert_eq!((timers.heap.len(), timers.dead), (100, 75));
    timers.remove(76);
    assert_eq!((timers.heap.len(), timers.dead), (24, 0));
    timers.verify().unwrap();

    // Of 65, 48 may have gone; then there are 16, of which all may.
    for (few, left) in [(64, 64), (65, 16)] {
        let mut timers = rising(few);
        (1..few).for_each(|index| _ = timers.remove(index));
        assert_eq!((timers.heap.len(), timers.len()), (left, 1));
        timers.verify().unwrap();
    }
}

#[test]
fn what_has_gone_is_swept_also_when_it_is_the_others_that_leave_the_heap() {
    // For a lane.
    let mut timers = rising(100);
    let lane = timers.lane(Duration::from_nanos(100));
    (1..=75).for_each(|index| _ = timers.remove(index));
    for index in 76..100 {
        timers.set_in_lane(index, lane, 0);
        timers.verify().unwrap();
    }
    assert_eq!((timers.heap.len(), timers.dead), (2, 0));

    // As they are due, all together.
    let mut timers = rising(500);
    (200..500).for_each(|index| _ = timers.remove(index));
    let now_ns = timers.get(199).unwrap();
    while let Some((index, _)) = timers.peek_due(now_ns) {
        timers.remove(index);
        timers.verify().unwrap();
    }
    assert_eq!((timers.heap.len(), timers.dead), (0, 0));
}

#[test]
fn a_timer_that_has_gone_is_armed_anew_for_the_end_of_time() {
    let mut timers = rising(2);
    timers.remove(1);
    timers.set(1, u64::MAX);
    timers.verify().unwrap();
    assert_eq!(drain(&mut timers), [(0, 10), (1, u64::MAX)]);
}

#[test]
fn a_lane_leaves_nothing_behind_that_comes_first() {
    let mut timers = rising(3);
    let lane = timers.lane(Duration::from_nanos(100));
    timers.set_in_lane(3, lane, 0);
    timers.remove(1);
    timers.set_in_lane(0, lane, 0);
    timers.verify().unwrap();
    assert_eq!(timers.look_again_ns(), Some(30));
    timers.remove(2);
    timers.set_in_lane(2, lane, 0);
    timers.verify().unwrap();
    assert_eq!(drain(&mut timers), [(3, 100), (0, 100), (2, 100)]);
}

/// As one that was heard of in the turn's time, where a callback has started others since.
#[test]
fn a_timer_that_belongs_far_ahead_in_its_lane_stays_outside() {
    let mut timers = Deadlines::new();
    let lane = timers.lane(Duration::from_nanos(100));
    for index in 0..20 {
        timers.set_in_lane(index, lane, 50);
    }
    for index in 20..30 {
        timers.set_in_lane(index, lane, u64::from(index) - 20);
    }
    assert_eq!(timers.heap.len(), 1 + 10);
    // A few are passed on the way to its place.
    timers.set_in_lane(0, lane, 60);
    timers.set_in_lane(30, lane, 55);
    assert_eq!(timers.heap.len(), 1 + 10);
    // It was outside, and comes in.
    timers.set_in_lane(20, lane, 61);
    timers.verify().unwrap();
    let due: Vec<_> = core::iter::from_fn(|| {
        let (index, _) = timers.peek_due(u64::MAX)?;
        timers.remove_due(index)?;
        Some(index)
    })
    .collect();
    let expected = (21..30).chain(1..20).chain([30, 0, 20]);
    assert!(due.into_iter().eq(expected));
}

#[test]
fn only_the_heads_of_lanes_are_in_the_heap() {
    let mut timers = Deadlines::new();
    let lanes = [7, 9].map(|ns| timers.lane(Duration::from_nanos(ns)));
    let mut indices = 0..;
    for now_ns in 0..100 {
        for (lane, index) in lanes.into_iter().zip(indices.by_ref()) {
            timers.set_in_lane(index, lane, now_ns);
            assert!(timers.heap.len() <= 2);
        }
    }
    while let Some((index, _)) = timers.peek() {
        timers.remove(index);
        assert!(timers.heap.len() <= 2);
        timers.verify().unwrap();
    }
}

#[test]
fn order_outlives_the_last_sequence_number() {
    for drawn in 0..8 {
        let mut timers = Deadlines::new();
        let lane = timers.lane(Duration::from_nanos(100));
        timers.sequence = GONE - drawn;
        timers.set(0, 100);
        timers.set(1, 90);
        timers.set_in_lane(2, lane, 0);
        timers.set_in_lane(3, lane, 0);
        timers.set(4, 100);
        timers.set(1, 100);
        timers.set(5, 40);
        timers.remove(4);
        timers.set_in_lane(6, lane, 0);
        timers.verify().unwrap();
        let order = [(5, 40), (0, 100), (2, 100), (3, 100), (1, 100), (6, 100)];
        assert_eq!(drain(&mut timers), order, "after {drawn}");
        assert!(timers.sequence < 20, "they were drawn anew");
    }
}

#[test]
fn forgotten_indices_leave_no_entry() {
    let mut timers = rising(100);
    for index in 60..100 {
        timers.remove(index);
    }
    assert_eq!((timers.heap.len(), timers.dead), (100, 40));
    timers.forget_from(70);
    timers.verify().unwrap();
    assert_eq!((timers.heap.len(), timers.dead), (70, 10));
    timers.set(99, 5);
    timers.verify().unwrap();
    assert_eq!(timers.look_again_ns(), Some(5));
}

#[test]
#[should_panic = "the last index stands for none"]
fn the_last_index_is_refused() {
    Deadlines::new().set(u32::MAX, 1);
}
