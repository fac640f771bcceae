//! The whole server, as its clients and its operator see it.
//!
//! Each test has a server of its own, on a thread of its own. Time is waited for in reads only; the
//! limits that they have are there for a server that does not answer at all.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use evloop::{Interest, Signal};
use rustix::process::{getpid, kill_process};

use crate::app::App;
use crate::measure::now;
use crate::options::Options;
use crate::server;

/// What a test waits for comes sooner, however slow the machine.
const FOREVER: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    stop: UnixStream,
    thread: JoinHandle<App>,
}

impl Server {
    fn start(options: Options) -> Self {
        Self::start_with(options, false)
    }

    fn start_with(options: Options, watches_signals: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = UnixStream::pair().unwrap();
        let (mut ready, is_ready) = UnixStream::pair().unwrap();
        let thread = thread::spawn(move || {
            let (mut events, mut app) = server::assemble(listener, options).unwrap();
            events
                .io(stopped, Interest::READ)
                .label("test")
                .add(|cx, _, _| server::stop(cx))
                .unwrap();
            if watches_signals {
                server::watch_signals(&mut events).unwrap();
            }
            drop(is_ready);
            let _outcome = events.run(&mut app).unwrap();
            events.check_invariants();
            app
        });
        // The signals are watched when the other end is closed.
        assert_eq!(ready.read(&mut [0]).unwrap(), 0);
        Self {
            address,
            stop,
            thread,
        }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(FOREVER)).unwrap();
        stream.set_write_timeout(Some(FOREVER)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client(BufReader::new(stream))
    }

    /// Asks for one thing on a connection of its own.
    fn get(&self, path: &str) -> Response {
        let mut client = self.connect();
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        client.response()
    }

    /// As a signal would.
    fn begin_to_stop(&self) {
        self.stop.shutdown(std::net::Shutdown::Both).unwrap();
    }

    fn end(self) -> App {
        self.thread.join().unwrap()
    }

    fn stop(self) -> App {
        self.begin_to_stop();
        self.end()
    }
}

struct Client(BufReader<TcpStream>);

#[derive(Debug)]
struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn head(&mut self) -> (u16, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "after {head:?}");
        }
        (head[9..12].parse().unwrap(), head)
    }

    fn response(&mut self) -> Response {
        let (status, head) = self.head();
        let (_, length) = head.split_once("Content-Length: ").unwrap();
        let length = length.lines().next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        Response { status, head, body }
    }

    /// All that comes until the server closes.
    fn rest(&mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}

const OK: &str = "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let server = Server::start(Options::default());
    let mut client = server.connect();
    client.send(&format!(
        "{OK}\
         GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n\
         POST /healthz HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nGET\
         GET /snapshot.json?x HTTP/1.1\r\nHost: test\r\n\r\n\
         GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n{OK}"
    ));
    let responses = [(); 5].map(|()| client.response());
    let statuses = responses.each_ref().map(|response| response.status);
    assert_eq!(statuses, [200, 404, 405, 200, 200]);
    assert_eq!(responses[0].body, "ok\n");
    assert!(responses[2].head.contains("Allow: GET, HEAD\r\n"));
    assert!(responses[3].body.starts_with("{\"backend\":\"epoll\","));
    assert!(responses[4].head.contains("Connection: close\r\n"));
    assert!(responses[4].body.ends_with("</html>\n"));
    assert_eq!(client.rest(), "", "nothing is answered after the last");
    drop(client);
    let app = server.stop();
    assert_eq!((app.counters.accepted, app.counters.requests), (1, 5));
    assert_eq!(app.counters.responses, [0, 0, 3, 0, 2, 0]);
}

/// Of what one place has added, all are counted and the busiest are shown.
#[test]
fn events_are_told_by_where_they_were_added() {
    let server = Server::start(Options::default());
    let mut clients: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(OK);
        assert_eq!(client.response().body, "ok\n");
    }
    let told = server.get("/snapshot.json").body;
    let (_, places) = told.split_once("\"places\":[").unwrap();
    let (_, connections) = places.split_once("\"label\":\"connection\"").unwrap();
    let connections = connections.split("\"label\"").next().unwrap();
    // The eight, and the one that asks.
    assert!(connections.starts_with(",\"place\":\"server.rs:"), "{told}");
    assert!(connections.contains(",\"count\":9,\"runs\":"), "{told}");
    assert_eq!(connections.matches("\"waits_for\":\"fd ").count(), 5);
    let times = connections.split("\"time_ns\":").skip(1);
    let times: Vec<u64> = times
        .map(|rest| rest.split_once(',').unwrap().0.parse().unwrap())
        .collect();
    // That of all, then those of the busiest, the busiest first.
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert!(times[0] > 0, "they are measured");
    assert!(times[1..].iter().sum::<u64>() <= times[0], "{times:?}");
    for label in ["tick", "listener", "test"] {
        assert!(places.contains(&format!("\"label\":\"{label}\"")), "{told}");
    }
    // More urgent first.
    assert!(places.starts_with("{\"label\":\"tick\""), "{told}");
    assert!(told.contains("\"peaks\":{\"pending\":12,"), "{told}");
    let table = server.get("/table").body;
    // A title, the listener, the tick, the test's own, and the clients.
    assert_eq!(table.lines().count(), 1 + 3 + 9, "{table}");
    drop(clients);
    server.stop();
}

#[test]
fn server_checks_itself_when_it_is_asked() {
    let server = Server::start(Options::default());
    let mut client = server.connect();
    for _ in 0..3 {
        client.send("GET /verify HTTP/1.1\r\nHost: test\r\n\r\n");
        let response = client.response();
        assert_eq!(response.status, 200);
        assert!(
            response.body.starts_with("in order: 4 events and"),
            "{response:?}"
        );
    }
    drop(client);
    server.stop();
}

#[test]
fn requests_may_be_cut_anywhere() {
    let server = Server::start(Options::default());
    let text = "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy".to_owned() + OK;
    let mut client = server.connect();
    for position in 0..=text.len() {
        client.send(&text[..position]);
        client.send(&text[position..]);
        assert_eq!(client.head().0, 200);
        assert_eq!(client.response().body, "ok\n");
    }
    server.stop();
}

#[test]
fn one_too_many_is_refused_and_the_next_is_served() {
    let server = Server::start(Options {
        max_connections: 1,
        ..Options::default()
    });
    let mut first = server.connect();
    first.send(OK);
    assert_eq!(first.response().status, 200);
    let refused = server.connect().rest();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    drop(first);
    let start = now();
    while server.get("/healthz").status == 503 {
        assert!(start.elapsed() < FOREVER, "the room is not used again");
    }
    assert!(server.stop().counters.refused > 0);
}

#[test]
fn accepting_is_paused_when_even_refusals_are_too_many() {
    let server = Server::start(Options {
        max_connections: 0,
        ..Options::default()
    });
    // Those that are refused are let go only when they have closed, or after a second.
    let mut clients: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    for mut client in clients.drain(..) {
        assert!(client.rest().starts_with("HTTP/1.1 503 "));
    }
    let app = server.stop();
    assert_eq!(app.counters.refused, 40);
    // It does not spin: each pause lasts until there is room, or 100 ms.
    assert!((1..=40).contains(&app.counters.accept_pauses));
}

fn impatient() -> Options {
    let short = Duration::from_millis(50);
    Options {
        idle: short,
        request: short,
        ..Options::default()
    }
}

#[test]
fn idle_connection_is_closed_without_a_word() {
    let server = Server::start(impatient());
    let mut client = server.connect();
    let start = now();
    client.send(OK);
    assert_eq!(client.response().status, 200);
    assert_eq!(client.rest(), "");
    assert!(start.elapsed() >= impatient().idle);
    assert_eq!(server.stop().counters.timed_out, 1);
}

#[test]
fn slow_request_is_timed_out_though_its_bytes_keep_coming() {
    let server = Server::start(impatient());
    let mut client = server.connect();
    let start = now();
    client.send(&format!("{OK}GET / HTTP/1.1\r\nX: "));
    assert_eq!(client.response().status, 200);
    let pace = Some(Duration::from_millis(5));
    client.0.get_ref().set_read_timeout(pace).unwrap();
    loop {
        client.send("y");
        match client.0.fill_buf() {
            Ok(bytes) => break assert!(bytes.starts_with(b"HTTP/1.1 408 ")),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        assert!(start.elapsed() < FOREVER);
    }
    assert!(start.elapsed() >= impatient().request);
    drop(client);
    server.stop();
}

#[test]
fn refusal_reaches_a_client_that_goes_on_sending() {
    let server = Server::start(Options::default());
    let mut client = server.connect();
    client.send(&format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(200_000)));
    let text = client.rest();
    assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
    assert!(text.contains("Connection: close\r\n"), "{text}");
    drop(client);
    server.stop();
}

#[test]
fn page_is_sent_a_frame_at_each_tick_until_the_server_stops() {
    let server = Server::start(Options {
        tick: Duration::from_millis(5),
        ..Options::default()
    });
    let mut client = server.connect();
    client.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n");
    let (status, head) = client.head();
    assert_eq!(status, 200);
    assert!(head.contains("Content-Type: text/event-stream\r\n"));
    let mut stream = String::new();
    while stream.matches("\ndata: ").count() < 4 {
        assert_ne!(client.0.read_line(&mut stream).unwrap(), 0);
    }
    server.begin_to_stop();
    stream += &client.rest();
    drop(client);
    assert!(stream.starts_with("retry: 1000\n\ndata: {"), "{stream}");
    assert!(stream.ends_with("}\n\n"), "the last frame is whole");
    let turns = stream.lines().filter_map(|line| {
        let (_, after) = line.split_once("\"turns\":")?;
        after.split_once(',')?.0.parse::<u64>().ok()
    });
    assert!(turns.is_sorted_by(|a, b| a < b), "{stream}");
    // The tick's alone: a page may take as long as it likes.
    let (_, last) = stream.rsplit_once("\ndata: ").unwrap();
    assert!(last.contains("\"timers\":{\"running\":1,"), "{last}");
    server.end();
}

#[test]
fn page_that_does_not_read_is_dropped() {
    let server = Server::start(Options {
        tick: Duration::from_millis(1),
        ..Options::default()
    });
    let mut page = server.connect();
    page.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut client = server.connect();
    let start = now();
    loop {
        client.send("GET /snapshot.json HTTP/1.1\r\nHost: test\r\n\r\n");
        if client.response().body.contains("\"pages_dropped\":1") {
            break;
        }
        assert!(start.elapsed() < FOREVER);
    }
    assert_eq!(server.stop().pages.len(), 0);
}

#[test]
fn stopping_closes_idle_connections_and_answers_what_has_arrived() {
    let server = Server::start(Options::default());
    let mut idle = server.connect();
    idle.send(OK);
    assert_eq!(idle.response().status, 200);
    let mut asking = server.connect();
    asking.send(OK);
    server.begin_to_stop();
    assert_eq!(idle.rest(), "");
    let answer = asking.rest();
    assert!(answer.ends_with("ok\n"), "{answer:?}");
    drop(asking);
    assert_eq!(server.end().connections.len(), 0);
}

/// So many requests for the page that the responses fill all buffers on the way.
fn flood(client: &mut Client) {
    let requests = "GET / HTTP/1.1\r\nHost: test\r\n\r\n".repeat(2000);
    let short = Some(Duration::from_millis(100));
    client.0.get_ref().set_write_timeout(short).unwrap();
    // When the server reads no more, it waits to write.
    let sent = client.0.get_mut().write_all(requests.as_bytes());
    assert!(sent.is_ok() || sent.is_err_and(|e| e.kind() == ErrorKind::WouldBlock));
}

#[test]
fn stopping_finishes_the_responses_that_are_being_written() {
    let server = Server::start(Options::default());
    let mut client = server.connect();
    flood(&mut client);
    let first = client.response();
    let mut idle = server.connect();
    server.begin_to_stop();
    assert_eq!(idle.rest(), "", "by now the server stops");
    let rest = client.rest();
    drop(client);
    assert!(rest.ends_with("</html>\n"), "the last response is whole");
    let whole = rest.matches("HTTP/1.1 200 OK\r\n").count();
    let length = first.head.len() + first.body.len();
    let said = whole * length + "Connection: close\r\n".len();
    assert_eq!(rest.len(), said, "all of {whole} are whole");
    assert_eq!(server.end().connections.len(), 0);
}

#[test]
fn stopping_takes_no_longer_than_the_grace() {
    let grace = Duration::from_millis(50);
    let server = Server::start(Options {
        grace,
        ..Options::default()
    });
    let mut client = server.connect();
    flood(&mut client);
    let start = now();
    let app = server.stop();
    assert!(start.elapsed() >= grace);
    assert_eq!(app.connections.len(), 1, "it was not done");
    assert_eq!(app.exit_code, 0);
}

/// One test for all signals: they are sent to the process, which runs the other tests as well.
#[test]
fn signals_show_and_stop_the_server() {
    let server = Server::start_with(Options::default(), true);
    let mut client = server.connect();
    flood(&mut client);
    kill_process(getpid(), rustix::process::Signal::USR1).unwrap();
    let start = now();
    while !server
        .get("/snapshot.json")
        .body
        .contains("\"signal\":\"SIGUSR1\"")
    {
        assert!(start.elapsed() < FOREVER);
    }
    let mut idle = server.connect();
    kill_process(getpid(), rustix::process::Signal::TERM).unwrap();
    assert_eq!(idle.rest(), "", "by now the server stops");
    // The client does not read, so the server waits for it; but not after a second signal.
    kill_process(getpid(), rustix::process::Signal::INT).unwrap();
    let app = server.end();
    let caught = [Signal::USR1, Signal::TERM, Signal::INT].map(|signal| (signal, 1));
    assert_eq!(app.caught, caught);
    assert_eq!(app.exit_code, 128 + 2);
    assert_eq!(app.connections.len(), 1);
}
