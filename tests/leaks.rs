//! Many connections, one after the other, in a process that may have few file descriptors.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use evloop::{Cx, EventLoop, Interest, Outcome, Ready};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::files::open_fds;
use crate::support::process::in_own_process;
use crate::support::setting::make;

/// More than there are file descriptors.
const CONNECTIONS: u32 = 500;
const LIMIT: u64 = 64;

struct State {
    address: SocketAddr,
    echoed: u32,
}

/// The server's side of a connection: says again what it hears, and goes when its peer does.
fn serve(cx: &mut Cx<'_, State>, mut peer: &TcpStream, _: Ready) {
    let mut buffer = [0; 64];
    match peer.read(&mut buffer) {
        Ok(count @ 1..) => peer.write_all(&buffer[..count]).unwrap(),
        _ => cx.events.remove(cx.id()).unwrap(),
    }
}

/// The client's side: hears its own words, goes, and lets another come.
fn call(cx: &mut Cx<'_, State>, mut server: &TcpStream, _: Ready) {
    let mut buffer = [0; 64];
    let count = server.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..count], b"hello");
    cx.state.echoed += 1;
    if cx.state.echoed < CONNECTIONS {
        connect(cx.events, cx.state.address);
    } else {
        cx.events.exit();
    }
}

fn connect(events: &mut EventLoop<State>, address: SocketAddr) {
    let mut server = TcpStream::connect(address).unwrap();
    server.write_all(b"hello").unwrap();
    events.io(server, Interest::READ).add(call).unwrap();
}

#[test]
fn connections_that_are_over_hold_no_file_descriptor() {
    in_own_process(
        "leaks::connections_that_are_over_hold_no_file_descriptor",
        || {
            let limit = Rlimit {
                current: Some(LIMIT),
                maximum: getrlimit(Resource::Nofile).maximum,
            };
            setrlimit(Resource::Nofile, limit).unwrap();
            let before = open_fds();
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = listener.local_addr().unwrap();
            let mut events = make::<State>();
            events
                .io(listener, Interest::READ)
                .persist()
                .add(|cx, listener, _| {
                    while let Ok((peer, _)) = listener.accept() {
                        let event = cx.events.io(peer, Interest::READ).persist();
                        event.add(serve).unwrap();
                    }
                })
                .unwrap();
            connect(&mut events, address);
            let mut state = State { address, echoed: 0 };
            assert_eq!(events.run(&mut state).unwrap(), Outcome::Exit);
            assert_eq!(state.echoed, CONNECTIONS);
            assert!(events.len() <= 3, "the listener and the last connection");
            drop(events);
            assert_eq!(open_fds(), before);
        },
    );
}
