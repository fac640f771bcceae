//! What is due together, and is taken out of the heap together.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Deadlines, drain, rising};

/// A number that looks drawn at random, the same in each run.
fn drawn(from: &mut u64) -> u64 {
    *from = from.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
    *from >> 33
}

/// How many were taken out together and are left.
fn in_run(timers: &Deadlines) -> usize {
    timers.heap.gathered().0
}

/// What the timers are to be: by deadline and sequence, and the deadline and sequence of each.
#[derive(Default)]
struct Model {
    sorted: BTreeSet<(u64, u32, u32)>,
    armed: BTreeMap<u32, (u64, u32)>,
    sequence: u32,
}

impl Model {
    fn set(&mut self, index: u32, deadline_ns: u64) {
        self.remove(index);
        self.sorted.insert((deadline_ns, self.sequence, index));
        self.armed.insert(index, (deadline_ns, self.sequence));
        self.sequence += 1;
    }

    fn remove(&mut self, index: u32) {
        if let Some((deadline_ns, sequence)) = self.armed.remove(&index) {
            self.sorted.remove(&(deadline_ns, sequence, index));
        }
    }

    fn due(&self, now_ns: u64) -> Option<(u32, u64)> {
        let &(deadline_ns, _, index) = self.sorted.first()?;
        (deadline_ns <= now_ns).then_some((index, deadline_ns))
    }
}

#[test]
fn much_that_is_due_together_comes_in_order_whatever_is_done_meanwhile() {
    const TIMERS: u32 = 300;
    let (mut timers, mut model, mut random) = (Deadlines::new(), Model::default(), 1);
    let lane = timers.lane(Duration::from_nanos(100));
    let (mut now_ns, mut was_gathered, mut steps) = (0, 0, 0);
    for index in 0..TIMERS {
        let deadline_ns = drawn(&mut random) % 1000;
        timers.set(index, deadline_ns);
        model.set(index, deadline_ns);
    }
    while now_ns < 30_000 {
        let due = timers.peek_due(now_ns);
        assert_eq!(due, model.due(now_ns), "at {now_ns}");
        let Some((index, deadline_ns)) = due else {
            now_ns += 700;
            continue;
        };
        was_gathered += usize::from(in_run(&timers) != 0);
        // What is due is removed, or armed anew as a periodic one is; and something is done to another.
        let other = u32::try_from(drawn(&mut random)).unwrap() % TIMERS;
        for (index, what) in [
            (index, drawn(&mut random) % 5),
            (other, drawn(&mut random) % 12),
        ] {
            match what {
                0 => {
                    timers.set(index, now_ns + 1000);
                    model.set(index, now_ns + 1000);
                }
                1 => {
                    if steps % 2 == 0 {
                        timers.remove_due(index);
                    } else {
                        timers.remove(index);
                    }
                    model.remove(index);
                }
                2 => {
                    timers.set_in_lane(index, lane, now_ns);
                    model.set(index, now_ns + 100);
                }
                3 => {
                    timers.set(index, deadline_ns);
                    model.set(index, deadline_ns);
                }
                4 => {
                    timers.set(index, now_ns + 500);
                    model.set(index, now_ns + 500);
                }
                5 if other.is_multiple_of(16) => timers.sweep(),
                _ => {}
            }
        }
        steps += 1;
        timers.verify().unwrap();
    }
    assert!(was_gathered > 1000, "{was_gathered} of {steps}");
}

#[test]
fn what_is_due_is_gathered_when_some_were_taken_and_an_eighth_of_the_rest_is_due() {
    for (due, gathered) in [(30, 0), (50, 0), (60, 26), (200, 166)] {
        let mut timers = rising(200);
        let now_ns = due * 10;
        let mut most = 0;
        while let Some((index, _)) = timers.peek_due(now_ns) {
            timers.remove(index);
            most = most.max(in_run(&timers));
            timers.verify().unwrap();
        }
        assert_eq!(timers.len() as u64, 200 - due);
        assert_eq!(most, gathered, "of {due}");
    }
}

#[test]
fn what_was_taken_before_nothing_was_due_does_not_count() {
    let mut timers = rising(400);
    let mut take = |most, now_ns| {
        for _ in 0..most {
            let Some((index, _)) = timers.peek_due(now_ns) else {
                return 0;
            };
            timers.remove(index);
        }
        in_run(&timers)
    };
    assert_eq!(take(40, 300), 0, "there were 30");
    assert_eq!(take(30, 4000), 0);
    assert!(take(10, 4000) > 300);
}

#[test]
fn nothing_is_gathered_beside_what_was_gathered() {
    let mut timers = rising(400);
    for _ in 0..60 {
        let (index, _) = timers.peek_due(4000).unwrap();
        timers.remove(index);
    }
    assert!(in_run(&timers) > 300);
    (100..200).for_each(|index| timers.set(index, 5));
    timers.verify().unwrap();
    let gathered = in_run(&timers);
    for index in 100..200 {
        assert_eq!(timers.peek_due(4000), Some((index, 5)));
        timers.remove(index);
        timers.verify().unwrap();
        assert_eq!(in_run(&timers), gathered);
    }
    assert_eq!(timers.peek_due(4000), Some((60, 610)));
}

#[test]
fn what_comes_up_soon_is_known_of_what_was_gathered() {
    let soon = |brought_forward: Option<u32>| {
        let mut timers = rising(200);
        let mut soon = Vec::new();
        while let Some((index, _)) = timers.peek_due(2000) {
            soon.extend(timers.upcoming().map(|soon| (index, soon)));
            timers.remove(index);
            if index == 100 {
                brought_forward
                    .into_iter()
                    .for_each(|gap| timers.set(gap, 0));
            }
        }
        soon
    };
    // The first 33 were taken one by one.
    let all: Vec<_> = (33..200 - 32).map(|index| (index, index + 32)).collect();
    assert_eq!(soon(None), all);
    // Brought forward, 150 comes while 101 is the first of the others, and leaves a gap among them.
    let mut with_gap = all;
    with_gap.retain(|(_, soon)| *soon != 150);
    with_gap.retain(|(index, _)| *index != 150);
    with_gap.insert(101 - 33, (150, 133));
    assert_eq!(soon(Some(150)), with_gap);
}

/// Idle timeouts, say, of connections that were all heard of since they began.
#[test]
fn what_was_moved_later_or_removed_is_settled_together() {
    let mut timers = rising(400);
    for index in 0..399 {
        if index % 3 == 0 {
            timers.remove(index);
        } else {
            timers.set(index, u64::from(5000 - index));
        }
    }
    assert_eq!(timers.peek_due(4000), Some((399, 4000)));
    let (_, one_by_one) = timers.heap.gathered();
    assert!(one_by_one < 5, "{one_by_one} after that");
    timers.verify().unwrap();
    assert_eq!((timers.heap.len(), timers.dead), (267, 0));
    timers.remove_due(399);
    assert_eq!(timers.peek_due(4000), None);
    let order = drain(&mut timers).into_iter().map(|(index, _)| index);
    assert!(order.eq((0..399).rev().filter(|index| index % 3 != 0)));
}

#[test]
fn a_peek_gathers_nothing() {
    let mut timers = rising(200);
    for _ in 0..100 {
        let (index, _) = timers.peek().unwrap();
        timers.remove(index);
        assert_eq!(in_run(&timers), 0);
    }
}

#[test]
fn few_that_have_gone_stay_until_the_next_goes() {
    let mut timers = rising(64);
    (0..60).for_each(|index| _ = timers.remove(index));
    assert_eq!((timers.heap.len(), timers.dead), (64, 60));
    timers.verify().unwrap();

    // They are more than three quarters of more than 64 now, and no harm.
    timers.set(64, 1);
    assert_eq!((timers.heap.len(), timers.dead), (65, 60));
    timers.verify().unwrap();

    timers.remove(63);
    assert_eq!((timers.heap.len(), timers.dead), (4, 0));
    timers.verify().unwrap();
}
