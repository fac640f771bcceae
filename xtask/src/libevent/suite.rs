//! memcached's own tests, on the library.
//!
//! They are the source package's Perl programs; the memcached under test is the installed one. Some
//! fail on the system's libevent too, so the results of the two sides are compared.

mod prove;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::process::{find, output, succeed};
use super::source::source;
use super::trial::{Side, Trial, untouched};
use crate::step::{Failure, Verdict, report};
use prove::Results;

/// Runs the tests on both sides: on the system's for the results to compare with.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    for (program, why) in [
        ("memcached", "memcached is not installed"),
        ("prove", "Perl's prove is not installed"),
        ("cc", "no C compiler is installed"),
    ] {
        if find(program).is_none() {
            return Ok(Verdict::Skipped(why));
        }
    }
    let folder = source(trial, "memcached")?;
    prepare(&folder)?;
    let ours = run(trial, &folder, Side::Evloop)?;
    println!("on evloop: {ours}");
    let theirs = run(trial, &folder, Side::Debian)?;
    println!("on debian: {theirs}");
    report(&ours.differences(&theirs))
}

/// Puts what the tests start into the source's folder.
fn prepare(folder: &Path) -> Result<(), Failure> {
    let mut cc = Command::new("cc");
    cc.current_dir(folder);
    succeed(cc.args(["-w", "-O", "timedrun.c", "-o", "timedrun"]))?;
    let wrapper = folder.join("memcached-debug");
    let executable = fs::Permissions::from_mode(0o755);
    fs::write(&wrapper, WRAPPER)
        .and_then(|()| fs::set_permissions(&wrapper, executable))
        .map_err(|error| Failure::file(&wrapper, error))
}

fn run(trial: &Trial<'_>, folder: &Path, side: Side) -> Result<Results, Failure> {
    println!("running memcached's tests on {side} (some minutes)");
    let mut prove = untouched("prove");
    prove.args(["-j4", "t/"]).current_dir(folder);
    if side == Side::Evloop {
        prove.env("EVLOOP_LIBRARY", &trial.installed.library);
    }
    let end = output(&mut prove)?;
    let results = Results::parse(&String::from_utf8_lossy(&end.stdout));
    if results.is_empty() {
        print!("{}", String::from_utf8_lossy(&end.stderr));
        return Err(Failure::Findings("prove ran no test".to_owned()));
    }
    Ok(results)
}

/// What the tests take for a build of their own: the installed memcached, on the loopback
/// interface, without an option that only some builds know.
const WRAPPER: &str = r#"#!/bin/bash
args=(); where=(-l 127.0.0.1)
while [ $# -gt 0 ]; do
    case $1 in
        -o) [ "$2" = relaxed_privileges ] || args+=("$1" "$2"); shift ;;
        -l* | -s*) where=(); args+=("$1") ;;
        *) args+=("$1") ;;
    esac
    shift
done
[ -z "$EVLOOP_LIBRARY" ] || export LD_PRELOAD=$EVLOOP_LIBRARY
exec memcached "${args[@]}" "${where[@]}"
"#;
