//! The step that packages every crate as for publishing.

use crate::cargo::Cargo;
use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;

/// Packs the crates without building them: manifests, README files and the versions of siblings
/// are what can be wrong here, and building is what the other steps do.
///
/// The registry is not asked, so that nothing but the workspace decides the outcome; the first
/// call downloads what is missing.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    Cargo::new(workspace, "tree --quiet --workspace --all-features").read()?;
    let unpublished = workspace
        .packages
        .iter()
        .filter(|package| !package.is_library());
    let excludes = unpublished.flat_map(|package| ["--exclude", &package.manifest.name]);
    Cargo::new(
        workspace,
        "package --offline --quiet --no-verify --allow-dirty --workspace",
    )
    .args(excludes)
    .run()
}
