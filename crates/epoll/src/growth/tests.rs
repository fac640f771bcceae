//! Against a model that remembers how each wait used the array.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Every wait since the length last changed, or was last looked at.
struct Model {
    len: usize,
    waits: Vec<usize>,
}

impl Model {
    fn note(&mut self, used: usize) {
        self.waits.push(used);
        if used == self.len {
            *self = Self {
                len: (self.len * 2).min(1024),
                waits: Vec::new(),
            };
        }
        let last = self.waits.iter().rev().take(64);
        if last.clone().count() == 64 && last.into_iter().all(|used| *used < self.len / 4) {
            *self = Self {
                len: (self.len / 2).max(32),
                waits: Vec::new(),
            };
        }
    }
}

/// How full the array came back: empty, full, or in between.
fn fill() -> impl Strategy<Value = f64> {
    prop_oneof![3 => Just(0.0), 2 => Just(1.0), 1 => 0.0..1.0]
}

proptest! {
    #[test]
    fn grows_and_shrinks_like_the_model(runs in vec((fill(), 1_usize..200), 0..50)) {
        let mut growth = Growth::new();
        let mut model = Model { len: 32, waits: Vec::new() };
        for (fill, waits) in runs {
            for _ in 0..waits {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_precision_loss,
                    clippy::cast_sign_loss,
                    reason = "a share of 1024"
                )]
                let used = (growth.len() as f64 * fill) as usize;
                growth.note(used);
                model.note(used);
                prop_assert_eq!(growth.len(), model.len);
                prop_assert!((MIN..=MAX).contains(&growth.len()));
            }
        }
    }
}

#[test]
fn a_rush_grows_it_to_the_maximum_and_silence_shrinks_it_back() {
    let mut growth = Growth::new();
    for len in [32, 64, 128, 256, 512, 1024, 1024] {
        assert_eq!(growth.len(), len);
        growth.note(len);
    }
    let mut waits = 0;
    while growth.len() > 32 {
        growth.note(0);
        waits += 1;
    }
    assert_eq!(waits, 5 * 64);
}

#[test]
fn one_wait_that_uses_a_quarter_starts_the_silence_anew() {
    let mut growth = Growth::new();
    growth.note(32);
    for _ in 0..10 {
        for _ in 0..63 {
            growth.note(15);
        }
        growth.note(16);
    }
    assert_eq!(growth.len(), 64);
}
