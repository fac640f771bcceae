//! memcached on the library: started on the loopback interface, asked, ended.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use super::process::{Running, find, free_port, is_root};
use super::trial::{Side, Trial, Way};
use crate::step::{Failure, Verdict};

/// A memcached, and its port.
#[derive(Debug)]
pub(super) struct Memcached {
    /// The process.
    pub(super) running: Running,
    /// A connection to it.
    pub(super) connection: TcpStream,
    /// Where others can connect.
    pub(super) port: u16,
}

impl Memcached {
    /// Starts `command`, which is memcached without its arguments, and connects to it.
    ///
    /// # Errors
    ///
    /// [`Failure`] where it does not start, or does not listen.
    pub(super) fn start(mut command: Command, threads: u32) -> Result<Self, Failure> {
        let loopback = Path::new("127.0.0.1:0");
        let port = free_port().map_err(|error| Failure::file(loopback, error))?;
        command.args(["-l", "127.0.0.1", "-U", "0", "-c", "1024"]);
        command.args(["-p", &port.to_string(), "-t", &threads.to_string()]);
        if is_root() {
            command.args(["-u", "root"]);
        }
        let mut running = Running::start(&mut command)?;
        let connection = running.connect(port)?;
        Ok(Self {
            running,
            connection,
            port,
        })
    }

    /// Stores a value and asks for it.
    ///
    /// # Errors
    ///
    /// [`Failure::Findings`] with what came instead of the value.
    fn try_out(&mut self) -> Result<(), Failure> {
        let answer = self.talk().unwrap_or_else(|error| error.to_string());
        if answer == "STORED VALUE greeting 0 5 hello END" {
            return Ok(());
        }
        Err(Failure::Findings(format!("memcached answers {answer:?}")))
    }

    fn talk(&mut self) -> std::io::Result<String> {
        self.connection
            .set_read_timeout(Some(super::process::PATIENCE))?;
        self.connection
            .write_all(b"set greeting 0 0 5\r\nhello\r\nget greeting\r\n")?;
        let mut lines = Vec::new();
        for line in BufReader::new(&self.connection).lines().take(4) {
            lines.push(line?);
        }
        Ok(lines.join(" "))
    }
}

/// Starts it with one thread and with four, in both ways of loading, and stores a value.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    let Some(program) = find("memcached") else {
        return Ok(Verdict::Skipped("memcached is not installed"));
    };
    for threads in [1, 4] {
        for way in [Way::Preload, Way::Soname] {
            let mut memcached = Memcached::start(trial.loaded(way, &program), threads)?;
            trial.confirm(Side::Evloop, memcached.running.id())?;
            memcached.try_out()?;
            memcached.running.end("TERM")?;
            println!("memcached -t {threads}, {way}: a value was stored and returned");
        }
    }
    Ok(Verdict::Passed)
}
