//! A process for a test: signals, limits and forks are everybody's business in it, and other
//! threads open files at any time.
//!
//! The test starts its own executable again, with its own name as the filter and a variable by
//! which it knows itself. So it is an ordinary test to whatever runs it.

use std::env;
use std::io::{Read, Write, pipe};
use std::os::fd::RawFd;
use std::process::{Command, ExitStatus, Output, Stdio, exit};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Pid, Signal, kill_process};

use super::setting::{NOTHING_HELD, is_held, skipped};

/// Runs a scenario in a process of its own; `test` is the whole name of the test that calls this.
///
/// A scenario that hangs is killed after a while.
pub(crate) fn in_own_process(test: &str, scenario: impl FnOnce()) {
    if is_inside() {
        scenario();
        finish();
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(arguments(test));
    let output = output(as_inside(&mut command));
    assert!(
        is_done(output.status),
        "{test}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// As [`in_own_process`], for a scenario about what the kernel holds: there is none where it
/// [holds nothing](is_held).
pub(crate) fn in_own_process_if_held(test: &str, scenario: impl FnOnce()) {
    if is_held() {
        in_own_process(test, scenario);
    } else {
        skipped(NOTHING_HELD);
    }
}

/// Whether this process was started for the scenario.
pub(crate) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Ends the process of a scenario that came to its end.
pub(crate) fn finish() -> ! {
    std::io::stdout().flush().unwrap();
    exit(DONE)
}

/// Whether the scenario came to its end, and was not just filtered out.
pub(crate) fn is_done(status: ExitStatus) -> bool {
    status.code() == Some(DONE)
}

/// What this executable has to be given so that it runs this test alone, and lets it talk.
pub(crate) fn arguments(test: &str) -> [String; 4] {
    // The suite is at the root of one executable, and in a module of the others.
    let here = module_path!().split_once("::").map_or("", |(_, here)| here);
    let suite = here.trim_end_matches("support::process");
    let test = format!("{suite}{test}");
    [&test, "--exact", "--nocapture", "--test-threads=1"].map(str::to_owned)
}

/// The command is to run the scenario.
pub(crate) fn as_inside(command: &mut Command) -> &mut Command {
    command.env(INSIDE, "1")
}

/// What a command wrote until it ended, or was killed because it did not.
pub(crate) fn output(command: &mut Command) -> Output {
    let starting = STARTING.lock();
    let (mut copies, copy) = pipe().unwrap();
    let last = fcntl_dupfd_cloexec(&copy, LAST).unwrap();
    drop(copy);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(last);
    // The kernel lets the parent go on before it has closed the child's copies, in order of their numbers.
    assert_eq!(copies.read(&mut [0]).unwrap(), 0);
    drop(starting);
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    let (ended, end) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let output = child.wait_with_output();
        _ = ended.send(());
        output
    });
    if end.recv_timeout(PATIENCE).is_err() {
        _ = kill_process(pid, Signal::KILL);
    }
    waiter.join().unwrap().unwrap()
}

/// Closes a file so that it is closed on return. A child that another test starts has a copy of every
/// file until it executes its program: meanwhile nobody would hear that one was closed.
pub(crate) fn close<F>(file: F) {
    let _nobody_starts = STARTING.lock();
    drop(file);
}

/// Held while a child is started, until it executes its program. That nothing panics in there but
/// what fails the test anyway makes poison of no account.
static STARTING: Mutex<()> = Mutex::new(());

/// No file of a test has a greater number.
const LAST: RawFd = 500;

/// Set in the process that runs the scenario.
const INSIDE: &str = "EVLOOP_TESTS_SCENARIO";
/// The exit status of a scenario that came to its end.
const DONE: i32 = 42;
/// A scenario takes less than a second, on a machine that is not too busy.
const PATIENCE: Duration = Duration::from_secs(50);
