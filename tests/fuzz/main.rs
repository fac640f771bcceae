//! Programs on the whole loop, drawn at random and from the corpus of the fuzzer: in a simulated world, and
//! the same on the running kernel, where the same callbacks run. And what the pure crates do, beside a
//! few lines that say what they are to do.
//!
//! The modules are the fuzz targets' too. What a fuzzer found is put into `fuzz/corpus`, and is played here
//! from then on.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

mod bytes;
mod changes;
mod deadlines;
mod outside;
mod program;
mod spec;
mod steps;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use evloop_sim::{Disorder, Sim};
use proptest::collection::vec;
use proptest::prelude::*;

use self::outside::{Process, Simulated};
use self::program::Call;

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

proptest! {
    #[test]
    fn programs_lose_nothing_and_call_nobody_who_is_gone(bytes in any_bytes()) {
        let _alone = alone();
        program::simulated(0, Disorder::none(), &bytes);
    }

    #[test]
    fn programs_lose_nothing_in_any_disorder(bytes in any_bytes(), seed: u64) {
        let _alone = alone();
        let first = program::simulated(seed, Disorder::some(), &bytes);
        let again = program::simulated(seed, Disorder::some(), &bytes);
        prop_assert_eq!(first, again, "the same seed gives the same run");
    }

    #[test]
    fn programs_call_the_same_on_the_kernel_and_on_its_model(bytes in any_bytes()) {
        let _alone = alone();
        let (real, simulated) = on_both(&bytes);
        prop_assert_eq!(real, simulated);
    }

    #[test]
    fn changes_are_what_was_wanted(bytes in any_bytes()) {
        changes::run(&bytes);
    }

    #[test]
    fn deadlines_come_in_their_order(bytes in any_bytes()) {
        deadlines::run(&bytes);
    }
}

fn on_both(bytes: &[u8]) -> (Vec<Call>, Vec<Call>) {
    let like_process = Simulated {
        sim: Sim::new(0),
        is_like_process: true,
    };
    (
        program::run(Process, bytes),
        program::run(like_process, bytes),
    )
}

/// File descriptors are given out in the same order on the kernel and on the model while no other test
/// takes any.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plays each file of a target's corpus; there are some.
fn play(target: &str, run: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut count = 0;
    for file in fs::read_dir(&corpus).unwrap() {
        let path = file.unwrap().path();
        // A panic says which file it was.
        let played = catch_unwind(AssertUnwindSafe(|| run(&fs::read(&path).unwrap())));
        assert!(played.is_ok(), "{}", path.display());
        count += 1;
    }
    assert!(count > 0, "{} is empty", corpus.display());
}

#[test]
fn corpus_of_programs_passes() {
    let _alone = alone();
    play("program", program::fuzz);
    play("program", |bytes| {
        let (real, simulated) = on_both(bytes);
        assert_eq!(real, simulated);
    });
}

#[test]
fn corpus_of_changes_passes() {
    play("changes", changes::run);
}

#[test]
fn corpus_of_deadlines_passes() {
    play("deadlines", deadlines::run);
}
