//! `cargo xtask libevent`: the drop-in for libevent's event core, laid out and put under programs.
//!
//! Everything here treats `evloop-libevent` as a stranger would: a shared library that is found by
//! the dynamic loader under programs that were compiled against something else. Each [`mod@check`] runs
//! in the end on files that [`install`] laid out. What a machine lacks (a program, libevent's
//! headers) skips the checks that need it, and says so.

mod abi;
mod args;
mod asan;
mod bindings;
mod check;
mod costs;
mod install;
mod layout;
mod load;
mod memcached;
mod pgbouncer;
mod process;
mod programs;
mod refusal;
mod regress;
mod source;
mod suite;
mod symbols;
mod table;
mod tmux;
mod trial;
mod valgrind;

use std::process::ExitCode;

pub(crate) use args::{Command, help, parse};

use crate::ci;
use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;
use args::Options;
use check::CHECKS;
use trial::Trial;

/// Does what the command line asked for.
///
/// # Errors
///
/// What kept the library from being built or laid out.
pub(crate) fn obey(workspace: &Workspace, command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Install { prefix, library } => {
            let installed = install::install(workspace, library, prefix)?;
            println!("{installed}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { checks, options } => {
            let trial = Trial::new(workspace, options.clone())?;
            let jobs = checks.iter().map(|check| ci::Job {
                name: check.name,
                about: check.about,
                work: Box::new(|| (check.run)(&trial)),
            });
            Ok(ci::run_jobs(jobs.collect()))
        }
    }
}

/// The step of `cargo xtask ci`: the quick checks, each skipped where the machine lacks its program.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    if !workspace
        .libraries()
        .any(|library| library.manifest.name == PACKAGE)
    {
        return Ok(Verdict::Skipped("the package is not here yet"));
    }
    let trial = Trial::new(workspace, Options::default())?;
    let mut failed = Vec::new();
    for check in CHECKS.iter().filter(|check| check.is_quick) {
        match (check.run)(&trial) {
            Ok(Verdict::Passed) => println!("ok      {}", check.name),
            Ok(Verdict::Skipped(why)) => println!("skipped {}: {why}", check.name),
            Err(failure) => {
                println!("FAILED  {}: {failure}", check.name);
                failed.push(check.name);
            }
        }
    }
    if failed.is_empty() {
        Ok(Verdict::Passed)
    } else {
        Err(Failure::Findings(format!("failed: {}", failed.join(", "))))
    }
}

/// The package that makes the library.
const PACKAGE: &str = "evloop-libevent";
