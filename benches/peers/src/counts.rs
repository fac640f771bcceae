//! Counts that no other work on the machine disturbs: instructions, system calls, allocations.
//!
//! Each is taken of a run with one batch and of one with three; the difference leaves out what starting
//! and setting up cost.

use std::io::Write;
use std::path::Path;

use crate::contender::Contender;
use crate::plan::Case;

/// An operation's share of each; nothing where the tool is not installed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) instructions: Option<f64>,
    pub(crate) syscalls: Option<f64>,
    pub(crate) epoll_ctl: Option<f64>,
    pub(crate) allocations: Option<f64>,
}

const OPS: u64 = 2_000;

/// Counts what one contender does in a case.
pub(crate) fn count(contender: &Contender, case: &Case, out: &Path) -> Counts {
    let file = out.join("counts.tmp");
    let file = file.display().to_string();
    let pair = |tool: &str| -> Option<[String; 2]> {
        let tool: Vec<String> = tool
            .replace("FILE", &file)
            .split(' ')
            .map(str::to_owned)
            .collect();
        let few = run(contender, case, &tool, 1, &file)?;
        Some([few, run(contender, case, &tool, 3, &file)?])
    };
    let each = |pair: &Option<[String; 2]>, read: &dyn Fn(&str) -> Option<f64>| {
        let [few, many] = pair.as_ref()?;
        Some((read(many)? - read(few)?) / (2 * OPS) as f64)
    };
    let strace = pair("strace -f -c -o FILE");
    let callgrind =
        pair("valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=FILE");
    let memcheck = pair("valgrind --leak-check=no --log-file=FILE");
    let counts = Counts {
        instructions: each(&callgrind, &|text| after(text, "Collected :")),
        syscalls: each(&strace, &|text| calls(text, "total")),
        epoll_ctl: each(&strace, &|text| {
            Some(calls(text, "epoll_ctl").unwrap_or(0.0))
        }),
        allocations: each(&memcheck, &|text| after(text, "total heap usage:")),
    };
    let _ = std::fs::remove_file(&file);
    counts
}

/// Runs so many batches under the tool; what it wrote into the file.
fn run(
    contender: &Contender,
    case: &Case,
    tool: &[String],
    batches: u64,
    file: &str,
) -> Option<String> {
    let mut child = contender.command(tool, case).spawn().ok()?;
    let mut input = child.stdin.take()?;
    for _ in 0..batches {
        writeln!(input, "{OPS}").ok()?;
    }
    drop(input);
    child
        .wait_with_output()
        .ok()?
        .status
        .success()
        .then_some(())?;
    std::fs::read_to_string(file).ok()
}

fn after(text: &str, mark: &str) -> Option<f64> {
    let number = text.split(mark).nth(1)?.split_whitespace().next()?;
    number.replace(',', "").parse().ok()
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
        assert_eq!(
            after(
                "==1== total heap usage: 1,234 allocs, 5 frees",
                "total heap usage:"
            ),
            Some(1234.0)
        );
        let strace = " 90.00    0.001000           1      1000         7 read\n100.00    0.1  1  1500  7 total\n";
        assert_eq!(calls(strace, "total"), Some(1500.0));
        assert_eq!(calls(strace, "epoll_ctl"), None);
    }
}
