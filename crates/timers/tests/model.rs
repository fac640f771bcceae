//! Whatever is done to the timers does the same to a list that is kept in order.

use std::collections::HashSet;
use std::time::Duration;

use evloop_timers::strategy::{Op, history};
use evloop_timers::{TimerId, Timers};
use proptest::prelude::*;

/// The naive model: (deadline, sequence, which insertion), sorted.
#[derive(Default)]
struct Model {
    sorted: Vec<(u64, u64, usize)>,
    sequence: u64,
}

impl Model {
    fn arm(&mut self, timer: usize, deadline_ns: u64) {
        self.sorted.push((deadline_ns, self.sequence, timer));
        self.sorted.sort_unstable();
        self.sequence += 1;
    }

    fn find(&self, timer: usize) -> Option<usize> {
        self.sorted.iter().position(|entry| entry.2 == timer)
    }

    fn remove(&mut self, timer: usize) -> bool {
        self.find(timer).map(|at| self.sorted.remove(at)).is_some()
    }

    fn rearm(&mut self, timer: usize, deadline_ns: u64) -> bool {
        let found = self.remove(timer);
        if found {
            self.arm(timer, deadline_ns);
        }
        found
    }

    fn pop_due(&mut self, now_ns: u64) -> Option<(u64, usize)> {
        let &(deadline_ns, _, timer) = self.sorted.first()?;
        (deadline_ns <= now_ns)
            .then(|| self.sorted.remove(0))
            .map(|_| (deadline_ns, timer))
    }
}

fn after(now_ns: u64, duration: Duration) -> u64 {
    u64::try_from(u128::from(now_ns) + duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The real timers, each with the number of its insertion as value, beside the model.
#[derive(Default)]
struct Pair {
    timers: Timers<usize>,
    ids: Vec<TimerId>,
    model: Model,
}

impl Pair {
    fn apply(&mut self, op: &Op) {
        let (timers, ids, model) = (&mut self.timers, &mut self.ids, &mut self.model);
        let next = ids.len();
        match *op {
            Op::Insert { deadline_ns } => {
                ids.push(timers.insert(deadline_ns, next));
                model.arm(next, deadline_ns);
            }
            Op::InsertInLane { duration, now_ns } => {
                let lane = timers.lane(duration);
                ids.push(timers.insert_in_lane(lane, now_ns, next));
                model.arm(next, after(now_ns, duration));
            }
            Op::Rearm { timer, deadline_ns } => {
                let Some(&id) = ids.get(timer) else { return };
                assert_eq!(
                    timers.rearm(id, deadline_ns),
                    model.rearm(timer, deadline_ns)
                );
            }
            Op::RearmInLane {
                timer,
                duration,
                now_ns,
            } => {
                let Some(&id) = ids.get(timer) else { return };
                let lane = timers.lane(duration);
                let deadline_ns = after(now_ns, duration);
                assert_eq!(
                    timers.rearm_in_lane(id, lane, now_ns),
                    model.rearm(timer, deadline_ns)
                );
            }
            Op::Remove { timer } => {
                let Some(&id) = ids.get(timer) else { return };
                assert_eq!(timers.remove(id).is_some(), model.remove(timer));
            }
            Op::Peek => {
                let first = model
                    .sorted
                    .first()
                    .map(|&(at, _, timer)| (ids[timer], at, timer));
                assert_eq!(timers.peek().map(|(id, at, &timer)| (id, at, timer)), first);
            }
            Op::PopDue { now_ns } => {
                let first = model.sorted.first().filter(|(at, ..)| *at <= now_ns);
                let first = first.map(|&(at, _, timer)| (ids[timer], at, timer));
                let due = timers
                    .peek_due(now_ns)
                    .map(|(id, at, &timer)| (id, at, timer));
                assert_eq!(due, first);
                assert_eq!(timers.pop_due(now_ns), model.pop_due(now_ns));
            }
        }
    }

    fn check(&mut self) {
        self.timers.check_invariants();
        assert_eq!(self.timers.len(), self.model.sorted.len());
        assert_eq!(self.timers.is_empty(), self.model.sorted.is_empty());
        let first = self.model.sorted.first().map(|(at, ..)| *at);
        assert!(self.timers.look_again_ns() <= first);
        assert_eq!(self.timers.look_again_ns().is_some(), first.is_some());
        for (timer, &id) in self.ids.iter().enumerate() {
            let entry = self.model.find(timer).map(|at| self.model.sorted[at]);
            assert_eq!(self.timers.deadline(id), entry.map(|entry| entry.0));
            assert_eq!(self.timers.get(id).copied(), entry.map(|entry| entry.2));
        }
    }

    /// What is left comes out in the model's order.
    fn drain(&mut self) {
        while !self.model.sorted.is_empty() {
            assert_eq!(self.timers.pop_due(u64::MAX), self.model.pop_due(u64::MAX));
        }
        assert_eq!(self.timers.pop_due(u64::MAX), None);
        self.timers.check_invariants();
    }
}

/// Bursts: the timers of each, in the order of their removal, and how many of them outlive it.
fn bursts() -> impl Strategy<Value = Vec<(Vec<usize>, usize)>> {
    let order = |timers| Just(Vec::from_iter(0..timers)).prop_shuffle();
    let burst = (1..400_usize).prop_flat_map(move |timers| (order(timers), 0..=timers / 10));
    prop::collection::vec(burst, 1..4)
}

proptest! {
    #[test]
    fn any_history_does_what_it_does_to_a_sorted_list(history in history(80)) {
        let mut pair = Pair::default();
        for op in &history {
            pair.apply(op);
            pair.check();
        }
        pair.drain();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn bursts_come_and_go_and_leave_nothing_behind(bursts in bursts()) {
        let mut pair = Pair::default();
        for (order, survivors) in bursts {
            let first = pair.ids.len();
            for at_ns in (0..).take(order.len()) {
                let duration = Duration::from_nanos(100);
                pair.apply(&match at_ns % 2 {
                    0 => Op::Insert { deadline_ns: at_ns },
                    _ => Op::InsertInLane { duration, now_ns: at_ns },
                });
            }
            for timer in &order[survivors..] {
                pair.apply(&Op::Remove { timer: first + timer });
                pair.timers.check_invariants();
            }
            pair.check();
        }
        pair.drain();
        prop_assert!(pair.timers.capacity() < 256, "{} are held", pair.timers.capacity());

        let given_out = pair.ids.len();
        let distinct = pair.ids.into_iter().collect::<HashSet<_>>();
        prop_assert_eq!(distinct.len(), given_out, "no handle is given out twice");
    }
}
