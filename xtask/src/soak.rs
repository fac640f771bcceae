//! Endurance: the example `live` under clients that come, go, dawdle and misbehave, while signals are
//! sent to it; in the end it must hold what it held at the beginning, and both sides must have
//! counted the same.
//!
//! What is looked at from outside: memory, file descriptors, and what the kernel says that the
//! server's epoll instance holds.

mod client;
mod random;
mod tally;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use client::Client;
use tally::{Comparison, Tally};

use crate::live::{self, Footing, Live, Profile, now, number, until};
use crate::step::{Failure, Verdict};
use crate::task::numbers;
use crate::workspace::Workspace;

/// The server's limits: low enough to be reached in each run.
const OPTIONS: [&str; 6] = [
    "--max-connections",
    "64",
    "--idle-seconds",
    "5",
    "--request-seconds",
    "2",
];

/// How many clients there are at a time.
const CLIENTS: u64 = 16;

/// How much memory may grow after the first half: what an allocator needs to go round.
const SLACK_KIB: u64 = 1024;

/// Hundredths of a second that it may need to write a frame for nobody; a loop that spins needs all
/// that it can get.
const IDLE_TICKS: u64 = 3;

/// What a soak is made of.
#[derive(Clone, Copy, Debug)]
struct Plan {
    time: Duration,
    clients: u64,
    seed: u64,
}

/// What was seen.
struct Figures {
    accounts: Comparison,
    /// What clients and watchers found wrong.
    wrong: Vec<String>,
    /// Memory in KiB, once a second.
    memory: Vec<u64>,
    signals: (u64, u64),
    stops: u64,
    before: Footing,
    after: Footing,
    /// What the server used of a processor in a second in which nobody was there, in clock ticks.
    idle_ticks: u64,
}

/// `cargo xtask soak --minutes N`.
///
/// # Errors
///
/// The server does not build or start; or it did not hold out.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Verdict, Failure> {
    let options = [("--minutes", 10), ("--clients", CLIENTS), ("--seed", 1)];
    let [minutes, clients, seed] = numbers(arguments, options)?;
    let plan = Plan {
        time: Duration::from_secs(60 * minutes),
        clients,
        seed,
    };
    soak(workspace, Profile::Release, plan)
}

/// A few seconds of it, in a debug build.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn quick(workspace: &Workspace) -> Result<Verdict, Failure> {
    let plan = Plan {
        time: Duration::from_secs(8),
        clients: CLIENTS,
        seed: 1,
    };
    soak(workspace, Profile::Debug, plan)
}

fn soak(workspace: &Workspace, profile: Profile, plan: Plan) -> Result<Verdict, Failure> {
    let program = live::build(workspace, profile)?;
    let mut server = Live::start(&program, &OPTIONS)?;
    println!("{plan:?} of {}", server.address);
    let Some(before) = server.footing() else {
        return Ok(Verdict::Skipped("there is no /proc to look at a process"));
    };
    let figures = load(&server, plan, before);
    let mut wrong = figures.wrong();
    figures.print();
    let _sent = server.send("TERM");
    match server.ended_within(live::PATIENCE) {
        Some(status) if status.success() => println!("  ended by SIGTERM: {status}"),
        Some(status) => wrong.push(format!("ended with {status}")),
        None => wrong.push("did not end when it was told to".to_owned()),
    }
    crate::step::report(&wrong)
}

/// Puts the server under load, and looks at it in the meantime.
fn load(server: &Live, plan: Plan, before: Footing) -> Figures {
    let is_over = AtomicBool::new(false);
    let (report, reports) = mpsc::channel();
    let mut watcher = Watcher::new(server, plan);
    thread::scope(|scope| {
        for nth in 0..plan.clients {
            let client = Client::new(server.address, plan.seed ^ (nth << 32));
            let (report, is_over) = (report.clone(), &is_over);
            scope.spawn(move || visits(client, &report, is_over));
        }
        drop(report);
        watcher.watch();
        is_over.store(true, Ordering::Relaxed);
    });
    let mut clients = Tally::default();
    for (tally, complaint) in reports {
        clients += tally;
        watcher.wrong.extend(complaint);
    }
    // Connections that linger are closed within a second.
    let settled = until(live::PATIENCE, || {
        server.footing().filter(|now| now.fds == before.fds)
    });
    let after = settled.or_else(|| server.footing());
    let idle_ticks = ticks_in_a_second(server);
    // Its own request was counted before it was answered.
    let own = Tally {
        connections: 1,
        requests: 1,
        ..Tally::default()
    };
    let told = server.snapshot().and_then(|text| Tally::of(&text));
    let server = told.map(|told| told - watcher.account - own);
    Figures {
        accounts: Comparison {
            clients,
            server: server.unwrap_or_default(),
        },
        wrong: watcher.wrong,
        memory: watcher.memory,
        signals: (watcher.sent, watcher.caught),
        stops: watcher.stops,
        after: after.unwrap_or_else(|| before.clone()),
        before,
        idle_ticks,
    }
}

/// All of them, where that cannot be known.
fn ticks_in_a_second(server: &Live) -> u64 {
    let before = server.processor_ticks();
    thread::sleep(Duration::from_secs(1));
    let used = server.processor_ticks().zip(before);
    used.map_or(u64::MAX, |(after, before)| after - before)
}

/// What a client does until the time is over; the first thing that goes wrong ends it.
fn visits(mut client: Client, report: &Sender<(Tally, Option<String>)>, is_over: &AtomicBool) {
    let mut sum = Tally::default();
    let mut complaint = None;
    while complaint.is_none() && !is_over.load(Ordering::Relaxed) {
        match client.visit() {
            Ok(tally) => sum += tally,
            Err(what) => complaint = Some(what),
        }
    }
    let _nobody_listens = report.send((sum, complaint));
}

/// Looks at the server once a second, and sends it signals.
struct Watcher<'a> {
    server: &'a Live,
    end: Instant,
    memory: Vec<u64>,
    sent: u64,
    caught: u64,
    stops: u64,
    /// What its own snapshots cost the server.
    account: Tally,
    wrong: Vec<String>,
}

impl<'a> Watcher<'a> {
    fn new(server: &'a Live, plan: Plan) -> Self {
        Self {
            server,
            end: now() + plan.time,
            memory: Vec::new(),
            sent: 0,
            caught: 0,
            stops: 0,
            account: Tally::default(),
            wrong: Vec::new(),
        }
    }

    fn watch(&mut self) {
        while now() < self.end && self.wrong.is_empty() {
            let second = now() + Duration::from_secs(1);
            self.one_signal();
            match self.server.footing() {
                Some(footing) => self.memory.push(footing.resident_kib),
                None => self.wrong.push("it is gone".to_owned()),
            }
            if self.memory.len().is_multiple_of(5) {
                self.stop_and_go();
            }
            thread::sleep(second.saturating_duration_since(now()));
        }
    }

    /// Sends one, and waits until it was caught: then there are as many as were sent.
    fn one_signal(&mut self) {
        self.sent += u64::from(self.server.send("USR1"));
        let mut account = Tally::default();
        let caught = until(live::PATIENCE, || {
            let text = self.server.snapshot();
            account.connections += 1;
            let Some(text) = text else {
                account.unavailable += 1;
                return None;
            };
            account.requests += 1;
            account.ok += 1;
            number(&text, &["signals", "delivered"]).filter(|caught| *caught >= self.sent)
        });
        self.account += account;
        match caught {
            Some(caught) => self.caught = caught,
            None => self.wrong.push("a signal was not caught".to_owned()),
        }
    }

    /// A wait that is interrupted so ends with `EINTR`.
    fn stop_and_go(&mut self) {
        let stopped = self.server.send("STOP");
        thread::sleep(Duration::from_millis(20));
        let went_on = self.server.send("CONT");
        self.stops += u64::from(stopped && went_on);
    }
}

impl Figures {
    fn wrong(&self) -> Vec<String> {
        let mut wrong = self.wrong.clone();
        let mut require = |holds: bool, what: &str| {
            if !holds {
                wrong.push(what.to_owned());
            }
        };
        let Comparison { clients, server } = &self.accounts;
        require(clients == server, "the two sides have not counted the same");
        require(clients.requests > 0, "nobody has asked for anything");
        require(
            self.signals.0 == self.signals.1,
            "signals were lost, or invented",
        );
        require(self.before.fds == self.after.fds, "file descriptors leak");
        require(
            self.before.interest == self.after.interest,
            "the kernel holds what it did not hold before",
        );
        require(self.idle_ticks <= IDLE_TICKS, "it spins with nothing to do");
        let (settled, end) = self.memory_peaks();
        require(end <= settled + SLACK_KIB, "memory grows");
        wrong
    }

    /// The most memory in the second quarter of the time, and in the last.
    fn memory_peaks(&self) -> (u64, u64) {
        let quarter = self.memory.len() / 4;
        let most = |part: &[u64]| part.iter().copied().max().unwrap_or(0);
        let (first_half, second_half) = self.memory.split_at(2 * quarter);
        (most(&first_half[quarter..]), most(&second_half[quarter..]))
    }

    fn print(&self) {
        print!("{}", self.accounts);
        let (settled, end) = self.memory_peaks();
        println!("  memory: {settled} KiB in the second quarter, {end} KiB in the last");
        println!(
            "  fds: {} before, {} after",
            self.before.fds, self.after.fds
        );
        let held = [&self.before, &self.after].map(|footing| footing.interest.len());
        println!(
            "  held by the kernel: {} before, {} after",
            held[0], held[1]
        );
        println!(
            "  SIGUSR1: {} sent, {} caught",
            self.signals.0, self.signals.1
        );
        println!(
            "  clock ticks in a second without clients: {}",
            self.idle_ticks
        );
        println!("  SIGSTOP and SIGCONT: {} times", self.stops);
    }
}
