//! The step that tries memory orders and interleavings under loom, a model checker.
//!
//! `--cfg loom` swaps the atomics and locks of a crate's `sync` module for loom's, which run a test
//! again and again, each time with another order of the threads' steps and with other values that
//! the memory model allows a load to see. What is tested so stands in files of one name.

use std::env;

use crate::cargo::{Cargo, target_dir};
use crate::step::{Failure, Mode, Verdict};
use crate::workspace::{Package, TextFile, Workspace};

/// The module that holds the tests; others make no sense under loom, and are not run.
const MODULE: &str = "interleavings";

/// loom's own bound: how often a thread is interrupted that could have gone on. Bugs need few, and
/// each one more takes several times as long. Raise it in the environment to search for an hour.
const BOUND: (&str, &str) = ("LOOM_MAX_PREEMPTIONS", "3");

/// Runs the tests of every crate that has some. They are built on their own, beside the others.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    let files = workspace.text_files()?;
    let crates = crates_with_tests(workspace, &files);
    let target = target_dir(workspace).join("loom").display().to_string();
    let bound = env::var(BOUND.0).unwrap_or_else(|_| BOUND.1.to_owned());
    Cargo::new(workspace, "test --lib --target-dir")
        .args([target.as_str()])
        // A debug build of the checker itself takes several times as long.
        .args(
            ["loom", "generator"]
                .map(|name| format!("--config=profile.dev.package.{name}.opt-level=3")),
        )
        .args(crates.map(|name| format!("--package={name}")))
        .args([MODULE])
        .env("RUSTFLAGS", "--cfg loom -D warnings")
        .env(BOUND.0, &bound)
        .run()
}

/// The names of the crates that have tests for loom.
fn crates_with_tests<'a>(
    workspace: &'a Workspace,
    files: &'a [TextFile],
) -> impl Iterator<Item = &'a str> {
    let is_test = |file: &&TextFile| file.path.file_stem().is_some_and(|stem| stem == MODULE);
    let has_tests = move |library: &&Package| {
        let mut tests = files.iter().filter(is_test);
        tests.any(|file| file.path.starts_with(&library.dir))
    };
    let libraries = workspace.libraries().filter(has_tests);
    libraries.map(|library| library.manifest.name.as_str())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_crates_that_have_tests_for_loom_are_found() {
        let workspace = Workspace::open().unwrap();
        let file = |path: &str| TextFile {
            path: PathBuf::from(path),
            text: String::new(),
        };
        let files = [
            file("crates/pipe/src/state/interleavings.rs"),
            file("crates/timers/src/heap.rs"),
            file("xtask/src/interleavings.rs"),
        ];
        let found: Vec<_> = crates_with_tests(&workspace, &files).collect();
        assert_eq!(found, ["evloop-pipe"]);
    }
}
