//! What libevent's test program printed, test by test.

use std::collections::BTreeMap;
use std::fmt;

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It passed.
    Ok,
    /// It skipped itself, or is off unless asked for.
    Skipped,
    /// It failed, crashed, or did not end.
    Failed,
}

/// The tests of one run, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    verdicts: BTreeMap<String, Verdict>,
}

impl Outcome {
    /// Reads what the tests of `group` printed.
    ///
    /// A test's text begins with its name at the start of a line, and how it ended is its last word.
    pub(crate) fn parse(group: &str, text: &str) -> Self {
        let prefix = format!("{group}/");
        let mut outcome = Self::default();
        let mut current: Option<(&str, &str)> = None;
        for line in text.lines().filter(|line| !is_sum(line)) {
            let name = line.split_once(": ").map(|(name, _)| name);
            if let Some(name) = name.filter(|name| name.starts_with(&prefix)) {
                outcome.close(current.replace((name, line)));
            } else if let Some((name, _)) = current.filter(|_| !line.trim().is_empty()) {
                current = Some((name, line));
            }
        }
        outcome.close(current);
        outcome
    }

    /// A run that is one test.
    pub(super) fn one(name: &str, verdict: Verdict) -> Self {
        let mut outcome = Self::default();
        outcome.verdicts.insert(name.to_owned(), verdict);
        outcome
    }

    fn close(&mut self, test: Option<(&str, &str)>) {
        let Some((name, last)) = test else { return };
        let verdict = match last.rsplit(' ').next().unwrap_or_default() {
            "OK" => Verdict::Ok,
            "SKIPPED" | "DISABLED" => Verdict::Skipped,
            _ => Verdict::Failed,
        };
        self.verdicts.insert(name.to_owned(), verdict);
    }

    /// The tests that failed.
    pub(crate) fn failed(&self) -> impl Iterator<Item = &str> {
        let failed = self.verdicts.iter().filter(|(_, v)| **v == Verdict::Failed);
        failed.map(|(name, _)| name.as_str())
    }

    /// The tests that ended otherwise in the two runs, or are in one of them only.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let both = self.verdicts.keys().chain(other.verdicts.keys());
        let mut names: Vec<_> = both
            .filter(|name| self.verdicts.get(*name) != other.verdicts.get(*name))
            .cloned()
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.verdicts.values().filter(|v| **v == verdict).count()
    }
}

/// `passed/skipped`, and what failed.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ok, skipped) = (self.count(Verdict::Ok), self.count(Verdict::Skipped));
        let mut text = format!("{ok}/{skipped}");
        match self.count(Verdict::Failed) {
            0 => {}
            failed => text += &format!(" {failed} FAILED"),
        }
        f.pad(&text)
    }
}

/// Whether the line sums the tests up.
fn is_sum(line: &str) -> bool {
    line.contains(" tests ok.") || line.contains(" TESTS FAILED.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
main/methods: [forking] OK
main/fork: [forking]
some words
OK
main/closed: [forking] SKIPPED
main/off: DISABLED
main/wrong: [forking]
  FAIL regress.c:10: assert(x == 1): 0 vs 1
  [wrong FAILED]

main/crash: [forking]
[Lost connection!]
6/8 TESTS FAILED. (2 skipped)
";

    #[test]
    fn each_test_has_its_verdict() {
        let outcome = Outcome::parse("main", TEXT);
        assert_eq!(outcome.to_string(), "2/2 2 FAILED");
        assert_eq!(
            outcome.failed().collect::<Vec<_>>(),
            ["main/crash", "main/wrong"]
        );
    }

    #[test]
    fn a_run_that_was_cut_short_has_a_test_that_failed() {
        let outcome = Outcome::parse("main", "main/methods: [forking] OK\nmain/hangs: [forking] ");
        assert_eq!(outcome.failed().collect::<Vec<_>>(), ["main/hangs"]);
    }

    #[test]
    fn runs_differ_by_verdict_and_by_name() {
        let one = Outcome::parse("main", "main/a: OK\nmain/b: OK\nmain/c: OK\n");
        let other = Outcome::parse("main", "main/a: OK\nmain/b: SKIPPED\nmain/d: OK\n");
        assert_eq!(one.differences(&other), ["main/b", "main/c", "main/d"]);
        assert_eq!(one.differences(&one), Vec::<String>::new());
    }
}
