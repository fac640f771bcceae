//! Catchers against sets and maps, through any history, on the real signals of one thread.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/process.rs"]
mod process;
#[path = "support/queue.rs"]
mod queue;
#[path = "support/signals.rs"]
mod signals;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use evloop_catcher::{Catcher, Origin, Signal, Waker};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::process::in_own_process;
use crate::queue::queue;
use crate::signals::{disposition, parts, set_disposition};

/// Signals of every sort: handled before, ignored before, ignored by default.
const SIGNALS: [Signal; 5] = [
    Signal::USR1,
    Signal::USR2,
    Signal::URG,
    Signal::WINCH,
    Signal::CONT,
];

/// Runs of the handler that SIGUSR1 had before.
static FORMER: AtomicU64 = AtomicU64::new(0);

extern "C" fn former(_: i32) {
    FORMER.fetch_add(1, Ordering::Relaxed);
}

static FORMERLY: extern "C" fn(i32) = former;

#[derive(Clone, Debug)]
enum Step {
    New,
    Drop(Index),
    Watch(Index, Signal),
    Unwatch(Index, Signal),
    /// So many times, the last one with this value.
    Send(Signal, u64, i32),
    Take(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let catcher = any::<Index>;
    let signal = || select(&SIGNALS[..]);
    prop_oneof![
        1 => Just(Step::New),
        1 => catcher().prop_map(Step::Drop),
        4 => (catcher(), signal()).prop_map(|(catcher, signal)| Step::Watch(catcher, signal)),
        3 => (catcher(), signal()).prop_map(|(catcher, signal)| Step::Unwatch(catcher, signal)),
        6 => (signal(), 1_u64..5, any::<i32>())
            .prop_map(|(signal, times, value)| Step::Send(signal, times, value)),
        3 => catcher().prop_map(Step::Take),
    ]
}

/// A catcher: what it watches, how often that came, and the value of the last one.
#[derive(Default)]
struct Model {
    watched: BTreeSet<Signal>,
    came: BTreeMap<Signal, (u64, i32)>,
}

struct Pair {
    waker: Arc<Waker>,
    real: Catcher,
    model: Model,
}

impl Pair {
    fn new() -> Self {
        let waker = Arc::new(Waker::new().unwrap());
        Self {
            real: Catcher::new(Arc::clone(&waker)),
            waker,
            model: Model::default(),
        }
    }

    fn is_watching(&self, signal: Signal) -> bool {
        self.model.watched.contains(&signal)
    }

    fn take(&mut self) {
        let mut taken = Vec::new();
        self.real.take(|signal, came| {
            let Origin::Queued { value, .. } = came.last.origin else {
                panic!("{came:?}");
            };
            taken.push((signal, (came.count, value.int())));
        });
        let expected = Vec::from_iter(std::mem::take(&mut self.model.came));
        assert_eq!(taken, expected);
    }
}

/// Sends a signal while all loops sleep.
fn send_and_compare(pairs: &mut [Pair], signal: Signal, times: u64, value: i32) {
    for pair in &*pairs {
        pair.waker.awake();
        assert!(pair.waker.sleep());
    }
    let former = FORMER.load(Ordering::Relaxed);
    for before in (0..times).rev() {
        let value = value.wrapping_sub(i32::try_from(before).unwrap());
        let mut bytes = [0; size_of::<usize>()];
        bytes[..4].copy_from_slice(&value.to_ne_bytes());
        queue(signal, libc::SI_QUEUE, 1, 2, usize::from_ne_bytes(bytes));
    }
    let mut is_caught = false;
    for pair in pairs {
        let is_watching = pair.is_watching(signal);
        assert_eq!(pair.waker.awake(), is_watching);
        if is_watching {
            let (count, last) = pair.model.came.entry(signal).or_default();
            *count += times;
            *last = value;
        }
        is_caught |= is_watching;
    }
    let fell_through = if signal == Signal::USR1 && !is_caught {
        times
    } else {
        0
    };
    assert_eq!(FORMER.load(Ordering::Relaxed) - former, fell_through);
}

fn run(pairs: &mut Vec<Pair>, step: Step) {
    match step {
        Step::New => pairs.push(Pair::new()),
        Step::Send(signal, times, value) => send_and_compare(pairs, signal, times, value),
        Step::Drop(_) | Step::Watch(..) | Step::Unwatch(..) | Step::Take(_) if pairs.is_empty() => {
        }
        Step::Drop(at) => _ = pairs.swap_remove(at.index(pairs.len())),
        Step::Take(at) => at.get_mut(pairs).take(),
        Step::Watch(at, signal) => {
            let pair = at.get_mut(pairs);
            pair.real.watch(signal).unwrap();
            pair.model.watched.insert(signal);
        }
        Step::Unwatch(at, signal) => {
            let pair = at.get_mut(pairs);
            pair.real.unwatch(signal).unwrap();
            pair.model.watched.remove(&signal);
            pair.model.came.remove(&signal);
        }
    }
}

#[test]
fn catchers_are_sets_of_signals_and_maps_of_what_came() {
    in_own_process("catchers_are_sets_of_signals_and_maps_of_what_came", || {
        set_disposition(
            Signal::USR1,
            FORMERLY as libc::sighandler_t,
            libc::SA_NODEFER,
        );
        set_disposition(Signal::USR2, libc::SIG_IGN, 0);
        let before = SIGNALS.map(|signal| parts(&disposition(signal)));
        let caught = {
            let pair = Pair::new();
            pair.real.watch(Signal::USR1).unwrap();
            parts(&disposition(Signal::USR1))
        };
        assert!(!before.contains(&caught));
        proptest!(|(steps in prop::collection::vec(step(), 0..80))| {
            let mut pairs = Vec::new();
            for step in steps {
                run(&mut pairs, step);
                for pair in &pairs {
                    prop_assert!(pair.real.watched().into_iter().eq(pair.model.watched.clone()));
                }
                for (signal, before) in SIGNALS.iter().zip(&before) {
                    let now = parts(&disposition(*signal));
                    if pairs.iter().any(|pair| pair.is_watching(*signal)) {
                        prop_assert_eq!(&now, &caught);
                    } else {
                        prop_assert_eq!(&now, before);
                    }
                }
            }
            for pair in &mut pairs {
                pair.take();
            }
        });
    });
}
