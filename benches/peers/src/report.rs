//! What is printed, and the CSV.

use std::fmt::Write;

use crate::driver::Outcome;
use crate::stats::Spread;
use crate::targets::Verdict;

/// A case: a row for each contender.
pub(crate) fn table(outcome: &Outcome) -> String {
    let mut text = format!(
        "{:<22}{:>12}{:>20}{:>9}{:>11}{:>8}{:>9}{:>7}{:>7}\n",
        outcome.case.label(),
        format!("{}, median", outcome.case.reading.unit),
        "quartiles",
        "ratio",
        "evloop to",
        "instr",
        "syscalls",
        "ctl",
        "allocs",
    );
    for measured in &outcome.measured {
        let time = measured.time();
        let spread = format!("{:.1} - {:.1}", time.low, time.high);
        let counts = &measured.counts;
        let _ = writeln!(
            text,
            "  {:<20}{:>12.1}{spread:>20}{:>9}{:>11}{:>8}{:>9}{:>7}{:>7}",
            measured.name,
            time.median,
            number(outcome.ratio(measured), 2),
            number(outcome.own_ratio(measured), 2),
            number(counts.instructions, 0),
            number(counts.syscalls, 2),
            number(counts.epoll_ctl, 2),
            number(counts.allocations, 2),
        );
    }
    for (name, reason) in &outcome.absent {
        let _ = writeln!(text, "  {name:<20}  left out: {reason}");
    }
    text.push('\n');
    text
}

/// With so many places, or nothing.
pub(crate) fn number(value: Option<f64>, places: usize) -> String {
    // A tiny negative difference is nought.
    value.map_or_else(String::new, |value| format!("{:.places$}", value.max(0.0)))
}

/// Of what the runs say once.
pub(crate) const COUNTED_ONCE: &str = "Instructions and calls are counted in the first run only.";

/// Each target with what each run says of it.
pub(crate) fn targets(verdicts: &[Verdict]) -> String {
    let runs = verdicts.iter().map(|verdict| verdict.values.len());
    let runs = runs.max().unwrap_or(1);
    let width = 12 * runs;
    let name = |verdict: &Verdict| verdict.name().chars().count();
    let longest = verdicts.iter().map(name).max().unwrap_or(0);
    let mut text = format!(
        "{:<longest$}{:>9}{:>width$}  {}\n",
        "target", "at most", "is", "reached"
    );
    for verdict in verdicts {
        let values: String = verdict
            .values
            .iter()
            .map(|value| format!("{value:>12.2}"))
            .collect();
        let _ = writeln!(
            text,
            "{:<longest$}{:>9.2}{values:>width$}  {}",
            verdict.name(),
            verdict.limit,
            verdict.says()
        );
    }
    if runs > 1 {
        let _ = writeln!(text, "{COUNTED_ONCE}");
    }
    text
}

/// A row for each contender in each case.
pub(crate) fn csv(outcomes: &[Outcome], seed: u64) -> String {
    let mut text = String::from(
        "case,contender,unit,low,median,high,floor,ratio,evloop_to_it,instructions,syscalls,epoll_ctl,allocations,seed,absent\n",
    );
    for outcome in outcomes {
        let (label, floor) = (outcome.case.label(), outcome.case.floor);
        for own in &outcome.measured {
            let Spread { low, median, high } = own.time();
            let (unit, counts) = (outcome.case.reading.unit, &own.counts);
            let _ = writeln!(
                text,
                "{label},{},{unit},{low:.2},{median:.2},{high:.2},{floor},{},{},{},{},{},{},{seed},",
                own.name,
                number(outcome.ratio(own), 4),
                number(outcome.own_ratio(own), 4),
                number(counts.instructions, 1),
                number(counts.syscalls, 4),
                number(counts.epoll_ctl, 4),
                number(counts.allocations, 4),
            );
        }
        for (name, reason) in &outcome.absent {
            let _ = writeln!(text, "{label},{name},,,,,{floor},,,,,,,{seed},\"{reason}\"");
        }
    }
    text
}
