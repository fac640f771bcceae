//! The check that the library exports the names of the list, and nothing else.
//!
//! A name that is missing would not fail to load: the loader would take libevent's own function,
//! and let it loose on a base that is not its own. A name too many would stand before somebody
//! else's.

use std::process::Command;

use super::abi::{self, Symbol};
use super::process::{find, succeed};
use super::trial::Trial;
use crate::step::{Failure, Verdict, report};

/// Holds the exported names against `abi/symbols.txt`.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    if find("nm").is_none() {
        return Ok(Verdict::Skipped("nm is not installed"));
    }
    let mut nm = Command::new("nm");
    nm.args(["--dynamic", "--defined-only", "--print-size"]);
    let exported = parse(&succeed(nm.arg(&trial.installed.library))?);
    let listed = abi::symbols(trial.workspace)?;
    println!("{} names exported, {} listed", exported.len(), listed.len());
    report(&compare(&listed, &exported))
}

/// The differences, in words.
fn compare(listed: &[Symbol], exported: &[Symbol]) -> Vec<String> {
    let mut findings = Vec::new();
    for want in listed {
        match exported.iter().find(|symbol| symbol.name == want.name) {
            None => findings.push(format!("{} is not exported", want.name)),
            Some(have) if have.bytes != want.bytes => findings.push(format!(
                "{} is {}, not {}",
                want.name,
                kind(have),
                kind(want)
            )),
            Some(_) => {}
        }
    }
    for have in exported {
        if !listed.iter().any(|symbol| symbol.name == have.name) {
            findings.push(format!("{} is exported, and not listed", have.name));
        }
    }
    findings
}

fn kind(symbol: &Symbol) -> String {
    symbol.bytes.map_or_else(
        || "a function".to_owned(),
        |bytes| format!("an object of {bytes} bytes"),
    )
}

/// The symbols that `nm --print-size` printed: address, size, kind, name.
fn parse(text: &str) -> Vec<Symbol> {
    let symbols = text.lines().filter_map(|line| {
        let (rest, name) = line.rsplit_once(' ')?;
        let (rest, kind) = rest.rsplit_once(' ')?;
        let is_function = matches!(kind, "T" | "W" | "i");
        let bytes = rest.split(' ').nth(1);
        let bytes = bytes.and_then(|bytes| u64::from_str_radix(bytes, 16).ok());
        Some(Symbol {
            name: name.to_owned(),
            bytes: bytes.filter(|_| !is_function),
        })
    });
    symbols.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NM: &str = "\
000000000000b0a0 0000000000000123 T event_add
0000000000016430 0000000000000008 B event_global_current_base_
";

    fn listed(name: &str, bytes: Option<u64>) -> Symbol {
        Symbol {
            name: name.to_owned(),
            bytes,
        }
    }

    #[test]
    fn what_agrees_is_no_finding() {
        let list = [
            listed("event_add", None),
            listed("event_global_current_base_", Some(8)),
        ];
        assert_eq!(compare(&list, &parse(NM)), Vec::<String>::new());
    }

    #[test]
    fn a_missing_name_an_unlisted_one_and_another_size_are_findings() {
        let list = [
            listed("event_del", None),
            listed("event_global_current_base_", Some(4)),
        ];
        let expected = [
            "event_del is not exported",
            "event_global_current_base_ is an object of 8 bytes, not an object of 4 bytes",
            "event_add is exported, and not listed",
        ];
        assert_eq!(compare(&list, &parse(NM)), expected);
    }

    #[test]
    fn an_object_is_not_a_function() {
        let list = [
            listed("event_add", None),
            listed("event_global_current_base_", None),
        ];
        assert_eq!(compare(&list, &parse(NM)).len(), 1);
    }
}
