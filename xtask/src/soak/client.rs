//! The clients: each visit is one way to treat a server, well or badly, and is accounted for.
//!
//! A visit ends only when it knows what the server has counted for it. So who leaves in the middle
//! of an answer has seen the beginning of it, and who asks for several things at once hears of each.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::random::Random;
use super::tally::Tally;
use crate::live::PATIENCE;

/// A client that visits one server, again and again.
pub(super) struct Client {
    address: SocketAddr,
    random: Random,
    tally: Tally,
}

/// What an answer's head says.
struct Head {
    status: u16,
    length: usize,
    /// Bytes up to the end of the head.
    end: usize,
}

/// A connection, and what was read of it and not used.
struct Connection {
    stream: TcpStream,
    unused: Vec<u8>,
}

type Visit = fn(&mut Client) -> io::Result<()>;

/// Each visit with its weight: those that wait for a time to pass are rare.
const VISITS: [(Visit, usize); 10] = [
    (Client::one_by_one, 30),
    (Client::all_at_once, 15),
    (Client::byte_by_byte, 10),
    (Client::reads_slowly, 8),
    (Client::resets, 15),
    (Client::says_half, 10),
    (Client::says_nonsense, 8),
    (Client::comes_in_a_crowd, 4),
    (Client::watches, 3),
    (Client::falls_asleep, 2),
];

/// What is asked for: the request, and the status that answers it.
const REQUESTS: [(&str, u16); 6] = [
    ("GET /healthz HTTP/1.1\r\nHost: soak\r\n\r\n", 200),
    ("GET / HTTP/1.1\r\nHost: soak\r\n\r\n", 200),
    ("GET /snapshot.json HTTP/1.1\r\nHost: soak\r\n\r\n", 200),
    ("HEAD /healthz HTTP/1.1\r\nHost: soak\r\n\r\n", 200),
    ("GET /nowhere HTTP/1.1\r\nHost: soak\r\n\r\n", 404),
    (
        "POST / HTTP/1.1\r\nHost: soak\r\nContent-Length: 5\r\n\r\nhello",
        405,
    ),
];

impl Client {
    pub(super) fn new(address: SocketAddr, seed: u64) -> Self {
        Self {
            address,
            random: Random::new(seed),
            tally: Tally::default(),
        }
    }

    /// Pays one visit, and tells what the server should have counted.
    ///
    /// # Errors
    ///
    /// The server did not answer as it should have.
    pub(super) fn visit(&mut self) -> Result<Tally, String> {
        self.tally = Tally::default();
        let all: usize = VISITS.iter().map(|(_, weight)| weight).sum();
        let mut left = self.random.below(all);
        let (at, (visit, _)) = VISITS
            .iter()
            .enumerate()
            .find(|(_, (_, weight))| {
                let found = left < *weight;
                left = left.saturating_sub(*weight);
                found
            })
            .expect("it is less than the sum of all");
        visit(self).map_err(|error| format!("visit {at}: {error}"))?;
        Ok(self.tally)
    }

    /// A connection that is kept for some requests.
    fn one_by_one(&mut self) -> io::Result<()> {
        let mut connection = self.connect()?;
        for _ in 0..=self.random.below(20) {
            let (request, status) = self.random.of(&REQUESTS);
            connection.send(request);
            if !self.answered(&mut connection, request, status)? {
                break;
            }
        }
        Ok(())
    }

    /// Many requests in one piece, then the end of what is said, then all answers.
    fn all_at_once(&mut self) -> io::Result<()> {
        let mut connection = self.connect()?;
        let count = 1 + self.random.below(40);
        let requests: Vec<_> = (0..count).map(|_| self.random.of(&REQUESTS)).collect();
        let text: String = requests.iter().map(|(request, _)| *request).collect();
        connection.send(&text);
        connection.says_no_more();
        for (request, status) in requests {
            if !self.answered(&mut connection, request, status)? {
                break;
            }
        }
        connection.is_over()
    }

    fn byte_by_byte(&mut self) -> io::Result<()> {
        let mut connection = self.connect()?;
        let (request, status) = self.random.of(&REQUESTS);
        for byte in request.as_bytes().chunks(1 + self.random.below(7)) {
            connection.send(byte);
            pause(self.random.below(3));
        }
        // On a machine with much to do it may take longer than the server waits.
        let head = connection.head()?;
        if head.status == 408 {
            return self.it_took_too_long(&mut connection, &head);
        }
        self.answered_by(&mut connection, request, status, &head)
            .map(|_| ())
    }

    /// Asks for more than the kernel keeps, and takes it in small pieces: the server has to wait
    /// until it can write.
    fn reads_slowly(&mut self) -> io::Result<()> {
        let mut connection = self.connect()?;
        let (page, status) = REQUESTS[1];
        let count = 300 + self.random.below(200);
        connection.send(page.repeat(count));
        for nth in 0..count {
            if nth.is_multiple_of(8) {
                pause(1);
            }
            if !self.answered(&mut connection, page, status)? {
                break;
            }
        }
        Ok(())
    }

    /// Closes with the answer unread, which makes the kernel send a reset.
    fn resets(&mut self) -> io::Result<()> {
        let connection = self.connect()?;
        (&connection.stream).write_all(REQUESTS[1].0.as_bytes())?;
        // Long enough to tell one answer from the other.
        let mut start = [0; 12];
        while again(|| connection.stream.peek(&mut start))? < start.len() {}
        let is_refused = &start[9..] == b"503";
        self.count(if is_refused { 503 } else { 200 }, true);
        Ok(())
    }

    /// Leaves in the middle of a request.
    fn says_half(&mut self) -> io::Result<()> {
        let mut connection = self.connect()?;
        let request = REQUESTS[0].0;
        connection.send(&request[..1 + self.random.below(request.len() - 3)]);
        connection.says_no_more();
        // Until the server has closed, so that it has counted this as one too many, or not.
        if connection.fill()? != 0 {
            let head = connection.head()?;
            return self.there_is_no_room(&mut connection, &head);
        }
        Ok(())
    }

    fn says_nonsense(&mut self) -> io::Result<()> {
        let mut connection = self.connect()?;
        connection.send("nonsense\r\n\r\n");
        let head = connection.head()?;
        if head.status == 503 {
            return self.there_is_no_room(&mut connection, &head);
        }
        self.count(expect(&head, 400)?, false);
        connection.body(head.length)?;
        connection.is_over()
    }

    /// More at a time than the server has room for, now and then.
    fn comes_in_a_crowd(&mut self) -> io::Result<()> {
        let (request, status) = REQUESTS[0];
        let crowd: io::Result<Vec<_>> = (0..40).map(|_| self.connect()).collect();
        let mut crowd = crowd?;
        for connection in &mut crowd {
            connection.send(request);
        }
        for connection in &mut crowd {
            self.answered(connection, request, status)?;
        }
        Ok(())
    }

    /// Looks at the stream of frames, for a frame or two, and leaves in the middle of it.
    fn watches(&mut self) -> io::Result<()> {
        let mut connection = self.connect()?;
        connection.send("GET /events HTTP/1.1\r\nHost: soak\r\n\r\n");
        let head = connection.head()?;
        if head.status == 503 {
            return self.there_is_no_room(&mut connection, &head);
        }
        self.count(expect(&head, 200)?, true);
        let wanted = 1 + self.random.below(2);
        while connection.count_of(b"data: ") < wanted {
            if connection.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Says nothing, or not enough, until the server has had enough.
    fn falls_asleep(&mut self) -> io::Result<()> {
        let mut connection = self.connect()?;
        let says_something = self.random.below(2) == 0;
        if says_something {
            connection.send("GET /");
        }
        if connection.fill()? == 0 {
            // It fell asleep with nothing said.
            self.tally.timed_out += 1;
            return Ok(());
        }
        let head = connection.head()?;
        if head.status == 503 {
            return self.there_is_no_room(&mut connection, &head);
        }
        self.it_took_too_long(&mut connection, &head)
    }

    fn connect(&mut self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.address)?;
        self.tally.connections += 1;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            unused: Vec::new(),
        })
    }

    /// Reads the answer to a request. False: there is no room, and no more comes.
    fn answered(
        &mut self,
        connection: &mut Connection,
        request: &str,
        status: u16,
    ) -> io::Result<bool> {
        let head = connection.head()?;
        self.answered_by(connection, request, status, &head)
    }

    fn answered_by(
        &mut self,
        connection: &mut Connection,
        request: &str,
        status: u16,
        head: &Head,
    ) -> io::Result<bool> {
        if head.status == 503 {
            self.there_is_no_room(connection, head)?;
            return Ok(false);
        }
        self.count(expect(head, status)?, true);
        if !request.starts_with("HEAD") {
            connection.body(head.length)?;
        }
        Ok(true)
    }

    fn it_took_too_long(&mut self, connection: &mut Connection, head: &Head) -> io::Result<()> {
        self.tally.timed_out += 1;
        self.count(expect(head, 408)?, false);
        connection.body(head.length)?;
        connection.is_over()
    }

    fn there_is_no_room(&mut self, connection: &mut Connection, head: &Head) -> io::Result<()> {
        self.count(expect(head, 503)?, false);
        connection.body(head.length)
    }

    fn count(&mut self, status: u16, is_request: bool) {
        match status / 100 {
            2 => self.tally.ok += 1,
            4 => self.tally.refused += 1,
            _ => self.tally.unavailable += 1,
        }
        self.tally.requests += u64::from(is_request && status != 503);
    }
}

impl Connection {
    /// Sends as much as the server takes. One that has no room takes nothing after a while, and its
    /// answer tells so.
    fn send(&mut self, text: impl AsRef<[u8]>) {
        let _told_by_the_answer = self.stream.write_all(text.as_ref());
    }

    fn says_no_more(&mut self) {
        let _told_by_the_answer = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads some; how much.
    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        let count = again(|| self.stream.read(&mut buffer))?;
        self.unused.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    fn head(&mut self) -> io::Result<Head> {
        loop {
            if let Some(head) = parse(&self.unused) {
                self.unused.drain(..head.end);
                return Ok(head);
            }
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn body(&mut self, length: usize) -> io::Result<()> {
        while self.unused.len() < length {
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        self.unused.drain(..length);
        Ok(())
    }

    fn count_of(&self, words: &[u8]) -> usize {
        let windows = self.unused.windows(words.len());
        windows.filter(|window| *window == words).count()
    }

    /// Nothing more may come.
    fn is_over(&mut self) -> io::Result<()> {
        if self.unused.is_empty() && self.fill()? == 0 {
            Ok(())
        } else {
            Err(io::Error::other("more came than was asked for"))
        }
    }
}

/// The head of an answer, once all of it is there.
fn parse(bytes: &[u8]) -> Option<Head> {
    let end = 4 + bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let length = text.split_once("Content-Length: ").and_then(|(_, rest)| {
        let (length, _) = rest.split_once('\r')?;
        length.parse().ok()
    });
    let length = length.unwrap_or(0);
    Some(Head {
        status,
        length,
        end,
    })
}

fn expect(head: &Head, status: u16) -> io::Result<u16> {
    if head.status == status {
        Ok(status)
    } else {
        let said = format!("answered {} instead of {status}", head.status);
        Err(io::Error::other(said))
    }
}

/// Makes a call until it is not interrupted. A socket with a timeout is, by more than signals: when
/// the whole machine was frozen for a while, too.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn pause(milliseconds: usize) {
    let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX);
    thread::sleep(Duration::from_millis(milliseconds));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_is_parsed_when_it_is_whole() {
        let text = b"HTTP/1.1 404 Not Found\r\nContent-Length: 14\r\n\r\n404 Not";
        for end in 0..46 {
            assert!(parse(&text[..end]).is_none(), "{end}");
        }
        let head = parse(text).unwrap();
        assert_eq!((head.status, head.length, head.end), (404, 14, 46));
    }
}
