//! The tasks that are no part of `cargo xtask ci`: what takes long, or needs a tool that not every
//! machine has.

use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;
use crate::{bench, coverage, fuzz, inject, mutants, sanitize, soak};

/// A command of its own.
#[derive(Debug)]
pub(crate) struct Task {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// The arguments that it takes, as the help shows them.
    pub(crate) arguments: &'static str,
    /// What it does, in a few words.
    pub(crate) about: &'static str,
    /// Does it, with the arguments that followed its name. Details are printed as they come up.
    pub(crate) run: fn(&Workspace, &[String]) -> Result<Verdict, Failure>,
}

/// Any arguments: they are handed on to a program that has a help text of its own.
pub(crate) const ANY: &str = "[...]";

/// All tasks.
pub(crate) const TASKS: &[Task] = &[
    Task {
        name: "bench",
        arguments: ANY,
        about: "evloop beside its peers on the same work: a table, a page, the targets",
        run: bench::run,
    },
    Task {
        name: "soak",
        arguments: "--minutes N",
        about: "the example `live` under clients that misbehave: it leaks and loses nothing",
        run: soak::run,
    },
    Task {
        name: "inject",
        arguments: "--calls N",
        about: "the example while system calls fail on it, one by one (strace)",
        run: inject::run,
    },
    Task {
        name: "sanitize",
        arguments: "",
        about: "the tests under AddressSanitizer and ThreadSanitizer (a nightly toolchain)",
        run: sanitize::run,
    },
    Task {
        name: "mutants",
        arguments: ANY,
        about: "the tests against code that is broken on purpose (cargo-mutants)",
        run: mutants::run,
    },
    Task {
        name: "coverage",
        arguments: "",
        about: "the share of each crate's lines that the tests come to (cargo-llvm-cov)",
        run: coverage::run,
    },
    Task {
        name: "fuzz",
        arguments: "--seconds N",
        about: "each fuzz target for so long (a nightly toolchain and cargo-fuzz)",
        run: fuzz::run,
    },
];

/// Some seconds of those that put the example to the test.
///
/// # Errors
///
/// It did not stand the test.
pub(crate) fn live(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    match soak::quick(workspace)? {
        Verdict::Passed => inject::quick(workspace),
        skipped @ Verdict::Skipped(_) => Ok(skipped),
    }
}

/// The values of options that take a number, such as `--minutes 10`, in the order of `options`: each
/// a name, and the value where it is not given.
///
/// # Errors
///
/// [`Failure::Usage`] where an argument is none of these, or its value is no number.
pub(crate) fn numbers<const N: usize>(
    arguments: &[String],
    options: [(&str, u64); N],
) -> Result<[u64; N], Failure> {
    let mut values = options.map(|(_, default)| default);
    for pair in arguments.chunks(2) {
        let name = &pair[0];
        let Some(at) = options.iter().position(|(known, _)| known == name) else {
            let known = options.map(|(known, _)| known).join(", ");
            return Err(Failure::Usage(format!("{name:?} is none of {known}")));
        };
        let given = pair.get(1).and_then(|given| given.parse().ok());
        values[at] = given.ok_or_else(|| Failure::Usage(format!("{name} takes a number")))?;
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_pairs_of_a_name_and_a_number() {
        let line = ["--seed", "7", "--minutes", "10"].map(str::to_owned);
        let options = [("--minutes", 1), ("--clients", 16), ("--seed", 1)];
        assert_eq!(numbers(&line, options).unwrap(), [10, 16, 7]);
        assert_eq!(numbers(&[], options).unwrap(), [1, 16, 1]);
        for wrong in [&line[..1], &line[1..]] {
            let refused = numbers(wrong, options);
            assert!(matches!(refused, Err(Failure::Usage(_))), "{wrong:?}");
        }
    }
}
