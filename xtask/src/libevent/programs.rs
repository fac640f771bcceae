//! Programs of ours, in C, on libevent's own locks.
//!
//! They are compiled against libevent's headers, and have to pass on the system's libevent too.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::process::{find, output, succeed};
use super::regress::{SETTINGS, limited};
use super::trial::Trial;
use crate::step::{Failure, Verdict, report};

/// A program: what it is called, and its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program(&'static str, &'static str);

const THREADS: Program = Program("threads", include_str!("programs/threads.c"));
const RULES: Program = Program("rules", include_str!("programs/rules.c"));
const DISORDER: Program = Program("disorder", include_str!("programs/disorder.c"));

/// All of them.
pub(super) const PROGRAMS: [Program; 3] = [THREADS, RULES, DISORDER];

/// Threads that change events while the loop runs in another.
pub(super) fn threads(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    check(trial, THREADS)
}

/// What libevent lets a program do, and what it stops.
pub(super) fn rules(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    check(trial, RULES)
}

/// Callbacks that free, add, activate and close at random.
pub(super) fn disorder(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    check(trial, DISORDER)
}

impl Program {
    pub(super) const fn name(self) -> &'static str {
        self.0
    }

    /// Compiles the program, with these flags too; `None` where libevent's headers are not installed.
    ///
    /// # Errors
    ///
    /// What the compiler says.
    pub(super) fn compile(
        self,
        trial: &Trial<'_>,
        more: &[&str],
    ) -> Result<Option<PathBuf>, Failure> {
        let Self(name, text) = self;
        let mut flags = Command::new("pkg-config");
        flags.args(["--cflags", "--libs", "libevent", "libevent_pthreads"]);
        let Ok(flags) = succeed(&mut flags) else {
            return Ok(None);
        };
        let source = trial.folder.join(format!("{name}.c"));
        let program = trial.folder.join(name);
        fs::write(&source, text).map_err(|error| Failure::file(&source, error))?;
        let mut cc = Command::new("cc");
        cc.args(["-D_GNU_SOURCE", "-g", "-O1", "-pthread"])
            .args(more);
        cc.arg(&source).arg("-o").arg(&program);
        succeed(cc.args(flags.split_whitespace()))?;
        Ok(Some(program))
    }
}

/// Runs a program in every setting, on each side that was asked for.
fn check(trial: &Trial<'_>, program: Program) -> Result<Verdict, Failure> {
    if find("cc").is_none() || find("pkg-config").is_none() {
        return Ok(Verdict::Skipped("cc or pkg-config is not installed"));
    }
    let Some(program) = program.compile(trial, &[])? else {
        return Ok(Verdict::Skipped("libevent's headers are not installed"));
    };
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

/// The seconds that one may take; it takes two.
pub(super) const LIMIT_S: u32 = 60;
