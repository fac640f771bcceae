//! Random programs on the whole loop in a simulated world: files with somebody at the other end,
//! signals, timers, callbacks that do what callbacks do, and a kernel that uses its liberties.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

mod borrowed;
mod found;
mod front;
mod long;
mod oracle;
mod program;
mod talk;
mod world;

use evloop_sim::Disorder;
use proptest::prelude::*;

use program::{any_disorder, any_program};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    /// What is checked on the way, and at the end, stands in `oracle` and `world`.
    #[test]
    fn nothing_stale_nothing_lost_nothing_early_and_no_spin(program in any_program()) {
        world::run(&program, 0, Disorder::none());
    }

    #[test]
    fn disorder_changes_when_things_are_delivered_and_not_what(
        program in any_program(),
        seed: u64,
        disorder in any_disorder(),
    ) {
        let orderly = world::run(&program, seed, Disorder::none());
        let disorderly = world::run(&program, seed, disorder);
        prop_assert_eq!(disorderly.delivered, orderly.delivered);
    }

    #[test]
    fn same_seed_gives_the_same_trace(
        program in any_program(),
        seed: u64,
        disorder in any_disorder(),
    ) {
        let first = world::run(&program, seed, disorder);
        prop_assert_eq!(first, world::run(&program, seed, disorder));
    }
}
