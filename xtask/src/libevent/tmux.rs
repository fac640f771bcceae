//! tmux on the library: a session is created, typed into, looked at, and killed.

use std::process::Command;
use std::thread;
use std::time::Duration;

use super::process::{find, output, succeed};
use super::trial::{Side, Trial, Way};
use crate::step::{Failure, Verdict};

/// Drives a session in both ways of loading; on the system's library too where that is asked for.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    if find("tmux").is_none() {
        return Ok(Verdict::Skipped("tmux is not installed"));
    }
    for side in &trial.options.sides {
        match side {
            Side::Evloop => {
                for way in [Way::Preload, Way::Soname] {
                    drive(trial, *side, &|| trial.loaded(way, "tmux"))?;
                    println!("tmux, {way}: a session was driven");
                }
            }
            Side::Debian => {
                drive(trial, *side, &|| trial.command(Side::Debian, "tmux"))?;
                println!("tmux on Debian's: a session was driven");
            }
        }
    }
    Ok(Verdict::Passed)
}

/// A server of its own, which is gone when this is dropped, whatever went wrong.
struct Server<'a> {
    tmux: &'a dyn Fn() -> Command,
    name: String,
}

impl Server<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = (self.tmux)();
        command
            .args(["-L", &self.name, "-f", "/dev/null"])
            .args(args);
        // The test may itself be run from within a session.
        command.env_remove("TMUX").env("TERM", "xterm");
        command
    }

    fn ask(&self, args: &[&str]) -> Result<String, Failure> {
        succeed(&mut self.command(args))
    }

    /// Waits until the window shows `words`.
    fn wait_for(&self, words: &str) -> Result<(), Failure> {
        let mut shown = String::new();
        for _ in 0..ATTEMPTS {
            shown = self.ask(&["capture-pane", "-p", "-t", "try"])?;
            if shown.lines().any(|line| line.trim_end().ends_with(words)) {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        Err(Failure::Findings(format!(
            "tmux does not show {words:?} but {shown:?}"
        )))
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _end = output(&mut self.command(&["kill-server"]));
    }
}

fn drive(trial: &Trial<'_>, side: Side, tmux: &dyn Fn() -> Command) -> Result<(), Failure> {
    let name = format!("evloop-{}", std::process::id());
    let server = Server { tmux, name };
    server.ask(&[
        "new-session",
        "-d",
        "-s",
        "try",
        "-x",
        "80",
        "-y",
        "24",
        "sh",
    ])?;
    let process = server.ask(&["display-message", "-p", "#{pid}"])?;
    let process = process.trim_end().parse().unwrap_or_default();
    trial.confirm(side, process)?;

    // The shell computes the word, so that what was typed does not pass for what it printed.
    server.ask(&["send-keys", "-t", "try", "echo $((6 * 7))-windows", "Enter"])?;
    server.wait_for("42-windows")?;
    server.ask(&["split-window", "-t", "try", "sh"])?;
    server.ask(&["send-keys", "-t", "try", "echo $((40 + 2))-panes", "Enter"])?;
    server.wait_for("42-panes")?;
    server.ask(&["resize-window", "-t", "try", "-x", "100", "-y", "30"])?;
    let size = server.ask(&["display-message", "-t", "try", "-p", "#{window_width}"])?;
    if size.trim_end() != "100" {
        return Err(Failure::Findings(format!(
            "tmux: the window is {size:?} wide, not 100"
        )));
    }
    server.ask(&["kill-session", "-t", "try"])?;
    for _ in 0..ATTEMPTS {
        // With its last session the server ends.
        if std::fs::metadata(format!("/proc/{process}")).is_err() {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
    Err(Failure::Findings(
        "tmux: the server outlives its sessions".to_owned(),
    ))
}

const PAUSE: Duration = Duration::from_millis(20);
const ATTEMPTS: u32 = 500;
