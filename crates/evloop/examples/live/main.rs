//! A web server on the event loop, which shows the loop itself: `cargo run --release --example live`.
//!
//! It is what a program on evloop looks like. [`server`] has the events: a listener, a timer that
//! ticks, three signals. Each client's connection is one event more, whose callback owns a
//! [`connection::Connection`]. [`app::App`] is the state that all of them share. The other modules
//! know no loop: [`http`] understands requests, [`response`] writes responses, [`buffer`] moves
//! bytes, [`measure`] counts, [`json`] writes numbers down. What the loop
//! tells of itself is asked for in [`inspection`].

mod app;
mod buffer;
mod connection;
mod http;
mod inspection;
mod json;
mod measure;
mod options;
mod response;
mod routes;
mod server;
mod snapshot;

use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;

use crate::options::{HELP, Options, Request};

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Request::Serve(options)) => options,
        Ok(Request::Help) => {
            print(HELP);
            return ExitCode::SUCCESS;
        }
        Err(misuse) => {
            let _unread = writeln!(io::stderr(), "live: {misuse}");
            return ExitCode::from(2);
        }
    };
    match serve(options) {
        Ok(code) => code,
        Err(error) => {
            let mut reasons = error.to_string();
            let mut under = error.source();
            while let Some(reason) = under {
                let reason_text = reason.to_string();
                if !reasons.ends_with(&reason_text) {
                    reasons = format!("{reasons}: {reason_text}");
                }
                under = reason.source();
            }
            let _unread = writeln!(io::stderr(), "live: {reasons}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until a signal ends it.
fn serve(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address)
        .map_err(|error| format!("cannot listen on {address}: {error}; try --port 0"))?;
    let address = listener.local_addr()?;
    let (mut events, mut app) = server::assemble(listener, options)?;
    server::watch_signals(&mut events)?;
    print(&welcome(address, events.backend_name()));
    let _outcome = events.run(&mut app)?;
    Ok(ExitCode::from(app.exit_code))
}

/// Where the server is, and what to try.
fn welcome(address: SocketAddr, backend: &str) -> String {
    let process = std::process::id();
    format!(
        "\
evloop live: listening on http://{address}/ (process {process}, backend {backend})

  in a browser    http://{address}/
  from a shell    curl -s http://{address}/snapshot.json
                  curl -N http://{address}/events
                  curl -i http://{address}/healthz
                  curl -s http://{address}/table
                  curl -s http://{address}/verify
  under load      wrk -t1 -c100 -d10s http://{address}/healthz
  its events      kill -USR1 {process}
  to stop it      Ctrl-C, or kill -TERM {process}; twice: at once

"
    )
}

/// Prints; whether anybody reads it makes no difference.
fn print(text: &str) {
    let _unread = io::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests;
