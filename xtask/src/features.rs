//! The step that builds each crate alone, with every feature set.
//!
//! A run over the whole workspace unifies features, so a crate could lean on one that only its
//! neighbour turned on. Clippy does the building: what one feature set leaves unused is a warning.

use crate::cargo::Cargo;
use crate::manifest::Manifest;
use crate::step::{Failure, Mode, Verdict, report};
use crate::workspace::Workspace;

/// Builds every crate with its default features, with none, with each alone and with all.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    let mut failures = Vec::new();
    for library in workspace.libraries() {
        for set in feature_sets(&library.manifest) {
            let built = Cargo::new(workspace, "clippy --quiet -p")
                .args([library.manifest.name.as_str()])
                .args(set.split_whitespace())
                .args(["--", "-D", "warnings"])
                .run();
            failures.extend(built.err());
        }
    }
    report(&failures)
}

/// The arguments that choose each set that differs from the ones before.
fn feature_sets(manifest: &Manifest) -> Vec<String> {
    let mut sets = vec![String::new()];
    if manifest.default_features {
        sets.push("--no-default-features".to_owned());
    }
    if manifest.features.len() > 1 {
        let alone = |feature| format!("--no-default-features --features {feature}");
        sets.extend(manifest.features.iter().map(alone));
    }
    if !manifest.features.is_empty() {
        sets.push("--all-features".to_owned());
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(default_features: bool, features: &[&str]) -> Vec<String> {
        let features = features.iter().copied().map(str::to_owned).collect();
        feature_sets(&Manifest {
            default_features,
            features,
            ..Manifest::default()
        })
    }

    #[test]
    fn a_crate_without_features_is_built_once() {
        assert_eq!(sets(false, &[]), [""]);
    }

    #[test]
    fn one_feature_that_is_off_makes_two_sets() {
        assert_eq!(sets(false, &["proptest"]), ["", "--all-features"]);
    }

    #[test]
    fn several_features_are_tried_alone_and_together() {
        let expected = [
            "",
            "--no-default-features",
            "--no-default-features --features a",
            "--no-default-features --features b",
            "--all-features",
        ];
        assert_eq!(sets(true, &["a", "b"]), expected);
    }
}
