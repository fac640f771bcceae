//! The command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) port: u16,
    pub(crate) max_connections: usize,
    /// How long a connection may be without a request, or without taking its response.
    pub(crate) idle: Duration,
    /// How long a request may take to arrive.
    pub(crate) request: Duration,
    /// How long what is in flight may take when the server stops.
    pub(crate) grace: Duration,
    /// How often the pages are told.
    pub(crate) tick: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 8080,
            max_connections: 1000,
            idle: Duration::from_secs(60),
            request: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            tick: Duration::from_secs(1),
        }
    }
}

pub(crate) const HELP: &str = "\
A web server on the event loop, which shows the loop itself.

Usage: cargo run --release --example live -- [OPTIONS]

Options:
  --port N               where to listen on 127.0.0.1; 0 picks a free port [8080]
  --max-connections N    how many clients are served at once; more get 503 [1000]
  --idle-seconds N       when an idle connection is closed [60]
  --request-seconds N    how long a request may take to arrive, else 408 [10]
  --grace-seconds N      how long the last responses may take at the end [5]
  --help                 this text

Paths:
  /                      the page
  /events                what feeds it: Server-Sent Events, one a second
  /snapshot.json         the same numbers once
  /table                 all events of the loop, a line each
  /verify                has the loop check itself, and what the kernel holds
                         against what it was told: 200 if all is in order, else 500
  /healthz               ok

Signals:
  SIGINT, SIGTERM        stop accepting, finish what is in flight, exit with 0;
                         a second one exits at once, with 130 or 143
  SIGUSR1                write the table of events to standard error
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Help,
    Serve(Options),
}

/// What is wrong with the command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Misuse {
    Unknown(String),
    NoValue(String),
    BadValue(String, String),
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no option {name:?}; try --help"),
            Self::NoValue(name) => write!(f, "{name} takes a number"),
            Self::BadValue(name, value) => write!(f, "{name} takes a number, not {value:?}"),
        }
    }
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Request, Misuse> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--help" || argument == "-h" {
            return Ok(Request::Help);
        }
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), arguments.next()),
        };
        match name {
            "--port" => options.port = number(name, value)?,
            "--max-connections" => options.max_connections = number(name, value)?,
            "--idle-seconds" => options.idle = seconds(name, value)?,
            "--request-seconds" => options.request = seconds(name, value)?,
            "--grace-seconds" => options.grace = seconds(name, value)?,
            _ => return Err(Misuse::Unknown(name.to_owned())),
        }
    }
    Ok(Request::Serve(options))
}

fn number<T: FromStr>(name: &str, value: Option<String>) -> Result<T, Misuse> {
    let value = value.ok_or_else(|| Misuse::NoValue(name.to_owned()))?;
    let parsed = value.parse();
    parsed.map_err(|_| Misuse::BadValue(name.to_owned(), value))
}

fn seconds(name: &str, value: Option<String>) -> Result<Duration, Misuse> {
    // 136 years are enough, and can be added to any time.
    number::<u32>(name, value).map(|seconds| Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, Misuse> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn nothing_asked_for_is_the_default() {
        assert_eq!(parsed(""), Ok(Request::Serve(Options::default())));
        assert_eq!(Options::default().port, 8080);
    }

    #[test]
    fn value_is_the_next_argument_or_after_an_equals_sign() {
        let expected = Options {
            port: 0,
            idle: Duration::from_secs(3),
            ..Options::default()
        };
        assert_eq!(
            parsed("--port 0 --idle-seconds=3"),
            Ok(Request::Serve(expected))
        );
    }

    #[test]
    fn every_option_of_the_help_is_understood() {
        for line in HELP.lines().filter(|line| line.starts_with("  --")) {
            let name = line.split_whitespace().next().unwrap();
            assert!(parsed(&format!("{name} 1")).is_ok(), "{name}");
        }
    }

    #[test]
    fn help_is_for_whoever_asks() {
        assert_eq!(parsed("--port 1 --help"), Ok(Request::Help));
        assert_eq!(parsed("-h"), Ok(Request::Help));
    }

    #[test]
    fn misuse_is_named() {
        for (line, message) in [
            ("--prot 1", "there is no option \"--prot\"; try --help"),
            ("8080", "there is no option \"8080\"; try --help"),
            ("--port", "--port takes a number"),
            ("--port=", "--port takes a number, not \"\""),
            ("--port 65536", "--port takes a number, not \"65536\""),
            (
                "--grace-seconds -1",
                "--grace-seconds takes a number, not \"-1\"",
            ),
        ] {
            assert_eq!(parsed(line).unwrap_err().to_string(), message);
        }
    }
}
