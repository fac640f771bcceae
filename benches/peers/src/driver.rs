//! Starts the contenders, asks one after the other for a batch, each time in another order, and has it reported.

use std::path::Path;
use std::time::Duration;
use std::{fs, iter};

use crate::contender::{self, Contender, Found, Running};
use crate::counts::{self, Counts};
use crate::options::Options;
use crate::order::order;
use crate::page;
use crate::plan::{self, Case, Counted, Lifetime};
use crate::readme;
use crate::report;
use crate::roster::Kind;
use crate::stats::Spread;
use crate::targets;
use crate::work::timed;

/// All that was seen in one case.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) case: Case,
    pub(crate) measured: Vec<Measured>,
    /// Who took no part, and why.
    pub(crate) absent: Vec<(&'static str, String)>,
}

/// One contender's times, one a repetition, and counts.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    times: Vec<f64>,
    pub(crate) counts: Counts,
}

impl Measured {
    pub(crate) fn time(&self) -> Spread {
        Spread::of(&self.times)
    }

    /// The median of the ratios within each repetition.
    pub(crate) fn ratio_to(&self, other: &Self) -> f64 {
        Spread::of_ratios(&self.times, &other.times).median
    }
}

impl Outcome {
    pub(crate) fn of(&self, name: &str) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.name == name)
    }

    /// A contender's ratio to the floor, if the floor took part.
    pub(crate) fn ratio(&self, one: &Measured) -> Option<f64> {
        Some(one.ratio_to(self.of(self.case.floor)?))
    }

    /// evloop's ratio to a contender.
    pub(crate) fn own_ratio(&self, other: &Measured) -> Option<f64> {
        Some(self.of("evloop")?.ratio_to(other))
    }

    /// Adds what another run of the same case has measured.
    fn extend(&mut self, other: &Self) {
        for own in &mut self.measured {
            if let Some(other) = other.of(own.name) {
                own.times.extend(&other.times);
            }
        }
    }
}

/// Does what was asked for.
///
/// # Errors
///
/// A contender failed, or a file could not be written. What was measured before is there.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let out = &options.out;
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let found = contender::find(out)?;
    println!("Seed {}.", options.seed);
    if !found.missing.is_empty() {
        let packages = found.missing.join(" ");
        println!("Left out, as not installed: apt-get install {packages}");
    }
    println!();
    let mut runs = Vec::new();
    let mut result = Ok(());
    let time = timed(|| result = measure_all(&found, options, &mut runs));
    let minutes = Duration::from_nanos(time as u64).as_secs_f64() / 60.0;
    let took = format!(
        "{} took {minutes:.1} minutes",
        match options.runs {
            1 => "The run".to_owned(),
            runs => format!("{runs} runs"),
        }
    );
    // Of batches that were made smaller nothing is to be concluded.
    let targets = match options.shrink {
        1 => targets::judge(&runs),
        _ => Vec::new(),
    };
    if !targets.is_empty() {
        print!("{}", report::targets(&targets));
    }
    let outcomes = pooled(&runs);
    for (name, text) in [
        ("bench.csv", report::csv(&outcomes, options.seed)),
        (
            "bench.html",
            page::page(&outcomes, &targets, &found, options, &took),
        ),
        ("readme.md", readme::tables(&outcomes, &targets)),
    ] {
        let file = out.join(name);
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        println!("{}", file.display());
    }
    println!("{took}.");
    result
}

/// Every case, once a run. Counts are the same in each, and taken in the first. After a failure there is what came before.
fn measure_all(
    found: &Found,
    options: &Options,
    runs: &mut Vec<Vec<Outcome>>,
) -> Result<(), String> {
    for run in 0..options.runs {
        runs.push(Vec::new());
        for case in plan::cases(options.is_quick) {
            if !options.wants(&case.work.name) {
                continue;
            }
            let mut outcomes = measure(&found.contenders, &case, options, run)?;
            if run == 0 && options.counts {
                count(&mut outcomes[0], found, &options.out);
            }
            for outcome in outcomes {
                print!("{}", report::table(&outcome));
                runs[run].push(outcome);
            }
        }
    }
    Ok(())
}

/// All runs in one.
fn pooled(runs: &[Vec<Outcome>]) -> Vec<Outcome> {
    let mut runs = runs.iter();
    let mut pooled = runs.next().cloned().unwrap_or_default();
    for run in runs {
        for (own, other) in pooled.iter_mut().zip(run) {
            own.extend(other);
        }
    }
    pooled
}

/// One outcome for each of the work's readings.
fn measure(
    contenders: &[Contender],
    case: &Case,
    options: &Options,
    run: usize,
) -> Result<Vec<Outcome>, String> {
    let mut present = Vec::new();
    let mut absent = Vec::new();
    for contender in starters(contenders, case, options) {
        match contender.start(case) {
            Ok(process) => present.push(Present {
                contender,
                process: (case.about.lifetime == Lifetime::Case).then_some(process),
                case,
                batches: Vec::new(),
            }),
            Err(reason) => absent.push((contender.row.name, reason)),
        }
    }
    let ops = (case.ops / options.shrink).max(1);
    let seed = (options.seed, run, case.label());
    // The first time warms up.
    for repetition in iter::once(0).chain(0..case.reps(options.reps)) {
        for at in order(present.len(), repetition, &seed) {
            let numbers = present[at].batch(ops)?;
            present[at].batches.push(numbers);
        }
    }
    let readings = case.about.readings.iter().enumerate();
    let outcomes = readings.map(|(at, &reading)| Outcome {
        case: Case {
            reading,
            ..case.clone()
        },
        measured: present.iter().map(|present| present.measured(at)).collect(),
        absent: absent.clone(),
    });
    Ok(outcomes.collect())
}

/// A process that is new warms up by this part of a batch.
const WARM_UP: u64 = 4;

/// A contender that takes part.
struct Present<'a> {
    contender: &'a Contender,
    /// Its process, if that lives on from batch to batch.
    process: Option<Running>,
    case: &'a Case,
    /// The first is no measurement.
    batches: Vec<Vec<f64>>,
}

impl Present<'_> {
    fn batch(&mut self, ops: u64) -> Result<Vec<f64>, String> {
        let numbers = match &mut self.process {
            Some(process) => process.batch(ops),
            None => self.fresh_batch(ops),
        };
        numbers.map_err(|error| {
            format!(
                "{}, {}: {error}",
                self.contender.row.name,
                self.case.label()
            )
        })
    }

    /// A batch in a new process.
    fn fresh_batch(&self, ops: u64) -> Result<Vec<f64>, String> {
        let mut process = self.contender.start(self.case)?;
        if self.case.about.lifetime == Lifetime::Repetition {
            process.batch(ops.div_ceil(WARM_UP))?;
        }
        process.batch(ops)
    }

    /// What it answered in one of the readings.
    fn measured(&self, reading: usize) -> Measured {
        Measured {
            name: self.contender.row.name,
            times: self
                .batches
                .iter()
                .skip(1)
                .map(|numbers| numbers[reading])
                .collect(),
            counts: Counts::default(),
        }
    }
}

/// Who is to take part.
fn starters<'a>(
    contenders: &'a [Contender],
    case: &Case,
    options: &Options,
) -> impl Iterator<Item = &'a Contender> {
    contenders.iter().filter(|contender| {
        let row = contender.row;
        let is_always = row.kind == Kind::Own || row.name == case.floor;
        row.differs_in(&case.work.name) && (is_always || options.wants_peer(row.name))
    })
}

fn count(outcome: &mut Outcome, found: &Found, out: &Path) {
    let case = &outcome.case;
    if case.counted == Counted::Nothing {
        return;
    }
    for measured in &mut outcome.measured {
        let mut contenders = found.contenders.iter();
        let contender = contenders.find(|one| one.row.name == measured.name);
        let contender = contender.expect("it was measured");
        measured.counts = counts::count(contender, case, found.allocations.as_deref(), out);
    }
}

#[cfg(test)]
impl Measured {
    pub(crate) fn new(name: &'static str, times: Vec<f64>) -> Self {
        let counts = Counts::default();
        Self {
            name,
            times,
            counts,
        }
    }
}

#[cfg(test)]
impl Outcome {
    /// Of the case of that label.
    pub(crate) fn new(label: &str, measured: Vec<Measured>) -> Self {
        let mut cases = plan::outcomes(true).into_iter();
        let case = cases.find(|case| case.label() == label);
        Self {
            case: case.expect("there is such a case"),
            measured,
            absent: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_pooled_by_case_and_contender() {
        let run = |own: f64, peer: f64| {
            let measured = [("evloop", own), ("libev", peer)];
            let measured = measured.map(|(name, time)| Measured::new(name, vec![time]));
            Outcome::new("signal", measured.into())
        };
        // The last run broke off.
        let runs = [vec![run(1.0, 2.0)], vec![run(3.0, 4.0)], vec![]];
        let pooled = pooled(&runs);
        assert_eq!(pooled.len(), 1);
        assert_eq!(pooled[0].of("evloop").unwrap().times, [1.0, 3.0]);
        let libev = pooled[0].of("libev").unwrap();
        assert_eq!(pooled[0].own_ratio(libev), Some(0.625));
    }
}
