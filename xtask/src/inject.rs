//! `cargo xtask inject`: the example `live` while system calls fail on it, one at a time.
//!
//! strace makes the N-th call of a kind fail with an errno that it can give, for N from 1 on; clients
//! come and ask meanwhile. What may come of it: nothing at all, one connection that is lost, or an
//! end with a sentence that says why. What may not: a client that waits for ever, a second one that
//! suffers, a file descriptor that leaks, a processor that is kept busy, an end without a word.

mod plan;
mod visit;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::cargo::target_dir;
use crate::live::{self, Live, PATIENCE, Profile, until};
use crate::step::{self, Failure, Verdict};
use crate::task::numbers;
use crate::workspace::Workspace;
use plan::{FAULTS, Fault};
use visit::{Visit, visit};

/// What a fault came to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// There is no such call so late.
    NotReached,
    /// Nobody has noticed.
    Repaired,
    /// One connection ended early.
    OneLost,
    /// The server said why, and ended, or did not begin.
    Refused(String),
    /// What must not be.
    Wrong(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReached => f.write_str("not reached"),
            Self::Repaired => f.write_str("repaired"),
            Self::OneLost => f.write_str("one connection lost"),
            Self::Refused(why) => write!(f, "\"{why}\""),
            Self::Wrong(why) => write!(f, "WRONG: {why}"),
        }
    }
}

/// `cargo xtask inject --calls N`: each fault at each of the first N calls.
///
/// # Errors
///
/// The server does not build; or a fault came to what must not be.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Verdict, Failure> {
    let [calls] = numbers(arguments, [("--calls", 20)])?;
    inject(workspace, |_| 1..=calls)
}

/// Each fault once, each at another call.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn quick(workspace: &Workspace) -> Result<Verdict, Failure> {
    inject(workspace, |row| {
        let nth = 1 + row % 3;
        nth..=nth
    })
}

/// Each fault at the calls that `calls` says, given its row.
fn inject(
    workspace: &Workspace,
    calls: impl Fn(u64) -> RangeInclusive<u64>,
) -> Result<Verdict, Failure> {
    let probe = Command::new("strace").args(["-qq", "true"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return Ok(Verdict::Skipped("no strace here, or it may not trace"));
    }
    let program = live::build(workspace, Profile::Debug)?;
    let folder = target_dir(workspace).join("inject");
    fs::create_dir_all(&folder).map_err(|source| Failure::file(&folder, source))?;
    let mut wrong = Vec::new();
    let mut count = 0;
    for (row, fault) in (0..).zip(FAULTS) {
        let mut outcomes: BTreeMap<Outcome, Vec<u64>> = BTreeMap::new();
        for nth in calls(row) {
            let outcome = Trial::new(&program, &folder, *fault, nth).run()?;
            count += u64::from(outcome != Outcome::NotReached);
            outcomes.entry(outcome).or_default().push(nth);
        }
        for (outcome, at) in outcomes {
            let row = format!("{:<14}{:<14}{outcome} ({at:?})", fault.call, fault.errno);
            println!("  {row}");
            if matches!(outcome, Outcome::Wrong(_)) {
                wrong.push(row);
            }
        }
    }
    println!("  {count} faults");
    step::report(&wrong)
}

/// One fault in one run of the server.
struct Trial<'a> {
    program: &'a Path,
    fault: Fault,
    nth: u64,
    /// What strace saw, and what the server said.
    trace: PathBuf,
    words: PathBuf,
}

impl<'a> Trial<'a> {
    fn new(program: &'a Path, folder: &Path, fault: Fault, nth: u64) -> Self {
        Self {
            program,
            fault,
            nth,
            trace: folder.join("trace"),
            words: folder.join("words"),
        }
    }

    fn run(&self) -> Result<Outcome, Failure> {
        let Fault { call, errno, after } = self.fault;
        let nth = after + self.nth;
        let words = fs::File::create(&self.words);
        let words = words.map_err(|source| Failure::file(&self.words, source))?;
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o"]).arg(&self.trace);
        strace.arg("-e").arg(format!("trace={call}"));
        strace
            .arg("-e")
            .arg(format!("inject={call}:error={errno}:when={nth}"));
        strace.arg(self.program).args(["--port", "0"]).stderr(words);
        let outcome = match Live::started(&mut strace)? {
            Ok(server) => self.visit(server),
            Err(_) => self.refused("it did not begin"),
        };
        let was_injected = fs::read_to_string(&self.trace)
            .map_err(|source| Failure::file(&self.trace, source))?
            .contains("(INJECTED)");
        Ok(match outcome {
            Outcome::Repaired if !was_injected => Outcome::NotReached,
            outcome => outcome,
        })
    }

    /// Clients come, the server rests, and is told to end.
    fn visit(&self, mut server: Live) -> Outcome {
        let before = server.footing();
        let visits: Vec<Visit> = (0..VISITS).map(|_| visit(server.address)).collect();
        if visits.contains(&Visit::Waits) {
            return Outcome::Wrong("a client waits for ever".to_owned());
        }
        let lost = visits.iter().filter(|visit| **visit == Visit::Lost).count();
        if lost == VISITS && server.ended_within(PATIENCE).is_some() {
            return self.refused("it ended");
        }
        if lost > 1 {
            return Outcome::Wrong(format!("{lost} connections lost"));
        }
        // Connections that linger are closed within a second.
        let fds = before.map(|before| before.fds);
        let has_closed = || server.footing().map(|now| now.fds) == fds;
        if until(PATIENCE, || has_closed().then_some(())).is_none() {
            return Outcome::Wrong("file descriptors leak".to_owned());
        }
        let ticks = server.processor_ticks();
        thread::sleep(REST);
        let busy = server.processor_ticks().zip(ticks);
        if busy.is_some_and(|(after, before)| after - before > BUSY_TICKS) {
            return Outcome::Wrong("it keeps the processor busy".to_owned());
        }
        let _sent = server.send("TERM");
        match server.ended_within(PATIENCE) {
            None => Outcome::Wrong("it does not end".to_owned()),
            Some(status) if !status.success() => self.refused("it ended"),
            Some(_) if lost == 1 => Outcome::OneLost,
            Some(_) => Outcome::Repaired,
        }
    }

    /// It has ended, for a reason that it has to have told.
    fn refused(&self, what: &str) -> Outcome {
        let words = fs::read_to_string(&self.words).unwrap_or_default();
        let line = words.lines().next().unwrap_or_default();
        if line.is_empty() {
            return Outcome::Wrong(format!("{what} without a word"));
        }
        if !line.starts_with("live: ") {
            return Outcome::Wrong(format!("{what}: {line}"));
        }
        Outcome::Refused(line.to_owned())
    }
}

/// How many clients come.
const VISITS: usize = 6;
/// How long the server is watched with nothing to do, and how much of a processor it may use then, in
/// clock ticks of which there are 100 in a second.
const REST: Duration = Duration::from_millis(100);
const BUSY_TICKS: u64 = 4;
