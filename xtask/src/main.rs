//! The tasks of the workspace: `cargo xtask ci` runs every check, `cargo xtask STEP` one of them.
//!
//! Each check is a [`step::Step`]; [`ci`] runs a list of them and sums up. The tool depends on
//! nothing but the crate whose table it prints, so a fresh clone waits for no other build.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output of a command-line tool"
)]

mod alone;
mod args;
mod bench;
mod cargo;
mod ci;
mod code;
mod counts;
mod coverage;
mod deny;
mod features;
mod fuzz;
mod inject;
mod layers;
mod libevent;
mod lint;
mod live;
mod loom;
mod manifest;
mod mapping;
mod mutants;
mod op_table;
mod package;
mod sanitize;
mod soak;
mod step;
mod task;
mod test_names;
mod testing;
mod tidy;
mod unsafe_code;
mod workspace;

use std::process::ExitCode;

use args::Command;
use step::{Failure, Verdict};
use workspace::Workspace;

fn main() -> ExitCode {
    let command = match args::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("{message}\nTry: cargo xtask --help");
            return ExitCode::from(2);
        }
    };
    match obey(command) {
        Ok(exit) => exit,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn obey(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Help => print!("{}", args::help()),
        Command::List => print!("{}", args::list()),
        Command::OpTable => print!("{}", op_table::page()),
        Command::Libevent(command) => return libevent::obey(&Workspace::open()?, &command),
        Command::Task(task, arguments) => {
            if let Verdict::Skipped(why) = (task.run)(&Workspace::open()?, &arguments)? {
                println!("skipped: {why}");
            }
        }
        Command::Steps(steps, mode) => return Ok(ci::run(&Workspace::open()?, &steps, mode)),
    }
    Ok(ExitCode::SUCCESS)
}
