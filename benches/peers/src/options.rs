//! The command line of the driver.

use std::path::PathBuf;

use crate::{order, plan, roster};

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) is_quick: bool,
    /// The works wanted; all if there is none.
    pub(crate) only: Vec<String>,
    /// The contenders wanted, evloop and the floor always among them; all if there is none.
    pub(crate) peers: Vec<String>,
    pub(crate) reps: usize,
    /// How often all of it is done.
    pub(crate) runs: usize,
    /// Operations of each batch divided by this, for a smoke test.
    pub(crate) shrink: u64,
    pub(crate) counts: bool,
    /// From which the orders of the contenders follow.
    pub(crate) seed: u64,
    pub(crate) out: PathBuf,
}

const USAGE: &str = "cargo xtask bench [--quick] [--only WORK,...] [--peers NAME,...] [--reps N] [--runs N] [--shrink N] [--seed N] [--no-counts] [--out DIR]";

/// Reads the arguments.
///
/// # Errors
///
/// A sentence for the caller.
pub(crate) fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        is_quick: false,
        only: Vec::new(),
        peers: Vec::new(),
        reps: 0,
        runs: 1,
        shrink: 1,
        counts: true,
        seed: order::any_seed(),
        out: PathBuf::from("target/bench-results"),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || {
            args.next()
                .ok_or_else(|| format!("{arg} needs a value; {USAGE}"))
        };
        match arg.as_str() {
            "--quick" => options.is_quick = true,
            "--no-counts" => options.counts = false,
            "--only" => options.only = list(value()?),
            "--peers" => options.peers = list(value()?),
            "--out" => options.out = PathBuf::from(value()?),
            "--reps" => options.reps = positive(value()?)?,
            "--runs" => options.runs = positive(value()?)?,
            "--seed" => options.seed = positive(value()?)? as u64,
            "--shrink" => options.shrink = positive(value()?)? as u64,
            _ => return Err(format!("{arg:?} is not understood; {USAGE}")),
        }
    }
    options.check_names()?;
    if options.reps == 0 {
        options.reps = if options.is_quick { 7 } else { 15 };
    }
    Ok(options)
}

/// What there is to say on the command line, and what can be named there.
pub(crate) fn usage() -> String {
    let works: Vec<_> = plan::WORKS.iter().map(|work| work.name).collect();
    let peers: Vec<_> = roster::ROWS.iter().map(|row| row.name).collect();
    format!(
        "{USAGE}\nworks: {}\npeers: {}",
        works.join(", "),
        peers.join(", ")
    )
}

impl Options {
    /// Whether a work is wanted.
    pub(crate) fn wants(&self, work: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == work)
    }

    /// Whether a contender is wanted that could be missed.
    pub(crate) fn wants_peer(&self, name: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|wanted| wanted == name)
    }

    /// Holds the names that were given against those that there are.
    ///
    /// # Errors
    ///
    /// One is unknown.
    fn check_names(&self) -> Result<(), String> {
        let works: Vec<_> = plan::WORKS.iter().map(|work| work.name).collect();
        let peers: Vec<_> = roster::ROWS.iter().map(|row| row.name).collect();
        for (given, known) in [(&self.only, works), (&self.peers, peers)] {
            if let Some(unknown) = given.iter().find(|name| !known.contains(&name.as_str())) {
                return Err(format!("{unknown:?} is none of {}", known.join(", ")));
            }
        }
        Ok(())
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| format!("{text:?} is not a positive number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(
            &line
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn quick_means_fewer_repetitions() {
        assert!(parsed("--quick").unwrap().reps < parsed("").unwrap().reps);
        assert_eq!(parsed("--quick --reps 3").unwrap().reps, 3);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in [
            "--reps",
            "--reps 0",
            "--reps many",
            "--fast",
            "--only ring,rung",
            "--peers libevents",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
