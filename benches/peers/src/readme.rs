//! The tables of the README: evloop to its targets, and to each peer.

use std::fmt::Write;

use crate::driver::{Measured, Outcome};
use crate::roster::{self, Kind};
use crate::targets::Verdict;

/// Both, in Markdown, and what two loops take of the time of one.
pub(crate) fn tables(outcomes: &[Outcome], targets: &[Verdict]) -> String {
    format!(
        "{}\n{}\n{}",
        target_table(targets),
        peer_table(outcomes),
        scaling(outcomes)
    )
}

fn target_table(targets: &[Verdict]) -> String {
    let mut text = String::from(
        "| work | ratio | target | median | runs | reached |\n|---|---|--:|--:|---|---|\n",
    );
    let most = targets.iter().map(|target| target.values.len()).max();
    let mut last = "";
    for target in targets {
        let Verdict { work, what, .. } = target;
        let work = if *work == last {
            String::new()
        } else {
            format!("{work} ")
        };
        last = target.work;
        let shown = |value: Option<f64>| number(value.unwrap_or_default());
        let [low, high] = [
            shown(target.values.iter().copied().reduce(f64::min)),
            shown(target.values.iter().copied().reduce(f64::max)),
        ];
        let runs = match target.values.len() {
            1 if most > Some(1) => format!("{low} (the first run)"),
            _ if low == high => low,
            _ => format!("{low} to {high}"),
        };
        let (limit, median, says) = (number(target.limit), number(target.median()), target.says());
        let _ = writeln!(
            text,
            "| {work}| {what} | {limit} | {median} | {runs} | {says} |"
        );
    }
    text
}

/// The works of the second table: what each is called there, and its case.
const WORKS: &[(&str, &str)] = &[
    ("ring, level, 100 of 1000 ready", "ring 1000/100"),
    ("ring, level, 1 of 100", "ring 100/1"),
    ("ring, edge, 100 of 1000", "ring-edge 1000/100"),
    ("ring, edge, 1 of 100", "ring-edge 100/1"),
    ("idle timeout, 100 of 1000", "ring-timeout 1000/100"),
    ("idle timeout, 1 of 100", "ring-timeout 100/1"),
    (
        "deleted and added with a timeout, 100 of 1000",
        "ring-again 1000/100",
    ),
    ("the same, 1 of 100", "ring-again 100/1"),
    (
        "a kept event deleted and added, no wait between",
        "add-delete",
    ),
    ("write interest toggled", "toggle 1000/100"),
    ("cascade", "cascade 100/1"),
    ("source registered and removed", "register"),
    ("100,000 timers: add", "timer-add 100000"),
    ("cancel", "timer-cancel 100000"),
    ("move later", "timer-later 100000"),
    ("move earlier", "timer-earlier 100000"),
    ("expire", "timer-expire 100000"),
    ("move later, then expire", "timer-moved 100000"),
    ("signal", "signal"),
    ("wake, same processor", "wake"),
    ("wake, other processor", "wake-other"),
    ("echo, 64 connections, server CPU", "echo 64 cpu"),
    ("64 connections, two loops and processors, time", TWO_LOOPS),
    ("urgent beside a flood, p99", "flood 256 p99"),
    ("the flood itself", "flood 256 low"),
    ("idle connection, bytes", "idle 10000"),
    ("the same, resident", "idle 10000 resident"),
];

const ONE_LOOP: &str = "loops 64/1";
const TWO_LOOPS: &str = "loops 64/2";

/// The peers of the second table: the column, whose it is, and what stands in brackets where it differs.
const PEERS: &[(&str, &str, &[&str])] = &[
    ("libevent", "libevent", &["libevent-precise"]),
    ("its changelist", "libevent-changelist", &[]),
    ("libev", "libev", &["libev-now", "libev-signalfd"]),
    ("libuv", "libuv", &[]),
    ("mio", "mio", &[]),
    ("polling", "polling", &[]),
    ("calloop", "calloop", &[]),
    ("tokio", "tokio", &[]),
];

fn peer_table(outcomes: &[Outcome]) -> String {
    let mut text = String::from("| work | raw |");
    for (column, ..) in PEERS {
        let _ = write!(text, " {column} |");
    }
    let _ = writeln!(text, "\n|---|--:|{}", "--:|".repeat(PEERS.len()));
    for (work, label) in WORKS {
        let Some(outcome) = of(outcomes, label) else {
            continue;
        };
        let _ = write!(text, "| {work} | {} |", to_floor(outcome));
        for (_, peer, variants) in PEERS {
            let _ = write!(text, " {} |", cell(outcome, peer, variants));
        }
        text.push('\n');
    }
    text
}

fn of<'a>(outcomes: &'a [Outcome], label: &str) -> Option<&'a Outcome> {
    outcomes
        .iter()
        .find(|outcome| outcome.case.label() == label)
}

/// To epoll by hand, and in brackets to the same with callbacks.
fn to_floor(outcome: &Outcome) -> String {
    let floor = outcome.case.floor;
    let is_raw = |row: &roster::Row| row.name == floor && row.kind == Kind::Floor;
    match roster::ROWS.iter().any(is_raw) {
        true => cell(outcome, floor, &["raw-called"]),
        false => NOTHING.to_owned(),
    }
}

fn cell(outcome: &Outcome, peer: &str, variants: &[&str]) -> String {
    let ratio = |name: &str| Some(number(outcome.own_ratio(outcome.of(name)?)?));
    let mut text = ratio(peer).unwrap_or_else(|| NOTHING.to_owned());
    if let Some(variant) = variants.iter().find_map(|variant| ratio(variant)) {
        let _ = write!(text, " ({variant})");
    }
    text
}

const NOTHING: &str = "–";

/// Of each contender by itself; the two cases are measured one after the other.
fn scaling(outcomes: &[Outcome]) -> String {
    let Some((one, two)) = of(outcomes, ONE_LOOP).zip(of(outcomes, TWO_LOOPS)) else {
        return String::new();
    };
    let share = |two: &Measured| {
        let one = one.of(two.name)?.time().median;
        Some(format!("{} {}", two.name, number(two.time().median / one)))
    };
    let shares: Vec<_> = two.measured.iter().filter_map(share).collect();
    format!(
        "Two loops on two processors take of the time of one: {}.\n",
        shares.join(", ")
    )
}

/// With as many places as say something.
fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        ..2.0 => format!("{value:.2}"),
        ..10.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    fn outcome(label: &str, times: &[(&'static str, f64)]) -> Outcome {
        let measured = times.iter();
        let measured = measured.map(|&(name, time)| Measured::new(name, vec![time]));
        Outcome::new(label, measured.collect())
    }

    #[test]
    fn each_row_is_a_case_of_the_quick_run_and_each_column_a_contender() {
        let labels: Vec<_> = plan::outcomes(true).iter().map(plan::Case::label).collect();
        for (work, label) in WORKS {
            assert!(labels.iter().any(|known| known == label), "{work}: {label}");
        }
        for (_, peer, variants) in PEERS {
            for name in [peer].into_iter().chain(*variants) {
                assert!(roster::ROWS.iter().any(|row| row.name == *name), "{name}");
            }
        }
    }

    #[test]
    fn a_cell_is_evloop_to_the_peer_and_in_brackets_to_its_variant() {
        let own = ("evloop", 1.0);
        let peers = [own, ("libev", 0.25), ("libev-now", 1.25), ("libuv", 2.0)];
        let table = peer_table(&[outcome("timer-add 100000", &peers)]);
        let row = table.lines().last().unwrap();
        let expected = "| 100,000 timers: add | – | – | – | 4.0 (0.80) | 0.50 | – | – | – | – |";
        assert_eq!(row, expected);
        let floors = [own, ("raw-level", 0.8), ("raw-called", 1.0)];
        let table = peer_table(&[outcome("ring 100/1", &floors)]);
        let row = table.lines().last().unwrap();
        assert!(
            row.starts_with("| ring, level, 1 of 100 | 1.25 (1.00) | –"),
            "{row}"
        );
    }

    #[test]
    fn a_target_has_the_median_and_the_range_of_its_runs() {
        let verdict = |what: &str, limit, values: &[f64]| Verdict {
            work: "signal",
            what: what.to_owned(),
            limit,
            values: values.to_vec(),
        };
        let table = target_table(&[
            verdict("to raw", 0.7, &[0.69, 0.72, 0.6]),
            verdict("instructions", 300.0, &[471.3]),
        ]);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| signal | to raw | 0.70 | 0.69 | 0.60 to 0.72 | 2 of 3 |",
                "| | instructions | 300 | 471 | 471 (the first run) | missed |"
            ]
        );
    }

    #[test]
    fn two_loops_are_held_against_one() {
        let outcomes = [
            outcome(ONE_LOOP, &[("evloop", 10.0), ("mio", 10.0)]),
            outcome(TWO_LOOPS, &[("evloop", 5.5), ("mio", 6.0)]),
        ];
        assert!(scaling(&outcomes).ends_with("evloop 0.55, mio 0.60.\n"));
    }
}
