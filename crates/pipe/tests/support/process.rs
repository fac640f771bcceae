//! A process for a test that counts the file descriptors of its process.
//!
//! The test starts its own executable again, with its own name as the filter and a variable by
//! which it knows itself.

use std::env;
use std::fs::read_dir;
use std::process::{Command, exit};

const INSIDE: &str = "EVLOOP_PIPE_SCENARIO";
/// What the process exits with when the scenario was not just filtered out.
const DONE: i32 = 42;

/// Runs a scenario in a process of its own; `test` is the whole name of the test that calls this.
pub(crate) fn in_own_process(test: &str, scenario: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        scenario();
        exit(DONE);
    }
    let output = Command::new(env::current_exe().expect("a test knows its executable"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("an executable that runs can be run");
    assert_eq!(
        output.status.code(),
        Some(DONE),
        "{test}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// How many file descriptors the process has open.
pub(crate) fn open_fds() -> usize {
    read_dir("/proc/self/fd").expect("/proc is mounted").count()
}
