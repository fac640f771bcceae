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
mod process;
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
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use self::outside::{Forks, Simulated};
use self::process::{Process, run_and_fork};
use self::program::Ran;

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let records = vec(any::<[u8; bytes::RECORD]>(), 0..80);
    records.prop_map(|records| records.concat())
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
        let (real, model) = on_both(&bytes);
        prop_assert!(real == model, "{:#?}", {
            let shortest = shortest(bytes, |bytes| {
                let (real, model) = on_both(bytes);
                real != model
            });
            on_both(&shortest)
        });
    }

    #[test]
    fn programs_that_fork_call_the_same_on_the_kernel_and_on_its_model(bytes in any_bytes()) {
        let _alone = alone();
        let (real, model) = on_both_with_forks(&bytes);
        prop_assert!(real == model, "{}", {
            let shortest = shortest(bytes, |bytes| {
                let (real, model) = on_both_with_forks(bytes);
                real != model
            });
            let (real, model) = on_both_with_forks(&shortest);
            format!("on the kernel:\n{real}\non the model:\n{model}")
        });
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

/// A program on the kernel, and on its model.
fn on_both(bytes: &[u8]) -> (Ran, Ran) {
    let real = program::run(Process(Forks::No), bytes);
    (real, on_model(Forks::No, false, bytes))
}

/// The same of a program that forks, as text.
fn on_both_with_forks(bytes: &[u8]) -> (String, String) {
    (
        run_and_fork(bytes),
        on_model(Forks::Yes, false, bytes).text(),
    )
}

fn on_model(forks: Forks, is_wrong: bool, bytes: &[u8]) -> Ran {
    let model = Simulated {
        sim: Sim::new(0),
        like_process: Some(forks),
        is_wrong,
    };
    program::run(model, bytes)
}

/// Leaves out steps for as long as what is left fails. Goes beyond what proptest does, which tries each
/// once.
fn shortest(mut bytes: Vec<u8>, fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut at = 0;
    while at < bytes.len() {
        let mut without = bytes.clone();
        without.drain(at..bytes.len().min(at + bytes::RECORD));
        if fails(&without) {
            bytes = without;
            at = 0;
        } else {
            at += bytes::RECORD;
        }
    }
    bytes
}

#[test]
fn difference_between_kernel_and_model_shrinks_to_a_few_lines() {
    let _alone = alone();
    let differs =
        |bytes: &[u8]| program::run(Process(Forks::No), bytes) != on_model(Forks::No, true, bytes);
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    // The same in every run: how short it gets depends on where it begins.
    let seed = TestRng::deterministic_rng(RngAlgorithm::default());
    let mut runner = TestRunner::new_with_rng(config, seed);
    let compared = runner.run(&any_bytes(), |bytes| {
        prop_assert!(!differs(&bytes));
        Ok(())
    });
    let Err(TestError::Fail(_, bytes)) = compared else {
        panic!("a model that is wrong agrees with the kernel");
    };
    let real = program::run(Process(Forks::No), &shortest(bytes, differs));
    // Three would do: a connection is opened, its peer writes no more, its listener hears of it.
    assert!(real.steps.len() <= 8, "{:#?}", real.steps);
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
        let (real, model) = on_both(bytes);
        assert_eq!(real, model);
        let (real, model) = on_both_with_forks(bytes);
        assert_eq!(real, model);
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
