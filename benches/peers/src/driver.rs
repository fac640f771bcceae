//! Starts the contenders, asks each in turn for a batch, and reports.

use std::fmt::Write as _;
use std::fs;

use crate::contender::{self, Contender, Running};
use crate::counts::{self, Counts};
use crate::options::Options;
use crate::page;
use crate::plan::{self, Case};
use crate::stats::Spread;
use crate::targets::{self, Verdict};

/// All that was seen in one case.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) case: Case,
    pub(crate) measured: Vec<Measured>,
    /// Who took no part, and why.
    pub(crate) absent: Vec<(&'static str, String)>,
}

/// One contender's times, one a repetition, and counts.
#[derive(Debug)]
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
    /// The ratio to the floor, if the floor took part.
    pub(crate) fn ratio(&self, own: &Measured) -> Option<f64> {
        let floor = self
            .measured
            .iter()
            .find(|measured| measured.name == self.case.floor)?;
        Some(own.ratio_to(floor))
    }
}

/// Does what was asked for.
///
/// # Errors
///
/// A contender failed, or a file could not be written.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    fs::create_dir_all(&options.out).map_err(|error| error.to_string())?;
    let (contenders, missing) = contender::all(&options.out)?;
    if !missing.is_empty() {
        println!(
            "Left out, as not installed: apt-get install {}\n",
            missing.join(" ")
        );
    }
    let mut outcomes = Vec::new();
    for case in plan::cases(options.is_quick) {
        let name = &case.work.name;
        if options.only.is_empty() || options.only.contains(name) {
            let outcome = measure(&contenders, case, options)?;
            print!("{}", table(&outcome));
            outcomes.push(outcome);
        }
    }
    if outcomes.is_empty() {
        let names: Vec<_> = plan::WORKS.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "there is no such work; there are {}",
            names.join(", ")
        ));
    }
    let verdicts = targets::judge(&outcomes);
    print!("{}", target_table(&verdicts));
    let csv = options.out.join("bench.csv");
    fs::write(&csv, as_csv(&outcomes)).map_err(|error| error.to_string())?;
    let html = options.out.join("bench.html");
    let text = page::page(&outcomes, &verdicts, &contenders, &missing, options);
    fs::write(&html, text).map_err(|error| error.to_string())?;
    println!("\n{}\n{}", csv.display(), html.display());
    Ok(())
}

fn measure(contenders: &[Contender], case: Case, options: &Options) -> Result<Outcome, String> {
    let mut running: Vec<(&Contender, Running)> = Vec::new();
    let mut absent = Vec::new();
    for contender in contenders {
        let always = ["evloop", case.floor].contains(&contender.name);
        let is_wanted = options.peers.is_empty() || always;
        if !is_wanted && !options.peers.iter().any(|peer| peer == contender.name) {
            continue;
        }
        match contender.start(&case) {
            Ok(process) => running.push((contender, process)),
            Err(reason) => absent.push((contender.name, reason)),
        }
    }
    let ops = (case.ops / options.shrink).max(1);
    let mut measured: Vec<Measured> = Vec::new();
    for (contender, _) in &running {
        let counts = Counts::default();
        measured.push(Measured {
            name: contender.name,
            times: Vec::new(),
            counts,
        });
    }
    // The first repetition warms up.
    for repetition in 0..=options.reps {
        for ((contender, process), measured) in running.iter_mut().zip(&mut measured) {
            let time = process.batch(ops);
            let time =
                time.map_err(|error| format!("{}, {}: {error}", contender.name, case.label()))?;
            if repetition > 0 {
                measured.times.push(time);
            }
        }
    }
    if options.counts && case.counted {
        for ((contender, _), measured) in running.iter().zip(&mut measured) {
            measured.counts = counts::count(contender, &case, &options.out);
        }
    }
    Ok(Outcome {
        case,
        measured,
        absent,
    })
}

fn table(outcome: &Outcome) -> String {
    let mut text = format!(
        "{:<22}{:>10}{:>20}{:>9}{:>8}{:>9}{:>7}{:>7}\n",
        outcome.case.label(),
        "ns an op",
        "quartiles",
        "ratio",
        "instr",
        "syscalls",
        "ctl",
        "allocs",
    );
    for measured in &outcome.measured {
        let time = measured.time();
        let spread = format!("{:.1} - {:.1}", time.low, time.high);
        let ratio = outcome
            .ratio(measured)
            .map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let counts = &measured.counts;
        let _ = writeln!(
            text,
            "  {:<20}{:>10.1}{spread:>20}{ratio:>9}{:>8}{:>9}{:>7}{:>7}",
            measured.name,
            time.median,
            number(counts.instructions, 0),
            number(counts.syscalls, 2),
            number(counts.epoll_ctl, 2),
            number(counts.allocations, 2),
        );
    }
    for (name, reason) in &outcome.absent {
        let _ = writeln!(text, "  {name:<20}  left out: {reason}");
    }
    text.push('\n');
    text
}

/// With so many places, or nothing.
pub(crate) fn number(value: Option<f64>, places: usize) -> String {
    // A tiny negative difference is nought.
    value.map_or_else(String::new, |value| format!("{:.places$}", value.max(0.0)))
}

fn target_table(verdicts: &[Verdict]) -> String {
    let mut text = format!("{:<36}{:>10}{:>10}\n", "target", "at most", "is");
    for Verdict {
        name,
        limit,
        value,
        is_reached,
    } in verdicts
    {
        let says = if *is_reached {
            "reached"
        } else {
            "NOT reached"
        };
        let _ = writeln!(text, "{name:<36}{limit:>10.2}{value:>10.2}  {says}");
    }
    text
}

fn as_csv(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "case,contender,ns_low,ns_median,ns_high,floor,ratio,instructions,syscalls,epoll_ctl,allocations,absent\n",
    );
    for outcome in outcomes {
        let (label, floor) = (outcome.case.label(), outcome.case.floor);
        for own in &outcome.measured {
            let Spread { low, median, high } = own.time();
            let counts = &own.counts;
            let _ = writeln!(
                text,
                "{label},{},{low:.2},{median:.2},{high:.2},{floor},{},{},{},{},{},",
                own.name,
                number(outcome.ratio(own), 4),
                number(counts.instructions, 1),
                number(counts.syscalls, 4),
                number(counts.epoll_ctl, 4),
                number(counts.allocations, 4),
            );
        }
        for (name, reason) in &outcome.absent {
            let _ = writeln!(text, "{label},{name},,,,{floor},,,,,,{reason}");
        }
    }
    text
}
