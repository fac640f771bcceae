//! The step for rules of the text that no compiler knows.

mod rules;

use std::path::Path;

use crate::step::{Failure, Mode, Verdict, report};
use crate::workspace::{TextFile, Workspace};
use rules::Finding;

/// Holds every text file, and every package, against the rules.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    let files = workspace.text_files()?;
    let mut findings: Vec<Finding> = files.iter().flat_map(rules::check_file).collect();
    findings.extend(missing_files(workspace, &files));
    for package in &workspace.packages {
        if !package.manifest.inherits_lints {
            let says = "has no `[lints] workspace = true`";
            findings.push(Finding::about(&package.dir.join("Cargo.toml"), says));
        }
    }
    for (file, lines) in files
        .iter()
        .filter_map(|file| Some((file, rules::long(file)?)))
    {
        println!(
            "note: {} has {lines} lines; can it be split?",
            file.path.display()
        );
    }
    report(&findings)
}

/// The pages that must be there and are not.
fn missing_files(workspace: &Workspace, files: &[TextFile]) -> Vec<Finding> {
    let of_crates = workspace
        .libraries()
        .map(|library| library.dir.join("README.md"));
    let of_root = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
    ];
    let wanted = of_root
        .iter()
        .map(|name| Path::new(name).to_owned())
        .chain(of_crates);
    let is_there = |path: &Path| files.iter().any(|file| file.path == path);
    wanted
        .filter(|path| !is_there(path))
        .map(|path| Finding::about(&path, "is missing"))
        .collect()
}
