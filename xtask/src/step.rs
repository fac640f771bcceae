//! The steps of `cargo xtask ci`, and how one ends.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::workspace::Workspace;
use crate::{
    alone, bench, counts, deny, features, layers, libevent, lint, loom, mapping, op_table, package,
    task, testing, tidy, unsafe_code,
};

/// One check of the workspace.
#[derive(Debug)]
pub(crate) struct Step {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it does, in a few words.
    pub(crate) about: &'static str,
    /// Does it. Details are printed as they come up.
    pub(crate) run: fn(&Workspace, Mode) -> Result<Verdict, Failure>,
}

/// Whether a step may change files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Look only.
    Check,
    /// Mend what can be mended by machine.
    Fix,
}

/// How a step ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well.
    Passed,
    /// It could not be done here, for this reason.
    Skipped(&'static str),
}

/// Why a step failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A command ended with an error.
    Command { line: String, status: ExitStatus },
    /// A command could not be started.
    Start { line: String, source: io::Error },
    /// A file could not be read or written.
    File { path: PathBuf, source: io::Error },
    /// The step printed what it found; this says how much.
    Findings(String),
    /// The arguments are not what it takes.
    Usage(String),
}

/// All steps, cheapest first where the order is free.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "rustfmt agrees with the layout (--fix formats)",
        run: lint::fmt,
    },
    Step {
        name: "tidy",
        about: "the rules of the text: lengths, heads, words, manifests",
        run: tidy::check,
    },
    Step {
        name: "layers",
        about: "dependencies go down only, pure crates are free of std",
        run: layers::check,
    },
    Step {
        name: "unsafe",
        about: "unsafe code is what ARCHITECTURE.md says (--fix rewrites)",
        run: unsafe_code::check,
    },
    Step {
        name: "op-table",
        about: "docs/op-table.md is what the code says (--fix rewrites)",
        run: op_table::check,
    },
    Step {
        name: "mapping",
        about: "the pages for users of libevent name tests that exist",
        run: mapping::check,
    },
    Step {
        name: "clippy",
        about: "no warning from rustc or clippy (--fix applies suggestions)",
        run: lint::clippy,
    },
    Step {
        name: "doc",
        about: "no warning from rustdoc",
        run: lint::doc,
    },
    Step {
        name: "test",
        about: "examples build; unit, integration and doc tests pass",
        run: testing::check,
    },
    Step {
        name: "loom",
        about: "memory orders and interleavings, under a model checker",
        run: loom::check,
    },
    Step {
        name: "live",
        about: "the example under bad clients and failing calls: some of `soak` and `inject`",
        run: task::live,
    },
    Step {
        name: "features",
        about: "each crate builds alone with every feature set",
        run: features::check,
    },
    Step {
        name: "alone",
        about: "each crate's README example runs in a package of its own",
        run: alone::check,
    },
    Step {
        name: "package",
        about: "each crate can be packaged for publishing",
        run: package::check,
    },
    Step {
        name: "counts",
        about: "no operation costs more instructions, calls, memory (--fix)",
        run: counts::check,
    },
    Step {
        name: "peers",
        about: "the benchmark beside the peers builds, and every contender runs",
        run: bench::check,
    },
    Step {
        name: "libevent",
        about: "the drop-in for libevent exports, fits, refuses and serves",
        run: libevent::check,
    },
    Step {
        name: "deny",
        about: "cargo-deny agrees with bans, licences and sources",
        run: deny::check,
    },
];

impl Failure {
    /// A file that could not be read or written.
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { line, status } => write!(f, "{status} from `{line}`"),
            Self::Start { line, source } => write!(f, "`{line}` could not be started: {source}"),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Findings(summary) | Self::Usage(summary) => f.write_str(summary),
        }
    }
}

/// Prints `findings` one a line; passes when there are none.
///
/// # Errors
///
/// [`Failure::Findings`] with their number.
pub(crate) fn report<F: fmt::Display>(findings: &[F]) -> Result<Verdict, Failure> {
    for finding in findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(Verdict::Passed),
        1 => Err(Failure::Findings("1 finding".to_owned())),
        many => Err(Failure::Findings(format!("{many} findings"))),
    }
}
