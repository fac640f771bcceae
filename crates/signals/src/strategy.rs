//! Strategies for property tests: any signal, any history of a map.
//!
//! For who tests a type that holds a [`SignalMap`], or one that does its job in another way.
//!
//! # Examples
//!
//! ```
//! use evloop_signals::SignalMap;
//! use evloop_signals::strategy::{Step, history};
//! use proptest::prelude::*;
//!
//! proptest!(|(steps in history(0_u8..4, 0..50))| {
//!     let mut map = SignalMap::new();
//!     for step in steps {
//!         match step {
//!             Step::Insert(signal, event) => _ = map.insert(signal, event),
//!             Step::Remove(signal, event) => _ = map.remove(signal, event),
//!         }
//!         map.check_invariants();
//!     }
//! });
//! ```

use alloc::vec::Vec;
use core::fmt::Debug;

use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::Signal;
#[cfg(doc)]
use crate::SignalMap;

/// Any signal. Shrinks towards the lowest number.
pub fn signal() -> impl Strategy<Value = Signal> {
    select(Vec::from_iter(
        (1..=64).filter_map(|number| Signal::new(number).ok()),
    ))
}

/// One call of a [`SignalMap`] that changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<E> {
    /// [`SignalMap::insert`].
    Insert(Signal, E),
    /// [`SignalMap::remove`].
    Remove(Signal, E),
}

/// Any history of a map, with these events and of this length.
///
/// Every second signal, about, is one of three, so that histories have signals with several events,
/// and signals that lose the last and get another.
pub fn history<E: Strategy>(
    event: E,
    length: impl Into<SizeRange>,
) -> impl Strategy<Value = Vec<Step<E::Value>>>
where
    E::Value: Clone + Debug,
{
    let signal = prop_oneof![
        select(&[Signal::HUP, Signal::INT, Signal::WINCH][..]),
        signal()
    ];
    let step = (any::<bool>(), signal, event).prop_map(|(inserts, signal, event)| {
        if inserts {
            Step::Insert(signal, event)
        } else {
            Step::Remove(signal, event)
        }
    });
    vec(step, length)
}
