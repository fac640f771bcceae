//! `cargo xtask fuzz`: runs each fuzz target for a while, from its corpus on.
//!
//! It needs a nightly toolchain and cargo-fuzz. What the corpus holds is played by the ordinary tests as
//! well, on any toolchain.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::step::{Failure, Verdict};
use crate::task::numbers;
use crate::workspace::Workspace;

/// How long each target runs if it is not said.
const SECONDS: u64 = 60;

/// Runs each target for so many seconds. New inputs go into `fuzz/target`, failing ones into
/// `fuzz/artifacts`.
///
/// # Errors
///
/// A target failed; what it failed on is there to be put into the corpus, where the tests find it.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Verdict, Failure> {
    let [seconds] = numbers(arguments, [("--seconds", SECONDS)])?;
    if !fuzz("--version")
        .status()
        .is_ok_and(|status| status.success())
    {
        return Ok(Verdict::Skipped("no nightly toolchain with cargo-fuzz"));
    }
    for target in targets(&workspace.root)? {
        let found = workspace.root.join("fuzz/target/found").join(&target);
        fs::create_dir_all(&found).map_err(|source| Failure::file(&found, source))?;
        let line = format!(
            "run {target} fuzz/target/found/{target} fuzz/corpus/{target} -- \
             -max_total_time={seconds} -max_len=400 -len_control=0 -print_final_stats=1"
        );
        println!("$ cargo +nightly fuzz {line}");
        let status = fuzz(&line).current_dir(&workspace.root).status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(Failure::Command { line, status }),
            Err(source) => return Err(Failure::Start { line, source }),
        }
    }
    Ok(Verdict::Passed)
}

/// The targets: there is a corpus for each.
fn targets(root: &Path) -> Result<Vec<String>, Failure> {
    let corpus = root.join("fuzz/corpus");
    let failed = |source| Failure::file(&corpus, source);
    let mut targets = Vec::new();
    for folder in fs::read_dir(&corpus).map_err(failed)? {
        let name = folder.map_err(failed)?.file_name();
        targets.extend(name.into_string());
    }
    targets.sort_unstable();
    Ok(targets)
}

/// cargo-fuzz on the nightly toolchain. The cargo that runs this tool is another's.
fn fuzz(args: &str) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo", "fuzz"])
        .args(args.split_whitespace())
        .env_remove("CARGO");
    command
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn every_target_has_a_corpus() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
        let paths = manifest.lines().filter_map(|line| {
            let path = line.strip_prefix("path = \"fuzz_targets/")?;
            path.strip_suffix(".rs\"").map(str::to_owned)
        });
        let mut built: Vec<String> = paths.collect();
        built.sort_unstable();
        assert_eq!(targets(&root).unwrap(), built);
    }
}
