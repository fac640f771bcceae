//! Strategies for property tests: any history of timer operations.
//!
//! For who builds on [`Timers`], or tests something that is to behave like them: play the same history
//! to the real thing and to a naive model, and compare the two after each step.
//!
//! # Examples
//!
//! ```
//! use evloop_timers::Timers;
//! use evloop_timers::strategy::{Op, history};
//! use proptest::prelude::*;
//!
//! proptest!(|(history in history(40))| {
//!     let mut timers = Timers::new();
//!     let mut ids = Vec::new();
//!     for op in history {
//!         match op {
//!             Op::Insert { deadline_ns } => ids.push(timers.insert(deadline_ns, ())),
//!             Op::InsertInLane { duration, now_ns } => {
//!                 let lane = timers.lane(duration);
//!                 ids.push(timers.insert_in_lane(lane, now_ns, ()));
//!             }
//!             Op::Remove { timer } => {
//!                 if let Some(&id) = ids.get(timer) {
//!                     timers.remove(id);
//!                     prop_assert_eq!(timers.deadline(id), None);
//!                 }
//!             }
//!             Op::PopDue { now_ns } => {
//!                 if let Some((deadline_ns, ())) = timers.pop_due(now_ns) {
//!                     prop_assert!(deadline_ns <= now_ns, "never early");
//!                 }
//!             }
//!             _ => {} // this test does not re-arm
//!         }
//!     }
//! });
//! ```

use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

#[cfg(doc)]
use crate::Timers;

/// One operation on [`Timers`].
///
/// A `timer` is a number of insertions: it stands for the handle that was given out after so many,
/// be it stale by now. Where there have not been so many, there is no such timer, and the operation is
/// to be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// [`Timers::insert`].
    Insert {
        /// When it is due.
        deadline_ns: u64,
    },
    /// [`Timers::insert_in_lane`].
    InsertInLane {
        /// The lane's duration: one of a few.
        duration: Duration,
        /// The time at which it is armed; it may be before that of an earlier operation.
        now_ns: u64,
    },
    /// [`Timers::rearm`].
    Rearm {
        /// Which timer.
        timer: usize,
        /// When it is due then: earlier, later, or as before.
        deadline_ns: u64,
    },
    /// [`Timers::rearm_in_lane`].
    RearmInLane {
        /// Which timer.
        timer: usize,
        /// The lane's duration: one of a few.
        duration: Duration,
        /// The time at which it is armed; it may be before that of an earlier operation.
        now_ns: u64,
    },
    /// [`Timers::remove`].
    Remove {
        /// Which timer.
        timer: usize,
    },
    /// [`Timers::peek`].
    Peek,
    /// [`Timers::pop_due`].
    PopDue {
        /// The time; it may be before that of an earlier operation.
        now_ns: u64,
    },
}

/// Any history of at most `max` operations.
///
/// Times are drawn from few, so that deadlines coincide and timers are found due, and now and then from
/// the far end of the range, where lanes saturate. A history shrinks to fewer operations, and these to
/// earlier times.
pub fn history(max: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(max), 0..=max)
}

/// One operation of a history of at most `max`.
fn op(max: usize) -> impl Strategy<Value = Op> {
    // Low numbers more often: a short history has no others.
    let timer = || prop_oneof![0..=max / 8, 0..=max / 2];
    prop_oneof![
        3 => time_ns().prop_map(|deadline_ns| Op::Insert { deadline_ns }),
        3 => (duration(), time_ns())
            .prop_map(|(duration, now_ns)| Op::InsertInLane { duration, now_ns }),
        3 => (timer(), time_ns())
            .prop_map(|(timer, deadline_ns)| Op::Rearm { timer, deadline_ns }),
        3 => (timer(), duration(), time_ns())
            .prop_map(|(timer, duration, now_ns)| Op::RearmInLane { timer, duration, now_ns }),
        2 => timer().prop_map(|timer| Op::Remove { timer }),
        1 => Just(Op::Peek),
        2 => time_ns().prop_map(|now_ns| Op::PopDue { now_ns }),
    ]
}

fn time_ns() -> impl Strategy<Value = u64> {
    prop_oneof![10 => 0..20_u64, 5 => 0..1000_u64, 1 => u64::MAX - 9..=u64::MAX]
}

fn duration() -> impl Strategy<Value = Duration> {
    prop::sample::select(&DURATIONS)
}

/// None at all, two that overlap among the times above, and one that saturates.
const DURATIONS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_nanos(5),
    Duration::from_nanos(10),
    Duration::MAX,
];
