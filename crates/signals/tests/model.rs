//! The map against a list of pairs, through any history.

use evloop_signals::strategy::{Step, history, signal};
use evloop_signals::{Inserted, Removed, Signal, SignalMap, SignalSet};
use proptest::prelude::*;

type Event = u8;

/// Who waits for what, in the order of insertion.
#[derive(Default)]
struct Model(Vec<(Signal, Event)>);

impl Model {
    fn insert(&mut self, signal: Signal, event: Event) -> Inserted {
        if self.0.contains(&(signal, event)) {
            return Inserted::Already;
        }
        let is_first = self.events(signal).is_empty();
        self.0.push((signal, event));
        if is_first {
            Inserted::First
        } else {
            Inserted::Another
        }
    }

    fn remove(&mut self, signal: Signal, event: Event) -> Removed {
        if !self.0.contains(&(signal, event)) {
            return Removed::Absent;
        }
        self.0.retain(|pair| *pair != (signal, event));
        if self.events(signal).is_empty() {
            Removed::Last
        } else {
            Removed::Others
        }
    }

    fn events(&self, signal: Signal) -> Vec<Event> {
        self.0
            .iter()
            .filter(|pair| pair.0 == signal)
            .map(|pair| pair.1)
            .collect()
    }

    fn signals(&self) -> Vec<Signal> {
        let mut signals: Vec<_> = self.0.iter().map(|pair| pair.0).collect();
        signals.sort();
        signals.dedup();
        signals
    }
}

proptest! {
    #[test]
    fn a_map_is_a_list_of_pairs(steps in history(0_u8..5, 0..120)) {
        let mut map = SignalMap::new();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Insert(signal, event) => {
                    prop_assert_eq!(map.insert(signal, event), model.insert(signal, event));
                }
                Step::Remove(signal, event) => {
                    prop_assert_eq!(map.remove(signal, event), model.remove(signal, event));
                }
            }
            map.check_invariants();
            let (Step::Insert(touched, _) | Step::Remove(touched, _)) = step;
            prop_assert_eq!(map.is_watched(touched), !model.events(touched).is_empty());
            prop_assert_eq!(map.events(touched), model.events(touched));
            prop_assert_eq!(Vec::from_iter(map.signals()), model.signals());
            prop_assert_eq!(map.len(), model.0.len());
            prop_assert_eq!(map.is_empty(), model.0.is_empty());
        }
        for other in map.signals() {
            prop_assert_eq!(map.events(other), model.events(other));
        }
    }

    #[test]
    fn a_set_is_a_sorted_list(signals in prop::collection::vec((any::<bool>(), signal()), 0..100)) {
        let mut set = SignalSet::new();
        let mut model = Vec::new();
        for (inserts, signal) in signals {
            match model.binary_search(&signal) {
                Err(position) if inserts => model.insert(position, signal),
                Ok(position) if !inserts => _ = model.remove(position),
                Ok(_) | Err(_) => {}
            }
            let was_there = set.contains(signal);
            if inserts {
                prop_assert_eq!(set.insert(signal), !was_there);
            } else {
                prop_assert_eq!(set.remove(signal), was_there);
            }
            prop_assert_eq!(Vec::from_iter(set), &model[..]);
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.is_empty(), model.is_empty());
            prop_assert_eq!(SignalSet::from_bits(set.bits()), set);
        }
    }
}
