//! The command line of `cargo xtask libevent`.

use std::path::PathBuf;

use super::check::{CHECKS, Check};
use super::regress;
use super::trial::Side;

/// What the caller asked for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Lay the library out under this folder.
    Install { prefix: PathBuf, library: Library },
    /// Run these checks.
    Check {
        checks: Vec<&'static Check>,
        options: Options,
    },
}

/// How checks are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The libraries to run the programs on, one after the other.
    pub(super) sides: Vec<Side>,
    /// How often the test groups are run.
    pub(super) repeat: u32,
    /// The test groups to run; none: all.
    pub(super) groups: Vec<String>,
    /// The settings to run them in; none: all.
    pub(super) settings: Vec<String>,
    /// The library to try.
    pub(super) library: Library,
}

/// Which shared library is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// The one of this workspace, built for release.
    Built,
    /// This file.
    File(PathBuf),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sides: vec![Side::Evloop],
            repeat: 1,
            groups: Vec::new(),
            settings: Vec::new(),
            library: Library::Built,
        }
    }
}

/// Reads what follows `cargo xtask libevent`.
///
/// # Errors
///
/// A sentence for the caller about the argument that was not understood.
pub(crate) fn parse(args: &[String]) -> Result<Command, String> {
    match args.split_first() {
        Some((verb, rest)) if verb == "install" => parse_install(rest),
        Some((verb, rest)) if verb == "check" => parse_check(rest),
        _ => Err("cargo xtask libevent takes `install` or `check`".to_owned()),
    }
}

fn parse_install(args: &[String]) -> Result<Command, String> {
    let mut prefix = None;
    let mut library = Library::Built;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--prefix" => prefix = Some(PathBuf::from(value(arg, args.next())?)),
            "--library" => library = Library::File(value(arg, args.next())?.into()),
            other => {
                return Err(format!(
                    "cargo xtask libevent install does not know {other:?}"
                ));
            }
        }
    }
    let prefix = prefix.ok_or("cargo xtask libevent install needs --prefix FOLDER")?;
    Ok(Command::Install { prefix, library })
}

fn parse_check(args: &[String]) -> Result<Command, String> {
    let mut checks = Vec::new();
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--on" => options.sides = sides(value(arg, args.next())?)?,
            "--repeat" => options.repeat = times(value(arg, args.next())?)?,
            "--groups" => {
                options.groups = names(value(arg, args.next())?, arg, &regress::groups())?;
            }
            "--settings" => {
                options.settings = names(value(arg, args.next())?, arg, &regress::settings())?;
            }
            "--library" => options.library = Library::File(value(arg, args.next())?.into()),
            "all" => checks.extend(CHECKS),
            name => checks.push(check(name)?),
        }
    }
    if checks.is_empty() {
        checks.extend(CHECKS.iter().filter(|check| check.is_quick));
    }
    Ok(Command::Check { checks, options })
}

fn value<'a>(option: &str, value: Option<&'a String>) -> Result<&'a str, String> {
    let value = value.ok_or_else(|| format!("{option} needs a value"))?;
    Ok(value)
}

fn sides(name: &str) -> Result<Vec<Side>, String> {
    match name {
        "evloop" => Ok(vec![Side::Evloop]),
        "debian" => Ok(vec![Side::Debian]),
        "both" => Ok(vec![Side::Evloop, Side::Debian]),
        other => Err(format!("--on takes evloop, debian or both, not {other:?}")),
    }
}

/// A list of names that are known.
fn names(list: &str, option: &str, known: &[&str]) -> Result<Vec<String>, String> {
    let named = list.split(',').map(|name| {
        let name = name.trim();
        known
            .contains(&name)
            .then(|| name.to_owned())
            .ok_or_else(|| format!("{option} takes names of {known:?}, not {name:?}"))
    });
    named.collect()
}

fn times(number: &str) -> Result<u32, String> {
    match number.parse() {
        Ok(times @ 1..) => Ok(times),
        _ => Err(format!("--repeat takes a number from 1, not {number:?}")),
    }
}

fn check(name: &str) -> Result<&'static Check, String> {
    let known = || CHECKS.iter().map(|check| check.name).collect::<Vec<_>>();
    CHECKS
        .iter()
        .find(|check| check.name == name)
        .ok_or_else(|| {
            format!(
                "there is no check {name:?} of libevent, only {:?} and all",
                known()
            )
        })
}

/// The lines of the help text.
pub(crate) fn help() -> String {
    let mut text = "\
  cargo xtask libevent install --prefix DIR
                                    build the drop-in for libevent's core and lay it out there
  cargo xtask libevent check [NAME...] [--on evloop|debian|both] [--repeat N] [--library FILE]
                                       [--groups NAME,...] [--settings NAME,...]
                                    put it under real programs; without names: the quick checks

Checks of libevent (* is quick):
"
    .to_owned();
    for check in CHECKS {
        let mark = if check.is_quick { '*' } else { ' ' };
        text.push_str(&format!("{mark} {:<10} {}\n", check.name, check.about));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&args)
    }

    fn checked(line: &str) -> (Vec<&'static str>, Options) {
        match parsed(line) {
            Ok(Command::Check { checks, options }) => {
                (checks.iter().map(|check| check.name).collect(), options)
            }
            other => panic!("{line:?} is {other:?}"),
        }
    }

    #[test]
    fn check_alone_runs_what_is_quick() {
        let (names, options) = checked("check");
        assert!(names.contains(&"symbols"));
        assert!(!names.contains(&"regress"));
        assert_eq!(options, Options::default());
    }

    #[test]
    fn check_takes_names_and_options_in_any_order() {
        let (names, options) = checked("check --repeat 20 regress --on both tmux --library a.so");
        assert_eq!(names, ["regress", "tmux"]);
        assert_eq!(options.repeat, 20);
        assert_eq!(options.sides, [Side::Evloop, Side::Debian]);
        assert_eq!(options.library, Library::File("a.so".into()));
        assert_eq!(checked("check all").0.len(), CHECKS.len());
    }

    #[test]
    fn groups_and_settings_of_regress_can_be_chosen() {
        let (_, options) = checked("check regress --groups main,test-eof --settings poll");
        assert_eq!(options.groups, ["main", "test-eof"]);
        assert_eq!(options.settings, ["poll"]);
    }

    #[test]
    fn install_needs_a_folder() {
        assert!(parsed("install").unwrap_err().contains("--prefix"));
        assert!(parsed("install --prefix").unwrap_err().contains("value"));
        let installed = parsed("install --prefix /opt/evloop").unwrap();
        assert!(matches!(installed, Command::Install { prefix, .. } if prefix == *"/opt/evloop"));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (line, word) in [
            ("", "install"),
            ("dance", "install"),
            ("install --dance", "--dance"),
            ("check dance", "dance"),
            ("check --on mars", "mars"),
            ("check --repeat 0", "\"0\""),
            ("check --repeat", "--repeat"),
            ("check --groups main,dance", "\"dance\""),
            ("check --settings select", "epoll"),
        ] {
            let message = parsed(line).unwrap_err();
            assert!(message.contains(word), "{line:?}: {message}");
        }
    }
}
