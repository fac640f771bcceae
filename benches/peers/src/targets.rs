//! The targets of evloop, each held against what the runs have measured.

use crate::driver::Outcome;
use crate::roster::{self, Kind};
use crate::stats::Spread;

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

use Against::{Alone, EpollCtl, Instructions, One, Time, TimeOf};

const BEST_PEER: Against = Against::Best(&[Kind::Peer, Kind::PeerWithPriorities]);
const BEST_WITHOUT_PRIORITIES: Against = Against::Best(&[Kind::Peer]);

/// A line of [`TARGETS`].
#[derive(Clone, Copy, Debug)]
enum Line {
    /// What is done, and the label of the case: the targets that follow are about it.
    Of(&'static str, &'static str),
    /// What the number is, and what it is to be at most.
    Target(&'static str, Against, f64),
}

use Line::{Of, Target};

const TARGETS: &[Line] = &[
    Of("ring, level, 1000/100", "ring 1000/100"),
    Target("to raw", One("raw-level"), 1.03),
    Target("to raw with callbacks", One("raw-called"), 1.03),
    Target("to the best peer", BEST_PEER, 1.0),
    Of("ring, edge, 1000/100", "ring-edge 1000/100"),
    Target("to raw", One("raw-edge"), 1.03),
    Target("to raw with callbacks", One("raw-called"), 1.03),
    Target("to the best peer", BEST_PEER, 1.0),
    Of(
        "ring, deleted and added with a timeout",
        "ring-again 1000/100",
    ),
    Target("to raw, without one", One("raw-level"), 1.08),
    Target("to raw with callbacks", One("raw-called"), 1.08),
    Target("to the best peer", BEST_PEER, 1.0),
    Target("calls of `epoll_ctl` an event", EpollCtl, 0.0),
    Target("instructions an event", Instructions, 300.0),
    Of("ring, persistent", "ring 1000/100"),
    Target("instructions an event", Instructions, 130.0),
    Of("cascade", "cascade 100/1"),
    Target("to raw, edge", One("raw-edge"), 1.10),
    Target("to raw, level", One("raw-level"), 1.10),
    Target("to raw with callbacks, edge", One("raw-called"), 1.10),
    Of(
        "idle timeout refreshed by each event, 1000/100",
        "ring-timeout 1000/100",
    ),
    Target("to no timeout", One("evloop-no-timeout"), 1.03),
    Of("the same, 100/1", "ring-timeout 100/1"),
    Target("to no timeout", One("evloop-no-timeout"), 1.03),
    Of("write interest toggled within a turn", "toggle 1000/100"),
    Target("to raw", One("raw-level"), 1.15),
    Target("to raw with callbacks", One("raw-called"), 1.15),
    Target("calls of `epoll_ctl` an event", EpollCtl, 0.0),
    Of("wake from the same processor", "wake"),
    Target("to raw, edge", One("raw-edge"), 1.05),
    Of("wake from another processor", "wake-other"),
    Target("to raw, edge", One("raw-edge"), 1.05),
    Of("signal", "signal"),
    Target("to a handler and a pipe", One("raw-level"), 0.7),
    Of("echo, 64 connections: server CPU a request", "echo 64 cpu"),
    Target("to raw", One("raw-level"), 1.03),
    Of("urgent events beside a flood, p99", "flood 256 p99"),
    Target(
        "to the best without priorities",
        BEST_WITHOUT_PRIORITIES,
        0.1,
    ),
    Of("100,000 timers, add", "timer-add 100000"),
    Target("to libev", One("libev"), 0.8),
    Target("to libev, told the time", One("libev-now"), 0.8),
    Of("100,000 timers, cancel", "timer-cancel 100000"),
    Target("to libev", One("libev"), 0.8),
    Of("100,000 timers, move later", "timer-later 100000"),
    Target("to libev", One("libev"), 0.8),
    Target("to libev, told the time", One("libev-now"), 0.8),
    Target("ns", Time, 8.0),
    Of("100,000 timers, move earlier", "timer-earlier 100000"),
    Target("to libev", One("libev"), 0.8),
    Target("to libev, told the time", One("libev-now"), 0.8),
    Of("100,000 timers, expire", "timer-expire 100000"),
    Target("to libev", One("libev"), 0.8),
    Target("to tokio", One("tokio"), 0.5),
    Of("`evloop-timers` alone, add", "timer-add 100000"),
    Target("to libev", Alone("libev"), 0.8),
    Of("`evloop-timers` alone, cancel", "timer-cancel 100000"),
    Target("to libev", Alone("libev"), 0.8),
    Of("`evloop-timers` alone, move later", "timer-later 100000"),
    Target("to libev", Alone("libev"), 0.8),
    Target("ns", TimeOf("evloop-timers"), 8.0),
    Of(
        "`evloop-timers` alone, move earlier",
        "timer-earlier 100000",
    ),
    Target("to libev", Alone("libev"), 0.8),
    Of("`evloop-timers` alone, expire", "timer-expire 100000"),
    Target("to libev", Alone("libev"), 0.8),
    Target("to tokio", Alone("tokio"), 0.5),
    Of("a kept event deleted and added", "add-delete"),
    Target("ns", Time, 15.0),
    Of(
        "idle connection with a timeout, the loop told of their number",
        "idle 10000",
    ),
    Target("bytes", TimeOf("evloop-told"), 160.0),
    Of("the same, not told", "idle 10000"),
    Target("bytes", Time, 160.0),
];

/// A target and what came of it.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) work: &'static str,
    /// What the values are, and to whom they are ratios.
    pub(crate) what: String,
    pub(crate) limit: f64,
    /// One a run; a count is taken in the first only.
    pub(crate) values: Vec<f64>,
}

impl Verdict {
    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.work, self.what)
    }

    pub(crate) fn median(&self) -> f64 {
        Spread::of(&self.values).median
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
            0 => "missed".to_owned(),
            _ if self.is_reached() => "yes".to_owned(),
            some => format!("{some} of {}", self.values.len()),
        }
    }
}

/// Those that the runs say something about.
pub(crate) fn judge(runs: &[Vec<Outcome>]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let (mut work, mut label) = ("", "");
    for &line in TARGETS {
        let (what, against, limit) = match line {
            Of(of, case) => {
                (work, label) = (of, case);
                continue;
            }
            Target(what, against, limit) => (what, against, limit),
        };
        let (values, what) = match against {
            Against::Best(kinds) => {
                let (values, peer) = best(runs, label, kinds);
                (values, format!("{what} ({peer})"))
            }
            _ => (values(runs, label, against), what.to_owned()),
        };
        if !values.is_empty() {
            verdicts.push(Verdict {
                work,
                what,
                limit,
                values,
            });
        }
    }
    verdicts
}

/// The ratios to the peer that is the best over all runs, and its name.
fn best(runs: &[Vec<Outcome>], label: &str, kinds: &[Kind]) -> (Vec<f64>, &'static str) {
    let rows = roster::ROWS.iter().filter(|row| kinds.contains(&row.kind));
    let ratios = rows.map(|row| (values(runs, label, One(row.name)), row.name));
    let known = ratios.filter(|(values, _)| !values.is_empty());
    let best = known.max_by(|(one, _), (other, _)| {
        let [one, other] = [one, other].map(|values| Spread::of(values).median);
        one.total_cmp(&other)
    });
    best.unwrap_or_default()
}

/// One a run that says something about it.
fn values(runs: &[Vec<Outcome>], label: &str, against: Against) -> Vec<f64> {
    let value = |outcomes: &Vec<Outcome>| {
        let mut outcomes = outcomes.iter();
        let outcome = outcomes.find(|outcome| outcome.case.label() == label)?;
        let own = outcome.of("evloop")?;
        Some(match against {
            One(peer) => own.ratio_to(outcome.of(peer)?),
            Alone(peer) => outcome.of("evloop-timers")?.ratio_to(outcome.of(peer)?),
            Time => own.time().median,
            TimeOf(name) => outcome.of(name)?.time().median,
            Instructions => own.counts.instructions?,
            EpollCtl => own.counts.epoll_ctl?,
            Against::Best(_) => return None,
        })
    };
    runs.iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Measured;
    use crate::plan;

    fn verdict(values: &[f64]) -> Verdict {
        Verdict {
            work: "timers",
            what: "to libev".to_owned(),
            limit: 0.8,
            values: values.to_vec(),
        }
    }

    #[test]
    fn a_target_is_reached_if_it_is_in_every_run() {
        assert_eq!(verdict(&[0.7, 0.8, 0.8004]).says(), "yes");
        assert_eq!(verdict(&[0.7, 0.81, 0.9]).says(), "1 of 3");
        assert_eq!(verdict(&[0.9, 1.0, 0.9]).says(), "missed");
    }

    #[test]
    fn each_target_is_about_a_case_of_the_quick_run() {
        let labels: Vec<_> = plan::outcomes(true).iter().map(plan::Case::label).collect();
        for line in TARGETS {
            if let Of(work, label) = line {
                let cases = labels.iter().filter(|known| known == label).count();
                assert_eq!(cases, 1, "{work}: {label}");
            }
        }
    }

    #[test]
    fn each_target_names_contenders_that_there_are() {
        for line in TARGETS {
            if let Target(_, One(name) | Alone(name) | TimeOf(name), _) = line {
                let is_there = roster::ROWS.iter().any(|row| row.name == *name);
                assert!(is_there, "{line:?}");
            }
        }
    }

    #[test]
    fn the_best_peer_is_the_best_over_all_runs() {
        let run = |mio: f64, polling: f64| {
            let times = [("evloop", 1.0), ("mio", mio), ("polling", polling)];
            let measured = times.map(|(name, time)| Measured::new(name, vec![time]));
            vec![Outcome::new("ring-edge 1000/100", measured.into())]
        };
        let runs = [run(0.5, 0.8), run(1.25, 0.8), run(1.25, 0.8)];
        let best = best(&runs, "ring-edge 1000/100", &[Kind::Peer]);
        assert_eq!(best, (vec![1.25; 3], "polling"));
        assert_eq!(judge(&runs)[0].what, "to the best peer (polling)");
    }
}
