//! The step that uses each crate as a stranger would: alone, by path, from a package outside.
//!
//! The package's program is the first example of the crate's README, so the page a newcomer
//! copies from is known to work. What the crate brings along is printed.

mod example;

use std::fs;
use std::path::Path;

use crate::cargo::{Cargo, target_dir};
use crate::step::{Failure, Mode, Verdict, report};
use crate::workspace::{Package, Workspace};
use example::Example;

/// Builds and runs every crate's example in a package that knows no other crate.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    let mut findings = Vec::new();
    for library in workspace.libraries() {
        let name = &library.manifest.name;
        let readme = workspace.read(&library.dir.join("README.md").display().to_string())?;
        match Example::first_of(&readme) {
            Some(example) => findings.extend(
                try_alone(workspace, library, &example)
                    .err()
                    .map(|e| format!("{name}: {e}")),
            ),
            None => findings.push(format!("{name}: its README has no example in Rust")),
        }
    }
    report(&findings)
}

fn try_alone(workspace: &Workspace, library: &Package, example: &Example) -> Result<(), Failure> {
    let target = target_dir(workspace);
    let name = &library.manifest.name;
    let folder = target.join("alone").join(name);
    workspace.write(&folder.join("Cargo.toml"), &manifest(workspace, library))?;
    workspace.write(&folder.join("src/main.rs"), &example.code)?;
    let lock = folder.join("Cargo.lock");
    fs::copy(workspace.root.join("Cargo.lock"), &lock)
        .map_err(|error| Failure::file(&lock, error))?;

    let target = target.display().to_string();
    let verb = if example.runs { "run" } else { "build" };
    println!("{name} alone:");
    Cargo::new(workspace, verb)
        .args(["--quiet", "--target-dir", &target])
        .within(&folder)
        .run()?;
    println!(
        "  brings along: {}",
        brought_along(workspace, &folder, name)?
    );
    Ok(())
}

/// A manifest whose package is its own workspace, and depends on `library` only.
fn manifest(workspace: &Workspace, library: &Package) -> String {
    let name = &library.manifest.name;
    let path = workspace.root.join(&library.dir);
    format!(
        "\
[package]
name = \"alone-{name}\"
version = \"0.0.0\"
edition = \"2024\"
publish = false

[dependencies]
{name} = {{ path = {path:?} }}

[workspace]
"
    )
}

/// The packages that come with the crate, as `cargo tree` names them.
fn brought_along(workspace: &Workspace, folder: &Path, name: &str) -> Result<String, Failure> {
    let text = Cargo::new(
        workspace,
        "tree -e normal --prefix none --no-dedupe --format {p}",
    )
    .within(folder)
    .read()?;
    let mut names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|other| *other != name && *other != format!("alone-{name}"));
    Ok(if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    })
}
