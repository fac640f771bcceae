//! Who is measured: the processes, what starts them, and the C programs that are compiled for it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::net;
use crate::plan::Case;
use crate::roster::{self, Library, Program, Row};

/// A contender that can be started here.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) row: &'static Row,
    /// Nothing where another one's is the same.
    pub(crate) version: String,
    program: PathBuf,
    /// The one for the works of [`net`].
    net_program: PathBuf,
    /// What stands before the work on the command line.
    prefix: Vec<String>,
}

/// What there is to measure, and to count with.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) contenders: Vec<Contender>,
    /// A library that counts the allocations of a program that it is preloaded to.
    pub(crate) allocations: Option<PathBuf>,
    /// The Debian packages of what is not there.
    pub(crate) missing: Vec<&'static str>,
}

/// Looks for all of it; compiles what is in C.
///
/// # Errors
///
/// A program in C does not compile, though all it needs is there.
pub(crate) fn find(out: &Path) -> Result<Found, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut contenders = Vec::new();
    let mut missing = Vec::new();
    for (program, package) in [
        ("cc", "gcc libc6-dev"),
        ("valgrind", "valgrind"),
        ("strace", "strace"),
    ] {
        let mut asked = Command::new(program);
        if asked.arg("--version").output().is_err() {
            missing.push(package);
        }
    }
    for row in roster::ROWS {
        contenders.push(match row.program {
            Program::Here(..) => Contender {
                row,
                version: version(row.name),
                program: own.clone(),
                net_program: own.clone(),
                prefix: vec!["runner".to_owned(), row.name.to_owned()],
            },
            Program::InC(library, _) => {
                let Library { source, flags, .. } = library;
                let net = format!("{source}_net");
                let program = compile(out, source, source, flags)?;
                let Some((program, net_program)) = program.zip(compile(out, &net, &net, flags)?)
                else {
                    missing.push(library.package);
                    continue;
                };
                Contender {
                    row,
                    version: debian_version(library.package),
                    program,
                    net_program,
                    prefix: Vec::new(),
                }
            }
        });
    }
    missing.dedup();
    let allocations = compile(out, "allocations", "allocations.so", &["-shared", "-fPIC"])?;
    Ok(Found {
        contenders,
        allocations,
        missing,
    })
}

/// The program; none if the compiler, a header or a library is not there.
fn compile(out: &Path, source: &str, to: &str, flags: &[&str]) -> Result<Option<PathBuf>, String> {
    let code = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("c")
        .join(format!("{source}.c"));
    let program = std::path::absolute(out.join(to)).map_err(|error| error.to_string())?;
    let mut cc = Command::new("cc");
    // What it says is looked at.
    cc.env("LC_ALL", "C");
    cc.args(["-O2", "-Wall", "-pthread", "-o"])
        .args([&program, &code])
        .args(flags);
    let Ok(output) = cc.output() else {
        return Ok(None);
    };
    if output.status.success() {
        return Ok(Some(program));
    }
    let says = String::from_utf8_lossy(&output.stderr);
    let is_missing = |line: &str| line.contains("No such file") || line.contains("cannot find -l");
    if says.lines().any(is_missing) {
        return Ok(None);
    }
    Err(format!("{}: {says}", code.display()))
}

fn version(name: &str) -> String {
    let lock = include_str!("../Cargo.lock");
    let name = if name.starts_with("raw") {
        "rustix"
    } else {
        name
    };
    let mut lines = lock
        .lines()
        .skip_while(|line| *line != format!("name = \"{name}\""));
    let version = lines.nth(1).and_then(|line| line.split('"').nth(1));
    version.map_or_else(String::new, |version| format!("{name} {version}"))
}

fn debian_version(package: &str) -> String {
    let mut query = Command::new("dpkg-query");
    let output = query
        .args(["-W", "-f", "${Package} ${Version}", package])
        .output();
    output.map_or_else(
        |_| package.to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// A contender that is set up for a case, and waits for batches.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The other ends of its connections.
    generators: Vec<Child>,
}

impl Contender {
    /// Its command for a case, to be run under the tool if there is one.
    fn command(&self, tool: &[String], case: &Case) -> Command {
        let work = &case.work;
        let program = if net::WORKS.contains(&work.name.as_str()) {
            &self.net_program
        } else {
            &self.program
        };
        let program = program.display().to_string();
        let env = match self.row.program {
            Program::InC(_, Some(variable)) => Some((variable, "1")),
            _ => None,
        };
        let args = [
            work.name.clone(),
            work.n.to_string(),
            work.active.to_string(),
        ];
        let mut words = tool
            .iter()
            .chain([&program])
            .chain(&self.prefix)
            .chain(&args);
        let mut command = Command::new(words.next().expect("the program at least"));
        command.args(words).envs(env);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// Why it has no part in this case.
    pub(crate) fn start(&self, case: &Case) -> Result<Running, String> {
        self.start_under(&[], case)
    }

    /// Starts it under a tool, if there is one.
    ///
    /// # Errors
    ///
    /// Why it has no part in this case.
    pub(crate) fn start_under(&self, tool: &[String], case: &Case) -> Result<Running, String> {
        let mut child = self
            .command(tool, case)
            .spawn()
            .map_err(|error| error.to_string())?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut running = Running {
            child,
            input,
            output,
            generators: Vec::new(),
        };
        let mut line = running.line()?;
        if let Some(port) = line.strip_prefix("port ") {
            running.generators = generators(port, case)?;
            line = running.line()?;
        }
        match line.strip_prefix("none ") {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(running),
        }
    }
}

/// Starts what connects to that port.
fn generators(port: &str, case: &Case) -> Result<Vec<Child>, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let start = |[connections, cpu]: [String; 2]| {
        let mut command = Command::new(&own);
        command.args(["load", &case.work.name, port, &connections, &cpu]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.spawn().map_err(|error| error.to_string())
    };
    net::generators(&case.work).into_iter().map(start).collect()
}

impl Running {
    /// Has it do so many operations; the numbers it answers with, one for each of the work's readings.
    ///
    /// # Errors
    ///
    /// It ended, or said something else.
    pub(crate) fn batch(&mut self, ops: u64) -> Result<Vec<f64>, String> {
        self.ask(ops)?;
        let line = self.line()?;
        let numbers: Result<_, _> = line.split(' ').map(str::parse).collect();
        numbers.map_err(|_| format!("it said {line:?}"))
    }

    /// Asks for a batch, and does not wait for the answer.
    ///
    /// # Errors
    ///
    /// It ended.
    pub(crate) fn ask(&mut self, ops: u64) -> Result<(), String> {
        let input = self.input.as_mut().expect("it is there until the end");
        writeln!(input, "{ops}").map_err(|error| error.to_string())
    }

    /// Lets it end, when it has done what it was asked for.
    ///
    /// # Errors
    ///
    /// It did not end well.
    pub(crate) fn end(mut self) -> Result<(), String> {
        self.input = None;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let well = status.success().then_some(());
        well.ok_or_else(|| status.to_string())
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        if self.output.buffer().is_empty() {
            let mut fds = [PollFd::new(self.output.get_ref(), PollFlags::IN)];
            let ready = poll(&mut fds, Some(&PATIENCE)).map_err(|error| error.to_string())?;
            if ready == 0 {
                let _ = self.child.kill();
                return Err(format!("no answer in {} s", PATIENCE.tv_sec));
            }
        }
        self.output
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        if line.is_empty() {
            return Err("it ended before it answered".to_owned());
        }
        Ok(line.trim().to_owned())
    }
}

/// Longer than any batch takes, and than connecting may.
const PATIENCE: Timespec = Timespec {
    tv_sec: 300,
    tv_nsec: 0,
};

impl Drop for Running {
    fn drop(&mut self) {
        // Its input ends, and so does it, and then its connections and their other ends.
        self.input = None;
        let _ = self.child.wait();
        for generator in &mut self.generators {
            let _ = generator.wait();
        }
    }
}
