//! Runs steps one after the other, times them, and sums up.

use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::step::{Failure, Mode, Step, Verdict};
use crate::workspace::Workspace;

/// Something to be done that has a name, a verdict and a time.
pub(crate) struct Job<'a> {
    /// Its name in the summary.
    pub(crate) name: &'static str,
    /// What it does, in a few words.
    pub(crate) about: &'static str,
    /// Does it. Details are printed as they come up.
    pub(crate) work: Box<dyn FnOnce() -> Result<Verdict, Failure> + 'a>,
}

/// How one job ended, and how long it took.
struct Outcome {
    name: &'static str,
    result: Result<Verdict, Failure>,
    time: Duration,
}

/// Runs all of `steps`.
pub(crate) fn run(workspace: &Workspace, steps: &[&'static Step], mode: Mode) -> ExitCode {
    let job = |step: &&'static Step| {
        let run = step.run;
        Job {
            name: step.name,
            about: step.about,
            work: Box::new(move || run(workspace, mode)),
        }
    };
    run_jobs(steps.iter().map(job).collect())
}

/// Runs all of `jobs`: a failed one does not keep the later ones from running, but makes the tool
/// end with an error.
pub(crate) fn run_jobs(jobs: Vec<Job<'_>>) -> ExitCode {
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        println!("==> {}: {}", job.name, job.about);
        let (result, time) = timed(job.work);
        let outcome = Outcome {
            name: job.name,
            result,
            time,
        };
        println!("{outcome}\n");
        outcomes.push(outcome);
    }
    if outcomes.len() > 1 {
        summarize(&outcomes);
    }
    let failed = outcomes.iter().any(|outcome| outcome.result.is_err());
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn summarize(outcomes: &[Outcome]) {
    println!("==> summary");
    for outcome in outcomes {
        println!("{outcome}");
    }
    let total: Duration = outcomes.iter().map(|outcome| outcome.time).sum();
    println!("{} in {:.1} s", tally(outcomes), total.as_secs_f64());
}

fn tally(outcomes: &[Outcome]) -> String {
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|&o| wanted(o)).count();
    let ok = count(|outcome| matches!(outcome.result, Ok(Verdict::Passed)));
    let skipped = count(|outcome| matches!(outcome.result, Ok(Verdict::Skipped(_))));
    let failed = count(|outcome| outcome.result.is_err());
    format!("steps: {ok} ok, {failed} failed, {skipped} skipped")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tool times its own steps; no loop is concerned"
)]
fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, why) = match &self.result {
            Ok(Verdict::Passed) => ("ok", String::new()),
            Ok(Verdict::Skipped(why)) => ("skipped", format!("  {why}")),
            Err(failure) => ("FAILED", format!("  {}", shortened(failure.to_string()))),
        };
        write!(
            f,
            "{word:<7} {:<9} {:>6.1} s{why}",
            self.name,
            self.time.as_secs_f64()
        )
    }
}

/// `text`, cut where it would make a line of the summary hard to read.
fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(80) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(result: Result<Verdict, Failure>) -> Outcome {
        Outcome {
            name: "tidy",
            result,
            time: Duration::from_millis(1_250),
        }
    }

    fn failed() -> Result<Verdict, Failure> {
        Err(Failure::Findings("2 findings".to_owned()))
    }

    #[test]
    fn a_line_tells_verdict_name_time_and_reason() {
        let line = outcome(failed()).to_string();
        assert_eq!(line, "FAILED  tidy         1.2 s  2 findings");
    }

    #[test]
    fn a_long_reason_is_cut() {
        assert_eq!(shortened("é".repeat(80)), "é".repeat(80));
        assert_eq!(shortened("é".repeat(81)), "é".repeat(80) + "…");
    }

    #[test]
    fn each_verdict_is_counted_as_itself() {
        let outcomes = [
            Ok(Verdict::Passed),
            failed(),
            Ok(Verdict::Skipped("no tool")),
            failed(),
        ];
        let outcomes = outcomes.map(outcome);
        assert_eq!(tally(&outcomes), "steps: 1 ok, 2 failed, 1 skipped");
    }
}
