//! Runs cargo, and prints the line it runs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::step::{Failure, Verdict};
use crate::workspace::Workspace;

/// One call of cargo, from the root of the workspace.
#[derive(Debug)]
pub(crate) struct Cargo {
    command: Command,
    line: String,
}

impl Cargo {
    /// `cargo` with these space-separated arguments.
    pub(crate) fn new(workspace: &Workspace, args: &str) -> Self {
        let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        command.current_dir(&workspace.root);
        Self {
            command,
            line: "cargo".to_owned(),
        }
        .args(args.split_whitespace())
    }

    /// Adds arguments.
    pub(crate) fn args<A: AsRef<str>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        for arg in args {
            self.command.arg(arg.as_ref());
            self.line.push(' ');
            self.line.push_str(arg.as_ref());
        }
        self
    }

    /// Adds an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.line = format!("{name}={value:?} {}", self.line);
        self
    }

    /// Runs it in this folder instead.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it, with its output passed on.
    ///
    /// # Errors
    ///
    /// [`Failure::Command`] where it ends with an error, [`Failure::Start`] where it does not start.
    pub(crate) fn run(mut self) -> Result<Verdict, Failure> {
        println!("$ {}", self.line);
        match self.command.status() {
            Ok(status) if status.success() => Ok(Verdict::Passed),
            Ok(status) => Err(Failure::Command {
                line: self.line,
                status,
            }),
            Err(source) => Err(Failure::Start {
                line: self.line,
                source,
            }),
        }
    }

    /// Runs it and returns what it wrote to its standard output.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub(crate) fn read(mut self) -> Result<String, Failure> {
        match self.command.stderr(Stdio::inherit()).output() {
            Ok(output) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            Ok(output) => Err(Failure::Command {
                line: self.line,
                status: output.status,
            }),
            Err(source) => Err(Failure::Start {
                line: self.line,
                source,
            }),
        }
    }

    /// Runs it in silence and says whether it succeeded: the way to ask whether a tool is there.
    pub(crate) fn succeeds(mut self) -> bool {
        let status = self
            .command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir(workspace: &Workspace) -> PathBuf {
    let chosen = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace.root.join(chosen)
}
