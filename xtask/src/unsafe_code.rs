//! The step that counts unsafe code and holds the counts against ARCHITECTURE.md.
//!
//! The table makes every new use of `unsafe` visible in the page that says where it belongs.

use std::fmt::Write;
use std::ops::AddAssign;
use std::path::Path;

use crate::code::{code_only, find_word};
use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;

const PAGE: &str = "ARCHITECTURE.md";
const BEGIN: &str = "<!-- unsafe:begin -->";
const END: &str = "<!-- unsafe:end -->";

/// How often each kind of unsafe code stands in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    blocks: usize,
    /// Definitions and pointer types.
    functions: usize,
    impls: usize,
    /// Traits, extern blocks and attributes.
    other: usize,
}

/// Holds the table in the page against the code, or rewrites it.
pub(crate) fn check(workspace: &Workspace, mode: Mode) -> Result<Verdict, Failure> {
    let table = table(&count_all(workspace)?);
    let page = workspace.read(PAGE)?;
    let Some(wanted) = with_table(&page, &table) else {
        return Err(Failure::Findings(format!("{PAGE} has no {BEGIN} … {END}")));
    };
    if page == wanted {
        return Ok(Verdict::Passed);
    }
    if mode == Mode::Fix {
        workspace.write(Path::new(PAGE), &wanted)?;
        println!("{PAGE}: table of unsafe code rewritten");
        return Ok(Verdict::Passed);
    }
    println!("The code has:\n{table}");
    let advice = "after a review: cargo xtask unsafe --fix";
    Err(Failure::Findings(format!(
        "{PAGE} shows other counts; {advice}"
    )))
}

fn count_all(workspace: &Workspace) -> Result<Vec<(String, Counts)>, Failure> {
    let files = workspace.text_files()?;
    let rust = files.iter().filter(|file| file.is_rust());
    let counted = rust.map(|file| (file.path.display().to_string(), count(&file.text)));
    Ok(counted
        .filter(|&(_, counts)| counts != Counts::default())
        .collect())
}

fn count(source: &str) -> Counts {
    let code = code_only(source);
    let mut counts = Counts::default();
    for at in find_word(&code, "unsafe") {
        let mut after = code[at + "unsafe".len()..].trim_start();
        // `unsafe extern "C" fn` is a function, `unsafe extern "C" {` a block of declarations.
        if let Some(rest) = after.strip_prefix("extern")
            && rest.trim_start().starts_with("fn")
        {
            after = rest.trim_start();
        }
        let kind = match after
            .split(|c: char| !c.is_alphanumeric() && c != '{')
            .next()
        {
            Some(word) if word.starts_with('{') => &mut counts.blocks,
            Some("fn") => &mut counts.functions,
            Some("impl") => &mut counts.impls,
            _ => &mut counts.other,
        };
        *kind += 1;
    }
    counts
}

fn table(files: &[(String, Counts)]) -> String {
    let mut text =
        String::from("| file | blocks | functions | impls | other |\n|---|--:|--:|--:|--:|\n");
    let mut total = Counts::default();
    for (path, counts) in files {
        total += *counts;
        row(&mut text, &format!("`{path}`"), *counts);
    }
    row(&mut text, "all", total);
    text
}

fn row(text: &mut String, name: &str, counts: Counts) {
    let Counts {
        blocks,
        functions,
        impls,
        other,
    } = counts;
    writeln!(
        text,
        "| {name} | {blocks} | {functions} | {impls} | {other} |"
    )
    .expect("a String takes all that is written to it");
}

/// `page` with `table` between the markers, or `None` where they are missing.
fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.blocks += more.blocks;
        self.functions += more.functions;
        self.impls += more.impls;
        self.other += more.other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_as_itself() {
        let source = r#"
            #![deny(unsafe_code, unsafe_op_in_unsafe_fn)]
            // unsafe { in a comment }
            const TEXT: &str = "unsafe { in a string }";
            unsafe impl Send for A {}
            unsafe impl<T> Sync for B<T> {}
            unsafe trait T {}
            unsafe fn f() { unsafe { g() } }
            unsafe extern "C" fn h() {}
            unsafe extern "C" { fn i(); }
            #[unsafe(no_mangle)]
            fn j() { let k = unsafe{ l() }; unsafe
                { m() } }
        "#;
        let expected = Counts {
            blocks: 3,
            functions: 2,
            impls: 2,
            other: 3,
        };
        assert_eq!(count(source), expected);
    }

    #[test]
    fn safe_code_counts_nothing() {
        assert_eq!(
            count("#![forbid(unsafe_code)]\nfn f() {}"),
            Counts::default()
        );
    }

    #[test]
    fn the_table_ends_with_the_sum() {
        let one = Counts {
            blocks: 1,
            functions: 2,
            impls: 3,
            other: 4,
        };
        let table = table(&[("a.rs".to_owned(), one), ("b.rs".to_owned(), one)]);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `a.rs` | 1 | 2 | 3 | 4 |",
                "| `b.rs` | 1 | 2 | 3 | 4 |",
                "| all | 2 | 4 | 6 | 8 |"
            ]
        );
    }

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let page = format!("# Title\n{BEGIN}\nold\n{END}\nmore\n");
        let wanted = format!("# Title\n{BEGIN}\nnew\n{END}\nmore\n");
        assert_eq!(with_table(&page, "new\n"), Some(wanted.clone()));
        assert_eq!(
            with_table(&wanted, "new\n"),
            Some(wanted),
            "a second time changes nothing"
        );
        assert_eq!(with_table("# Title\n", "new\n"), None);
    }
}
