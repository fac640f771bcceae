//! The promises about order, each in its smallest form; the model test has them in any mixture.

use std::time::Duration;

use evloop_timers::{TimerId, Timers};

/// Everything that is due by `now_ns`, in order.
fn due<T>(timers: &mut Timers<T>, now_ns: u64) -> Vec<(u64, T)> {
    std::iter::from_fn(|| timers.pop_due(now_ns)).collect()
}

#[test]
fn a_timer_is_due_at_its_deadline_and_not_before() {
    let mut timers = Timers::new();
    timers.insert(10, 'a');
    assert_eq!(timers.pop_due(9), None);
    assert_eq!(timers.pop_due(10), Some((10, 'a')));
    assert_eq!(timers.pop_due(u64::MAX), None);
}

#[test]
fn equal_deadlines_come_in_the_order_of_arming() {
    let mut timers = Timers::new();
    for n in 0..1000 {
        timers.insert(5, n);
    }
    assert!(
        due(&mut timers, 5)
            .into_iter()
            .eq((0..1000).map(|n| (5, n)))
    );
}

#[test]
fn the_order_of_arming_holds_across_heap_and_lanes() {
    let mut timers = Timers::new();
    let five = timers.lane(Duration::from_nanos(5));
    let nine = timers.lane(Duration::from_nanos(9));
    timers.insert_in_lane(five, 5, 'a');
    timers.insert(10, 'b');
    timers.insert_in_lane(nine, 1, 'c');
    timers.insert_in_lane(five, 5, 'd');
    timers.insert(10, 'e');
    let order = ['a', 'b', 'c', 'd', 'e'].map(|value| (10, value));
    assert_eq!(due(&mut timers, 10), order);
}

#[test]
fn re_arming_to_the_same_deadline_goes_behind_the_others() {
    let mut timers = Timers::new();
    let a = timers.insert(5, 'a');
    timers.insert(5, 'b');
    assert!(timers.rearm(a, 5));
    assert_eq!(due(&mut timers, 5), [(5, 'b'), (5, 'a')]);
}

#[test]
fn a_lane_stays_in_order_when_time_goes_back() {
    let mut timers = Timers::new();
    let lane = timers.lane(Duration::from_nanos(10));
    timers.insert_in_lane(lane, 30, 'c');
    timers.insert_in_lane(lane, 10, 'a');
    timers.insert_in_lane(lane, 20, 'b');
    timers.check_invariants();
    assert_eq!(due(&mut timers, 40), [(20, 'a'), (30, 'b'), (40, 'c')]);
}

#[test]
fn timers_move_between_heap_and_lanes() {
    let mut timers = Timers::new();
    let short = timers.lane(Duration::from_nanos(10));
    let long = timers.lane(Duration::from_nanos(100));
    let id = timers.insert(50, 'a');
    for (now_ns, lane) in [(0, short), (0, long), (20, long), (1, short)] {
        assert!(timers.rearm_in_lane(id, lane, now_ns));
        timers.check_invariants();
    }
    assert_eq!(timers.deadline(id), Some(11));
    assert!(timers.rearm(id, 7));
    timers.check_invariants();
    assert_eq!(due(&mut timers, 10), [(7, 'a')]);
}

#[test]
fn the_far_end_of_time_saturates() {
    let mut timers = Timers::new();
    let lane = timers.lane(Duration::from_nanos(10));
    assert_eq!(
        timers.lane(Duration::MAX),
        timers.lane(Duration::from_nanos(u64::MAX))
    );
    timers.insert(u64::MAX, 'a');
    timers.insert_in_lane(lane, u64::MAX - 3, 'b');
    assert_eq!(timers.pop_due(u64::MAX - 1), None);
    assert_eq!(
        due(&mut timers, u64::MAX),
        [(u64::MAX, 'a'), (u64::MAX, 'b')]
    );
}

#[test]
fn a_duration_has_one_lane() {
    let mut timers = Timers::<()>::new();
    let [second, minute] = [1, 60].map(|secs| timers.lane(Duration::from_secs(secs)));
    assert_ne!(second, minute);
    assert_eq!(timers.lane(Duration::from_millis(1000)), second);
}

#[test]
fn a_stale_handle_does_nothing() {
    let mut timers = Timers::new();
    let lane = timers.lane(Duration::from_nanos(1));
    let gone = timers.insert(5, 'a');
    assert_eq!(timers.remove(gone), Some('a'));
    let heir = timers.insert(6, 'b');
    assert_ne!(gone, heir);

    assert_eq!(timers.remove(gone), None);
    assert!(!timers.rearm(gone, 1));
    assert!(!timers.rearm_in_lane(gone, lane, 1));
    assert_eq!((timers.get(gone), timers.deadline(gone)), (None, None));
    assert_eq!(timers.peek(), Some((heir, 6, &'b')));
}

#[test]
fn a_handle_is_as_small_as_a_pointer_even_when_there_may_be_none() {
    assert_eq!(size_of::<Option<TimerId>>(), 8);
}
