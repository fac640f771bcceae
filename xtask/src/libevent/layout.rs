//! The check that libevent's headers lay things out as `abi/layout.txt` says.
//!
//! Each row becomes a static assertion of a C program that is compiled, and never run. The tests of
//! `evloop-libevent` hold its Rust types against the same rows, so the two sides agree.

use std::fs;
use std::process::{Command, Output};

use super::abi;
use super::process::{find, output};
use super::trial::Trial;
use crate::step::{Failure, Verdict, report};

/// Compiles the rows against the installed headers.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    if find("cc").is_none() {
        return Ok(Verdict::Skipped("no C compiler is installed"));
    }
    if !compile(trial, HEADERS)?.status.success() {
        return Ok(Verdict::Skipped("libevent's headers are not installed"));
    }
    let rows = abi::layout(trial.workspace)?;
    let program = program(&rows)?;
    let compiled = compile(trial, &program)?;
    println!("{} rows", rows.len());
    if compiled.status.success() {
        return Ok(Verdict::Passed);
    }
    let errors = String::from_utf8_lossy(&compiled.stderr);
    report(&complaints(&errors))
}

fn compile(trial: &Trial<'_>, program: &str) -> Result<Output, Failure> {
    let source = trial.folder.join("layout.c");
    fs::write(&source, program).map_err(|error| Failure::file(&source, error))?;
    output(Command::new("cc").arg("-fsyntax-only").arg(&source))
}

/// The C program of these rows.
fn program(rows: &[String]) -> Result<String, Failure> {
    let mut program = HEADERS.to_owned();
    for row in rows {
        let condition = condition(row)
            .ok_or_else(|| Failure::Findings(format!("layout.txt: {row:?} is not understood")))?;
        program.push_str(&format!("_Static_assert({condition}, {row:?});\n"));
    }
    Ok(program)
}

/// What a row says, in C.
fn condition(row: &str) -> Option<String> {
    let (kind, rest) = row.split_once(' ')?;
    let (rest, last) = rest.rsplit_once(' ')?;
    match kind {
        "value" => Some(format!("{rest} == {last}")),
        "size" => {
            let (of, bytes) = rest.rsplit_once(' ')?;
            Some(format!(
                "sizeof({of}) == {bytes} && _Alignof({of}) == {last}"
            ))
        }
        "offset" => {
            let (rest, at) = rest.rsplit_once(' ')?;
            let (of, field) = rest.rsplit_once(' ')?;
            Some(format!(
                "offsetof({of}, {field}) == {at} && sizeof((({of} *)0)->{field}) == {last}"
            ))
        }
        _ => None,
    }
}

/// The lines of the compiler that say what is wrong.
fn complaints(errors: &str) -> Vec<&str> {
    let errors = errors.lines().filter(|line| line.contains("error"));
    errors.collect()
}

/// What every row may speak of.
const HEADERS: &str = "\
#include <stddef.h>
#include <sys/time.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_conditions() {
        let c = |row| condition(row).unwrap();
        assert_eq!(c("value EV_READ 0x02"), "EV_READ == 0x02");
        assert_eq!(
            c("size struct event 128 8"),
            "sizeof(struct event) == 128 && _Alignof(struct event) == 8"
        );
        assert_eq!(
            c("offset struct event ev_fd 56 4"),
            "offsetof(struct event, ev_fd) == 56 && sizeof(((struct event *)0)->ev_fd) == 4"
        );
    }

    #[test]
    fn a_row_that_is_not_understood_is_refused() {
        for row in ["size", "size 1", "offset struct event", "width x 1"] {
            assert_eq!(condition(row), None, "{row}");
        }
    }

    #[test]
    fn only_errors_are_complaints() {
        let text = "a.c:1: error: static assertion failed: \"x\"\n  1 | _Static_assert\n";
        assert_eq!(complaints(text).len(), 1);
    }
}
