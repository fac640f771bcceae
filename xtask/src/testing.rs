//! The step that runs the tests: nextest where it is installed, cargo's own runner where not.

use crate::cargo::Cargo;
use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;

/// Builds the examples as a user would, then runs all tests; a failed part does not stop the next.
///
/// Examples are built first because a test may start one. Their own unit tests run too, which no
/// runner does unless asked; doc tests need a call of their own, as nextest does not know them.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    let examples = Cargo::new(workspace, "build --workspace --examples").run();
    let runner = if Cargo::new(workspace, "nextest --version").succeeds() {
        "nextest run"
    } else {
        "test"
    };
    let tests = Cargo::new(workspace, runner)
        .args("--workspace --all-features --lib --bins --tests --examples".split(' '))
        .args(["--no-fail-fast"])
        .run();
    let docs = Cargo::new(
        workspace,
        "test --workspace --all-features --doc --no-fail-fast",
    )
    .run();
    examples.and(tests).and(docs)
}
