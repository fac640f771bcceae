//! The check that the library refuses a libevent that it cannot sit on.
//!
//! The unfit libevents are made here, of a few lines of C each. A process that has no libevent at
//! all is left alone: `LD_PRELOAD` reaches every program that a script starts.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::process::{find, output, succeed};
use super::trial::Trial;
use crate::step::{Failure, Verdict, report};

/// A libevent that is not fit, and a word that the refusal must name.
struct Unfit {
    name: &'static str,
    code: &'static str,
    link: &'static [&'static str],
    says: &'static str,
}

/// Puts the library under a program of each unfit libevent.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    if find("cc").is_none() {
        return Ok(Verdict::Skipped("no C compiler is installed"));
    }
    let mut findings = Vec::new();
    for unfit in &UNFIT {
        let program = build(trial, unfit)?;
        findings.extend(judge(unfit, &start(trial, program)?));
    }
    let alone = start(trial, PathBuf::from("true"))?;
    if !alone.status.success() || !alone.stderr.is_empty() {
        findings.push("a program without libevent is not left alone".to_owned());
    }
    report(&findings)
}

/// What is wrong with how the program ended.
fn judge(unfit: &Unfit, end: &Output) -> Option<String> {
    let said = String::from_utf8_lossy(&end.stderr);
    let name = unfit.name;
    println!("{name}: {}", said.trim_end());
    if end.status.code() != Some(EXIT_CODE) {
        return Some(format!("{name}: {}, not {EXIT_CODE}", end.status));
    }
    let is_clear = said.starts_with(PREFIX) && said.contains(unfit.says);
    let is_one_line = said.ends_with('\n') && said.lines().count() == 1;
    (!is_clear || !is_one_line).then(|| format!("{name}: it does not say why in one line"))
}

fn start(trial: &Trial<'_>, program: PathBuf) -> Result<Output, Failure> {
    output(&mut trial.command(super::trial::Side::Evloop, program))
}

/// Makes the libevent, and a program that needs it.
fn build(trial: &Trial<'_>, unfit: &Unfit) -> Result<PathBuf, Failure> {
    let folder = trial.folder.join("refusal").join(unfit.name);
    fs::create_dir_all(&folder).map_err(|error| Failure::file(&folder, error))?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| Failure::file(&path, error))?;
        Ok::<_, Failure>(path)
    };
    let code = write("libevent.c", unfit.code)?;
    let library = folder.join("libevent-2.1.so.7");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-Wl,-soname,libevent-2.1.so.7"]);
    succeed(cc.args(unfit.link).arg(code).arg("-o").arg(&library))?;

    let code = write("program.c", PROGRAM)?;
    let program = folder.join("program");
    let mut cc = Command::new("cc");
    cc.arg(code).arg("-o").arg(&program).arg(&library);
    succeed(cc.arg(format!("-Wl,-rpath,{}", folder.display())))?;
    Ok(program)
}

/// How a refusal begins.
const PREFIX: &str = "evloop-libevent: cannot run here: ";
/// What the loader ends a program with that it cannot load.
const EXIT_CODE: i32 = 127;

const UNFIT: [Unfit; 3] = [
    Unfit {
        name: "later",
        code: "\
unsigned event_get_version_number(void) { return 0x02020100; }
const char *event_get_version(void) { return \"2.2.1-stable\"; }
void event_deferred_cb_schedule_(void) {}
",
        link: &[],
        says: "2.2.1-stable",
    },
    Unfit {
        name: "hidden",
        code: "\
unsigned event_get_version_number(void) { return 0x02010c00; }
const char *event_get_version(void) { return \"2.1.12-stable\"; }
",
        link: &[],
        says: "event_deferred_cb_schedule_",
    },
    Unfit {
        name: "symbolic",
        code: "\
unsigned event_get_version_number(void) { return 0x02010c00; }
const char *event_get_version(void) { return \"2.1.12-stable\"; }
void event_deferred_cb_schedule_(void) {}
",
        link: &["-Wl,-Bsymbolic"],
        says: "-Bsymbolic",
    },
];

/// Needs libevent, and would end well.
const PROGRAM: &str = "\
extern unsigned event_get_version_number(void);
int main(void) { return event_get_version_number() == 0; }
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn judged(code: i32, said: &str) -> Option<String> {
        let end = Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: Vec::new(),
            stderr: said.as_bytes().to_vec(),
        };
        judge(&UNFIT[0], &end)
    }

    #[test]
    fn a_clear_refusal_is_no_finding() {
        let line = format!("{PREFIX}libevent 2.2.1-stable is not 2.1\n");
        assert_eq!(judged(127, &line), None);
    }

    #[test]
    fn running_on_and_unclear_refusals_are_findings() {
        let line = format!("{PREFIX}libevent 2.2.1-stable is not 2.1\n");
        assert!(judged(0, &line).unwrap().contains("exit status: 0"));
        for said in ["", "no\n", PREFIX, &format!("{line}{line}")] {
            assert!(judged(127, said).is_some(), "{said:?}");
        }
    }
}
