//! The names of all tests, found in the sources.
//!
//! To ask the tests themselves everything would have to be built. A source is read like the
//! compiler reads it, as far as this needs: a test in a file that no `mod` leads to is none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::code::{code_only, find_word};
use crate::workspace::TextFile;

/// The tests of the workspace, by file.
#[derive(Debug)]
pub(crate) struct TestNames(BTreeMap<PathBuf, BTreeSet<String>>);

impl TestNames {
    /// Those in `files`.
    pub(crate) fn of(files: &[TextFile]) -> Self {
        let sources = Sources::of(files);
        let compiled = sources
            .code
            .iter()
            .filter(|(path, _)| sources.is_compiled(path));
        Self(
            compiled
                .map(|(path, code)| (path.to_path_buf(), tests_in(code).collect()))
                .collect(),
        )
    }

    /// Whether the file at `path`, from the root of the workspace, has a test of this name.
    pub(crate) fn contains(&self, path: &Path, name: &str) -> bool {
        self.0.get(path).is_some_and(|tests| tests.contains(name))
    }
}

/// The code of each Rust file, and the files that manifests name.
#[derive(Debug)]
struct Sources<'a> {
    code: BTreeMap<&'a Path, String>,
    targets: BTreeSet<PathBuf>,
}

impl<'a> Sources<'a> {
    fn of(files: &'a [TextFile]) -> Self {
        let rust = files.iter().filter(|file| file.is_rust());
        let manifests = files
            .iter()
            .filter(|file| file.path.ends_with("Cargo.toml"));
        Self {
            code: rust
                .map(|file| (file.path.as_path(), code_only(&file.text)))
                .collect(),
            targets: manifests.flat_map(named_targets).collect(),
        }
    }

    /// Whether the compiler gets to see the file at `path`.
    fn is_compiled(&self, path: &Path) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_stem().and_then(|s| s.to_str()))
        else {
            return false;
        };
        if ["lib", "main"].contains(&name) || is_found_by_cargo(path) || self.targets.contains(path)
        {
            return true;
        }
        let parents = [
            folder.with_extension("rs"),
            folder.join("lib.rs"),
            folder.join("main.rs"),
        ];
        parents.iter().any(|parent| {
            let code = self.code.get(parent.as_path());
            code.is_some_and(|code| declares(code, name)) && self.is_compiled(parent)
        })
    }
}

/// The files that `path` keys in a manifest name.
fn named_targets(manifest: &TextFile) -> impl Iterator<Item = PathBuf> {
    let folder = manifest.path.parent().unwrap_or_else(|| Path::new(""));
    let values = manifest.text.lines().filter_map(|line| {
        let value = line.strip_prefix("path = \"")?;
        value.strip_suffix('"')
    });
    values.map(|value| folder.join(value))
}

/// Whether cargo builds it because of where it is: `crates/NAME/tests/FILE.rs`.
fn is_found_by_cargo(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().collect();
    parts.len() == 4 && parts[0] == "crates" && parts[2] == "tests"
}

/// Whether `code` has a `mod name;`.
fn declares(code: &str, name: &str) -> bool {
    find_word(code, "mod").any(|at| {
        let rest = code[at + "mod".len()..].trim_start();
        rest.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(';'))
    })
}

/// The names of the tests in `code`, those inside `proptest!` too.
fn tests_in(code: &str) -> impl Iterator<Item = String> {
    const ATTRIBUTE: &str = "#[test]";
    code.match_indices(ATTRIBUTE).filter_map(|(at, _)| {
        let item = &code[at + ATTRIBUTE.len()..];
        let word = find_word(item, "fn").next()?;
        let name = item[word + "fn".len()..].split(['(', '<']).next()?;
        Some(name.trim().to_owned())
    })
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

    /// Whether a test in the file at `path` is found beside `others`.
    fn is_found(path: &str, others: &[(&str, &str)]) -> bool {
        let mut files = vec![file(path, "#[test] fn it() {}")];
        files.extend(others.iter().map(|(path, text)| file(path, text)));
        TestNames::of(&files).contains(Path::new(path), "it")
    }

    #[test]
    fn tests_are_functions_after_the_attribute() {
        let source = "fn no() {} // #[test] fn comment() {}\n\
                      #[test]\n#[should_panic(expected = \"fn\")]\nfn one() {}\n\
                      proptest! { #[test] fn two(x in 0..3) { f(\"#[test] fn text()\"); } }\n\
                      #[test] fn three<T>() {}";
        let code = code_only(source);
        assert_eq!(tests_in(&code).collect::<Vec<_>>(), ["one", "two", "three"]);
    }

    #[test]
    fn names_are_looked_up_by_file() {
        let tests = TestNames::of(&[file("crates/a/src/lib.rs", "#[test] fn it() {}")]);
        assert!(tests.contains(Path::new("crates/a/src/lib.rs"), "it"));
        assert!(!tests.contains(Path::new("crates/a/src/lib.rs"), "this"));
        assert!(!tests.contains(Path::new("crates/b/src/lib.rs"), "it"));
    }

    #[test]
    fn roots_are_found_by_name_by_place_and_by_manifest() {
        assert!(is_found("crates/a/examples/live/main.rs", &[]));
        assert!(is_found("crates/a/tests/model.rs", &[]));
        assert!(!is_found("crates/a/tests/model/more.rs", &[]));
        let manifest = [("tests/Cargo.toml", "[[test]]\npath = \"it.rs\"\n")];
        assert!(is_found("tests/it.rs", &manifest));
        assert!(!is_found("tests/other.rs", &manifest));
    }

    #[test]
    fn modules_are_found_when_they_are_declared() {
        let root = ("crates/a/src/lib.rs", "pub mod b;");
        let module = ("crates/a/src/b.rs", "#[cfg(test)]\nmod tests;");
        assert!(is_found("crates/a/src/b.rs", &[root]));
        assert!(is_found("crates/a/src/b/tests.rs", &[root, module]));
        assert!(!is_found("crates/a/src/b/tests.rs", &[module]));
        assert!(!is_found("crates/a/src/b/more.rs", &[root, module]));
        let comment = ("crates/a/src/lib.rs", "// mod b;\nmod bb;");
        assert!(!is_found("crates/a/src/b.rs", &[comment]));
    }
}
