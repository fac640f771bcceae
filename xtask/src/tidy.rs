//! The step for rules of the text that no compiler knows.

mod rules;

use std::path::PathBuf;

use crate::step::{Failure, Mode, Verdict, report};
use crate::workspace::Workspace;
use rules::Finding;

/// Holds every text file, and every package, against the rules.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    let files = workspace.text_files()?;
    let mut findings: Vec<Finding> = files.iter().flat_map(rules::check_file).collect();
    findings.extend(missing_pages(workspace));
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

/// The pages that must be there and are not; one that is a link to another is there.
fn missing_pages(workspace: &Workspace) -> Vec<Finding> {
    let of_root = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
    ];
    let of_crates = workspace
        .libraries()
        .map(|library| library.dir.join("README.md"));
    let wanted = of_root.iter().map(PathBuf::from).chain(of_crates);
    let missing = wanted.filter(|page| !workspace.root.join(page).is_file());
    missing
        .map(|page| Finding::about(&page, "is missing"))
        .collect()
}
