//! libevent's own tests of 2.1, on the library.
//!
//! The groups `main`, `signal`, `et`, `finalize` and `thread` test the event core itself;
//! the others test libevent's C on top of it.

mod build;
mod outcome;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::process::{output, succeed};
use super::table::Table;
use super::trial::{Side, Trial, untouched};
use crate::step::{Failure, Verdict, report};
pub(super) use build::Flavour;
use build::SMALL;
pub(super) use outcome::Outcome;

/// How the loop is to work, and the environment that chooses it.
pub(super) struct Setting {
    name: &'static str,
    pub(super) env: &'static [(&'static str, &'static str)],
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The test program, if it has been built.
pub(super) fn program(trial: &Trial<'_>) -> Option<PathBuf> {
    let program = build::folder(trial, Flavour::Plain).join("regress");
    program.is_file().then_some(program)
}

/// The test program, built where it is not.
///
/// # Errors
///
/// What kept its source from being fetched or compiled.
pub(super) fn built(trial: &Trial<'_>, flavour: Flavour) -> Result<PathBuf, Failure> {
    Ok(build::build(trial, flavour)?.join("regress"))
}

/// The names of the tests that are on by themselves, of all groups.
///
/// # Errors
///
/// A program that lists none.
pub(super) fn tests(program: &Path) -> Result<Vec<String>, Failure> {
    let list = succeed(Command::new(program).arg("--list-tests"))?;
    let groups: Vec<_> = CORE_GROUPS.into_iter().chain(UPPER_GROUPS).collect();
    let names = list.lines().filter_map(|line| {
        let name = line.split_whitespace().next()?;
        let is_on = !line.contains('(');
        let (group, _) = name.split_once('/')?;
        (is_on && groups.contains(&group)).then(|| name.to_owned())
    });
    match names.collect::<Vec<_>>() {
        none if none.is_empty() => Err(Failure::Findings("there is no test".to_owned())),
        names => Ok(names),
    }
}

/// Builds the tests where they are not built, and runs every group in every setting.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    let folder = build::build(trial, Flavour::Plain)?;
    let mut findings = Vec::new();
    let many = trial.options.repeat;
    for round in 1..=many {
        #[expect(clippy::disallowed_methods, reason = "a round is timed")]
        let begun = Instant::now();
        let table = run_all(trial, &folder, &mut findings)?;
        let (so_far, took) = (findings.len(), begun.elapsed().as_secs());
        if round == many {
            println!("passed/skipped on {}:\n{table}", sides(trial));
        }
        println!("round {round} of {many}: {took} s, {so_far} findings so far");
    }
    report(&findings)
}

/// The sides whose results a cell of the table holds.
fn sides(trial: &Trial<'_>) -> String {
    let sides: Vec<_> = trial.options.sides.iter().map(Side::to_string).collect();
    sides.join(" | ")
}

fn run_all(trial: &Trial<'_>, folder: &Path, findings: &mut Vec<String>) -> Result<Table, Failure> {
    let options = &trial.options;
    let is_asked =
        |asked: &[String], name: &str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    let settings = || {
        let all = SETTINGS.iter();
        all.filter(|setting| is_asked(&options.settings, setting.name))
    };
    let mut header = vec![String::new()];
    header.extend(settings().map(|setting| setting.name.to_owned()));
    let mut table = Table::new(header);
    let groups = groups();
    for test in groups.iter().filter(|name| is_asked(&options.groups, name)) {
        let mut row = vec![(*test).to_owned()];
        for setting in settings() {
            let mut outcomes = Vec::new();
            for side in &trial.options.sides {
                let outcome = run(trial, folder, *side, setting, test)?;
                let failed = outcome.failed();
                findings.extend(failed.map(|name| format!("{name} fails: {setting}, {side}")));
                outcomes.push(outcome);
            }
            if let [ours, theirs] = &outcomes[..] {
                let differing = ours.differences(theirs);
                findings.extend(
                    differing
                        .iter()
                        .map(|name| format!("{name} differs: {setting}")),
                );
            }
            let cells: Vec<_> = outcomes.iter().map(Outcome::to_string).collect();
            row.push(cells.join(" | "));
        }
        table.row(row);
    }
    Ok(table)
}

/// The groups, and the small programs.
pub(super) fn groups() -> Vec<&'static str> {
    let groups = CORE_GROUPS.into_iter().chain(UPPER_GROUPS);
    groups.chain(PROTOCOLS).chain(SMALL).collect()
}

/// The names of the settings.
pub(super) fn settings() -> Vec<&'static str> {
    SETTINGS.iter().map(|setting| setting.name).collect()
}

/// Runs one group, or one of the small programs.
fn run(
    trial: &Trial<'_>,
    folder: &Path,
    side: Side,
    setting: &Setting,
    test: &str,
) -> Result<Outcome, Failure> {
    let is_small = SMALL.contains(&test);
    let program = folder.join(if is_small { test } else { "regress" });
    let inner = trial.command(side, &program);
    let mut command = limited(&inner, LIMIT_S);
    command
        .current_dir(folder)
        .envs(setting.env.iter().copied());
    if is_small {
        let verdict = match output(&mut command)?.status.code() {
            Some(0) => outcome::Verdict::Ok,
            _ => outcome::Verdict::Failed,
        };
        return Ok(Outcome::one(test, verdict));
    }
    command.arg(format!("{test}/.."));
    let left_out = LEFT_OUT.iter().filter(|name| name.starts_with(test));
    command.args(left_out.map(|name| format!(":{name}")));
    let end = output(&mut command)?;
    let text = String::from_utf8_lossy(&end.stdout);
    let outcome = Outcome::parse(test, &text);
    if !end.status.success() {
        println!("{test}, {setting}, {side}: {}\n{text}", end.status);
    }
    if end.status.success() || outcome.failed().next().is_some() {
        return Ok(outcome);
    }
    // It ended badly, and no test of it says so.
    Ok(Outcome::one(test, outcome::Verdict::Failed))
}

/// The command with an end: what hangs is stopped after some seconds, its children too.
pub(super) fn limited(inner: &Command, seconds: u32) -> Command {
    let mut command = untouched("timeout");
    command.args(["--kill-after=5", &seconds.to_string()]);
    command.arg(inner.get_program()).args(inner.get_args());
    let set = inner.get_envs();
    command.envs(set.filter_map(|(name, value)| Some((name, value?))));
    command
}

/// The groups that test the event core.
pub(super) const CORE_GROUPS: [&str; 5] = ["main", "signal", "et", "finalize", "thread"];

/// The groups that test libevent's C on top of it.
pub(super) const UPPER_GROUPS: [&str; 3] = ["listener", "evbuffer", "bufferevent"];

/// The groups that test what libevent has above that; each with a server of its own, on loopback.
const PROTOCOLS: [&str; 3] = ["http", "dns", "rpc"];

/// Wants the loop to be too slow for a thousand answers in ten milliseconds.
const LEFT_OUT: [&str; 1] = ["dns/getaddrinfo_cancel_stress"];

/// The seconds that a group may take.
const LIMIT_S: u32 = 120;

/// What upstream's own script runs.
pub(super) const SETTINGS: [Setting; 5] = [
    Setting {
        name: "epoll",
        env: &[],
    },
    Setting {
        name: "changelist",
        env: &[("EVENT_EPOLL_USE_CHANGELIST", "1")],
    },
    Setting {
        name: "poll",
        env: &[("EVENT_NOEPOLL", "1")],
    },
    Setting {
        name: "precise",
        env: &[("EVENT_PRECISE_TIMER", "1")],
    },
    Setting {
        name: "debug",
        env: &[("EVENT_DEBUG_MODE", "1")],
    },
];
