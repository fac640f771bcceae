//! The step that asks cargo-deny about the dependency graph.

use crate::cargo::Cargo;
use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;

/// Bans, licences and sources as `deny.toml` states them. Advisories are not asked for: their
/// database is out of reach of some machines that run this.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    if !Cargo::new(workspace, "deny --version").succeeds() {
        let why = "cargo-deny is not installed (cargo install cargo-deny --locked)";
        return Ok(Verdict::Skipped(why));
    }
    Cargo::new(workspace, "deny check bans licenses sources").run()
}
