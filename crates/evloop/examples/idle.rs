//! A server that closes idle connections, and the test that found its bug.
//!
//! `cargo run --example idle` serves on a port of the kernel's choice until it is interrupted;
//! `cargo test --example idle` runs it for an hour of simulated time, hundreds of times over. The
//! [guide](evloop::guide::chapter_11) tells the story.
#![expect(clippy::print_stdout, reason = "the output of a program")]

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use evloop::{Cx, EventLoop, Interest, Ready, Signal, Source};

/// A connection on which nothing was said for so long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// What the server has done.
#[derive(Debug, Default, PartialEq, Eq)]
struct App {
    answered: usize,
    closed_idle: usize,
}

/// What is done when a connection is ready or has been idle.
type Serve<C> = fn(&mut Cx<'_, App>, &C, Ready);

/// Adds the listener to a loop. Everything that a server needs of its files is named here, so that it
/// can be given others than the kernel's.
fn listen<L, C>(
    events: &mut EventLoop<App>,
    listener: L,
    accept: fn(&L) -> io::Result<C>,
    serve: Serve<C>,
) -> Result<(), Box<dyn Error>>
where
    L: Source + 'static,
    C: Source + 'static,
{
    let added = events
        .io(listener, Interest::READ)
        .persist()
        .add(move |cx, listener, _| {
            while let Ok(connection) = accept(listener) {
                let event = cx.events.io(connection, Interest::READ).persist();
                // What cannot be served is closed.
                _ = event.timeout(IDLE).add(serve);
            }
        });
    added.map(drop).map_err(|error| error.reason.into())
}

/// Answers what was said, and closes a connection that has been idle.
fn serve<C>(cx: &mut Cx<'_, App>, connection: &C, ready: Ready)
where
    for<'a> &'a C: Read + Write,
{
    match answer(connection) {
        Ok(0) if ready.is_timeout() => {
            cx.state.closed_idle += 1;
            close(cx);
        }
        Ok(answered) => cx.state.answered += answered,
        Err(_) => close(cx),
    }
}

/// Answers each byte that is there; how many there were.
fn answer<C>(connection: &C) -> io::Result<usize>
where
    for<'a> &'a C: Read + Write,
{
    let mut connection = connection;
    let (mut answered, mut buffer) = (0, [0; 512]);
    loop {
        match connection.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                connection.write_all(&buffer[..count])?;
                answered += count;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(answered),
            Err(error) => return Err(error),
        }
    }
}

fn close(cx: &mut Cx<'_, App>) {
    let id = cx.id();
    // What it leaves to be done is done by the loop; a refusal says that the file is gone.
    _ = cx.events.remove(id);
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut events = EventLoop::<App>::new()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!(
        "nc {}",
        listener.local_addr()?.to_string().replace(':', " ")
    );
    let accept = |listener: &TcpListener| listener.accept().map(|(connection, _)| connection);
    listen(&mut events, listener, accept, serve::<TcpStream>)?;
    events.signal(Signal::INT).add(|cx, _| cx.events.exit())?;
    let mut app = App::default();
    let _outcome = events.run(&mut app)?;
    println!("{app:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use evloop::Builder;
    use evloop_sim::{Disorder, Faults, Sim, SimFile};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);

    /// How the server was written first: it looks at the timeout before it looks at the connection.
    fn serve_first<C>(cx: &mut Cx<'_, App>, connection: &C, ready: Ready)
    where
        for<'a> &'a C: Read + Write,
    {
        if ready.is_timeout() {
            cx.state.closed_idle += 1;
            return close(cx);
        }
        serve(cx, connection, ready);
    }

    /// An hour of a server with one client, who says something every ten seconds, and once makes a
    /// pause that is just short enough. What the client has said, and what the server did.
    fn hour(seed: u64, serve: Serve<SimFile>) -> Result<(usize, App), Box<dyn Error>> {
        let sim = Sim::new(seed);
        sim.set_disorder(Disorder::some());
        sim.set_faults(Faults {
            interrupted_percent: 10,
            short_percent: 25,
            ..Faults::none()
        });
        let mut events = Builder::new().build_in(sim.clone())?;
        let listener = sim.own(sim.listen(16))?;
        let client = sim.connect(listener.number())?;
        listen(&mut events, listener, SimFile::accept, serve)?;

        let pause = IDLE - Duration::from_millis(1);
        let before = (1..=20).map(|tick| tick * 10 * SECOND);
        let after = (0..20).map(|tick| 200 * SECOND + pause + tick * 10 * SECOND);
        let hours: Vec<Duration> = before.chain(after).collect();
        for at in &hours {
            // Where the server has hung up it is not heard, and that is what is looked for.
            sim.at(*at, move |sim| drop(sim.write(client, b"x")));
        }
        events.exit_after(HOUR);
        let mut app = App::default();
        let _outcome = events.run(&mut app)?;
        events.verify()?;
        Ok((hours.len(), app))
    }

    /// A client who speaks in time is heard, and is closed once, when it has been silent.
    fn is_well_served((said, app): &(usize, App)) -> bool {
        (app.answered, app.closed_idle) == (*said, 1)
    }

    #[test]
    fn first_version_hangs_up_on_a_client_who_spoke_in_time() {
        let is_wrong = |seed: &u64| !is_well_served(&hour(*seed, serve_first).expect("it runs"));
        let seed = (0..200).find(is_wrong).expect("some seed fails");
        let (said, app) = hour(seed, serve_first).expect("it runs");
        // It was late to wake, found the timeout over and the client's word there, and hung up.
        let hung_up = App {
            answered: 20,
            closed_idle: 1,
        };
        assert_eq!((said, &app), (40, &hung_up), "seed {seed}");
        assert_eq!(
            hour(seed, serve_first).expect("it runs"),
            (said, app),
            "the same again"
        );
    }

    #[test]
    fn server_is_right_whatever_the_seed() {
        for seed in 0..200 {
            let hour = hour(seed, serve).expect("it runs");
            assert!(is_well_served(&hour), "seed {seed}: {hour:?}");
        }
    }
}
