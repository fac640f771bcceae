//! What every check works on: the library as it was laid out, and the ways to put it under a program.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use super::args::{Library, Options};
use super::install::{Installed, install};
use super::process::has_mapped;
use crate::cargo::target_dir;
use crate::step::Failure;
use crate::workspace::Workspace;

/// One run of checks.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    /// The workspace.
    pub(super) workspace: &'a Workspace,
    /// Where checks may put what they build.
    pub(super) folder: PathBuf,
    /// The library, laid out.
    pub(super) installed: Installed,
    /// What the caller chose.
    pub(super) options: Options,
}

/// Whose event core a program runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Ours.
    Evloop,
    /// The one that the system installed.
    Debian,
}

/// How the loader comes to find the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `LD_PRELOAD` names it.
    Preload,
    /// `LD_LIBRARY_PATH` names the folder with the files that carry libevent's sonames.
    Soname,
}

impl<'a> Trial<'a> {
    /// Builds the library, and lays it out below the target folder.
    ///
    /// # Errors
    ///
    /// What kept it from being built or laid out.
    pub(super) fn new(workspace: &'a Workspace, options: Options) -> Result<Self, Failure> {
        let folder = target_dir(workspace).join("libevent");
        let library = &options.library;
        let installed = install(workspace, library, &folder.join("prefix"))?;
        if let Library::File(file) = library {
            println!("on {}", file.display());
        }
        Ok(Self {
            workspace,
            folder,
            installed,
            options,
        })
    }

    /// `program` on `side`'s library.
    pub(super) fn command(&self, side: Side, program: impl AsRef<OsStr>) -> Command {
        match side {
            Side::Evloop => self.loaded(Way::Preload, program),
            Side::Debian => untouched(program),
        }
    }

    /// `program` on our library, found in one of the two ways.
    pub(super) fn loaded(&self, way: Way, program: impl AsRef<OsStr>) -> Command {
        let mut command = untouched(program);
        match way {
            Way::Preload => command.env("LD_PRELOAD", &self.installed.library),
            Way::Soname => command.env("LD_LIBRARY_PATH", &self.installed.folder),
        };
        command
    }

    /// Wants the process to run on `side`'s library.
    ///
    /// # Errors
    ///
    /// [`Failure::Findings`] when it runs on the other.
    pub(super) fn confirm(&self, side: Side, process: u32) -> Result<(), Failure> {
        if has_mapped(process, &self.installed.library) == (side == Side::Evloop) {
            return Ok(());
        }
        let program = std::fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
        let program = program.display();
        Err(Failure::Findings(format!(
            "/proc/{process}/maps: {program} does not run on the event core of {side}"
        )))
    }
}

/// `program` without the search path that cargo gives to what it runs: libraries that were built for
/// tests are in there.
pub(super) fn untouched(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_remove("LD_LIBRARY_PATH");
    command
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Evloop => "evloop",
            Self::Debian => "debian",
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Preload => "preloaded",
            Self::Soname => "by soname",
        })
    }
}
