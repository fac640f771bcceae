//! What cannot be seen from outside: how little is done.

use alloc::vec::Vec;
use core::time::Duration;

use super::Timers;

/// The deadline under which the heap holds the first timer that was inserted.
fn heap_deadline(timers: &Timers<char>) -> Option<u64> {
    timers.heap.key(0).map(|key| key.deadline_ns)
}

#[test]
fn a_later_deadline_reaches_the_heap_when_the_old_one_comes_up() {
    let mut timers = Timers::new();
    let a = timers.insert(10, 'a');
    let b = timers.insert(20, 'b');

    timers.rearm(a, 30);
    assert_eq!(
        heap_deadline(&timers),
        Some(10),
        "nothing but the slot is written"
    );

    assert_eq!(timers.pop_due(9), None);
    assert_eq!(
        heap_deadline(&timers),
        Some(10),
        "nothing is due, so nothing is settled"
    );

    assert_eq!(timers.peek(), Some((b, 20, &'b')));
    assert_eq!(heap_deadline(&timers), Some(30));
    timers.check_invariants();
}

#[test]
fn an_earlier_deadline_that_is_not_before_the_old_one_in_the_heap_is_left_there() {
    let mut timers = Timers::new();
    let a = timers.insert(10, 'a');
    timers.rearm(a, 30);
    timers.rearm(a, 20);
    assert_eq!(heap_deadline(&timers), Some(10));

    timers.rearm(a, 5);
    assert_eq!(heap_deadline(&timers), Some(5));
    timers.check_invariants();
}

#[test]
fn only_the_heads_of_lanes_are_in_the_heap() {
    let mut timers = Timers::new();
    let lanes = [7, 9].map(|ns| timers.lane(Duration::from_nanos(ns)));
    for now_ns in 0..100 {
        for lane in lanes {
            timers.insert_in_lane(lane, now_ns, now_ns);
            assert!(timers.heap.len() <= 2);
        }
    }
    while timers.pop_due(u64::MAX).is_some() {
        assert!(timers.heap.len() <= 2);
        timers.check_invariants();
    }
}

#[test]
fn the_heap_gives_memory_back_with_the_table() {
    let mut timers = Timers::new();
    let ids: Vec<_> = (0..10_000).map(|n| timers.insert(n, n)).collect();
    let held = timers.heap.capacity();
    for id in ids {
        timers.remove(id);
    }
    assert!(
        held >= 20_000,
        "entries and positions of each timer: {held}"
    );
    assert!(timers.heap.capacity() <= 512, "{}", timers.heap.capacity());
}
