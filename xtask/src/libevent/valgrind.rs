//! libevent's own tests under valgrind's memcheck, on the library.
//!
//! Tests that measure time fail there, as everything takes twenty times as long; what counts is what
//! memcheck says. Every error counts, wherever it was seen: on libevent's own core there is none.
//! Nothing is suppressed.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::process::{find, output};
use super::regress::{self, Flavour};
use super::trial::{Side, Trial};
use crate::step::{Failure, Verdict, report};

/// Runs the groups of the event core, and looks through the logs of all processes.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    if find("valgrind").is_none() {
        return Ok(Verdict::Skipped("valgrind is not installed"));
    }
    let program = regress::built(trial, Flavour::Plain)?;
    let mut findings = Vec::new();
    for group in regress::CORE_GROUPS {
        let logs = trial.folder.join("valgrind").join(group);
        let fail = |error| Failure::file(&logs, error);
        if logs.exists() {
            fs::remove_dir_all(&logs).map_err(fail)?;
        }
        fs::create_dir_all(&logs).map_err(fail)?;
        let mut command = Command::new("valgrind");
        command.arg(format!("--log-file={}/%p", logs.display()));
        command.args([
            "--num-callers=40",
            "--leak-check=full",
            "--show-leak-kinds=definite",
        ]);
        let tests = trial.command(Side::Evloop, &program);
        let set = tests.get_envs();
        command.envs(set.filter_map(|(name, value)| Some((name, value?))));
        command.arg(&program).args(["--timeout", "100"]);
        output(command.arg(format!("{group}/..")))?;
        findings.extend(judge(group, &logs)?);
    }
    report(&findings)
}

/// The errors of all processes of a group.
fn judge(group: &str, logs: &Path) -> Result<Vec<String>, Failure> {
    let fail = |error| Failure::file(logs, error);
    let mut findings = Vec::new();
    let mut processes = 0;
    for entry in fs::read_dir(logs).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let text = fs::read_to_string(&path).map_err(|error| Failure::file(&path, error))?;
        processes += 1;
        let errors = errors(&text).into_iter();
        findings.extend(errors.map(|error| format!("{group}: {error}")));
    }
    println!("{group}: {processes} processes, {} errors", findings.len());
    if processes == 0 {
        findings.push(format!("{group}: no process ran under valgrind"));
    }
    Ok(findings)
}

/// The errors of a log: what it says, with the stack, without the marks of the process.
fn errors(log: &str) -> Vec<String> {
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
        let errors = errors(LOG);
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with("Invalid read"));
        assert!(errors[0].contains("event_add"));
        assert!(errors[1].contains("definitely lost"));
    }
}
