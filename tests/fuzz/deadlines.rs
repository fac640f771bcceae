//! The timers beside a list that is searched from end to end.

use std::time::Duration;

use evloop_timers::{TimerId, Timers};

use crate::bytes::Bytes;

/// Deadline, when it was started, which timer.
type Expected = (u64, u64, usize);

pub(crate) fn run(bytes: &[u8]) {
    let bytes = Bytes::new(bytes);
    let mut timers = Timers::<usize>::new();
    let (mut ids, mut expected) = (Vec::<TimerId>::new(), Vec::<Expected>::new());
    let (mut now_ns, mut started) = (0_u64, 0_u64);
    while !bytes.is_empty() {
        bytes.begin_record();
        let what = bytes.byte();
        let after_ns = u64::from(bytes.byte() % 16);
        let deadline_ns = now_ns + after_ns;
        let any = (!ids.is_empty()).then(|| bytes.one_of(ids.len()));
        started += 1;
        match (what % 8, any) {
            (0 | 1, _) | (2.., None) => {
                expected.push((deadline_ns, started, ids.len()));
                ids.push(timers.insert(deadline_ns, ids.len()));
            }
            (2, Some(timer)) => {
                let removed = timers.remove(ids[timer]);
                assert_eq!(removed.is_some(), take(&mut expected, timer));
            }
            (3 | 4, Some(timer)) => {
                let rearmed = timers.rearm(ids[timer], deadline_ns);
                let was_there = take(&mut expected, timer);
                assert_eq!(rearmed, was_there);
                expected.extend(was_there.then_some((deadline_ns, started, timer)));
            }
            (5, _) => {
                let lane = timers.lane(Duration::from_nanos(after_ns % 3));
                expected.push((now_ns + after_ns % 3, started, ids.len()));
                ids.push(timers.insert_in_lane(lane, now_ns, ids.len()));
            }
            (6, Some(timer)) => {
                let lane = timers.lane(Duration::from_nanos(after_ns % 3));
                let rearmed = timers.rearm_in_lane(ids[timer], lane, now_ns);
                let was_there = take(&mut expected, timer);
                assert_eq!(rearmed, was_there);
                expected.extend(was_there.then_some((now_ns + after_ns % 3, started, timer)));
            }
            _ => {
                now_ns += after_ns;
                expire(&mut timers, &mut expected, now_ns);
            }
        }
        timers.check_invariants();
        assert_eq!(timers.len(), expected.len());
        for (deadline_ns, _, timer) in &expected {
            assert_eq!(timers.deadline(ids[*timer]), Some(*deadline_ns));
        }
    }
    expire(&mut timers, &mut expected, u64::MAX);
    assert!(timers.is_empty() && expected.is_empty());
}

fn take(expected: &mut Vec<Expected>, timer: usize) -> bool {
    let before = expected.len();
    expected.retain(|(.., other)| *other != timer);
    expected.len() < before
}

/// What is due comes by deadline, first come first among equals; nothing else comes.
fn expire(timers: &mut Timers<usize>, expected: &mut Vec<Expected>, now_ns: u64) {
    expected.sort_unstable();
    let due = expected.partition_point(|(deadline_ns, ..)| *deadline_ns <= now_ns);
    for (deadline_ns, _, timer) in expected.drain(..due) {
        assert_eq!(timers.pop_due(now_ns), Some((deadline_ns, timer)));
    }
    assert_eq!(timers.pop_due(now_ns), None);
}
