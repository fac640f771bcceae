//! The first Rust example of a Markdown page, as a program.

/// An example, made ready to compile.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Example {
    /// The text of the program.
    pub(super) code: String,
    /// Whether it is meant to run; one marked `no_run` is only built.
    pub(super) runs: bool,
}

impl Example {
    /// The first block of `page` that rustdoc would compile.
    pub(super) fn first_of(page: &str) -> Option<Self> {
        let mut lines = page.lines();
        while let Some(line) = lines.next() {
            let Some(marks) = line.strip_prefix("```") else {
                continue;
            };
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if is_rust(marks) {
                let code = body
                    .into_iter()
                    .map(|line| format!("{}\n", shown(line)))
                    .collect();
                return Some(Self {
                    code,
                    runs: !marks.contains("no_run"),
                });
            }
        }
        None
    }
}

/// Whether rustdoc takes a block with these marks for Rust, and compiles it.
fn is_rust(marks: &str) -> bool {
    let known = ["", "rust", "no_run", "edition2024"];
    marks.split(',').all(|mark| known.contains(&mark.trim()))
}

/// A line as the compiler sees it: rustdoc hides what follows `# `, but compiles it.
fn shown(line: &str) -> &str {
    match line.trim_start() {
        "#" => "",
        trimmed => trimmed.strip_prefix("# ").unwrap_or(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(page: &str) -> (String, bool) {
        let example = Example::first_of(page).unwrap();
        (example.code, example.runs)
    }

    #[test]
    fn the_first_rust_block_is_taken() {
        let page = "# T\n```toml\na = 1\n```\n```rust\nfn main() {}\n```\n```rust\nother\n```\n";
        assert_eq!(first(page), ("fn main() {}\n".to_owned(), true));
    }

    #[test]
    fn a_block_without_marks_is_rust() {
        assert_eq!(
            first("```\nfn main() {}\n```\n"),
            ("fn main() {}\n".to_owned(), true)
        );
    }

    #[test]
    fn no_run_is_only_built() {
        assert_eq!(first("```rust,no_run\nx\n```\n"), ("x\n".to_owned(), false));
    }

    #[test]
    fn hidden_lines_are_part_of_the_program() {
        let page = "```\n# fn main() {\n    #[derive(Debug)]\n#\n    # }\n```\n";
        assert_eq!(first(page).0, "fn main() {\n    #[derive(Debug)]\n\n}\n");
    }

    #[test]
    fn a_page_without_rust_has_none() {
        assert_eq!(
            Example::first_of("```text\nx\n```\n```rust,ignore\ny\n```\n"),
            None
        );
    }
}
