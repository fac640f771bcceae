//! The table of counts: read, written, and held against another.

use std::fmt::{self, Write};

/// What one operation costs, in hundredths: user instructions, system calls, allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Costs([u64; 3]);

const COLUMNS: [&str; 3] = ["instructions", "system calls", "allocations"];

impl Costs {
    /// What is left for each of `more` operations of the difference between two totals.
    pub(crate) fn each(few: [u64; 3], many: [u64; 3], more: u32) -> Self {
        let more = u64::from(more);
        let each = |(few, many): (u64, u64)| (many.saturating_sub(few) * 100 + more / 2) / more;
        Self([0, 1, 2].map(|column| each((few[column], many[column]))))
    }
}

/// The counts of all works, and what they were counted with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Baseline {
    made_by: String,
    rows: Vec<Row>,
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    work: String,
    operation: String,
    costs: Costs,
}

/// What came of holding counts against a baseline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Findings {
    /// The counts, with what there is to say of each.
    pub(crate) shown: String,
    /// How many grew by too much.
    pub(crate) grown: usize,
}

const HEAD: &str = "\
# What one operation costs: user instructions, system calls, allocations; and what it is.
# Written by `cargo xtask counts --fix`, held by `cargo xtask counts`.
";

impl Baseline {
    pub(crate) const fn new(made_by: String) -> Self {
        Self {
            made_by,
            rows: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, work: &str, operation: &str, costs: Costs) {
        self.rows.push(Row {
            work: work.to_owned(),
            operation: operation.to_owned(),
            costs,
        });
    }

    /// Reads what [`Display`](fmt::Display) wrote; else the line that was not understood.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut baseline = Self::new(lines.next().unwrap_or_default().to_owned());
        for line in lines {
            let mut words = line.split_whitespace();
            let work = words.next().ok_or(line)?;
            let mut cost = || words.next().and_then(hundredths);
            let costs = cost().zip(cost()).zip(cost()).ok_or(line)?;
            let ((instructions, calls), allocations) = costs;
            let operation: Vec<&str> = words.collect();
            baseline.push(
                work,
                &operation.join(" "),
                Costs([instructions, calls, allocations]),
            );
        }
        Ok(baseline)
    }

    /// Holds these counts against a baseline.
    pub(crate) fn against(&self, baseline: &Self) -> Findings {
        let is_same = self.made_by == baseline.made_by;
        let mut findings = Findings {
            shown: self.to_string(),
            grown: 0,
        };
        for row in &self.rows {
            let before = baseline.rows.iter().find(|before| before.work == row.work);
            let Some(before) = before else {
                _ = writeln!(findings.shown, "{}: not in the baseline", row.work);
                findings.grown += 1;
                continue;
            };
            for (column, name) in COLUMNS.iter().enumerate() {
                let (now, then) = (row.costs.0[column], before.costs.0[column]);
                let what = match (now, then) {
                    _ if now > then + then / 20 + SLACK => "grew",
                    _ if now + then / 10 + SLACK < then => "shrank: cargo xtask counts --fix",
                    _ => continue,
                };
                let (now_is, then_was) = (Hundredths(now), Hundredths(then));
                _ = write!(
                    findings.shown,
                    "{}: {name} {what}, {then_was} to {now_is}",
                    row.work
                );
                if column == 0 && !is_same {
                    _ = write!(findings.shown, " (the baseline is of {})", baseline.made_by);
                } else if now > then {
                    findings.grown += 1;
                }
                findings.shown.push('\n');
            }
        }
        findings
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        writeln!(f, "{}", self.made_by)?;
        for row in &self.rows {
            let [instructions, calls, allocations] = row.costs.0.map(Hundredths);
            let (work, operation) = (&row.work, &row.operation);
            writeln!(
                f,
                "{work:<14} {instructions:>8} {calls:>6} {allocations:>6}  {operation}"
            )?;
        }
        Ok(())
    }
}

struct Hundredths(u64);

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:02}", self.0 / 100, self.0 % 100))
    }
}

fn hundredths(word: &str) -> Option<u64> {
    let (whole, rest) = word.split_once('.')?;
    let whole: u64 = whole.parse().ok()?;
    (rest.len() == 2).then_some(whole * 100 + rest.parse::<u64>().ok()?)
}

/// One hundredth of a call is the end of a run, which is not always in the same turn.
const SLACK: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(made_by: &str, costs: [u64; 3]) -> Baseline {
        let mut counted = Baseline::new(made_by.to_owned());
        counted.push("ring", "event of a ring", Costs(costs));
        counted
    }

    #[test]
    fn a_table_survives_being_written() {
        let table = counted("rustc 1", [30_680, 210, 0]);
        assert_eq!(Baseline::parse(&table.to_string()), Ok(table));
        assert_eq!(
            Baseline::parse("rustc 1\nring 1.00 2\n"),
            Err("ring 1.00 2".to_owned())
        );
    }

    #[test]
    fn difference_is_shared_by_the_operations() {
        let each = Costs::each([1000, 10, 3], [21_049, 10, 13], 100);
        assert_eq!(each, Costs([20_049, 0, 10]));
    }

    #[test]
    fn growth_by_more_than_five_percent_is_found() {
        let then = counted("rustc 1", [10_000, 210, 0]);
        let grown = |costs| counted("rustc 1", costs).against(&then).grown;
        assert_eq!(grown([10_500, 220, 1]), 0);
        assert_eq!(grown([10_502, 222, 2]), 3);
        assert_eq!(grown([10, 0, 0]), 0);
    }

    #[test]
    fn instructions_of_another_compiler_hold_nothing() {
        let then = counted("rustc 1", [10_000, 210, 0]);
        let findings = counted("rustc 2", [20_000, 400, 0]).against(&then);
        assert_eq!(findings.grown, 1);
        assert!(findings.shown.contains("the baseline is of rustc 1"));
    }

    #[test]
    fn shrinking_asks_for_a_lower_baseline() {
        let then = counted("rustc 1", [10_000, 210, 0]);
        let findings = counted("rustc 1", [8_000, 210, 0]).against(&then);
        assert!(findings.shown.contains("shrank"), "{}", findings.shown);
        let unknown = Baseline::new("rustc 1".to_owned());
        assert_eq!(then.against(&unknown).grown, 1);
    }
}
