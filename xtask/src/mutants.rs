//! `cargo xtask mutants`: breaks the code of the crates that decide, in each way that cargo-mutants knows,
//! one at a time, and wants a test to fail for each.
//!
//! What is left out, and why it cannot matter, is in `.cargo/mutants.toml`. It takes hours on all crates;
//! `--package NAME` and what else cargo-mutants takes narrow it down.

use std::process::Command;

use crate::cargo::Cargo;
use crate::step::{Failure, Verdict};
use crate::workspace::Workspace;

/// What is mutated if it is not said.
const PACKAGES: [&str; 9] = [
    "evloop-changelist",
    "evloop-signals",
    "evloop-pipe",
    "evloop-timers",
    "evloop-core",
    "evloop-backend",
    "evloop-epoll",
    "evloop-poll",
    "evloop-catcher",
];

/// Runs cargo-mutants, with these arguments of its own.
///
/// # Errors
///
/// A mutant was not noticed; it is named.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Verdict, Failure> {
    let mut probe = Command::new("cargo");
    let probe = probe.args(["mutants", "--version"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        return Ok(Verdict::Skipped("cargo-mutants is not installed"));
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["mutants", "--timeout", "20"]);
    if !arguments.iter().any(|argument| argument == "--package") {
        cargo.args(PACKAGES.iter().flat_map(|name| ["--package", name]));
    }
    // The tests of the facade are a package of their own.
    let pairs = arguments.windows(2).filter(|pair| pair[0] == "--package");
    let named: Vec<&str> = pairs.map(|pair| pair[1].as_str()).collect();
    if named.contains(&"evloop") {
        let tested = named.iter().chain(&["evloop-tests"]);
        cargo.args(tested.flat_map(|name| ["--test-package", name]));
    }
    if Cargo::new(workspace, "nextest --version").succeeds() {
        cargo.args(["--test-tool", "nextest"]);
    }
    cargo.args(arguments).current_dir(&workspace.root);
    // Jobs that build in one place would wait for each other, and build all for each mutant.
    cargo.env_remove("CARGO_TARGET_DIR");
    // What fails need not be made small.
    cargo.env("PROPTEST_MAX_SHRINK_ITERS", "0");
    // The tests of core take a fifth of the time so, and nobody reads what they print.
    cargo.envs([
        ("CARGO_PROFILE_DEV_OPT_LEVEL", "1"),
        ("CARGO_PROFILE_DEV_DEBUG", "none"),
    ]);
    let line = "cargo mutants".to_owned();
    match cargo.status() {
        Ok(status) if status.success() => Ok(Verdict::Passed),
        Ok(status) => Err(Failure::Command { line, status }),
        Err(source) => Err(Failure::Start { line, source }),
    }
}
