//! What timers cost by how many there are: deadlines in no order, and deadlines of one lane.

use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use evloop_timers::{LaneId, TimerId, Timers};

fn main() {
    divan::main();
}

const SIZES: [u64; 3] = [1_000, 10_000, 100_000];

const SECOND_NS: u64 = 1_000_000_000;
const HOUR_NS: u64 = 3600 * SECOND_NS;

/// The `at`th of many deadlines within an hour, in no order.
const fn deadline(at: u64) -> u64 {
    at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % HOUR_NS
}

fn filled(n: u64) -> (Timers<u64>, Vec<TimerId>) {
    let mut timers = Timers::new();
    let ids = (0..n).map(|at| timers.insert(deadline(at), at)).collect();
    (timers, ids)
}

/// As many as it has held, and none of them left.
fn used(n: u64) -> Timers<u64> {
    let (mut timers, ids) = filled(n);
    for id in ids {
        timers.remove(id);
    }
    timers
}

#[divan::bench(args = SIZES)]
fn insert(bencher: Bencher<'_, '_>, n: u64) {
    let bencher = bencher.counter(ItemsCount::new(n));
    bencher.with_inputs(|| used(n)).bench_refs(|timers| {
        for at in 0..n {
            timers.insert(deadline(at), at);
        }
    });
}

#[divan::bench(args = SIZES)]
fn remove(bencher: Bencher<'_, '_>, n: u64) {
    let bencher = bencher.counter(ItemsCount::new(n));
    bencher
        .with_inputs(|| filled(n))
        .bench_refs(|(timers, ids)| {
            for id in ids {
                timers.remove(*id);
            }
        });
}

/// Later by an hour, as for an idle timeout, and then none of them is due.
#[divan::bench(args = SIZES)]
fn rearm_later(bencher: Bencher<'_, '_>, n: u64) {
    let bencher = bencher.counter(ItemsCount::new(n));
    bencher
        .with_inputs(|| filled(n))
        .bench_refs(|(timers, ids)| {
            for (at, id) in (0..).zip(ids) {
                timers.rearm(*id, deadline(at) + HOUR_NS);
            }
        });
}

#[divan::bench(args = SIZES)]
fn rearm_earlier(bencher: Bencher<'_, '_>, n: u64) {
    let bencher = bencher.counter(ItemsCount::new(n));
    bencher
        .with_inputs(|| filled(n))
        .bench_refs(|(timers, ids)| {
            for (at, id) in (0..).zip(ids) {
                timers.rearm(*id, deadline(at) / 2);
            }
        });
}

#[divan::bench(args = SIZES)]
fn expire(bencher: Bencher<'_, '_>, n: u64) {
    let bencher = bencher.counter(ItemsCount::new(n));
    bencher
        .with_inputs(|| filled(n))
        .bench_refs(|(timers, _)| while timers.pop_due(HOUR_NS).is_some() {});
}

fn filled_lane(n: u64) -> (Timers<u64>, LaneId, Vec<TimerId>) {
    let mut timers = Timers::new();
    let lane = timers.lane(Duration::from_secs(60));
    let ids = (0..n).map(|at| timers.insert_in_lane(lane, at, at));
    let ids = ids.collect();
    (timers, lane, ids)
}

#[divan::bench(args = SIZES)]
fn rearm_in_lane(bencher: Bencher<'_, '_>, n: u64) {
    let bencher = bencher.counter(ItemsCount::new(n));
    bencher
        .with_inputs(|| filled_lane(n))
        .bench_refs(|(timers, lane, ids)| {
            for id in ids {
                timers.rearm_in_lane(*id, *lane, SECOND_NS);
            }
        });
}

#[divan::bench(args = SIZES)]
fn expire_in_lane(bencher: Bencher<'_, '_>, n: u64) {
    let bencher = bencher.counter(ItemsCount::new(n));
    bencher
        .with_inputs(|| filled_lane(n))
        .bench_refs(|(timers, _, _)| while timers.pop_due(HOUR_NS).is_some() {});
}
