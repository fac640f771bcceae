//! The conformance kit of `evloop-backend`: on the simulated backend, which keeps the contract with all
//! its liberties, and on backends that break it each in one way.

mod broken;
mod files;

use evloop_backend::conformance::{any_history, check};
use evloop_sim::{Disorder, Sim};
use proptest::prelude::*;

use self::files::SimFiles;

proptest! {
    #[test]
    fn sim_keeps_the_contract(history in any_history()) {
        let sim = Sim::new(0);
        check(sim.backend(), &mut SimFiles::new(&sim), &history);
        sim.check_invariants();
    }

    #[test]
    fn sim_keeps_the_contract_in_any_disorder(history in any_history(), seed: u64) {
        let sim = Sim::new(seed);
        sim.set_disorder(Disorder::some());
        check(sim.backend(), &mut SimFiles::new(&sim), &history);
        sim.check_invariants();
    }
}
