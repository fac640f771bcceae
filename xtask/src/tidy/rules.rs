//! The rules about one file.
//!
//! Words that the rules look for are written here in two pieces, so that this file passes them.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::code::{code_only, find_word, without_tests};
use crate::workspace::TextFile;

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    path: PathBuf,
    /// From 1; none where the file as a whole is meant.
    line: Option<usize>,
    says: String,
}

/// More lines than this are split.
const MOST_LINES: usize = 500;
/// More lines than this are mentioned.
const MANY_LINES: usize = 400;

/// Words that mark unfinished work.
const UNFINISHED: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Paths that exist on one machine only, and pages that are not part of the project.
const FOREIGN: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/tmp/", "target"),
    concat!("sha", "red/"),
    concat!("libevent-", "core.md"),
];

/// What a test must not say, and why.
const FORBIDDEN_IN_TESTS: [(&str, &str); 2] = [
    (
        "thread::sleep",
        "sleeps: wait for what is meant, or use the simulated clock",
    ),
    ("#[ignore", "is a test that never runs"),
];

/// Everything in `file` that breaks a rule.
pub(super) fn check_file(file: &TextFile) -> Vec<Finding> {
    let mut findings = check_lines(file);
    if file.is_rust() {
        findings.extend(check_tests(file));
        findings.extend(check_shape(file));
    }
    findings
}

/// The number of lines of a Rust file that is long, but not too long.
pub(super) fn long(file: &TextFile) -> Option<usize> {
    let lines = file.text.lines().count();
    (file.is_rust() && (MANY_LINES + 1..=MOST_LINES).contains(&lines)).then_some(lines)
}

fn check_lines(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in numbered(&file.text) {
        let mut found = |says: String| findings.push(Finding::at(&file.path, line, says));
        if text.contains('\t') {
            found("has a tab".to_owned());
        }
        if text.ends_with(char::is_whitespace) {
            found("ends in white space".to_owned());
        }
        for word in UNFINISHED
            .into_iter()
            .filter(|word| find_word(text, word).next().is_some())
        {
            found(format!("says {word}: finish it, or open an issue"));
        }
        for path in FOREIGN.into_iter().filter(|path| text.contains(path)) {
            found(format!("names {path}, which is not part of the project"));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(Finding::about(&file.path, "does not end with a line break"));
    }
    findings
}

fn check_tests(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let code = code_only(&file.text);
    let elsewhere = if is_test(&file.path) {
        String::new()
    } else {
        without_tests(&code)
    };
    let mut elsewhere = elsewhere.split('\n');
    for (line, text) in numbered(&code) {
        let elsewhere = elsewhere.next().unwrap_or_default();
        for (words, why) in FORBIDDEN_IN_TESTS {
            if text.contains(words) && !elsewhere.contains(words) {
                findings.push(Finding::at(&file.path, line, why.to_owned()));
            }
        }
    }
    findings
}

/// Whether all of the file is compiled for tests only.
fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.iter().any(|folder| folder == "tests")
}

fn check_shape(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |says: &str| findings.push(Finding::about(&file.path, says));
    if file.path.ends_with("mod.rs") {
        found("is named mod.rs: name it after the module, beside its folder");
    }
    if !file.text.starts_with("//!") {
        found("does not begin with a `//!` that says what it holds");
    }
    let lines = file.text.lines().count();
    if lines > MOST_LINES {
        found(&format!(
            "has {lines} lines, more than {MOST_LINES}: split it"
        ));
    }
    findings
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('\n')
        .enumerate()
        .map(|(at, line)| (at + 1, line))
}

impl Finding {
    /// One about a whole file.
    pub(super) fn about(path: &Path, says: &str) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            says: says.to_owned(),
        }
    }

    fn at(path: &Path, line: usize, says: String) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(line),
            says,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, says) = (self.path.display(), &self.says);
        match self.line {
            Some(line) => write!(f, "{path}:{line}: {says}"),
            None => write!(f, "{path}: {says}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.into(),
            text: text.to_owned(),
        }
    }

    /// The one finding that `text` has as the rest of a Rust file.
    fn only_finding(text: &str) -> String {
        let findings = check_file(&file("a.rs", &format!("//! A file.\n{text}\n")));
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings[0].to_string()
    }

    #[test]
    fn a_tidy_file_has_no_findings() {
        let text = "//! A file.\n\n/// Never sleeps: no `thread::sleep`.\nfn f() {}\n";
        assert_eq!(check_file(&file("a.rs", text)), []);
        assert_eq!(check_file(&file("a.md", "# A page\n\n    #[ignore]\n")), []);
    }

    #[test]
    fn white_space_is_found() {
        assert_eq!(only_finding("fn f() {}\n\tg();"), "a.rs:3: has a tab");
        assert_eq!(only_finding("fn f() {} "), "a.rs:2: ends in white space");
        let no_end = check_file(&file("a.md", "# A page"));
        assert_eq!(
            no_end[0].to_string(),
            "a.md: does not end with a line break"
        );
    }

    #[test]
    fn unfinished_work_is_found() {
        for word in UNFINISHED {
            assert!(only_finding(&format!("// {word}: later")).starts_with("a.rs:2: says"));
        }
        assert_eq!(
            check_file(&file("a.md", &format!("{}S\n", UNFINISHED[0]))),
            []
        );
    }

    #[test]
    fn foreign_paths_are_found() {
        for path in FOREIGN {
            assert!(only_finding(&format!("const P: &str = {path:?};")).contains("names"));
        }
    }

    #[test]
    fn sleeping_and_ignored_tests_are_found() {
        let test = |body| format!("#[cfg(test)]\nmod tests {{\n{body}\n}}");
        let found = only_finding(&test("fn f() { std::thread::sleep(D); }"));
        assert!(found.starts_with("a.rs:4: sleeps"), "{found}");
        assert!(only_finding(&test("#[ignore = \"slow\"]")).contains("never runs"));
    }

    #[test]
    fn only_tests_must_not_sleep() {
        let text = "//! A file.\nfn f() { std::thread::sleep(D); }\n";
        let findings = |path| check_file(&file(path, text)).len();
        assert_eq!(findings("crates/a/src/lib.rs"), 0);
        assert_eq!(findings("crates/a/src/wait/tests.rs"), 1);
        assert_eq!(findings("crates/a/tests/model.rs"), 1);
        assert_eq!(findings("tests/timers.rs"), 1);
    }

    #[test]
    fn the_shape_of_a_file_is_looked_at() {
        let shape = |path, text: &str| {
            check_file(&file(path, text))
                .iter()
                .map(Finding::to_string)
                .collect::<String>()
        };
        assert!(shape("a.rs", "fn f() {}\n").contains("does not begin"));
        assert!(shape("a/mod.rs", "//! A.\n").contains("mod.rs"));
        assert!(shape("a.rs", &"//! A.\n".repeat(MOST_LINES + 1)).contains("split it"));
        assert_eq!(shape("a.rs", &"//! A.\n".repeat(MOST_LINES)), "");
    }

    #[test]
    fn only_long_files_are_mentioned() {
        let lines = |count| long(&file("a.rs", &"//! A.\n".repeat(count)));
        assert_eq!(lines(MANY_LINES), None);
        assert_eq!(lines(MANY_LINES + 1), Some(MANY_LINES + 1));
        assert_eq!(lines(MOST_LINES + 1), None);
    }
}
