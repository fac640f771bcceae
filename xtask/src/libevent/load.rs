//! memcached under load: what a request costs the server, on each of the two event cores.
//!
//! The measure is requests for each second of the server's processor time. The two servers take
//! turns, a fresh one each round, so that what the machine does besides falls on both.

mod client;

use std::thread;
use std::time::{Duration, Instant};

use super::memcached::Memcached;
use super::process::find;
use super::table::Table;
use super::trial::{Side, Trial};
use crate::step::{Failure, Verdict};
pub(super) use client::Client;

/// Loads memcached with one thread and with four, and prints both sides.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    let Some(program) = find("memcached") else {
        return Ok(Verdict::Skipped("memcached is not installed"));
    };
    let header = ["memcached", "evloop", "debian", "evloop/debian", "spread"];
    let mut table = Table::new(header.map(str::to_owned).to_vec());
    for threads in [1, 4] {
        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        for round in 0..ROUNDS {
            // The side that goes first has the other one's warm caches less often.
            let mut turns = [(Side::Evloop, &mut ours), (Side::Debian, &mut theirs)];
            turns.rotate_left(round % 2);
            for (side, figures) in turns {
                let memcached = Memcached::start(trial.command(side, &program), threads)?;
                trial.confirm(side, memcached.running.id())?;
                figures.push(load(&memcached)?);
                memcached.running.end("TERM")?;
            }
        }
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
        let [low, ratio, high] = quartiles(ratios);
        let rate = |figures| format!("{:.0}", quartiles(figures)[1]);
        table.row(vec![
            format!("-t {threads}"),
            rate(ours),
            rate(theirs),
            format!("{ratio:.3}"),
            format!("{low:.3}..{high:.3}"),
        ]);
    }
    println!("requests a CPU second of the server, medians of {ROUNDS} rounds:\n{table}");
    Ok(Verdict::Passed)
}

/// Requests that the server answers in a second of its own processor time.
fn load(memcached: &Memcached) -> Result<f64, Failure> {
    let port = memcached.port;
    let refused = |error| Failure::Findings(format!("memcached refuses the load: {error}"));
    let mut clients = Vec::new();
    for seed in 0..CLIENTS {
        clients.push(Client::connect(port, CONNECTIONS, seed).map_err(refused)?);
    }
    for client in &mut clients {
        client.warm_up().map_err(refused)?;
    }
    let ticks = || memcached.running.cpu_ticks().unwrap_or_default();
    let before = ticks();
    let until = now() + ROUND;
    let requests = thread::scope(|scope| {
        let runs: Vec<_> = clients
            .iter_mut()
            .map(|client| scope.spawn(move || client.run(|| now() < until)))
            .collect();
        let requests = runs
            .into_iter()
            .map(|run| run.join().expect("a client does not panic"));
        requests.sum::<std::io::Result<u64>>()
    });
    let requests = requests.map_err(refused)?;
    let ticks_used = ticks() - before;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok(requests as f64 / (ticks_used.max(1) as f64 / TICKS_A_SECOND))
}

/// The lower quartile, the median and the upper quartile.
fn quartiles(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    let last = figures.len() - 1;
    [last / 4, last / 2, last - last / 4].map(|at| figures[at])
}

#[expect(
    clippy::disallowed_methods,
    reason = "the load lasts for a time; no loop is concerned"
)]
fn now() -> Instant {
    Instant::now()
}

/// Rounds of each side.
const ROUNDS: usize = 9;
/// How long the load of a round lasts.
const ROUND: Duration = Duration::from_secs(2);
/// Threads that make the load.
const CLIENTS: u64 = 2;
/// Connections of each of them.
const CONNECTIONS: usize = 32;
/// What `/proc` counts in: `USER_HZ`, which is 100 on every Linux of today.
const TICKS_A_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_of_the_sorted_figures() {
        let figures = vec![5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(quartiles(figures), [2.0, 3.0, 4.0]);
        assert_eq!(quartiles(vec![7.0]), [7.0; 3]);
    }
}
