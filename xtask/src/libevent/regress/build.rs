//! Builds libevent's own tests against the installed library, out of tree.
//!
//! Nothing is configured: what the tests need of a configured tree is the header that says what the
//! system has, and the installed one says it. OpenSSL is left out, with the tests that need it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::process::succeed;
use super::super::source::source;
use super::super::trial::Trial;
use crate::step::Failure;

/// How the tests are compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flavour {
    /// As programs are.
    Plain,
    /// With every access to memory looked at by `AddressSanitizer`.
    Sanitized,
}

/// Where the programs are, built or not.
pub(super) fn folder(trial: &Trial<'_>, flavour: Flavour) -> PathBuf {
    trial.folder.join(match flavour {
        Flavour::Plain => "regress",
        Flavour::Sanitized => "regress-asan",
    })
}

/// Builds the programs unless they are there, and says where.
///
/// # Errors
///
/// What kept the source from being fetched or compiled.
pub(super) fn build(trial: &Trial<'_>, flavour: Flavour) -> Result<PathBuf, Failure> {
    let folder = folder(trial, flavour);
    let program = folder.join("regress");
    if program.is_file() {
        return Ok(folder);
    }
    println!("building libevent's tests");
    let source = source(trial, "libevent")?;
    configure(&folder)?;
    for small in SMALL {
        let mut cc = compiler(&folder, &source, flavour);
        cc.arg(source.join(format!("test/{small}.c")));
        succeed(cc.args(["-o", small, "-levent"]))?;
    }
    // Under another name until it is whole, so that a build that was broken off starts again.
    let mut cc = compiler(&folder, &source, flavour);
    cc.args(PARTS.map(|part| source.join(format!("test/{part}.c"))));
    succeed(cc.args(["-o", "regress.new", "-levent", "-levent_pthreads"]))?;
    let fresh = folder.join("regress.new");
    fs::rename(&fresh, &program).map_err(|error| Failure::file(&fresh, error))?;
    Ok(folder)
}

/// Writes the two headers of a configured tree.
fn configure(folder: &Path) -> Result<(), Failure> {
    let installed = Path::new("/usr/include/event2/event-config.h");
    let text = fs::read_to_string(installed).map_err(|error| Failure::file(installed, error))?;
    let lines = text.lines().filter(|line| !line.contains("OPENSSL"));
    let config: String = lines.flat_map(|line| [line, "\n"]).collect();
    let headers = folder.join("event2");
    fs::create_dir_all(&headers).map_err(|error| Failure::file(&headers, error))?;
    for (path, text) in [
        (headers.join("event-config.h"), config.as_str()),
        (folder.join("evconfig-private.h"), ""),
    ] {
        fs::write(&path, text).map_err(|error| Failure::file(&path, error))?;
    }
    Ok(())
}

/// The compiler, with all that every file needs. Position-independent code asks for no copy of the
/// library's objects in the program.
fn compiler(folder: &Path, source: &Path, flavour: Flavour) -> Command {
    let mut cc = Command::new("cc");
    cc.current_dir(folder);
    cc.args("-g -O2 -fno-strict-aliasing -w -pthread -fPIC".split(' '));
    cc.args([
        "-DHAVE_CONFIG_H",
        "-D_GNU_SOURCE",
        "-DTINYTEST_LOCAL",
        "-I.",
    ]);
    if let Flavour::Sanitized = flavour {
        cc.arg("-fsanitize=address");
    }
    for include in ["", "test", "include"] {
        cc.arg("-I").arg(source.join(include));
    }
    cc
}

/// The programs beside the suite.
pub(super) const SMALL: [&str; 8] = [
    "test-init",
    "test-eof",
    "test-closed",
    "test-weof",
    "test-time",
    "test-changelist",
    "test-fdleak",
    "test-dumpevents",
];

/// The files of the suite.
const PARTS: [&str; 16] = [
    "regress",
    "regress_buffer",
    "regress_bufferevent",
    "regress_dns",
    "regress_et",
    "regress_finalize",
    "regress_http",
    "regress_listener",
    "regress_main",
    "regress_minheap",
    "regress_rpc",
    "regress_testutils",
    "regress_thread",
    "regress_util",
    "regress.gen",
    "tinytest",
];
