//! `cargo xtask sanitize`: the tests of the crates that have unsafe code or threads, under the sanitizers
//! of a nightly compiler.
//!
//! `AddressSanitizer` sees all that the crates do. `ThreadSanitizer` does not see what std does, as std
//! itself is not built with it: it looks at atomics and system calls, and what std orders by a mutex or a
//! channel is told by its own interception of the C library. What is reported though it is none is
//! named, with the reason, in `sanitize/thread.supp`.

use std::env::consts::ARCH;
use std::process::Command;

use crate::cargo::target_dir;
use crate::step::{Failure, Verdict, report};
use crate::workspace::Workspace;

/// What is looked for, and where.
struct Sanitizer {
    name: &'static str,
    flags: &'static str,
    /// Where it is told what not to report.
    options: (&'static str, &'static str),
    packages: &'static [&'static str],
    /// Tests that it has no use for, by what their names have in them.
    skipped: &'static [&'static str],
}

const SANITIZERS: &[Sanitizer] = &[
    Sanitizer {
        name: "address",
        flags: "-Zsanitizer=address",
        // The children of the tests of forks end without giving back what their parent had.
        options: ("ASAN_OPTIONS", "detect_leaks=0"),
        packages: &[
            "evloop-timers",
            "evloop-core",
            "evloop-pipe",
            "evloop-catcher",
            "evloop-epoll",
            "evloop-poll",
            "evloop",
            "evloop-tests",
        ],
        skipped: &[],
    },
    Sanitizer {
        name: "thread",
        flags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
        options: (
            "TSAN_OPTIONS",
            "suppressions=xtask/src/sanitize/thread.supp:report_signal_unsafe=0",
        ),
        packages: &["evloop-pipe", "evloop-catcher", "evloop"],
        skipped: DELIVERED_AT_ONCE,
    },
];

/// They take for granted that a handler has run when the call that raised its signal returns.
/// `ThreadSanitizer` runs it when the thread makes the next call that it knows, if ever.
const DELIVERED_AT_ONCE: &[&str] = &[
    "infos::",
    "catchers_are_sets_of_signals_and_maps_of_what_came",
    "counts::a_count_is_of_deliveries",
    "dispositions::a_second_watch_of_the_same_catcher_is_none",
    "forks::a_catcher_that_is_renewed_in_a_child_wakes_the_childs_loop",
    "forks::a_child_has_catchers_of_its_own",
    "child_is_told_of_with_its_status",
    "queued_value_is_told_of",
    "sender_is_told_of",
];

/// Runs the tests under each sanitizer.
///
/// # Errors
///
/// A test failed, or something was reported.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Verdict, Failure> {
    if let Some(surplus) = arguments.first() {
        return Err(Failure::Usage(format!("it takes no {surplus:?}")));
    }
    let mut nightly = Command::new("cargo");
    let is_there = nightly.args(["+nightly", "--version"]).output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        return Ok(Verdict::Skipped("no nightly toolchain"));
    }
    let mut wrong = Vec::new();
    for sanitizer in SANITIZERS {
        let status = sanitizer.command(workspace).status();
        let status = status.map_err(|source| Failure::Start {
            line: format!("cargo +nightly test ({})", sanitizer.name),
            source,
        })?;
        if !status.success() {
            wrong.push(format!("{} sanitizer: {status}", sanitizer.name));
        }
    }
    report(&wrong)
}

impl Sanitizer {
    fn command(&self, workspace: &Workspace) -> Command {
        let (variable, options) = self.options;
        let options = options.replace("xtask/", &format!("{}/xtask/", workspace.root.display()));
        let mut cargo = Command::new("cargo");
        cargo.args(["+nightly", "test", "--quiet", "--lib", "--tests"]);
        // Named, so that build scripts are not sanitized too.
        cargo.args(["--target", &format!("{ARCH}-unknown-linux-gnu")]);
        cargo
            .arg("--target-dir")
            .arg(target_dir(workspace).join("sanitize").join(self.name));
        cargo.args(self.packages.iter().flat_map(|name| ["--package", name]));
        cargo.args(["--no-fail-fast", "--"]);
        cargo.args(self.skipped.iter().flat_map(|name| ["--skip", name]));
        cargo.env("RUSTFLAGS", self.flags).env(variable, options);
        // With one, as there would be on one processor, the thread that waits for the test makes no call that
        // `ThreadSanitizer` knows, and it is the one to which the kernel gives a signal for the process.
        cargo.env("RUST_TEST_THREADS", "2");
        cargo.current_dir(&workspace.root);
        println!("$ RUSTFLAGS={:?} cargo +nightly test ...", self.flags);
        cargo
    }
}
