//! Programs under test: started with the right library, waited for, ended.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use crate::step::Failure;

/// A running program that is ended, and waited for, when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    line: String,
}

impl Running {
    /// Starts `command`, without input or output.
    ///
    /// # Errors
    ///
    /// [`Failure::Start`].
    pub(super) fn start(command: &mut Command) -> Result<Self, Failure> {
        let line = line(command);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        match command.stderr(Stdio::null()).spawn() {
            Ok(child) => Ok(Self { child, line }),
            Err(source) => Err(Failure::Start { line, source }),
        }
    }

    /// The number of the process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Connects to the port that the program was told to listen on, as soon as it does.
    ///
    /// # Errors
    ///
    /// [`Failure::Findings`] when it ends, or does not listen in time.
    pub(super) fn connect(&mut self, port: u16) -> Result<TcpStream, Failure> {
        self.wait_until("listen", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        })
    }

    /// Asks again and again until `ready` has an answer.
    ///
    /// # Errors
    ///
    /// [`Failure::Findings`] when the program ends first, or it takes too long.
    pub(super) fn wait_until<T>(
        &mut self,
        to: &str,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<T, Failure> {
        for _ in 0..ATTEMPTS {
            if let Some(answer) = ready() {
                return Ok(answer);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                let message = format!("`{}` ended ({status}) and did not {to}", self.line);
                return Err(Failure::Findings(message));
            }
            thread::sleep(PAUSE);
        }
        Err(Failure::Findings(format!("`{}` does not {to}", self.line)))
    }

    /// Sends a signal by its name, and waits for the program to end.
    ///
    /// # Errors
    ///
    /// [`Failure::Findings`] when it does not end by itself.
    pub(super) fn end(mut self, signal: &str) -> Result<(), Failure> {
        let mut kill = Command::new("kill");
        let _sent = kill.args(["-s", signal, &self.id().to_string()]).status();
        for _ in 0..ATTEMPTS {
            if let Ok(Some(_)) = self.child.try_wait() {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        Err(Failure::Findings(format!(
            "`{}` outlives SIG{signal}",
            self.line
        )))
    }

    /// The time on a processor, in ticks of 10 ms, that all threads of the program have used.
    pub(super) fn cpu_ticks(&self) -> Option<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        cpu_ticks(&stat)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; there is nothing to tell anybody then.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

/// User and system time, fields 14 and 15: counted behind the name, which may hold spaces.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Runs `command` to its end, and returns what it wrote.
///
/// # Errors
///
/// [`Failure::Start`]; how it ended is in the output.
pub(super) fn output(command: &mut Command) -> Result<Output, Failure> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Start {
            line: line(command),
            source,
        })
}

/// Runs `command` to its end, and wants it to succeed.
///
/// # Errors
///
/// [`Failure::Start`], or [`Failure::Command`] after its error output was printed.
pub(super) fn succeed(command: &mut Command) -> Result<String, Failure> {
    let output = output(command)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    print!("{text}{}", String::from_utf8_lossy(&output.stderr));
    Err(Failure::Command {
        line: line(command),
        status: output.status,
    })
}

/// Whether the process has mapped `library`.
pub(super) fn has_mapped(process: u32, library: &Path) -> bool {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
    let name = library.display().to_string();
    maps.lines().any(|line| line.ends_with(&name))
}

/// Where a program is, if it is installed.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(ELSEWHERE.map(PathBuf::from));
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Whether this process is root's: some servers want to be told, some refuse it.
pub(super) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A port of the loopback interface that nobody listens on.
///
/// # Errors
///
/// The kernel's.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// Folders of servers, which a user's `PATH` may lack.
const ELSEWHERE: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];
/// Between two questions whether a program is ready.
pub(super) const PAUSE: Duration = Duration::from_millis(20);
/// Half a minute of questions.
const ATTEMPTS: u32 = 1_500;
/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_name_with_spaces() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 9 0 0 0 12 30 5 5 20 0 1 0 100 0 0";
        assert_eq!(cpu_ticks(stat), Some(42));
        assert_eq!(cpu_ticks("nothing"), None);
    }

    #[test]
    fn programs_are_found_and_their_lack_is_seen() {
        assert!(find("sh").is_some());
        assert_eq!(find("no-program-has-this-name"), None);
    }

    #[test]
    fn a_program_that_ends_is_not_waited_for() {
        let mut running = Running::start(Command::new("sh").args(["-c", "exit 3"])).unwrap();
        let failure = running.wait_until("listen", || None::<()>).unwrap_err();
        assert!(failure.to_string().contains("exit status: 3"), "{failure}");
    }

    #[test]
    fn maps_tell_what_a_process_runs_on() {
        let own = std::env::current_exe().unwrap();
        assert!(has_mapped(std::process::id(), &own));
        assert!(!has_mapped(std::process::id(), Path::new("/no/library.so")));
    }
}
