//! What the signal map costs: an event that comes and goes, and the events of a signal that came.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use evloop_signals::{Signal, SignalMap};

fn main() {
    divan::main();
}

const EVENTS: [u32; 3] = [1, 4, 64];

fn filled(n: u32) -> SignalMap<u32> {
    let mut map = SignalMap::new();
    for event in 0..n {
        let _ = map.insert(Signal::USR1, event);
    }
    map
}

/// The last of them goes and comes again.
#[divan::bench(args = EVENTS)]
fn remove_and_insert(bencher: Bencher<'_, '_>, n: u32) {
    let bencher = bencher.with_inputs(|| filled(n));
    bencher.bench_refs(|map| {
        black_box(map.remove(Signal::USR1, n - 1));
        black_box(map.insert(Signal::USR1, n - 1))
    });
}

#[divan::bench(args = EVENTS)]
fn deliver(bencher: Bencher<'_, '_>, n: u32) {
    let bencher = bencher
        .counter(ItemsCount::new(n))
        .with_inputs(|| filled(n));
    bencher.bench_refs(|map| {
        for event in map.events(Signal::USR1) {
            black_box(event);
        }
    });
}
