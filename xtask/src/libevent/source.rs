//! The sources of what is tested with, as the system's packages have them.
//!
//! They are fetched below the target folder and built there; nothing of them is part of the project.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::succeed;
use super::trial::Trial;
use crate::step::Failure;

/// The unpacked source of a Debian package, fetched unless it is there already.
///
/// # Errors
///
/// What `apt-get source` ends with. It needs a `deb-src` entry among apt's sources.
pub(super) fn source(trial: &Trial<'_>, package: &str) -> Result<PathBuf, Failure> {
    let folder = trial.folder.join("source");
    fs::create_dir_all(&folder).map_err(|error| Failure::file(&folder, error))?;
    if let Some(found) = unpacked(&folder, package)? {
        return Ok(found);
    }
    println!("fetching the source of {package} (apt-get needs a deb-src entry for this)");
    let mut apt = Command::new("apt-get");
    apt.args(["source", "--quiet", package])
        .current_dir(&folder);
    succeed(&mut apt)?;
    let nothing = || Failure::Findings(format!("apt-get source {package} unpacked nothing"));
    unpacked(&folder, package)?.ok_or_else(nothing)
}

fn unpacked(folder: &Path, package: &str) -> Result<Option<PathBuf>, Failure> {
    let fail = |error| Failure::file(folder, error);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() && is_version_of(&path, package) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn is_version_of(path: &Path, package: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let version = name.strip_prefix(package);
    version.is_some_and(|version| version.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_package_and_version() {
        let is = |path| is_version_of(Path::new(path), "libevent");
        assert!(is("source/libevent-2.1.12-stable"));
        assert!(!is("source/libevent"));
        assert!(!is("source/libeventual-1.0"));
    }
}
