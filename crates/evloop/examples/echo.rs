//! The smallest server: what a client sends comes back. `cargo run --example echo`, and then
//! `nc 127.0.0.1 7000` in another terminal.

use std::error::Error;
use std::io::{ErrorKind, Read, Write, stdout};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use evloop::{Cx, EventLoop, Interest, Ready, Signal};

/// What all callbacks share.
struct App {
    echoed: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut events = EventLoop::<App>::new()?;
    let listener = TcpListener::bind("127.0.0.1:7000")?;

    events.io(listener, Interest::READ).persist().add(accept)?;
    events.timer(Duration::from_secs(1)).persist().add(|cx| {
        let _ = writeln!(stdout(), "{} bytes echoed", cx.state.echoed);
    })?;
    events
        .signal(Signal::INT)
        .add(|cx, _caught| cx.events.exit())?;

    let _outcome = events.run(&mut App { echoed: 0 })?;
    Ok(())
}

fn accept(cx: &mut Cx<'_, App>, listener: &TcpListener, _: Ready) {
    loop {
        match listener.accept() {
            Ok((peer, _)) => {
                let peer = cx.events.io(peer, Interest::READ).persist();
                if let Err(error) = peer.timeout(Duration::from_secs(60)).add(echo) {
                    let _ = writeln!(stdout(), "{error:?}");
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => {
                // Mostly no file descriptor is left. It would be ready on and on, so it rests.
                let _ = writeln!(stdout(), "accept: {error}");
                return rest(cx);
            }
        }
    }
}

/// Deletes the listener, and adds it again a little later.
fn rest(cx: &mut Cx<'_, App>) {
    let listening = cx.id();
    let pause = cx.events.timer(Duration::from_millis(100));
    let added = pause.add(move |cx| cx.events.add(listening).expect("it was there before"));
    added.expect("a timer needs nothing of the kernel");
    cx.events.delete(listening).expect("this is its callback");
}

fn echo(cx: &mut Cx<'_, App>, mut peer: &TcpStream, ready: Ready) {
    let mut bytes = [0; 4096];
    let is_over = match peer.read(&mut bytes) {
        Ok(0) => true,
        // A client that does not read what comes back is let go, as it is not worth a buffer here.
        Ok(length) => {
            cx.state.echoed += length;
            peer.write_all(&bytes[..length]).is_err()
        }
        // What it said in time counts, though the time may be over by now.
        Err(error) => error.kind() != ErrorKind::WouldBlock || ready.is_timeout(),
    };
    if is_over {
        let _ = cx.events.remove(cx.id());
    }
}
