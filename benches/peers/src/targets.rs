//! The targets of evloop, each held against what a run has measured.

use crate::driver::{Measured, Outcome};

/// What evloop's median is divided by.
#[derive(Clone, Copy, Debug)]
enum Against {
    /// This contender, within each repetition.
    One(&'static str),
    /// The quickest of these.
    Best(&'static [&'static str]),
    /// evloop itself in another case.
    Own(&'static str),
    /// Nothing: the number itself, in nanoseconds.
    Time,
    Instructions,
    EpollCtl,
}

const PEERS: &[&str] = &[
    "libevent",
    "libevent-changelist",
    "libev",
    "libuv",
    "polling",
    "calloop",
    "mio",
    "tokio",
];

const TARGETS: &[(&str, &str, Against, f64)] = &[
    (
        "ring, level: of raw",
        "ring 1000/100",
        Against::One("raw-level"),
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
        "timers add: of libev",
        "timer-add 100000",
        Against::One("libev"),
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
        "idle timeout: of no timeout",
        "ring-timeout 1000/100",
        Against::Own("ring 1000/100"),
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
];

/// A target and what came of it.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) name: &'static str,
    pub(crate) limit: f64,
    pub(crate) value: f64,
    pub(crate) is_reached: bool,
}

/// Those that the run says something about.
pub(crate) fn judge(outcomes: &[Outcome]) -> Vec<Verdict> {
    let verdict = |&(name, label, against, limit): &(&'static str, &str, Against, f64)| {
        let value = value(outcomes, label, against)?;
        Some(Verdict {
            name,
            limit,
            value,
            is_reached: value <= limit + 0.000_5,
        })
    };
    TARGETS.iter().filter_map(verdict).collect()
}

fn value(outcomes: &[Outcome], label: &str, against: Against) -> Option<f64> {
    let own = measured(outcomes, label, "evloop")?;
    match against {
        Against::One(peer) => Some(own.ratio_to(measured(outcomes, label, peer)?)),
        Against::Best(peers) => {
            let peers = peers
                .iter()
                .filter_map(|peer| measured(outcomes, label, peer));
            peers.map(|peer| own.ratio_to(peer)).max_by(f64::total_cmp)
        }
        Against::Own(other) => {
            Some(own.time().median / measured(outcomes, other, "evloop")?.time().median)
        }
        Against::Time => Some(own.time().median),
        Against::Instructions => own.counts.instructions,
        Against::EpollCtl => own.counts.epoll_ctl,
    }
}

fn measured<'a>(outcomes: &'a [Outcome], label: &str, name: &str) -> Option<&'a Measured> {
    let outcome = outcomes
        .iter()
        .find(|outcome| outcome.case.label() == label)?;
    outcome
        .measured
        .iter()
        .find(|measured| measured.name == name)
}
