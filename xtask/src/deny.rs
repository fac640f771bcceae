//! The step that asks cargo-deny about the dependency graph.

use crate::bench;
use crate::cargo::Cargo;
use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;

/// Bans, licences and sources as `deny.toml` states them, of what is shipped and of what is measured beside it. Advisories are not asked for: their
/// database is out of reach of some machines that run this.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    if !Cargo::new(workspace, "deny --version").succeeds() {
        let why = "cargo-deny is not installed (cargo install cargo-deny --locked)";
        return Ok(Verdict::Skipped(why));
    }
    let check = "check bans licenses sources".split(' ');
    Cargo::new(workspace, "deny").args(check.clone()).run()?;
    Cargo::new(workspace, "deny --config deny.toml --manifest-path")
        .args([bench::MANIFEST])
        .args(check)
        .run()
}
