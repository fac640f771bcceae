//! libevent's own tests under valgrind's memcheck, on the library, each in a process of its own.
//!
//! Every error counts and nothing is suppressed. Two things are not the library's: a test that
//! measures time may fail there, as everything takes twenty times as long, and leave a thread behind
//! on a base that is freed, so it is tried again; and where libevent's own core has as many errors
//! in a test, they are the test's.

use std::fs;
use std::path::Path;

use super::process::{find, output};
use super::regress::{self, Flavour, limited};
use super::trial::{Side, Trial};
use crate::step::{Failure, Verdict, report};

/// What became of one test.
#[derive(Debug)]
struct End {
    passed: bool,
    errors: Vec<String>,
}

/// Runs every test, and looks through the logs of its processes.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    if find("valgrind").is_none() {
        return Ok(Verdict::Skipped("valgrind is not installed"));
    }
    let program = regress::built(trial, Flavour::Plain)?;
    let tests = regress::tests(&program)?;
    let mut findings = Vec::new();
    let mut slow = Vec::new();
    for test in &tests {
        let mut end = run(trial, &program, Side::Evloop, test)?;
        for _ in 1..ATTEMPTS {
            if !end.passed {
                end = run(trial, &program, Side::Evloop, test)?;
            }
        }
        if !end.passed {
            slow.push(test.as_str());
        }
        if end.errors.is_empty() {
            continue;
        }
        let there = run(trial, &program, Side::Debian, test)?.errors.len();
        let here = end.errors.len();
        if here <= there {
            println!("note: {test}: {here} errors, {there} on Debian's");
        } else {
            findings.extend(end.errors.iter().map(|error| format!("{test}: {error}")));
        }
    }
    println!(
        "{} tests; did not pass, being too slow: {slow:?}",
        tests.len()
    );
    report(&findings)
}

fn run(trial: &Trial<'_>, program: &Path, side: Side, test: &str) -> Result<End, Failure> {
    let logs = trial.folder.join("valgrind");
    let fail = |error| Failure::file(&logs, error);
    if logs.exists() {
        fs::remove_dir_all(&logs).map_err(fail)?;
    }
    fs::create_dir_all(&logs).map_err(fail)?;
    let mut command = trial.command(side, "valgrind");
    command.arg(format!("--log-file={}/%p", logs.display()));
    command.args([
        "--num-callers=40",
        "--leak-check=full",
        "--show-leak-kinds=definite",
    ]);
    command.arg(program).args(["--no-fork", test]);
    let passed = output(&mut limited(&command, LIMIT_S))?.status.success();
    let mut errors = Vec::new();
    let mut processes = 0;
    for entry in fs::read_dir(&logs).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let text = fs::read_to_string(&path).map_err(|error| Failure::file(&path, error))?;
        errors.extend(errors_of(&text));
        processes += 1;
    }
    if processes == 0 {
        return Err(Failure::Findings(format!(
            "{test} did not run under valgrind"
        )));
    }
    Ok(End { passed, errors })
}

/// The errors of a log: what it says, with the stack, without the marks of the process.
fn errors_of(log: &str) -> Vec<String> {
    let lines = log.lines().map(|line| {
        let text = line.split_once("== ").map_or("", |(_, text)| text);
        text.trim_end()
    });
    let mut errors = vec![String::new()];
    for line in lines {
        match errors.last_mut() {
            Some(last) if !line.is_empty() => {
                last.push_str(line);
                last.push('\n');
            }
            _ => errors.push(String::new()),
        }
    }
    // What has no stack is a heading or a sum.
    errors.retain(|error| error.contains("   at 0x"));
    errors
}

/// How often a test is tried that does not pass.
const ATTEMPTS: u32 = 3;
/// The seconds that a test may take.
const LIMIT_S: u32 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
==7== Memcheck, a memory error detector
==7== Command: ./regress
==7==
==7== Invalid read of size 8
==7==    at 0x48: event_add (add.rs:30)
==7==    by 0x49: main (regress.c:1)
==7==  Address 0x5 is not stack'd, malloc'd or (recently) free'd
==7==
==7== 8 bytes in 1 blocks are definitely lost in loss record 1 of 2
==7==    at 0x48: malloc (vg_replace_malloc.c:1)
==7==    by 0x49: main (regress.c:2)
==7==
==7== ERROR SUMMARY: 2 errors from 2 contexts
";

    #[test]
    fn each_error_is_a_block_with_a_stack() {
        let errors = errors_of(LOG);
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with("Invalid read"));
        assert!(errors[0].contains("event_add"));
        assert!(errors[1].contains("definitely lost"));
    }
}
