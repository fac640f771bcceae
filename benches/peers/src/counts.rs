//! Counts that no other work on the machine disturbs: instructions, system calls, allocations.
//!
//! Each is taken of a run with one batch and of one with three; the difference leaves out what starting
//! and setting up cost. Instructions are those of the loop's thread in user space, while the time is
//! taken.

use std::fs;
use std::path::{Path, PathBuf};

use crate::contender::{Contender, Running};
use crate::plan::{Case, Counted};

/// An operation's share of each; nothing where the tool is not installed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) instructions: Option<f64>,
    pub(crate) syscalls: Option<f64>,
    pub(crate) epoll_ctl: Option<f64>,
    pub(crate) allocations: Option<f64>,
}

/// Operations of a batch, unless it has a number of its own.
const OPS: u64 = 2_000;

/// Those whose name is `timed`, in C and in Rust.
const CALLGRIND: &[&str] = &[
    "valgrind",
    "--tool=callgrind",
    "--callgrind-out-file=/dev/null",
    "--toggle-collect=timed",
    "--toggle-collect=evloop_bench::work::timed*",
];

/// Counts what one contender does in a case.
pub(crate) fn count(
    contender: &Contender,
    case: &Case,
    preloaded: Option<&Path>,
    out: &Path,
) -> Counts {
    let ops = if case.counted == Counted::Instructions {
        case.ops
    } else {
        OPS
    };
    let mut counts = Counts::default();
    let callgrind = |said: &Path, _: &Path| {
        let tool = CALLGRIND.iter().map(|&word| word.to_owned());
        tool.chain([format!("--log-file={}", said.display())])
            .collect()
    };
    let each = |pair: &[String; 2], read: &dyn Fn(&str) -> Option<f64>| {
        Some((read(&pair[1])? - read(&pair[0])?) / (2 * ops) as f64)
    };
    if let Some(said) = both(contender, case, ops, out, &callgrind) {
        counts.instructions = each(&said, &|text| after(text, "Collected :"));
    }
    if case.counted == Counted::Instructions {
        return counts;
    }
    let strace = |said: &Path, allocations: &Path| {
        let mut tool: Vec<String> = ["strace", "-f", "-c", "-o"].map(str::to_owned).into();
        tool.push(said.display().to_string());
        if let Some(preloaded) = preloaded {
            tool.extend([
                "-E".to_owned(),
                format!("LD_PRELOAD={}", preloaded.display()),
            ]);
            tool.extend([
                "-E".to_owned(),
                format!("ALLOCATIONS={}", allocations.display()),
            ]);
        }
        tool
    };
    if let Some(said) = both(contender, case, ops, out, &strace) {
        counts.syscalls = each(&said, &|text| calls(text, "total"));
        counts.epoll_ctl = each(&said, &|text| Some(calls(text, "epoll_ctl").unwrap_or(0.0)));
        counts.allocations = each(&said, &|text| after(text, "allocations:"));
    }
    counts
}

/// What a tool said of a run with one batch and of one with three, which run at the same time.
fn both(
    contender: &Contender,
    case: &Case,
    ops: u64,
    out: &Path,
    tool: &dyn Fn(&Path, &Path) -> Vec<String>,
) -> Option<[String; 2]> {
    let runs = [1, 3].map(|batches| {
        let files = ["said", "allocations"].map(|name| out.join(format!("{name}.{batches}.tmp")));
        let tool = tool(&files[0], &files[1]);
        (start(contender, case, &tool, batches, ops), files)
    });
    let [one, three] = runs.map(|(running, files)| read(running?, &files));
    Some([one?, three?])
}

fn start(
    contender: &Contender,
    case: &Case,
    tool: &[String],
    batches: u64,
    ops: u64,
) -> Option<Running> {
    let mut running = contender.start_under(tool, case).ok()?;
    for _ in 0..batches {
        running.ask(ops).ok()?;
    }
    Some(running)
}

/// Waits for it; what is in its files, which are removed.
fn read(running: Running, files: &[PathBuf]) -> Option<String> {
    running.end().ok()?;
    let mut text = String::new();
    for file in files {
        text += &fs::read_to_string(file).unwrap_or_default();
        let _ = fs::remove_file(file);
    }
    Some(text)
}

fn after(text: &str, mark: &str) -> Option<f64> {
    let number = text.split(mark).nth(1)?.split_whitespace().next()?;
    number.parse().ok()
}

/// The column of calls in the row of that name.
fn calls(text: &str, name: &str) -> Option<f64> {
    let row = text
        .lines()
        .find(|line| line.split_whitespace().last() == Some(name))?;
    row.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_what_the_tools_say() {
        let callgrind = "==7== Events    : Ir\n==7== Collected : 74031\n";
        assert_eq!(after(callgrind, "Collected :"), Some(74_031.0));
        let strace = " 90.00    0.001000           1      1000         7 read\n100.00    0.1  1  1500  7 total\n";
        assert_eq!(calls(strace, "total"), Some(1500.0));
        assert_eq!(calls(strace, "epoll_ctl"), None);
    }
}
