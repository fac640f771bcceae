//! The step that holds the pages for libevent's users against the tests.
//!
//! Each row of their tables ends with the tests that show what it says, or with why there is none. A
//! test is named by a link, `[name](file)`, or in code by its path beside the page, `module::name`.
//! Names are looked up in the sources (see [`TestNames`]), so the step builds nothing.

use std::path::{Component, Path, PathBuf};

use crate::step::{Failure, Mode, Verdict, report};
use crate::test_names::TestNames;
use crate::workspace::Workspace;

/// The pages, and what the last column of their tables of tests is called.
const PAGES: [(&str, &str); 2] = [
    ("docs/from-libevent.md", "test"),
    ("tests/README.md", "here"),
];

/// What a cell without a test begins with; the reason follows.
const NONE: [&str; 2] = ["none:", "no counterpart:"];

/// A test that a page names.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    line: usize,
    /// From the root of the workspace.
    file: PathBuf,
    name: String,
}

/// What the tables of a page say of tests.
#[derive(Debug, Default)]
struct Page {
    rows: usize,
    named: Vec<Named>,
    /// Rows that are not as they should be.
    findings: Vec<String>,
}

/// Checks that every row has a test or a reason, and that the tests exist.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    let tests = TestNames::of(&workspace.text_files()?);
    let mut findings = Vec::new();
    for (path, column) in PAGES {
        let page = parse(path, column, &workspace.read(path)?);
        println!("{path}: {} rows, {} tests", page.rows, page.named.len());
        if page.rows == 0 {
            findings.push(format!("{path}: has no table of tests"));
        }
        findings.extend(page.findings);
        for Named { line, file, name } in &page.named {
            if !tests.contains(file, name) {
                let file = file.display();
                findings.push(format!("{path}:{line}: {file} has no test {name}"));
            }
        }
    }
    report(&findings)
}

/// Reads those tables of `text`, which is the page at `path`, whose last column is called `column`.
fn parse(path: &str, column: &str, text: &str) -> Page {
    let mut page = Page::default();
    // The number of columns of the table that the line is in; 0 if the table is of other things.
    let mut columns = None;
    for (line, row) in text.lines().enumerate().map(|(at, row)| (at + 1, row)) {
        let Some(cells) = cells(row) else {
            columns = None;
            continue;
        };
        let last = *cells.last().expect("a row has at least one cell");
        let Some(columns) = columns else {
            columns = Some(if last == column { cells.len() } else { 0 });
            continue;
        };
        let is_rule = cells.iter().all(|cell| cell.chars().all(|c| c == '-'));
        if columns == 0 || is_rule {
            continue;
        }
        page.rows += 1;
        let named = page.named.len();
        let tests = links(last).map(|(name, target)| (beside(path, target), name));
        let tests = tests.chain(paths(last).map(|(file, name)| (beside(path, &file), name)));
        page.named.extend(tests.map(|(file, name)| Named {
            line,
            file,
            name: name.to_owned(),
        }));
        if cells.len() != columns {
            let says = format!("{path}:{line}: has {} cells, not {columns}", cells.len());
            page.findings.push(says);
        } else if page.named.len() == named && !is_reason(last) {
            let says = format!("{path}:{line}: has neither a test nor a reason: {last:?}");
            page.findings.push(says);
        }
    }
    page
}

/// The cells of a row of a table; `None` for a line that is not one.
fn cells(row: &str) -> Option<Vec<&str>> {
    let row = row.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    Some(row.split('|').map(str::trim).collect())
}

fn is_reason(cell: &str) -> bool {
    NONE.iter()
        .filter_map(|none| cell.strip_prefix(none))
        .any(|reason| !reason.trim().is_empty())
}

/// Label and target of each link to a Rust file, `[label](target.rs)`.
fn links(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split('[').filter_map(|link| {
        let (label, rest) = link.split_once("](")?;
        let (target, _) = rest.split_once(')')?;
        target.ends_with(".rs").then_some((label, target))
    })
}

/// File and name of each test that is named by its path, in code: `folder::file::name`.
fn paths(cell: &str) -> impl Iterator<Item = (String, &str)> {
    let code = cell.split('`').skip(1).step_by(2);
    code.filter_map(|code| {
        let (module, name) = code.rsplit_once("::")?;
        Some((format!("{}.rs", module.replace("::", "/")), name))
    })
}

/// `target`, as it is named by the page at `path`, from where that path begins.
fn beside(path: &str, target: &str) -> PathBuf {
    let mut found = PathBuf::from(path);
    found.pop();
    for part in Path::new(target).components() {
        if part == Component::ParentDir {
            found.pop();
        } else {
            found.push(part);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a table with one row that ends with `cell`.
    fn row(cell: &str) -> Page {
        let table = "| libevent | ours | test |\n| --- | --- | --- |\n";
        let text = format!("# Page\n\n{table}| a | `b::c` | {cell} |\n");
        parse("docs/page.md", "test", &text)
    }

    /// File and name of the tests in `cell`.
    fn named(cell: &str) -> Vec<(PathBuf, String)> {
        let page = row(cell);
        assert_eq!((page.rows, page.findings), (1, Vec::new()));
        let named = page.named.into_iter();
        named.map(|test| (test.file, test.name)).collect()
    }

    #[test]
    fn links_are_tests() {
        let two = "[one](../tests/io.rs), [two](../crates/core/tests/turn.rs) [page](page.md)";
        let expected = [
            ("tests/io.rs".into(), "one".to_owned()),
            ("crates/core/tests/turn.rs".into(), "two".to_owned()),
        ];
        assert_eq!(named(two), expected);
    }

    #[test]
    fn paths_in_code_are_tests() {
        let two = "`io::one`, `threads::posts::two`: `READ` is told";
        let expected = [
            ("docs/io.rs".into(), "one".to_owned()),
            ("docs/threads/posts.rs".into(), "two".to_owned()),
        ];
        assert_eq!(named(two), expected);
    }

    #[test]
    fn reason_is_as_good_as_a_test() {
        assert_eq!(named("none: Windows only"), []);
        assert_eq!(
            named("no counterpart: Windows only; see `io::one`").len(),
            1
        );
    }

    #[test]
    fn row_without_test_and_reason_is_found() {
        for cell in [
            "", "none:", "none: ", "-", "one", "[one]", "`one`", "io::one",
        ] {
            let found = row(cell).findings;
            assert_eq!(found.len(), 1, "{cell:?}");
            assert!(found[0].starts_with("docs/page.md:5: has neither"));
        }
    }

    #[test]
    fn rows_are_as_long_as_their_table() {
        assert!(row("c | none: why").findings[0].contains("4 cells, not 3"));
    }

    #[test]
    fn tables_of_other_things_are_not_read() {
        let tables = "| file | holds |\n|---|---|\n| a | b |\n\n| a | test |\n|---|---|\n| a | |\n";
        let page = parse("a.md", "test", tables);
        assert_eq!((page.rows, page.findings.len()), (1, 1));
        assert!(page.findings[0].starts_with("a.md:7: "), "{page:?}");
    }
}
