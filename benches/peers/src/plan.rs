//! Which works are measured, at which sizes.

use crate::roster;
use crate::work::Work;

/// A work load at a size.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) work: Work,
    pub(crate) about: &'static About,
    /// Operations a batch. A batch of timers is as many as there are timers.
    pub(crate) ops: u64,
    /// Whose time is the unit of the ratios.
    pub(crate) floor: &'static str,
    pub(crate) counted: Counted,
    /// Which of the work's readings this is about.
    pub(crate) reading: Reading,
}

/// How long a contender's process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// It answers one batch. No other contender's stands beside it.
    Batch,
    /// It answers one batch, after one that warms up. Where its code and its pages lie is drawn anew: where
    /// an operation is little but a system call, the same program may be a quarter slower by that.
    Repetition,
    /// It answers all batches.
    Case,
}

/// One of the numbers that a batch is answered by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// What it is called, behind the work's name.
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
}

/// A work, at any size.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) name: &'static str,
    /// What an operation is, and how contenders differ.
    pub(crate) text: &'static str,
    size: Size,
    pub(crate) lifetime: Lifetime,
    /// The numbers that a batch is answered by, in their order.
    pub(crate) readings: &'static [Reading],
    times: Times,
}

/// What is told of a case's size.
#[derive(Clone, Copy, Debug)]
enum Size {
    Untold,
    N,
    NAndActive,
}

/// How often it is measured, of the usual number: less where a batch takes long, more where one new process differs
/// from the next by more than is to be told.
#[derive(Clone, Copy, Debug)]
enum Times {
    Once,
    Thrice,
    Third,
    Fifth,
}

/// What is counted of an operation, besides its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    Nothing,
    /// And nothing else: its batch does other things than what is timed.
    Instructions,
    All,
}

impl Case {
    /// How often it is measured where `reps` is the usual number.
    pub(crate) fn reps(&self, reps: usize) -> usize {
        let is_typical_ring = (self.work.n, self.work.active) == TYPICAL;
        match self.about.times {
            Times::Once if self.ops >= 1_000_000 => reps.div_ceil(3),
            Times::Once if is_typical_ring => reps * 3,
            Times::Once => reps,
            Times::Thrice => reps * 3,
            Times::Third => reps.div_ceil(3),
            Times::Fifth => reps.div_ceil(5),
        }
    }

    /// What it is called in every output.
    pub(crate) fn label(&self) -> String {
        let Work { name, n, active } = &self.work;
        let reading = self.reading.name;
        match self.about.size {
            Size::Untold => format!("{name}{reading}"),
            Size::N => format!("{name} {n}{reading}"),
            Size::NAndActive => format!("{name} {n}/{active}{reading}"),
        }
    }
}

/// What there is to know of each work.
pub(crate) const WORKS: &[About] = &[
    About {
        name: "ring",
        text: "Level-triggered persistent events in a ring of pipes: one read of a byte, one write into the next pipe. Pipes, and bytes that go round at a time. evloop, libevent, libev and libuv run until a callback stops them, here and below. All read and write by the C library. raw-called is raw with a callback for each event.",
        ..RING
    },
    About {
        name: "ring-edge",
        text: "The same, edge-triggered.",
        ..RING
    },
    About {
        name: "ring-timeout",
        text: "The level ring with an idle timeout of 60 s that each event refreshes. The floor has none. libev, libuv and calloop keep a timer beside each source, tokio a Sleep that is reset, edge-triggered. evloop runs in the same repetitions without a timeout, too.",
        ..RING
    },
    About {
        name: "ring-again",
        text: "Each callback deletes its event and adds it again with a timeout. The floor has no timers and changes nothing: it is the level ring. calloop registers the source again after its callback, tokio waits anew under a timeout, edge-triggered. libev, libevent and libuv count a timeout from the beginning of the turn; libev-now is told the time before each, as evloop reads the clock.",
        ..RING
    },
    About {
        name: "toggle",
        text: "The level ring; each callback asks for write interest and takes it back in the same turn. The floor changes nothing; mio is edge-triggered.",
        ..RING
    },
    About {
        name: "cascade",
        text: "One-shot events are added, and each makes the next one ready; then all are added again. Raw, mio, polling, calloop and tokio stay registered instead, edge-triggered where they can be.",
        times: Times::Thrice,
        ..RING
    },
    About {
        name: "timer-add",
        text: "Adding timers with timeouts from a second to an hour, in no order. tokio inserts into a DelayQueue, whose memory it keeps, and calloop makes a source: both make a timer, the others start one again that they know. libev and libuv count from the beginning of the turn, evloop from when each is added; so does libev-now, which is told the time before each. libevent reads a clock that moves once a tick of the kernel, 1 to 10 ms, libevent-precise one of nanoseconds, as evloop does. evloop-timers is the crate of that name without a loop: it looks at no clock, and knows a timer by its place in a table of its caller, who has the callbacks.",
        ..TIMER
    },
    About {
        name: "timer-cancel",
        text: "Deleting them.",
        ..TIMER
    },
    About {
        name: "timer-later",
        text: "Moving each pending timer to twice its timeout. evloop and evloop-timers put off what this moves in their tables until the old timeout is over, which is not timed here but in timer-moved; the others move it at once.",
        ..TIMER
    },
    About {
        name: "timer-earlier",
        text: "Moving each to half its timeout.",
        ..TIMER
    },
    About {
        name: "timer-expire",
        text: "Timers that are all due: each callback counts. tokio takes items from its DelayQueue. Their timeouts are up to a microsecond for each of them, in no order. They are added before the time is taken, which writes all that is read then, but for evloop: the records with its callbacks were last touched in the batch before.",
        ..TIMER
    },
    About {
        name: "timer-moved",
        text: "Short timers are moved to twice their timeouts, as in timer-later, and when all of these are over they expire, as in timer-expire: the time of both together. What was put off when they were moved is done here.",
        ..TIMER
    },
    About {
        name: "signal",
        text: "The process sends itself a signal each time that it has seen the one before: evloop, libevent, libev and libuv in its callback. raw: a handler that writes into a pipe, and no more. calloop and libev-signalfd block the signal, which changes the mask of the thread, and read it from a signalfd.",
        ..ALONE
    },
    About {
        name: "wake",
        text: "Another thread on the same processor wakes the loop, and is answered through a pipe. Each is told by its own handle for it: an activator, an async, a waker, an eventfd.",
        ..ALONE
    },
    About {
        name: "wake-other",
        text: "The same from another processor.",
        times: Times::Thrice,
        ..ALONE
    },
    About {
        name: "add-delete",
        text: "A known event is deleted and added again, without a wait between. raw: two epoll_ctl. calloop disables and enables its source.",
        ..ALONE
    },
    About {
        name: "echo",
        text: "A request of 64 bytes on one of so many TCP connections is read and written back, by two system calls; each connection has one request under way at all times. The load generator is the same for all, and has a processor to itself where there are two. cpu: what the server used of the processors a request, in itself and in the kernel. mio, tokio and raw-edge take a short read for all there is, as epoll(7) lets them. libevent has no bufferevents here and libuv no streams: they watch the sockets, as the others do.",
        readings: TIME_AND_CPU,
        ..NET
    },
    About {
        name: "loops",
        text: "The same by loops that share nothing: each has a thread, a processor, a listener with SO_REUSEPORT and SO_INCOMING_CPU, and a load generator on the same processor, so a second pair on a second processor can at most halve the time; less where both processors are threads of one core, as those of a virtual machine may be. Loops follow the slash.",
        size: Size::NAndActive,
        readings: TIME_AND_CPU,
        ..NET
    },
    About {
        name: "flood",
        text: "So many pipes are always readable, and each callback reads, writes and then works for 10 µs; beside them a connection brings a stamp every 0.1 to 0.4 ms. p50, p99, p99.9: from the stamp to its callback. low: the time a callback of the flood, its 10 µs and all else included. evloop and libevent give the stamps a priority, and ask the kernel again after 8 callbacks of the flood; libev has priorities, and asks the kernel when all that was ready has run; the others have none.",
        readings: LATENCIES,
        times: Times::Third,
        ..NET
    },
    About {
        name: "idle",
        text: "What an idle TCP connection with an idle timeout costs in user space: the bytes that malloc has given out, with its own (mallinfo2), and the bytes that became resident (VmRSS). Both are what making the loop, giving it all connections and one turn add, when the connections are there already, divided by their number. Closures capture nothing. Each time in a new process. evloop makes its tables twice as large when they are full; evloop-told was told the number of connections beforehand.",
        lifetime: Lifetime::Batch,
        readings: BYTES,
        times: Times::Fifth,
        ..NET
    },
    About {
        name: "register",
        text: "A new eventfd is made, added, known to the kernel, removed and closed. Libraries that tell the kernel when they wait are asked to look without waiting.",
        ..ALONE
    },
];

const RING: About = About {
    name: "",
    text: "",
    size: Size::NAndActive,
    lifetime: Lifetime::Repetition,
    readings: &[TIME],
    times: Times::Once,
};

/// One of its kind.
const ALONE: About = About {
    size: Size::Untold,
    ..RING
};

const TIMER: About = About {
    size: Size::N,
    lifetime: Lifetime::Case,
    ..RING
};

const NET: About = TIMER;

const TIME: Reading = reading("", "ns");
const TIME_AND_CPU: &[Reading] = &[TIME, reading(" cpu", "ns")];
const LATENCIES: &[Reading] = &[
    reading(" p50", "µs"),
    reading(" p99", "µs"),
    reading(" p99.9", "µs"),
    reading(" low", "µs"),
];
const BYTES: &[Reading] = &[reading("", "bytes"), reading(" resident", "bytes")];

const fn reading(name: &'static str, unit: &'static str) -> Reading {
    Reading { name, unit }
}

/// Everything, or what `--quick` leaves of it.
pub(crate) fn cases(is_quick: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    let sizes: &[(usize, usize)] = if is_quick {
        &[(100, 1), TYPICAL]
    } else {
        &[
            (100, 1),
            (100, 100),
            (1000, 1),
            TYPICAL,
            (5000, 1),
            (5000, 100),
        ]
    };
    for name in ["ring", "ring-edge", "ring-timeout", "ring-again"] {
        for &size in sizes {
            let mut case = case(name, size, 20_000, "raw-level");
            if name == "ring-edge" {
                case.floor = "raw-edge";
            }
            if size != TYPICAL {
                case.counted = Counted::Nothing;
            }
            cases.push(case);
        }
    }
    cases.push(case("toggle", TYPICAL, 20_000, "raw-level"));
    cases.push(case("cascade", (100, 1), 10_000, "raw-edge"));
    let sizes: &[usize] = if is_quick {
        &[MANY_TIMERS]
    } else {
        &[10_000, MANY_TIMERS, 1_000_000]
    };
    for name in roster::TIMERS {
        for &n in sizes {
            let mut case = case(name, (n, 0), n as u64, "libev");
            case.counted = match n {
                MANY_TIMERS => Counted::Instructions,
                _ => Counted::Nothing,
            };
            cases.push(case);
        }
    }
    cases.push(case("signal", (1, 0), 3_000, "raw-level"));
    cases.push(case("wake", (1, 0), 3_000, "raw-edge"));
    cases.push(case("wake-other", (1, 0), 3_000, "raw-edge"));
    cases.push(case("add-delete", (1, 0), 50_000, "raw-level"));
    cases.push(case("register", (1, 0), 5_000, "raw-level"));
    cases.extend(net_cases(is_quick));
    if is_quick {
        for case in &mut cases {
            if !["ring", "ring-again"].contains(&case.work.name.as_str()) {
                case.counted = Counted::Nothing;
            }
        }
    }
    cases
}

/// The works of [`net`](crate::net).
fn net_cases(is_quick: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    let sizes: &[(usize, u64)] = if is_quick {
        &[(64, 5_000)]
    } else {
        &[(1, 1_500), (64, 10_000), (512, 10_000), (5_000, 15_000)]
    };
    for &(n, ops) in sizes {
        let mut case = case("echo", (n, 1), ops, "raw-level");
        if n != 64 {
            case.counted = Counted::Nothing;
        }
        cases.push(case);
    }
    let ops = if is_quick { 5_000 } else { 10_000 };
    // So many that some are above p99.9.
    let stamps = if is_quick { 1_000 } else { 4_000 };
    for (name, size, ops, floor) in [
        ("loops", (64, 1), ops, "raw-level"),
        ("loops", (64, 2), ops * 2, "raw-level"),
        ("flood", (256, 0), stamps, "raw-level"),
        ("idle", (10_000, 0), 1, "libevent"),
    ] {
        let mut case = case(name, size, ops, floor);
        case.counted = Counted::Nothing;
        cases.push(case);
    }
    cases
}

/// Pipes and bytes of the rings that the targets are about.
const TYPICAL: (usize, usize) = (1000, 100);
/// Timers of those.
const MANY_TIMERS: usize = 100_000;

fn case(name: &str, (n, active): (usize, usize), ops: u64, floor: &'static str) -> Case {
    let about = WORKS.iter().find(|about| about.name == name);
    let about = about.expect("each work is there");
    let work = Work {
        name: name.to_owned(),
        n,
        active,
    };
    Case {
        reading: about.readings[0],
        about,
        work,
        ops,
        floor,
        counted: Counted::All,
    }
}

/// The same, once for each of its work's readings.
#[cfg(test)]
pub(crate) fn outcomes(is_quick: bool) -> Vec<Case> {
    let readings = |case: Case| {
        let readings = case.about.readings.iter();
        readings.map(move |&reading| Case {
            reading,
            ..case.clone()
        })
    };
    cases(is_quick).into_iter().flat_map(readings).collect()
}
