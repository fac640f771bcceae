//! A client of memcached with many connections: one request on each of them, then the answers.
//!
//! So the server finds several connections ready at a time, as a busy one does.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

/// Connections, and a generator of random numbers that chooses what they ask.
#[derive(Debug)]
pub(crate) struct Client {
    connections: Vec<TcpStream>,
    random: u64,
    /// What the round that runs has asked; kept for its memory.
    asked: Vec<Request>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// Store a value.
    Set(u64),
    /// Return a value that was stored.
    Get(u64),
}

impl Client {
    /// Connects.
    pub(crate) fn connect(port: u16, connections: usize, seed: u64) -> io::Result<Self> {
        let connect = |_| {
            let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            connection.set_nodelay(true)?;
            connection.set_read_timeout(Some(super::super::process::PATIENCE))?;
            Ok(connection)
        };
        Ok(Self {
            connections: (0..connections).map(connect).collect::<io::Result<_>>()?,
            random: seed + 1,
            asked: Vec::with_capacity(connections),
        })
    }

    /// Stores a value under every key.
    pub(crate) fn warm_up(&mut self) -> io::Result<()> {
        for key in 0..KEYS {
            let connection = &mut self.connections[0];
            connection.write_all(&request(Request::Set(key)))?;
            answer(connection, Request::Set(key))?;
        }
        Ok(())
    }

    /// Asks on all connections, round after round, while `goes_on`; returns how many requests
    /// were answered.
    pub(super) fn run(&mut self, goes_on: impl Fn() -> bool) -> io::Result<u64> {
        let mut answered = 0;
        while goes_on() {
            answered += self.round()?;
        }
        Ok(answered)
    }

    /// Asks so many times on all connections.
    pub(crate) fn rounds(&mut self, rounds: u64) -> io::Result<()> {
        for _ in 0..rounds {
            self.round()?;
        }
        Ok(())
    }

    fn round(&mut self) -> io::Result<u64> {
        self.asked.clear();
        for connection in &mut self.connections {
            self.random = step(self.random);
            let what = choose(self.random);
            connection.write_all(&request(what))?;
            self.asked.push(what);
        }
        let mut answered = 0;
        for (connection, what) in self.connections.iter_mut().zip(&self.asked) {
            answer(connection, *what)?;
            answered += 1;
        }
        Ok(answered)
    }
}

/// One in ten stores.
fn choose(random: u64) -> Request {
    let key = (random >> 8) % KEYS;
    if random.is_multiple_of(10) {
        Request::Set(key)
    } else {
        Request::Get(key)
    }
}

fn request(what: Request) -> Vec<u8> {
    match what {
        Request::Get(key) => format!("get key-{key}\r\n").into_bytes(),
        Request::Set(key) => {
            format!("set key-{key} 0 0 {}\r\n{VALUE}\r\n", VALUE.len()).into_bytes()
        }
    }
}

/// Reads the answer to `what`, and wants it to be the right one.
fn answer(connection: &mut TcpStream, what: Request) -> io::Result<()> {
    let wanted = match what {
        Request::Set(_) => "STORED\r\n".to_owned(),
        Request::Get(key) => format!("VALUE key-{key} 0 {}\r\n{VALUE}\r\nEND\r\n", VALUE.len()),
    };
    let mut read = [0; 256];
    let read = &mut read[..wanted.len()];
    connection.read_exact(read)?;
    if read == wanted.as_bytes() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(read);
    Err(Error::new(
        ErrorKind::InvalidData,
        format!("{what:?}: {text:?}"),
    ))
}

/// The next random number: Marsaglia's xorshift, which zero must not enter.
fn step(mut random: u64) -> u64 {
    random ^= random << 13;
    random ^= random >> 7;
    random ^ (random << 17)
}

const KEYS: u64 = 1_000;

/// A hundred bytes, as sessions and counters are.
const VALUE: &str = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn random_numbers_do_not_get_stuck() {
        let numbers: Vec<_> = (0..100)
            .scan(1, |r, _| {
                Some({
                    *r = step(*r);
                    *r
                })
            })
            .collect();
        assert!(numbers.iter().any(|r| choose(*r) != choose(numbers[0])));
        assert!(
            numbers
                .iter()
                .any(|r| matches!(choose(*r), Request::Set(_)))
        );
        assert!(numbers.iter().all(|r| *r != 0));
    }

    #[test]
    fn a_wrong_answer_is_an_error() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            peer.write_all(b"STORED\r\nERROR!\r\n").unwrap();
            peer
        });
        let mut client = Client::connect(port, 1, 0).unwrap();
        let _peer = server.join().unwrap();
        let connection = &mut client.connections[0];
        answer(connection, Request::Set(1)).unwrap();
        let error = answer(connection, Request::Set(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
