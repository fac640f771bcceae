//! Much data, moved by events that add each other, pause each other and end by themselves.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use evloop::{Cx, EventId, EventLoop, Interest, Outcome};

use crate::support::files::sockets;
use crate::support::setting::make;

/// What one side has to say, and what the other heard.
#[derive(Default)]
struct Transfer {
    to_send: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
}

impl Transfer {
    /// More than the kernel buffers.
    fn new() -> Self {
        let numbers = (0..300_000_u32).flat_map(u32::to_ne_bytes);
        Self {
            to_send: numbers.collect(),
            ..Self::default()
        }
    }

    /// Sends a part; whether it was the last.
    fn send(&mut self, mut to: &UnixStream) -> bool {
        let left = &self.to_send[self.sent..];
        let part = &left[..left.len().min(7_777)];
        self.sent += to.write(part).unwrap();
        self.sent == self.to_send.len()
    }

    /// Receives a part; whether it was the last.
    fn receive(&mut self, mut from: &UnixStream) -> bool {
        let mut buffer = [0; 5_555];
        let count = from.read(&mut buffer).unwrap();
        self.received.extend_from_slice(&buffer[..count]);
        count == 0
    }
}

fn transferred(events: &mut EventLoop<Transfer>) {
    let mut state = Transfer::new();
    assert_eq!(events.run(&mut state).unwrap(), Outcome::Empty);
    assert!(state.received == state.to_send);
    assert_eq!(events.len(), 0);
}

#[test]
fn one_shots_that_add_themselves_move_all_data() {
    let (near, far) = sockets();
    let mut events = make::<Transfer>();
    events
        .io(near, Interest::WRITE)
        .add(|cx, near, _| {
            if !cx.state.send(near) {
                cx.events.add(cx.id()).unwrap();
            }
        })
        .unwrap();
    events
        .io(far, Interest::READ)
        .add(|cx, far, _| {
            if !cx.state.receive(far) {
                cx.events.add(cx.id()).unwrap();
            }
        })
        .unwrap();
    transferred(&mut events);
}

#[test]
fn persistent_events_move_all_data() {
    let (near, far) = sockets();
    let mut events = make::<Transfer>();
    events
        .io(near, Interest::WRITE)
        .persist()
        .add(|cx, near, _| {
            if cx.state.send(near) {
                cx.events.remove(cx.id()).unwrap();
            }
        })
        .unwrap();
    events
        .io(far, Interest::READ)
        .persist()
        .add(|cx, far, _| {
            if cx.state.receive(far) {
                cx.events.remove(cx.id()).unwrap();
            }
        })
        .unwrap();
    transferred(&mut events);
}

/// What goes one way over a connection, which is held up for as long as the other side does not
/// read.
#[derive(Default)]
struct Side {
    outgoing: Vec<u8>,
    incoming: usize,
    writer: Option<EventId>,
}

fn write(cx: &mut Cx<'_, [Side; 2]>, at: usize, mut stream: &UnixStream) {
    let side = &mut cx.state[at];
    match stream.write(&side.outgoing) {
        Ok(count) => drop(side.outgoing.drain(..count)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
    if side.outgoing.is_empty() {
        cx.events.set_interest(cx.id(), Interest::empty()).unwrap();
    }
}

/// Two sides, each with a reader and a writer on one source. The first sends, the second sends
/// everything back; a writer is paused while it has nothing to say.
#[test]
fn four_events_echo_all_data_and_end_by_themselves() {
    const LENGTH: usize = 1_000_000;
    let (near, far) = sockets();
    let mut events = make::<[Side; 2]>();
    let mut sides = [Side::default(), Side::default()];
    sides[0].outgoing = vec![7; LENGTH];
    for (at, stream) in [near, far].into_iter().enumerate() {
        let stream = Rc::new(stream);
        let writer = events.io(Rc::clone(&stream), Interest::WRITE).persist();
        let writer = writer
            .add(move |cx, stream, _| write(cx, at, stream))
            .unwrap();
        sides[at].writer = Some(writer);
        let reader = events.io(stream, Interest::READ).persist();
        reader
            .add(move |cx, stream, _| {
                let mut buffer = [0; 9_999];
                let count = (&**stream).read(&mut buffer).unwrap();
                let [client, server] = &mut *cx.state;
                if at == 1 {
                    server.incoming += count;
                    server.outgoing.extend_from_slice(&buffer[..count]);
                    let writer = server.writer.unwrap();
                    cx.events.set_interest(writer, Interest::WRITE).unwrap();
                } else {
                    client.incoming += count;
                    if client.incoming == LENGTH {
                        let all: Vec<_> = cx.events.iter().map(|event| event.event.id).collect();
                        for id in all {
                            cx.events.remove(id).unwrap();
                        }
                    }
                }
            })
            .unwrap();
    }
    assert_eq!(events.run(&mut sides).unwrap(), Outcome::Empty);
    assert_eq!(sides.map(|side| side.incoming), [LENGTH; 2]);
    assert_eq!(events.len(), 0);
}
