//! The check that no function of libevent's core is left to libevent.
//!
//! The dynamic loader is asked to resolve every symbol of a program at its start and to tell what it
//! bound to what. One function that came from elsewhere would work on a base that is not its own.

use std::fs;
use std::path::Path;

use super::abi::{self, Symbol};
use super::process::{find, output};
use super::regress;
use super::trial::{Trial, Way};
use crate::step::{Failure, Verdict, report};

/// Starts every program that is installed, in both ways.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    let mut programs: Vec<_> = PROGRAMS
        .into_iter()
        .filter_map(|(name, version)| Some((find(name)?, version)))
        .collect();
    programs.extend(regress::program(trial).map(|program| (program, "--list-tests")));
    if programs.is_empty() {
        return Ok(Verdict::Skipped(
            "no program that uses libevent is installed",
        ));
    }
    let listed = abi::symbols(trial.workspace)?;
    let mut findings = Vec::new();
    for (program, version) in &programs {
        for way in [Way::Preload, Way::Soname] {
            let text = bindings(trial, way, program, version)?;
            let (ours, strays) = judge(&text, &listed, &trial.installed.library);
            println!("{ours:>4} bindings {way:<9}  {}", program.display());
            if ours == 0 {
                strays_none(&mut findings, program, way);
            }
            findings.extend(strays);
        }
    }
    report(&findings)
}

fn strays_none(findings: &mut Vec<String>, program: &Path, way: Way) {
    findings.push(format!(
        "{} {way}: nothing is bound to the library",
        program.display()
    ));
}

/// What the loader says of one start of `program`.
fn bindings(trial: &Trial<'_>, way: Way, program: &Path, arg: &str) -> Result<String, Failure> {
    let folder = trial.folder.join("bindings");
    let fail = |error| Failure::file(&folder, error);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(fail)?;
    }
    fs::create_dir_all(&folder).map_err(fail)?;
    let mut command = trial.loaded(way, program);
    command.env("LD_BIND_NOW", "1").env("LD_DEBUG", "bindings");
    command.env("LD_DEBUG_OUTPUT", folder.join("log")).arg(arg);
    output(&mut command)?;
    let mut text = String::new();
    for entry in fs::read_dir(&folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        text += &fs::read_to_string(&path).map_err(|error| Failure::file(&path, error))?;
    }
    Ok(text)
}

/// How many listed symbols were bound to `library`, and those that were bound to a libevent.
fn judge(text: &str, listed: &[Symbol], library: &Path) -> (usize, Vec<String>) {
    let library = library.display().to_string();
    let mut ours = 0;
    let mut strays = Vec::new();
    for (by, to, name) in text.lines().filter_map(binding) {
        if !listed.iter().any(|symbol| symbol.name == name) {
            continue;
        }
        if to == library {
            ours += 1;
        } else if is_libevent(to) && by != library {
            // What the library itself looks up is how it knows the libevent that it sits on.
            strays.push(format!("{name}, used by {by}, is bound to {to}"));
        }
    }
    (ours, strays)
}

/// Who uses, what is bound, and the symbol, of a line of the loader.
fn binding(line: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = line.split_once("binding file ")?;
    let (by, rest) = rest.split_once(" [")?;
    let (_, rest) = rest.split_once(" to ")?;
    let (to, rest) = rest.split_once(" [")?;
    let (_, rest) = rest.split_once('`')?;
    let (name, _) = rest.split_once('\'')?;
    Some((by, to, name))
}

fn is_libevent(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.starts_with("libevent")
}

/// Programs that use libevent, and what makes them end at once.
const PROGRAMS: [(&str, &str); 3] = [("memcached", "-V"), ("tmux", "-V"), ("pgbouncer", "-V")];

#[cfg(test)]
mod tests {
    use super::*;

    fn line(by: &str, to: &str, name: &str) -> String {
        format!("  7:\tbinding file {by} [0] to {to} [0]: normal symbol `{name}'\n")
    }

    fn judged(lines: &[String]) -> (usize, Vec<String>) {
        let listed = [Symbol {
            name: "event_add".to_owned(),
            bytes: None,
        }];
        judge(&lines.concat(), &listed, Path::new("/x/ours.so"))
    }

    #[test]
    fn a_symbol_that_is_bound_to_libevent_is_a_stray() {
        let (ours, strays) = judged(&[
            line("memcached", "/x/ours.so", "event_add"),
            line(
                "/lib/libevent-2.1.so.7",
                "/lib/libevent-2.1.so.7",
                "event_add",
            ),
        ]);
        assert_eq!(ours, 1);
        assert_eq!(strays.len(), 1);
        assert!(
            strays[0].contains("used by /lib/libevent-2.1.so.7"),
            "{strays:?}"
        );
    }

    #[test]
    fn what_is_not_listed_copies_in_the_program_and_own_look_ups_are_no_strays() {
        let (ours, strays) = judged(&[
            line("memcached", "/lib/libevent-2.1.so.7", "evbuffer_new"),
            line("/x/ours.so", "./regress", "event_add"),
            line("/x/ours.so", "/lib/libevent-2.1.so.7", "event_add"),
        ]);
        assert_eq!((ours, strays), (0, vec![]));
    }
}
