//! Which works are measured, at which sizes.

use crate::work::Work;

/// A work load at a size.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) work: Work,
    /// Operations a batch. A batch of timers is as many as there are timers.
    pub(crate) ops: u64,
    /// Whose time is the unit of the ratios.
    pub(crate) floor: &'static str,
    /// Whether operations are also counted.
    pub(crate) counted: bool,
}

impl Case {
    /// What it is called in every output.
    pub(crate) fn label(&self) -> String {
        let Work { name, n, active } = &self.work;
        match name.as_str() {
            name if name.starts_with("timer") => format!("{name} {n}"),
            "signal" | "wake" | "wake-other" | "add-delete" | "register" => name.to_owned(),
            _ => format!("{name} {n}/{active}"),
        }
    }
}

/// One sentence about each work: what an operation is, and how contenders differ.
pub(crate) const WORKS: &[(&str, &str)] = &[
    (
        "ring",
        "Level-triggered persistent events: one read of a byte, one write into the next pipe. Bytes that go round at a time follow the slash.",
    ),
    ("ring-edge", "The same, edge-triggered."),
    (
        "ring-timeout",
        "The level ring with an idle timeout of 60 s that each event refreshes. The floor has none. libev and libuv keep a timer beside each source.",
    ),
    (
        "ring-again",
        "Each callback deletes its event and adds it again with a timeout. The floor has no timers and changes nothing: it is the level ring.",
    ),
    (
        "toggle",
        "The level ring; each callback asks for write interest and takes it back in the same turn. The floor changes nothing.",
    ),
    (
        "cascade",
        "One-shot events are added, and each makes the next one ready; then all are added again. Raw, mio, polling, calloop and tokio stay registered instead, edge-triggered where they can be.",
    ),
    ("timer-add", "Adding timers with deadlines in no order."),
    ("timer-cancel", "Deleting them."),
    (
        "timer-later",
        "Moving each pending timer to twice its timeout.",
    ),
    ("timer-earlier", "Moving each to half its timeout."),
    (
        "timer-expire",
        "Timers that are all due: each callback counts. tokio takes items from its DelayQueue.",
    ),
    (
        "signal",
        "The process sends itself a signal; the loop turns until it is seen. raw: a handler that writes into a pipe.",
    ),
    (
        "wake",
        "Another thread on the same processor wakes the loop, and is answered through a pipe. evloop runs a posted closure each time; the others wake only.",
    ),
    ("wake-other", "The same from another processor."),
    (
        "add-delete",
        "A known event is deleted and added again, without a wait between. raw: two epoll_ctl.",
    ),
    (
        "register",
        "A source new to the loop is added, told to the kernel and removed. evloop polls the kernel in between, as it tells the kernel nothing before it waits.",
    ),
];

/// Everything, or what `--quick` leaves of it.
pub(crate) fn cases(is_quick: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    let sizes: &[(usize, usize)] = if is_quick {
        &[(100, 1), (1000, 100)]
    } else {
        &[(100, 1), (100, 100), (1000, 1), (1000, 100), (5000, 100)]
    };
    for name in ["ring", "ring-edge", "ring-timeout", "ring-again"] {
        let level = if name == "ring-edge" {
            "raw-edge"
        } else {
            "raw-level"
        };
        for &(n, active) in sizes {
            cases.push(case(
                name,
                n,
                active,
                20_000,
                level,
                (n, active) == (1000, 100),
            ));
        }
    }
    cases.push(case("toggle", 1000, 100, 20_000, "raw-level", true));
    cases.push(case("cascade", 100, 1, 10_000, "raw-edge", true));
    let sizes: &[usize] = if is_quick {
        &[100_000]
    } else {
        &[10_000, 100_000, 1_000_000]
    };
    for name in [
        "timer-add",
        "timer-cancel",
        "timer-later",
        "timer-earlier",
        "timer-expire",
    ] {
        for &n in sizes {
            cases.push(case(name, n, 0, n as u64, "libev", false));
        }
    }
    cases.push(case("signal", 1, 0, 3_000, "raw-level", true));
    cases.push(case("wake", 1, 0, 3_000, "raw-edge", false));
    cases.push(case("wake-other", 1, 0, 3_000, "raw-edge", false));
    cases.push(case("add-delete", 1, 0, 50_000, "raw-level", true));
    cases.push(case("register", 1, 0, 10_000, "raw-level", true));
    if is_quick {
        for case in &mut cases {
            case.counted &= ["ring", "ring-again"].contains(&case.work.name.as_str());
        }
    }
    cases
}

fn case(name: &str, n: usize, active: usize, ops: u64, floor: &'static str, counted: bool) -> Case {
    let work = Work {
        name: name.to_owned(),
        n,
        active,
    };
    Case {
        work,
        ops,
        floor,
        counted,
    }
}
