//! Whether the pure crates are pure: `no_std` without a way back, and no unsafe code.
//!
//! `#![no_std]` does not stop a crate from naming std again, hence the search for the word.

use super::table::LAYERS;
use crate::code::{code_only, find_word, line_of, without_tests};
use crate::step::Failure;
use crate::workspace::{TextFile, Workspace};

/// Looks at the sources of every pure crate.
pub(super) fn check(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let files = workspace.text_files()?;
    let mut findings = Vec::new();
    for library in workspace.libraries() {
        let name = &library.manifest.name;
        if !LAYERS
            .iter()
            .any(|layer| layer.package == name && layer.is_pure)
        {
            continue;
        }
        let sources = library.dir.join("src");
        for file in files
            .iter()
            .filter(|file| file.is_rust() && file.path.starts_with(&sources))
        {
            findings.extend(named_std(file));
            if file.path == sources.join("lib.rs") {
                findings.extend(missing_attributes(file));
            }
        }
    }
    Ok(findings)
}

fn missing_attributes(root: &TextFile) -> Vec<String> {
    let code = code_only(&root.text);
    let has = |attribute: &&str| code.lines().any(|line| line.trim_end() == *attribute);
    let missing = ["#![no_std]", "#![forbid(unsafe_code)]"]
        .into_iter()
        .filter(|a| !has(a));
    missing
        .map(|attribute| format!("{}: {attribute} is missing", root.path.display()))
        .collect()
}

/// The places that name std outside of the tests.
fn named_std(file: &TextFile) -> Vec<String> {
    if file.path.ends_with("tests.rs") {
        return Vec::new();
    }
    let code = without_tests(&code_only(&file.text));
    let places = find_word(&code, "std").map(|at| line_of(&code, at));
    places
        .map(|line| format!("{}:{line}: names std", file.path.display()))
        .collect()
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

    #[test]
    fn std_is_found_in_code() {
        let file = file(
            "src/heap.rs",
            "//! std::vec\nextern crate std;\nuse std::vec::Vec;\n",
        );
        assert_eq!(
            named_std(&file),
            ["src/heap.rs:2: names std", "src/heap.rs:3: names std"]
        );
    }

    #[test]
    fn std_is_fine_in_tests() {
        let inline = file(
            "src/heap.rs",
            "#[cfg(test)]\nmod tests {\n    extern crate std;\n}\n",
        );
        assert_eq!(named_std(&inline), [""; 0]);
        assert_eq!(
            named_std(&file("src/heap/tests.rs", "use std::vec::Vec;")),
            [""; 0]
        );
    }

    #[test]
    fn both_attributes_are_asked_for() {
        let good = file(
            "src/lib.rs",
            "//! Docs.\n#![no_std]\n#![forbid(unsafe_code)]\n",
        );
        assert_eq!(missing_attributes(&good), [""; 0]);
        let bad = file(
            "src/lib.rs",
            "//! #![no_std]\n#![cfg_attr(not(test), no_std)]\n",
        );
        assert_eq!(missing_attributes(&bad).len(), 2);
    }
}
