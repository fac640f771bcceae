//! The server of the example `live` as a process, to be put under load and looked at from outside.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cargo::{Cargo, target_dir};
use crate::step::Failure;
use crate::workspace::Workspace;

/// How the server is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// A server that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Live {
    child: Child,
    /// The number of the server's own process; that of `child` where nothing stands before it.
    process: u32,
    pub(crate) address: SocketAddr,
}

/// What the server holds of the system at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Footing {
    pub(crate) resident_kib: u64,
    pub(crate) fds: usize,
    /// What its epoll instances hold: number and mask of each registration, in order.
    pub(crate) interest: Vec<(String, String)>,
}

/// Builds the server and says where it is.
///
/// # Errors
///
/// It does not compile.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf, Failure> {
    let (release, folder) = match profile {
        Profile::Debug => ("", "debug"),
        Profile::Release => ("--release", "release"),
    };
    let args = format!("build --package evloop --example live {release}");
    Cargo::new(workspace, &args).run()?;
    Ok(target_dir(workspace).join(folder).join("examples/live"))
}

impl Live {
    /// Starts the server on a free port, and waits until it listens.
    ///
    /// # Errors
    ///
    /// It cannot be started, or ends before it listens.
    pub(crate) fn start(program: &Path, options: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command.args(["--port", "0"]).args(options);
        command.stderr(Stdio::null());
        Self::started(&mut command)?.map_err(|status| Failure::Command {
            line: format!("{}", program.display()),
            status,
        })
    }

    /// As [`Live::start`], by a command that runs the server in the end. The inner error is how it
    /// ended where it ended before it listened.
    ///
    /// # Errors
    ///
    /// The command cannot be started.
    pub(crate) fn started(command: &mut Command) -> Result<Result<Self, ExitStatus>, Failure> {
        let failure = |source| Failure::Start {
            line: "live".to_owned(),
            source,
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(failure)?;
        let output = child.stdout.take().expect("it was asked for");
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        match read.ok().and_then(|_| welcome(&line)) {
            Some((address, process)) => Ok(Ok(Self {
                child,
                process,
                address,
            })),
            None => child.wait().map(Err).map_err(failure),
        }
    }

    /// What the server tells of itself, in JSON. Costs it a connection and a request.
    pub(crate) fn snapshot(&self) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = "GET /snapshot.json HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200 ").then(|| body.to_owned())
    }

    /// What it holds, as the kernel says. `None` where there is no `/proc` to say so, or no process.
    pub(crate) fn footing(&self) -> Option<Footing> {
        let proc = PathBuf::from(format!("/proc/{}", self.process));
        let status = fs::read_to_string(proc.join("status")).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident_kib = resident?.trim().trim_end_matches(" kB").parse().ok()?;
        let mut fds = 0;
        let mut interest = Vec::new();
        for entry in fs::read_dir(proc.join("fd")).ok()? {
            let entry = entry.ok()?;
            fds += 1;
            let is_epoll = fs::read_link(entry.path())
                .is_ok_and(|link| link == Path::new("anon_inode:[eventpoll]"));
            if is_epoll {
                let info = fs::read_to_string(proc.join("fdinfo").join(entry.file_name())).ok()?;
                interest.extend(info.lines().filter_map(registration));
            }
        }
        interest.sort();
        Some(Footing {
            resident_kib,
            fds,
            interest,
        })
    }

    /// How much of a processor it has used, in clock ticks. `None` where that cannot be known.
    pub(crate) fn processor_ticks(&self) -> Option<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process)).ok()?;
        // The name, in parentheses, may have spaces in it.
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        Some(ticks()? + ticks()?)
    }

    /// Sends the server a signal, by name.
    pub(crate) fn send(&self, signal: &str) -> bool {
        let kill = format!("kill -{signal} {}", self.process);
        let status = Command::new("sh").args(["-c", &kill]).status();
        status.is_ok_and(|status| status.success())
    }

    /// How it ended, if it did within this time.
    pub(crate) fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        until(limit, || self.child.try_wait().ok().flatten())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _gone = self.send("KILL");
            let _gone = self.child.wait();
        }
    }
}

/// Asks again and again, until there is an answer or the time is over.
pub(crate) fn until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = now() + limit;
    loop {
        let answer = ask();
        if answer.is_some() || now() >= deadline {
            return answer;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tool times what it watches; no loop is concerned"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The number at a path such as `["responses", "2xx"]` of a snapshot. Each name of the path is
/// looked for after the one before it, which is enough for a snapshot.
pub(crate) fn number(json: &str, path: &[&str]) -> Option<u64> {
    let mut rest = json;
    for name in path {
        let (_, after) = rest.split_once(&format!("\"{name}\":"))?;
        rest = after.trim_start();
    }
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

/// Address and process of a line such as
/// `evloop live: listening on http://127.0.0.1:8080/ (process 7, backend epoll)`.
fn welcome(line: &str) -> Option<(SocketAddr, u32)> {
    let (_, rest) = line.split_once("http://")?;
    let (address, rest) = rest.split_once("/ (process ")?;
    let (process, _) = rest.split_once(',')?;
    Some((address.parse().ok()?, process.parse().ok()?))
}

/// Number and mask of a line such as `tfd: 4 events: 19 data: 4 pos:0 ino:91f3 sdev:f`.
fn registration(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    (words.next()? == "tfd:").then_some(())?;
    let fd = words.next()?.to_owned();
    let mask = words.nth(1)?.to_owned();
    Some((fd, mask))
}

/// Longer than any answer takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_address_and_process() {
        let line = "evloop live: listening on http://127.0.0.1:80/ (process 7, backend epoll)\n";
        assert_eq!(welcome(line), Some((([127, 0, 0, 1], 80).into(), 7)));
        assert_eq!(welcome("live: cannot listen"), None);
    }

    #[test]
    fn numbers_are_found_by_their_path() {
        let json = r#"{"all": 3, "loop": {"all": 5, "io":7}, "end":9}"#;
        assert_eq!(number(json, &["all"]), Some(3));
        assert_eq!(number(json, &["loop", "all"]), Some(5));
        assert_eq!(number(json, &["loop", "io"]), Some(7));
        assert_eq!(number(json, &["loop", "none"]), None);
    }

    #[test]
    fn registrations_are_told_from_other_lines() {
        let line = "tfd:        4 events: 80002019 data:        7  pos:0 ino:91f3 sdev:f";
        assert_eq!(registration(line), Some(("4".into(), "80002019".into())));
        assert_eq!(registration("pos:\t0"), None);
    }
}
