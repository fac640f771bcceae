//! The targets of evloop, each held against what a run has measured.

use crate::driver::Outcome;
use crate::roster::{self, Kind};

/// What evloop's time is divided by, or what is taken of evloop itself.
#[derive(Clone, Copy, Debug)]
enum Against {
    /// This contender, within each repetition.
    One(&'static str),
    /// This contender, and of evloop's timers without a loop.
    Alone(&'static str),
    /// The quickest of these.
    Best(&'static [Kind]),
    /// Nothing: the number itself.
    Time,
    /// Nothing, and of this part of evloop.
    TimeOf(&'static str),
    Instructions,
    EpollCtl,
}

const PEERS: &[Kind] = &[Kind::Peer, Kind::PeerWithPriorities];
const WITHOUT_PRIORITIES: &[Kind] = &[Kind::Peer];

const TARGETS: &[(&str, &str, Against, f64)] = &[
    (
        "ring, level: of raw",
        "ring 1000/100",
        Against::One("raw-level"),
        1.03,
    ),
    (
        "ring, level: of raw with callbacks",
        "ring 1000/100",
        Against::One("raw-called"),
        1.03,
    ),
    (
        "ring, level: of the best peer",
        "ring 1000/100",
        Against::Best(PEERS),
        1.0,
    ),
    (
        "ring, edge: of raw",
        "ring-edge 1000/100",
        Against::One("raw-edge"),
        1.03,
    ),
    (
        "ring, edge: of raw with callbacks",
        "ring-edge 1000/100",
        Against::One("raw-called"),
        1.03,
    ),
    (
        "ring, edge: of the best peer",
        "ring-edge 1000/100",
        Against::Best(PEERS),
        1.0,
    ),
    (
        "ring, re-add: of raw",
        "ring-again 1000/100",
        Against::One("raw-level"),
        1.08,
    ),
    (
        "ring, re-add: of raw with callbacks",
        "ring-again 1000/100",
        Against::One("raw-called"),
        1.08,
    ),
    (
        "ring, re-add: of the best peer",
        "ring-again 1000/100",
        Against::Best(PEERS),
        1.0,
    ),
    (
        "ring, re-add: epoll_ctl",
        "ring-again 1000/100",
        Against::EpollCtl,
        0.0,
    ),
    (
        "instructions, persistent",
        "ring 1000/100",
        Against::Instructions,
        130.0,
    ),
    (
        "instructions, re-add",
        "ring-again 1000/100",
        Against::Instructions,
        300.0,
    ),
    (
        "cascade: of raw edge",
        "cascade 100/1",
        Against::One("raw-edge"),
        1.10,
    ),
    (
        "cascade: of raw, level",
        "cascade 100/1",
        Against::One("raw-level"),
        1.10,
    ),
    (
        "cascade: of raw with callbacks",
        "cascade 100/1",
        Against::One("raw-called"),
        1.10,
    ),
    (
        "timers add: of libev",
        "timer-add 100000",
        Against::One("libev"),
        0.8,
    ),
    (
        "timers add: of libev, told the time",
        "timer-add 100000",
        Against::One("libev-now"),
        0.8,
    ),
    (
        "timers cancel: of libev",
        "timer-cancel 100000",
        Against::One("libev"),
        0.8,
    ),
    (
        "timers re-arm later: of libev",
        "timer-later 100000",
        Against::One("libev"),
        0.8,
    ),
    (
        "timers re-arm later: of libev, told the time",
        "timer-later 100000",
        Against::One("libev-now"),
        0.8,
    ),
    (
        "timers re-arm later: ns",
        "timer-later 100000",
        Against::Time,
        8.0,
    ),
    (
        "timers re-arm earlier: of libev",
        "timer-earlier 100000",
        Against::One("libev"),
        0.8,
    ),
    (
        "timers re-arm earlier: of libev, told the time",
        "timer-earlier 100000",
        Against::One("libev-now"),
        0.8,
    ),
    (
        "timers expire: of libev",
        "timer-expire 100000",
        Against::One("libev"),
        0.8,
    ),
    (
        "timers expire: of tokio",
        "timer-expire 100000",
        Against::One("tokio"),
        0.5,
    ),
    (
        "timers alone, add: of libev",
        "timer-add 100000",
        Against::Alone("libev"),
        0.8,
    ),
    (
        "timers alone, cancel: of libev",
        "timer-cancel 100000",
        Against::Alone("libev"),
        0.8,
    ),
    (
        "timers alone, re-arm later: of libev",
        "timer-later 100000",
        Against::Alone("libev"),
        0.8,
    ),
    (
        "timers alone, re-arm later: ns",
        "timer-later 100000",
        Against::TimeOf("evloop-timers"),
        8.0,
    ),
    (
        "timers alone, re-arm earlier: of libev",
        "timer-earlier 100000",
        Against::Alone("libev"),
        0.8,
    ),
    (
        "timers alone, expire: of libev",
        "timer-expire 100000",
        Against::Alone("libev"),
        0.8,
    ),
    (
        "timers alone, expire: of tokio",
        "timer-expire 100000",
        Against::Alone("tokio"),
        0.5,
    ),
    (
        "idle timeout: of no timeout",
        "ring-timeout 1000/100",
        Against::One("evloop-no-timeout"),
        1.03,
    ),
    (
        "wake, same CPU: of raw edge",
        "wake",
        Against::One("raw-edge"),
        1.05,
    ),
    (
        "wake, other CPU: of raw edge",
        "wake-other",
        Against::One("raw-edge"),
        1.05,
    ),
    (
        "signal: of raw handler + pipe",
        "signal",
        Against::One("raw-level"),
        0.7,
    ),
    ("add + delete, kept: ns", "add-delete", Against::Time, 15.0),
    (
        "write toggled: of raw",
        "toggle 1000/100",
        Against::One("raw-level"),
        1.15,
    ),
    (
        "write toggled: epoll_ctl",
        "toggle 1000/100",
        Against::EpollCtl,
        0.0,
    ),
    (
        "write toggled: of raw with callbacks",
        "toggle 1000/100",
        Against::One("raw-called"),
        1.15,
    ),
    (
        "echo, server CPU: of raw",
        "echo 64 cpu",
        Against::One("raw-level"),
        1.03,
    ),
    (
        "urgent p99: of the best without priorities",
        "flood 256 p99",
        Against::Best(WITHOUT_PRIORITIES),
        0.1,
    ),
    (
        "idle event with timeout: bytes",
        "idle 10000",
        Against::Time,
        160.0,
    ),
    (
        "the same, the number told: bytes",
        "idle 10000",
        Against::TimeOf("evloop-told"),
        160.0,
    ),
];

/// A target and what came of it.
#[derive(Debug)]
pub(crate) struct Verdict {
    name: &'static str,
    /// Who was the quickest peer, where that is the question.
    best: Option<&'static str>,
    pub(crate) limit: f64,
    /// One a run; a count is taken in the first only.
    pub(crate) values: Vec<f64>,
}

impl Verdict {
    pub(crate) fn name(&self) -> String {
        match self.best {
            Some(best) => format!("{} ({best})", self.name),
            None => self.name.to_owned(),
        }
    }

    /// In how many runs it was reached.
    fn reached(&self) -> usize {
        let is_reached = |value: &&f64| **value <= self.limit + 0.000_5;
        self.values.iter().filter(is_reached).count()
    }

    /// Whether it was reached in every run.
    pub(crate) fn is_reached(&self) -> bool {
        self.reached() == self.values.len()
    }

    pub(crate) fn says(&self) -> String {
        match self.reached() {
            0 => "NOT reached".to_owned(),
            _ if self.is_reached() => "reached".to_owned(),
            some => format!("reached in {some} of {}", self.values.len()),
        }
    }
}

/// Those that a run says something about.
pub(crate) fn judge(outcomes: &[Outcome]) -> Vec<Verdict> {
    let verdict = |&(name, label, against, limit): &(&'static str, &str, Against, f64)| {
        let (value, best) = value(outcomes, label, against)?;
        Some(Verdict {
            name,
            best,
            limit,
            values: vec![value],
        })
    };
    TARGETS.iter().filter_map(verdict).collect()
}

/// The verdicts of several runs in one list.
pub(crate) fn merge(runs: Vec<Vec<Verdict>>) -> Vec<Verdict> {
    let mut runs = runs.into_iter();
    let mut merged = runs.next().unwrap_or_default();
    for verdict in runs.flatten() {
        if let Some(known) = merged.iter_mut().find(|known| known.name == verdict.name) {
            known.values.extend(verdict.values);
        }
    }
    merged
}

fn value(
    outcomes: &[Outcome],
    label: &str,
    against: Against,
) -> Option<(f64, Option<&'static str>)> {
    let outcome = outcomes
        .iter()
        .find(|outcome| outcome.case.label() == label)?;
    let own = outcome.of("evloop")?;
    let value = match against {
        Against::One(peer) => own.ratio_to(outcome.of(peer)?),
        Against::Alone(peer) => outcome.of("evloop-timers")?.ratio_to(outcome.of(peer)?),
        Against::Best(kinds) => {
            let rows = roster::ROWS.iter().filter(|row| kinds.contains(&row.kind));
            let ratios = rows.filter_map(|row| {
                let ratio = own.ratio_to(outcome.of(row.name)?);
                Some((ratio, Some(row.name)))
            });
            return ratios.max_by(|one, other| one.0.total_cmp(&other.0));
        }
        Against::Time => own.time().median,
        Against::TimeOf(name) => outcome.of(name)?.time().median,
        Against::Instructions => own.counts.instructions?,
        Against::EpollCtl => own.counts.epoll_ctl?,
    };
    Some((value, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    fn verdict(values: &[f64]) -> Verdict {
        Verdict {
            name: "timers",
            best: None,
            limit: 0.8,
            values: values.to_vec(),
        }
    }

    #[test]
    fn a_target_is_reached_if_it_is_in_every_run() {
        assert_eq!(verdict(&[0.7, 0.8, 0.8004]).says(), "reached");
        assert_eq!(verdict(&[0.7, 0.81, 0.9]).says(), "reached in 1 of 3");
        assert_eq!(verdict(&[0.9, 1.0, 0.9]).says(), "NOT reached");
    }

    #[test]
    fn each_target_is_about_a_case_of_the_quick_run() {
        let labels: Vec<String> = plan::cases(true)
            .into_iter()
            .flat_map(|case| {
                let readings = case.about.readings.iter();
                readings.map(move |&reading| {
                    let case = case.clone();
                    plan::Case { reading, ..case }.label()
                })
            })
            .collect();
        for (name, label, ..) in TARGETS {
            let cases = labels.iter().filter(|known| known == label).count();
            assert_eq!(cases, 1, "{name}: {label}");
        }
    }

    #[test]
    fn runs_are_merged_by_target() {
        let other = Verdict {
            name: "rings",
            ..verdict(&[2.0])
        };
        let merged = merge(vec![vec![other, verdict(&[0.7])], vec![verdict(&[0.9])]]);
        assert_eq!(merged[0].values, [2.0]);
        assert_eq!(merged[1].values, [0.7, 0.9]);
    }
}
