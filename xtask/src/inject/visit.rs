//! A client that comes, asks twice over one connection, and looks how it is treated.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How a client was treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// It got its answers.
    Answered,
    /// Its connection ended, or did not begin.
    Lost,
    /// It got neither an answer nor an end.
    Waits,
}

pub(super) fn visit(address: SocketAddr) -> Visit {
    match asked_twice(address) {
        Ok(()) => Visit::Answered,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Visit::Waits
        }
        Err(_) => Visit::Lost,
    }
}

fn asked_twice(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    for _ in 0..2 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: inject\r\n\r\n")?;
        let mut answer = Vec::new();
        while !is_whole(&answer) {
            let mut buffer = [0; 1024];
            let count = match stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                count => count?,
            };
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&buffer[..count]);
        }
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(io::Error::other("not what was asked for"));
        }
    }
    Ok(())
}

/// Whether the answer has come with all of its short body.
fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"ok\n")
}

/// Longer than any repair takes.
const PATIENCE: Duration = Duration::from_secs(5);
