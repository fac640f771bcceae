//! `cargo xtask coverage`: which share of each crate's lines the tests come to.
//!
//! It needs cargo-llvm-cov, and the tools of the LLVM that the compiler was made with: the component
//! `llvm-tools` of the toolchain or, where that cannot be had, the system's package of the same major
//! version (`llvm-22` of Debian, for Rust 1.95).
//!
//! What runs in a child that ends without giving back what it has, as those of the tests of forks do, is not
//! counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cargo::Cargo;
use crate::step::{Failure, Verdict};
use crate::workspace::Workspace;

/// Runs the tests with counters built in, and prints the shares; every file's is in `target/coverage.txt`.
///
/// # Errors
///
/// A test failed.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Verdict, Failure> {
    if let Some(surplus) = arguments.first() {
        return Err(Failure::Usage(format!("it takes no {surplus:?}")));
    }
    let mut probe = Command::new("cargo");
    let probe = probe.args(["llvm-cov", "--version"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        return Ok(Verdict::Skipped("cargo-llvm-cov is not installed"));
    }
    let mut cargo = Cargo::new(
        workspace,
        "llvm-cov test --workspace --exclude xtask --all-features --lib --tests --summary-only",
    );
    if let Some(major) = llvm_major() {
        for (variable, tool) in [("LLVM_COV", "llvm-cov"), ("LLVM_PROFDATA", "llvm-profdata")] {
            let path = format!("/usr/bin/{tool}-{major}");
            if Path::new(&path).exists() {
                cargo = cargo.env(variable, &path);
            }
        }
    }
    let table = workspace.root.join("target/coverage.txt");
    cargo
        .args(["--output-path", &table.display().to_string()])
        .run()?;
    let text = fs::read_to_string(&table).map_err(|source| Failure::file(&table, source))?;
    println!(
        "\n{:12} {:>7} {:>7} {:>7}",
        "crate", "lines", "missed", "share"
    );
    for (name, Lines { all, missed }) in by_crate(&text) {
        let hit = all - missed;
        println!("{name:12} {all:7} {missed:7} {:6.1} %", percent(hit, all));
    }
    println!("\nby file: {}", table.display());
    Ok(Verdict::Passed)
}

/// The major version of the compiler's LLVM.
fn llvm_major() -> Option<String> {
    let output = Command::new("rustc").arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next().map(str::to_owned)
}

/// Lines that could have run, and those that did not.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lines {
    all: u32,
    missed: u32,
}

/// Sums up a table of llvm-cov: a file a line, with three numbers each of regions, functions and lines:
/// all, missed, the share. Files that are tests say nothing of the tests.
fn by_crate(table: &str) -> BTreeMap<&str, Lines> {
    let mut sums: BTreeMap<&str, Lines> = BTreeMap::new();
    for line in table.lines() {
        let mut words = line.split_whitespace();
        let Some((name, "src")) = words.next().and_then(folders) else {
            continue;
        };
        let number = |word: Option<&str>| word.and_then(|word| word.parse::<u32>().ok());
        // Six numbers of regions and functions come before.
        let (all, missed) = (number(words.nth(6)), number(words.next()));
        if let Some((all, missed)) = all.zip(missed) {
            let sum = sums.entry(name).or_default();
            sum.all += all;
            sum.missed += missed;
        }
    }
    sums
}

/// The crate's folder and the one below it, of a path such as `timers/src/heap.rs`.
fn folders(path: &str) -> Option<(&str, &str)> {
    let path = path.rsplit_once("crates/").map_or(path, |(_, path)| path);
    let is_test = path.ends_with("/tests.rs") || path.ends_with("/interleavings.rs");
    let mut folders = path.split('/');
    let pair = folders.next().zip(folders.next());
    pair.filter(|_| !is_test)
}

fn percent(part: u32, whole: u32) -> f64 {
    100.0 * f64::from(part) / f64::from(whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_summed_up_by_crate_and_tests_left_out() {
        let table = "\
Filename                 Regions    Missed Regions     Cover   Functions  Missed Functions  Executed       Lines      Missed Lines     Cover    Branches   Missed Branches     Cover
------------------------------------------------------------------------------------------
pipe/src/pipe.rs             100                10    90.00%          20                 2    90.00%          80                 8    90.00%           0                 0         -
pipe/src/pipe/tests.rs       100                10    90.00%          20                 2    90.00%          80                 8    90.00%           0                 0         -
pipe/src/waker.rs             10                 0   100.00%           2                 0   100.00%          20                 1    95.00%           0                 0         -
/tree/crates/sim/src/sim.rs   10                 0   100.00%           2                 0   100.00%          30                 0   100.00%           0                 0         -
TOTAL                        220                20    90.00%          44                 4    90.00%         210                17    91.90%           0                 0         -
";
        let sums = by_crate(table);
        let pipe = Lines {
            all: 100,
            missed: 9,
        };
        let sim = Lines { all: 30, missed: 0 };
        assert_eq!(sums, BTreeMap::from([("pipe", pipe), ("sim", sim)]));
    }
}
