//! `cargo xtask bench`: evloop beside its peers, by the package in `benches/peers`.
//!
//! That package is a workspace of its own: tokio, mio and a plotting crate burden neither the checks nor
//! the lock file of what is shipped.

use crate::cargo::Cargo;
use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;

/// Builds the package and hands it the options.
///
/// # Errors
///
/// It does not build, or says what is wrong.
pub(crate) fn run(workspace: &Workspace, options: &[String]) -> Result<Verdict, Failure> {
    cargo(workspace, "run --quiet --release")
        .args(["--"])
        .args(options)
        .run()
}

/// Holds the package to what the workspace is held to, and has every contender do a little of some works.
///
/// # Errors
///
/// It is laid out otherwise, has warnings, fails its tests or does not run.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    Cargo::new(workspace, "fmt --manifest-path")
        .args([MANIFEST, "--", "--check"])
        .run()?;
    cargo(workspace, "clippy --quiet --all-targets")
        .args(["--", "-D", "warnings"])
        .run()?;
    cargo(workspace, "test --quiet").run()?;
    cargo(workspace, "run --quiet")
        .args(["--"])
        .args(LITTLE.split_whitespace())
        .run()
}

/// A command of cargo's on the package; nothing it builds is mixed up with what the workspace builds.
fn cargo(workspace: &Workspace, command: &str) -> Cargo {
    Cargo::new(workspace, command).args([
        "--locked",
        "--manifest-path",
        MANIFEST,
        "--target-dir",
        "target/bench",
    ])
}

/// Where the package is, from the root of the workspace.
pub(crate) const MANIFEST: &str = "benches/peers/Cargo.toml";

/// Some seconds, on a machine that has something else to do, too.
const LITTLE: &str = "--quick --only ring,toggle,signal,wake,register --shrink 200 --reps 1 \
    --no-counts --out target/bench-smoke";
