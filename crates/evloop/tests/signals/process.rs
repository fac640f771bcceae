//! A process for each test: what it does at a signal is everybody's business in it.
//!
//! The test starts its own executable again, with its own name as the filter and a variable by
//! which it knows itself. So it is an ordinary test to whatever runs it.

use std::env;
use std::process::{Command, exit};

/// Set in the process that runs the scenario.
const INSIDE: &str = "EVLOOP_SIGNALS_SCENARIO";

/// What the process exits with when the scenario has come to its end, and was not just filtered
/// out.
const DONE: i32 = 42;

/// Runs a scenario in a process of its own; `test` is the whole name of the test that calls this.
pub(crate) fn in_own_process(test: &str, scenario: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        scenario();
        exit(DONE);
    }
    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(DONE),
        "{test}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
