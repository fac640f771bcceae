//! libevent's own tests, with library and tests compiled for `AddressSanitizer`.
//!
//! The library is built by the nightly compiler, the tests by the C compiler; both speak to the C
//! compiler's runtime, which has to be loaded before them. So events on a test's stack and events that
//! a test has freed are guarded against the library too. Leaks are left to [`valgrind`](super::valgrind).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::PACKAGE;
use super::install::FILE;
use super::process::{find, output, succeed};
use super::programs::{self, PROGRAMS};
use super::regress::{self, CORE_GROUPS, Flavour, Outcome, SETTINGS, UPPER_GROUPS, limited};
use super::trial::{Trial, untouched};
use crate::step::{Failure, Verdict, report};

/// Runs every group, and wants no test to fail and no error to be found.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    if find("rustup").is_none() || !has_nightly() {
        return Ok(Verdict::Skipped("no nightly toolchain is installed"));
    }
    let Some(runtime) = runtime() else {
        return Ok(Verdict::Skipped("the C compiler has no AddressSanitizer"));
    };
    let library = build(trial)?;
    let program = regress::built(trial, Flavour::Sanitized)?;
    let preload = format!("{}:{}", runtime.display(), library.display());
    let mut findings = Vec::new();
    for group in CORE_GROUPS.into_iter().chain(UPPER_GROUPS) {
        let mut tests = untouched(&program);
        tests.arg(format!("{group}/..")).env("LD_PRELOAD", &preload);
        tests.env("ASAN_OPTIONS", OPTIONS);
        let end = output(&mut limited(&tests, LIMIT_S))?;
        let outcome = Outcome::parse(group, &String::from_utf8_lossy(&end.stdout));
        let said = String::from_utf8_lossy(&end.stderr);
        println!("{group}: {outcome}");
        findings.extend(outcome.failed().map(|name| format!("{name} fails")));
        findings.extend(errors(&said).map(|error| format!("{group}: {error}")));
        if !end.status.success() {
            print!("{said}");
            findings.push(format!("{group}: {}", end.status));
        }
    }
    for program in PROGRAMS {
        let Some(path) = program.compile(trial, &["-fsanitize=address"])? else {
            continue;
        };
        for setting in &SETTINGS {
            let mut run = untouched(&path);
            run.env("LD_PRELOAD", &preload);
            run.env("ASAN_OPTIONS", OPTIONS);
            run.envs(setting.env.iter().copied());
            let end = output(&mut limited(&run, programs::LIMIT_S))?;
            if !end.status.success() {
                print!("{}", String::from_utf8_lossy(&end.stderr));
                let name = program.name();
                findings.push(format!("{name}, {setting}: {}", end.status));
            }
        }
        println!("{}: {} settings", program.name(), SETTINGS.len());
    }
    report(&findings)
}

/// Leaks are valgrind's to find.
const OPTIONS: &str = "detect_leaks=0:abort_on_error=1";

/// The lines that name an error.
fn errors(said: &str) -> impl Iterator<Item = &str> {
    let lines = said.lines();
    lines.filter(|line| line.contains("ERROR: AddressSanitizer"))
}

fn has_nightly() -> bool {
    let mut rustup = Command::new("rustup");
    succeed(rustup.args(["toolchain", "list"])).is_ok_and(|list| list.contains("nightly"))
}

/// Builds the library by the nightly compiler.
fn build(trial: &Trial<'_>) -> Result<PathBuf, Failure> {
    let target = trial.folder.join("asan");
    let mut cargo = Command::new("rustup");
    cargo.args([
        "run", "nightly", "cargo", "build", "--quiet", "--lib", "-p", PACKAGE,
    ]);
    // Named, so that build scripts are not sanitized too.
    cargo.args(["--target", HOST, "--target-dir"]).arg(&target);
    cargo.current_dir(&trial.workspace.root);
    cargo.env("RUSTFLAGS", "-Zsanitizer=address");
    succeed(&mut cargo)?;
    Ok(target.join(HOST).join("debug").join(FILE))
}

/// The C compiler's runtime.
fn runtime() -> Option<PathBuf> {
    let mut print = Command::new("cc");
    let path = succeed(print.arg("-print-file-name=libasan.so")).ok()?;
    let path = Path::new(path.trim_end());
    path.is_absolute().then(|| path.to_owned())
}

const HOST: &str = "x86_64-unknown-linux-gnu";
const LIMIT_S: u32 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_line_of_the_runtime() {
        let said = "main/x:\n==7==ERROR: AddressSanitizer: heap-use-after-free on 0x1\nREAD of 8\n";
        assert_eq!(errors(said).count(), 1);
        assert_eq!(errors("fine\n").count(), 0);
    }
}
