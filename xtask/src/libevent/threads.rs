//! Threads that change events while the loop runs in another, on libevent's own locks.
//!
//! The program is ours, in C: it is compiled against libevent's headers, and has to pass on the
//! system's libevent too.

use std::fs;
use std::process::Command;

use super::process::{find, output, succeed};
use super::regress::{SETTINGS, limited};
use super::trial::Trial;
use crate::step::{Failure, Verdict, report};

/// Runs the program in every setting, on each side that was asked for.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    if find("cc").is_none() || find("pkg-config").is_none() {
        return Ok(Verdict::Skipped("cc or pkg-config is not installed"));
    }
    let mut flags = Command::new("pkg-config");
    flags.args(["--cflags", "--libs", "libevent", "libevent_pthreads"]);
    let Ok(flags) = succeed(&mut flags) else {
        return Ok(Verdict::Skipped("libevent's headers are not installed"));
    };
    let source = trial.folder.join("threads.c");
    let program = trial.folder.join("threads");
    fs::write(&source, PROGRAM).map_err(|error| Failure::file(&source, error))?;
    let mut cc = Command::new("cc");
    cc.args(["-g", "-O1", "-pthread"]).arg(&source).arg("-o");
    succeed(cc.arg(&program).args(flags.split_whitespace()))?;
    let mut findings = Vec::new();
    for side in &trial.options.sides {
        for setting in &SETTINGS {
            for _ in 0..trial.options.repeat {
                let mut run = trial.command(*side, &program);
                run.envs(setting.env.iter().copied());
                let end = output(&mut limited(&run, LIMIT_S))?;
                if !end.status.success() {
                    let said = String::from_utf8_lossy(&end.stderr);
                    findings.push(format!("{setting}, {side}: {} {said}", end.status));
                }
            }
        }
        println!("{side}: {} settings", SETTINGS.len());
    }
    report(&findings)
}

const PROGRAM: &str = include_str!("threads.c");
/// The seconds that it may take; it takes one.
const LIMIT_S: u32 = 60;
