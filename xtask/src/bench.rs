//! `cargo xtask bench`: evloop beside its peers, by the package in `benches/peers`.
//!
//! That package is a workspace of its own: tokio, mio and a plotting crate burden neither the checks nor
//! the lock file of what is shipped.

use std::process::Command;

use crate::step::{Failure, Verdict};
use crate::workspace::Workspace;

/// Builds the package and hands it the options.
///
/// # Errors
///
/// It does not build, or says what is wrong.
pub(crate) fn run(workspace: &Workspace, options: &[String]) -> Result<Verdict, Failure> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--release", "--locked", "--manifest-path"])
        .args([
            "benches/peers/Cargo.toml",
            "--target-dir",
            "target/bench",
            "--",
        ])
        .args(options)
        .current_dir(&workspace.root);
    let line = "cargo run --manifest-path benches/peers/Cargo.toml";
    let status = command.status().map_err(|source| Failure::Start {
        line: line.to_owned(),
        source,
    })?;
    if status.success() {
        return Ok(Verdict::Passed);
    }
    Err(Failure::Command {
        line: line.to_owned(),
        status,
    })
}
