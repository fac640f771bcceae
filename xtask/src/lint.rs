//! The steps that are one call of a tool each: rustfmt, clippy, rustdoc.

use crate::cargo::Cargo;
use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;

/// Holds the layout against rustfmt's, or rewrites it.
pub(crate) fn fmt(workspace: &Workspace, mode: Mode) -> Result<Verdict, Failure> {
    match mode {
        Mode::Check => Cargo::new(workspace, "fmt --all -- --check").run(),
        Mode::Fix => Cargo::new(workspace, "fmt --all").run(),
    }
}

/// Turns every warning of rustc and clippy into an error, in all targets of all packages.
pub(crate) fn clippy(workspace: &Workspace, mode: Mode) -> Result<Verdict, Failure> {
    let every = "--workspace --all-targets --all-features";
    if mode == Mode::Fix {
        Cargo::new(workspace, "clippy --fix --allow-dirty --allow-staged")
            .args(every.split(' '))
            .run()?;
        // What clippy writes is not laid out.
        fmt(workspace, mode)?;
    }
    Cargo::new(workspace, "clippy")
        .args(every.split(' '))
        .args(["--", "-D", "warnings"])
        .run()
}

/// Turns every warning of rustdoc into an error: broken links first of all.
pub(crate) fn doc(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    Cargo::new(workspace, "doc --workspace --no-deps --all-features")
        .env("RUSTDOCFLAGS", "-Dwarnings")
        .run()
}
