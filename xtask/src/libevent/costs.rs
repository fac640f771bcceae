//! What a request costs memcached on each of the two event cores: instructions and system calls.
//!
//! Unlike times, these can be counted while the machine does other work. The same requests are made
//! few times and many times, and the difference is what the requests cost, without the starting up.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::load::Client;
use super::memcached::Memcached;
use super::process::find;
use super::table::Table;
use super::trial::{Side, Trial};
use crate::step::{Failure, Verdict};

/// Counts of one run, by what is counted.
type Counts = BTreeMap<String, u64>;

/// Counts on both sides, and prints them beside each other.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    let Some(memcached) = find("memcached") else {
        return Ok(Verdict::Skipped("memcached is not installed"));
    };
    if find("valgrind").is_none() || find("strace").is_none() {
        return Ok(Verdict::Skipped("valgrind or strace is not installed"));
    }
    let mut of_sides = Vec::new();
    for side in [Side::Evloop, Side::Debian] {
        let count = |tool: Tool, rounds| count(trial, side, tool, &memcached, rounds);
        let mut costs = Counts::new();
        for tool in [Tool::Instructions, Tool::Calls] {
            let few = count(tool, FEW)?;
            for (what, many) in count(tool, MANY)? {
                costs.insert(what.clone(), many - few.get(&what).unwrap_or(&0).min(&many));
            }
        }
        of_sides.push(costs);
    }
    let mut names: Vec<_> = of_sides.iter().flat_map(Counts::keys).cloned().collect();
    names.sort_unstable();
    names.dedup();
    let mut table = Table::new(["", "evloop", "debian"].map(str::to_owned).to_vec());
    for name in names {
        let cell = |costs: &Counts| each(*costs.get(&name).unwrap_or(&0));
        let cells: Vec<_> = of_sides.iter().map(cell).collect();
        // The rest is for starting up and ending.
        if cells.iter().any(|cell| cell != "0.00") {
            table.row([vec![name], cells].concat());
        }
    }
    println!("for each request, on {CONNECTIONS} connections at a time:\n{table}");
    Ok(Verdict::Passed)
}

/// What counts.
#[derive(Clone, Copy)]
enum Tool {
    Instructions,
    Calls,
}

/// Runs memcached under a tool for so many rounds of requests.
fn count(
    trial: &Trial<'_>,
    side: Side,
    tool: Tool,
    memcached: &Path,
    rounds: u64,
) -> Result<Counts, Failure> {
    let log = trial.folder.join("costs.log");
    let fail = |error| Failure::file(&log, error);
    fs::write(&log, "").map_err(fail)?;
    let mut command = match tool {
        Tool::Instructions => {
            // valgrind lets a program set no limit but the one that it was started with.
            let mut command = trial.command(side, "sh");
            command.args(["-c", "ulimit -Sn 1024 && exec \"$@\"", "sh", "valgrind"]);
            command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
            command.arg(format!("--log-file={}", log.display()));
            command
        }
        // As a grandchild, so that the process that was started is memcached itself.
        Tool::Calls => {
            let mut command = Command::new("strace");
            command.args(["-D", "-f", "-qq", "-c", "-o"]).arg(&log);
            for (name, value) in trial.command(side, memcached).get_envs() {
                let mut setting = name.to_owned();
                if let Some(value) = value {
                    setting.push("=");
                    setting.push(value);
                }
                command.arg("-E").arg(setting);
            }
            command
        }
    };
    // Without the threads that tidy up from time to time, however much time requests take.
    command.arg(memcached).args(["-o", "no_modern"]);
    let server = Memcached::start(command, 1)?;
    trial.confirm(side, server.running.id())?;
    let refused = |error| Failure::Findings(format!("memcached refuses the load: {error}"));
    let mut client = Client::connect(server.port, CONNECTIONS, 0).map_err(refused)?;
    client.warm_up().map_err(refused)?;
    client.rounds(rounds).map_err(refused)?;
    drop(client);
    server.running.end("TERM")?;
    let mut text = String::new();
    for _ in 0..ATTEMPTS {
        text = fs::read_to_string(&log).map_err(fail)?;
        if text.contains(tool.last_word()) {
            break;
        }
        std::thread::sleep(super::process::PAUSE);
    }
    Ok(tool.parse(&text))
}

impl Tool {
    /// A word of its log's last line.
    const fn last_word(self) -> &'static str {
        match self {
            Self::Instructions => "Collected",
            Self::Calls => " total",
        }
    }

    fn parse(self, log: &str) -> Counts {
        match self {
            Self::Instructions => log.lines().filter_map(collected).collect(),
            Self::Calls => log.lines().filter_map(calls).collect(),
        }
    }
}

/// The sum that callgrind ends with.
fn collected(line: &str) -> Option<(String, u64)> {
    let (_, number) = line.split_once("Collected : ")?;
    Some(("instructions".to_owned(), number.trim().parse().ok()?))
}

/// A row of strace's table: share, seconds, time for each, calls, perhaps errors, name.
fn calls(line: &str) -> Option<(String, u64)> {
    let words: Vec<_> = line.split_whitespace().collect();
    let name = words.last().filter(|name| **name != "total")?;
    Some(((*name).to_owned(), words.get(3)?.parse().ok()?))
}

/// The share of one request, to a hundredth.
fn each(count: u64) -> String {
    let requests = (MANY - FEW) * CONNECTIONS as u64;
    let hundredths = (count * 100 + requests / 2) / requests;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Rounds, each of one request on every connection.
const FEW: u64 = 50;
const MANY: u64 = 550;
/// Connections that ask at a time.
const CONNECTIONS: usize = 32;
/// Questions whether the log is whole.
const ATTEMPTS: u32 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callgrind_ends_with_a_sum() {
        let log = "==7== Events    : Ir\n==7== Collected : 123456\n";
        let counts = Tool::Instructions.parse(log);
        assert_eq!(counts, Counts::from([("instructions".to_owned(), 123_456)]));
        assert!(log.contains(Tool::Instructions.last_word()));
    }

    #[test]
    fn strace_has_a_row_for_each_call() {
        let log = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000100           1       200         7 read
 40.00    0.000090           2        40           epoll_wait
------ ----------- ----------- --------- --------- ----------------
100.00    0.000190           1       240         7 total
";
        let expected = [("epoll_wait".to_owned(), 40), ("read".to_owned(), 200)];
        assert_eq!(Tool::Calls.parse(log), Counts::from(expected));
        assert!(log.contains(Tool::Calls.last_word()));
    }

    #[test]
    fn shares_are_rounded() {
        assert_eq!(each(0), "0.00");
        assert_eq!(each(32 * 500), "1.00");
        assert_eq!(each(32 * 250), "0.50");
    }
}
