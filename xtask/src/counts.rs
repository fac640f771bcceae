//! The step that counts what an operation costs, where no other work on the machine can be heard:
//! user instructions (valgrind), system calls (strace) and allocations.
//!
//! The works are in `benches/counts.rs`. Each is done for few operations and for many, and the
//! difference is what the operations cost, without the setting up. What grew by more than 5 % over
//! `benches/counts.txt` fails. Instructions depend on compiler and C library: where these are not
//! those of the baseline, they are shown and hold nothing.

mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::{Cargo, target_dir};
use crate::counts::table::{Baseline, Costs};
use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;

const BASELINE: &str = "benches/counts.txt";

/// So many operations, and so many more.
const FEW: u32 = 1_000;
const MORE: u32 = 10_000;

/// Counts, and holds the counts against the baseline, or makes them the baseline.
pub(crate) fn check(workspace: &Workspace, mode: Mode) -> Result<Verdict, Failure> {
    // Some containers let no program be traced.
    if !works("valgrind --tool=callgrind --callgrind-out-file=/dev/null true")
        || !works("strace -f -qq -c -o /dev/null true")
    {
        return Ok(Verdict::Skipped(
            "valgrind or strace is not there, or may not trace",
        ));
    }
    let program = Cargo::new(workspace, "bench --quiet --package evloop-benches")
        .args(["--bench", "counts", "--", "--path"])
        .read()?;
    let counter = Counter {
        program: program.trim(),
        notes: target_dir(workspace).join("counts"),
    };
    let mut counted = Baseline::new(made_by(workspace)?);
    for line in counter.read("", &["--list"])?.lines() {
        let (work, operation) = line.split_once(' ').unwrap_or((line, ""));
        let Some(costs) = counter.count(work)? else {
            let what = format!("{work}: valgrind and strace say nothing that is understood");
            return Err(Failure::Findings(what));
        };
        counted.push(work, operation, costs);
    }
    if mode == Mode::Fix {
        workspace.write(Path::new(BASELINE), &counted.to_string())?;
        print!("{counted}");
        return Ok(Verdict::Passed);
    }
    let baseline = Baseline::parse(&workspace.read(BASELINE)?)
        .map_err(|line| Failure::Findings(format!("{BASELINE}: not understood: {line}")))?;
    let findings = counted.against(&baseline);
    print!("{}", findings.shown);
    match findings.grown {
        0 => Ok(Verdict::Passed),
        grown => Err(Failure::Findings(format!(
            "{grown} grew by more than 5 %; if that is as it should be: cargo xtask counts --fix"
        ))),
    }
}

/// The program that does the works.
struct Counter<'a> {
    program: &'a str,
    /// Where the tools write what they found.
    notes: PathBuf,
}

impl Counter<'_> {
    /// What one operation of a work costs; `None` if a tool says nothing of use.
    fn count(&self, work: &str) -> Result<Option<Costs>, Failure> {
        let (Some(few), Some(many)) = (self.total(work, FEW)?, self.total(work, FEW + MORE)?)
        else {
            return Ok(None);
        };
        Ok(Some(Costs::each(few, many, MORE)))
    }

    /// What so many operations cost in all, and the program around them: instructions, system
    /// calls, allocations.
    fn total(&self, work: &str, operations: u32) -> Result<Option<[u64; 3]>, Failure> {
        let args = [work, &operations.to_string()];
        let notes = self.notes.display();
        let valgrind = format!(
            "valgrind --tool=callgrind --callgrind-out-file={notes} --log-file={notes}.log"
        );
        self.read(&valgrind, &args)?;
        let log = fs::read_to_string(format!("{notes}.log")).unwrap_or_default();
        let allocations = self.read(&format!("strace -f -qq -c -o {notes}"), &args)?;
        let calls = fs::read_to_string(&self.notes).unwrap_or_default();
        Ok(instructions(&log)
            .zip(system_calls(&calls))
            .zip(allocations.trim().parse().ok())
            .map(|((instructions, calls), allocations)| [instructions, calls, allocations]))
    }

    /// What the program writes, run under a tool.
    fn read(&self, tool: &str, args: &[&str]) -> Result<String, Failure> {
        let mut line: Vec<&str> = tool.split_whitespace().collect();
        line.push(self.program);
        line.extend(args);
        let failure = || line.join(" ");
        let output = Command::new(line[0])
            .args(&line[1..])
            .stderr(Stdio::inherit())
            .output()
            .map_err(|source| Failure::Start {
                line: failure(),
                source,
            })?;
        if !output.status.success() {
            return Err(Failure::Command {
                line: failure(),
                status: output.status,
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// What callgrind's log says that it collected.
fn instructions(log: &str) -> Option<u64> {
    let (_, collected) = log.split_once("Collected :")?;
    collected.split_whitespace().next()?.parse().ok()
}

/// The sum below strace's table.
fn system_calls(summary: &str) -> Option<u64> {
    let total = summary.lines().find(|line| line.ends_with(" total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

/// What instructions depend on: compiler, machine and C library.
fn made_by(workspace: &Workspace) -> Result<String, Failure> {
    let version = Command::new("rustc")
        .arg("-vV")
        .current_dir(&workspace.root)
        .output()
        .map_err(|source| Failure::Start {
            line: "rustc -vV".to_owned(),
            source,
        })?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let field = |name: &str| {
        let mut lines = version.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or("?")
    };
    let libc = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let libc = libc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    Ok(format!(
        "rustc {}, {}, {}",
        field("release: "),
        field("host: "),
        libc.unwrap_or_else(|_| "?".to_owned())
    ))
}

/// Whether a line of a tool succeeds.
fn works(line: &str) -> bool {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    let status = command
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_in_what_the_tools_say() {
        let log = "==7== Events    : Ir\n==7== Collected : 6158110\n==7==\n";
        assert_eq!(instructions(log), Some(6_158_110));
        assert_eq!(instructions("==7== no such tool\n"), None);
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 99.00    0.000100           1       100         3 read
------ ----------- ----------- --------- --------- ----------------
100.00    0.000101           0       105         3 total
";
        assert_eq!(system_calls(summary), Some(105));
        assert_eq!(system_calls(""), None);
    }
}
