//! What `prove` says of each file of tests.

use std::collections::BTreeMap;
use std::fmt;

/// How each file ended, as `prove` puts it: `ok`, `skipped: …`, or what failed.
#[derive(Debug, Default)]
pub(super) struct Results {
    files: BTreeMap<String, String>,
}

impl Results {
    /// Reads the lines `t/file.t .. ok`, and the numbers of the tests that failed.
    pub(super) fn parse(text: &str) -> Self {
        let mut results = Self::default();
        let mut current = String::new();
        for line in text.lines() {
            if let Some((file, end)) = line.split_once(".t ..") {
                let end = end.trim_start_matches('.').trim();
                results.files.insert(format!("{file}.t"), end.to_owned());
            } else if let Some((file, _)) =
                line.split_once(".t ").filter(|_| line.contains("(Wstat"))
            {
                current = format!("{file}.t");
            } else if let Some(numbers) = line.trim().strip_prefix("Failed test") {
                let numbers = numbers.trim_start_matches(['s', ':', ' ']);
                results
                    .files
                    .insert(current.clone(), format!("fails {numbers}"));
            }
        }
        results
    }

    /// Whether there was no test at all.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files that ended otherwise than in `other`, or are in one of the two only.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let mut names: Vec<_> = self.files.keys().chain(other.files.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let none = "is not there".to_owned();
        let mut differences = Vec::new();
        for name in names {
            let here = self.files.get(name).unwrap_or(&none);
            let there = other.files.get(name).unwrap_or(&none);
            if here != there {
                differences.push(format!("{name}: {here}, but {there} on Debian's"));
            }
        }
        differences
    }

    fn count(&self, wanted: impl Fn(&str) -> bool) -> usize {
        self.files.values().filter(|end| wanted(end)).count()
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ok = self.count(|end| end == "ok");
        let skipped = self.count(|end| end.starts_with("skipped"));
        write!(f, "{ok} files pass, {skipped} are skipped")?;
        let others = self.files.iter().filter(|(_, end)| *end != "ok");
        for (file, end) in others.filter(|(_, end)| !end.starts_with("skipped")) {
            write!(f, "; {file} {end}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
t/64bit.t ................... ok
PORT: 30724
t/whitespace.t .............. skipped: not a git directory
t/expirations.t ............. Dubious, test returned 5 (wstat 1280, 0x500)
Failed 5/41 subtests

Test Summary Report
-------------------
t/expirations.t           (Wstat: 1280 (exited 5) Tests: 41 Failed: 5)
  Failed tests:  3, 8, 16-17, 36
  Non-zero exit status: 5
Files=82, Tests=174752, 134 wallclock secs
";

    #[test]
    fn each_file_has_its_result() {
        let results = Results::parse(TEXT);
        assert_eq!(
            results.to_string(),
            "1 files pass, 1 are skipped; t/expirations.t fails 3, 8, 16-17, 36"
        );
    }

    #[test]
    fn the_same_failure_is_no_difference_and_another_is() {
        let results = Results::parse(TEXT);
        assert_eq!(
            results.differences(&Results::parse(TEXT)),
            Vec::<String>::new()
        );
        let other = Results::parse(&TEXT.replace("16-17", "16"));
        assert_eq!(results.differences(&other).len(), 1);
        assert_eq!(results.differences(&Results::default()).len(), 3);
    }
}
