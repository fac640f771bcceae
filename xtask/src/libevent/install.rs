//! Lays the library out, with the files that carry libevent's sonames.
//!
//! ```text
//! PREFIX/lib/evloop/libevloop_libevent.so     the library; LD_PRELOAD names this file
//! PREFIX/lib/evloop/libevent-2.1.so.7         for LD_LIBRARY_PATH: holds nothing, needs the library
//! PREFIX/lib/evloop/libevent_core-2.1.so.7      first, and the system's file of that name after it
//! PREFIX/lib/pkgconfig/evloop-libevent.pc     to link a program with the library
//! ```
//!
//! The files with sonames need the system's by its whole path: the loader then looks for no soname,
//! and so does not take the one that it is just loading for the one that is wanted. There is one
//! copy of the library in a process, whichever and however many of the names it came by.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PACKAGE;
use super::args::Library;
use super::process::{Running, find, succeed};
use super::trial::{Side, Trial, untouched};
use crate::cargo::{Cargo, target_dir};
use crate::step::{Failure, Verdict};
use crate::workspace::Workspace;

/// What was laid out.
#[derive(Debug)]
pub(crate) struct Installed {
    /// The library itself.
    pub(super) library: PathBuf,
    /// The folder with it and the files that carry sonames.
    pub(super) folder: PathBuf,
    /// The folder of the `.pc` file.
    pub(super) pkg_config: PathBuf,
    /// The sonames that there is a file for.
    sonames: Vec<&'static str>,
}

/// Builds the library if need be, and lays it out below `prefix`.
///
/// # Errors
///
/// What kept it from being built, linked or written.
pub(super) fn install(
    workspace: &Workspace,
    library: &Library,
    prefix: &Path,
) -> Result<Installed, Failure> {
    let built = match library {
        Library::Built => build(workspace)?,
        Library::File(file) => file.clone(),
    };
    let prefix = std::path::absolute(prefix).map_err(|error| Failure::file(prefix, error))?;
    let folder = prefix.join("lib/evloop");
    let pkg_config = prefix.join("lib/pkgconfig");
    for folder in [&folder, &pkg_config] {
        fs::create_dir_all(folder).map_err(|error| Failure::file(folder, error))?;
    }
    let library = folder.join(FILE);
    replace(&built, &library)?;
    let mut sonames = Vec::new();
    for soname in SONAMES {
        if let Some(system) = system_library(soname) {
            link_soname(&folder, soname, &system)?;
            sonames.push(soname);
        }
    }
    let page = pkg_config.join("evloop-libevent.pc");
    fs::write(&page, pkg_config_page(&prefix)).map_err(|error| Failure::file(&page, error))?;
    Ok(Installed {
        library,
        folder,
        pkg_config,
        sonames,
    })
}

/// Builds the library as it is meant to be used, and says where it is.
fn build(workspace: &Workspace) -> Result<PathBuf, Failure> {
    Cargo::new(workspace, "build --quiet --profile drop-in --lib -p")
        .args([PACKAGE])
        .run()?;
    Ok(target_dir(workspace).join("drop-in").join(FILE))
}

/// Puts a copy of `from` in the place of `to` at once: a process may have mapped the old file.
fn replace(from: &Path, to: &Path) -> Result<(), Failure> {
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh).map_err(|error| Failure::file(from, error))?;
    fs::rename(&fresh, to).map_err(|error| Failure::file(to, error))
}

/// Makes the file that carries `soname`, and needs the library first and `system` after it.
fn link_soname(folder: &Path, soname: &str, system: &Path) -> Result<(), Failure> {
    // The linker notes the soname of what it links with, so a file that has the whole path for a
    // soname makes it note the path.
    let stand_in = folder.join("system.so");
    let name = format!("-Wl,-soname,{}", system.display());
    succeed(shared(&stand_in).arg(name))?;
    let fresh = folder.join(format!("{soname}.new"));
    let linked = succeed(
        shared(&fresh)
            .arg(format!("-Wl,-soname,{soname}"))
            .args(["-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN", "-L"])
            .arg(folder)
            .arg(format!("-l:{FILE}"))
            .arg(&stand_in),
    );
    fs::remove_file(&stand_in).map_err(|error| Failure::file(&stand_in, error))?;
    linked?;
    let file = folder.join(soname);
    fs::rename(&fresh, &file).map_err(|error| Failure::file(&file, error))
}

/// The linker, about to make a shared object of nothing.
fn shared(file: &Path) -> Command {
    let mut command = Command::new("cc");
    command.args(["-shared", "-nostdlib", "-x", "c", "/dev/null", "-x", "none"]);
    command.arg("-o").arg(file);
    command
}

/// Where the system keeps the library with this soname.
fn system_library(soname: &str) -> Option<PathBuf> {
    let mut print = Command::new("cc");
    let path = succeed(print.arg(format!("-print-file-name={soname}"))).ok()?;
    let path = Path::new(path.trim_end());
    // What it does not find it prints as it was asked for.
    fs::canonicalize(path).ok()?;
    let folder = fs::canonicalize(path.parent()?).ok()?;
    Some(folder.join(soname))
}

fn pkg_config_page(prefix: &Path) -> String {
    let (prefix, version) = (prefix.display(), env!("CARGO_PKG_VERSION"));
    format!(
        "\
prefix={prefix}
libdir=${{prefix}}/lib/evloop

Name: evloop-libevent
Description: libevent's event core on evloop, beneath libevent's buffers and protocols
Version: {version}
Requires: libevent
Libs: -L${{libdir}} -Wl,-rpath,${{libdir}} -l:{FILE}
"
    )
}

/// Builds a C program by the `.pc` file, and wants it to run on the library.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    if find("pkg-config").is_none() {
        return Ok(Verdict::Skipped("pkg-config is not installed"));
    }
    let mut flags = Command::new("pkg-config");
    flags.args(["--cflags", "--libs", "evloop-libevent"]);
    let path = trial.installed.pkg_config.display().to_string();
    let system = std::env::var("PKG_CONFIG_PATH").unwrap_or_default();
    flags.env("PKG_CONFIG_PATH", format!("{path}:{system}"));
    let mut has_libevent = Command::new("pkg-config");
    if succeed(has_libevent.args(["--exists", "libevent"])).is_err() {
        return Ok(Verdict::Skipped("libevent's headers are not installed"));
    }
    let flags = succeed(&mut flags)?;
    let source = trial.folder.join("waits.c");
    let program = trial.folder.join("waits");
    fs::write(&source, WAITS).map_err(|error| Failure::file(&source, error))?;
    let mut cc = Command::new("cc");
    cc.arg(&source).arg("-o").arg(&program);
    succeed(cc.args(flags.split_whitespace()))?;
    let mut running = Running::start(&mut untouched(&program))?;
    let process = running.id();
    running.wait_until("run on the library", || {
        trial.confirm(Side::Evloop, process).ok()
    })?;
    running.end("TERM")?;
    Ok(Verdict::Passed)
}

impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (library, folder) = (self.library.display(), self.folder.display());
        writeln!(f, "LD_PRELOAD={library} PROGRAM")?;
        match &self.sonames[..] {
            [] => writeln!(
                f,
                "no libevent is installed here to lean on, so no soname is carried"
            )?,
            names => writeln!(
                f,
                "LD_LIBRARY_PATH={folder} PROGRAM    carries {}",
                names.join(", ")
            )?,
        }
        let pkg_config = self.pkg_config.display();
        write!(
            f,
            "PKG_CONFIG_PATH={pkg_config} pkg-config --libs evloop-libevent"
        )
    }
}

/// The library's file.
pub(super) const FILE: &str = "libevloop_libevent.so";

/// What programs need libevent's event core by.
const SONAMES: [&str; 2] = ["libevent-2.1.so.7", "libevent_core-2.1.so.7"];

/// Waits for a signal, and ends well when it comes.
const WAITS: &str = "\
#include <signal.h>
#include <event2/event.h>

static void leave(evutil_socket_t number, short what, void *base) {
    (void)number, (void)what;
    event_base_loopexit(base, NULL);
}

int main(void) {
    struct event_base *base = event_base_new();
    struct event *term = evsignal_new(base, SIGTERM, leave, base);
    event_add(term, NULL);
    event_base_dispatch(base);
    event_free(term);
    event_base_free(base);
    return 0;
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_the_library_and_leans_on_libevent() {
        let page = pkg_config_page(Path::new("/opt/evloop"));
        assert!(page.starts_with("prefix=/opt/evloop\n"), "{page}");
        assert!(page.contains("Requires: libevent\n"), "{page}");
        assert!(page.contains("-l:libevloop_libevent.so"), "{page}");
    }

    #[test]
    fn a_file_in_use_is_replaced_not_overwritten() {
        let folder = std::env::temp_dir().join(format!("evloop-replace-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (new, old) = (folder.join("a"), folder.join("b"));
        fs::write(&new, "new").unwrap();
        fs::write(&old, "old").unwrap();
        let mut mapped = fs::File::open(&old).unwrap();
        replace(&new, &old).unwrap();
        assert_eq!(std::io::read_to_string(&mut mapped).unwrap(), "old");
        assert_eq!(fs::read_to_string(&old).unwrap(), "new");
        fs::remove_dir_all(&folder).unwrap();
    }
}
