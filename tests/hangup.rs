//! Peers that close, reset or vanish: hang-up and error reach every event of a source as
//! themselves, closing is seen without reading, and nothing spins.

use std::io::PipeReader;
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use evloop::{EventLoop, Interest, Mode, Ready};
use rustix::net::{AddressFamily, SocketAddrV4, SocketType, connect, socket};

use crate::support::clock::{DAY, ms};
use crate::support::files::{
    for_several, pipes, put, reset, shut_down_writing, sockets, take, tcp,
};
use crate::support::process::close;
use crate::support::setting::make;
use crate::support::setting::{NO_EDGES, has_edges, skipped};
use crate::support::trace::{NOBODY, Trace, io, look, new_loop, run_out, timer, wait};

#[test]
fn closing_is_seen_without_reading_what_is_there() {
    let (near, far) = tcp();
    let mut events = new_loop();
    events
        .io(near, Interest::CLOSED)
        .timeout(DAY)
        .add(io("closed"))
        .unwrap();
    put(&far, b"unread");
    assert_eq!(look(&mut events), NOBODY);
    far.shutdown(Shutdown::Write).unwrap();
    assert_eq!(run_out(&mut events), ["closed CLOSED"]);
}

/// `close` and `shutdown`, one-shot and persistent, level- and edge-triggered.
#[test]
fn closing_is_told_however_it_was_asked_for() {
    for is_close in [false, true] {
        for is_edge in [false, has_edges()] {
            for is_persistent in [false, true] {
                let (near, far) = tcp();
                let mut events = new_loop();
                let mut event = events.io(near, Interest::CLOSED);
                if is_edge {
                    event = event.edge();
                }
                if is_persistent {
                    event = event.persist();
                }
                event.add(io("event")).unwrap();
                assert_eq!(look(&mut events), NOBODY);
                let _far = if is_close {
                    close(far);
                    None
                } else {
                    far.shutdown(Shutdown::Write).unwrap();
                    Some(far)
                };
                let case = format!("{is_close} {is_edge} {is_persistent}");
                assert_eq!(wait(&mut events), ["event CLOSED"], "{case}");
                let again = look(&mut events);
                let is_told_again = is_persistent && !is_edge;
                assert_eq!(again.len(), usize::from(is_told_again), "{case}");
                assert_eq!(events.len(), usize::from(is_persistent), "{case}");
            }
        }
    }
}

#[test]
fn half_close_is_told_to_whom_it_concerns() {
    let (near, far) = for_several();
    let mut events = new_loop();
    for (name, interest) in [
        ("reader", Interest::READ),
        ("writer", Interest::WRITE),
        ("closed", Interest::CLOSED),
    ] {
        let event = events.io(Rc::clone(&near), interest).persist();
        event.add(io(name)).unwrap();
    }
    shut_down_writing(&far);
    assert_eq!(
        look(&mut events),
        ["reader READ", "writer WRITE", "closed CLOSED"]
    );
}

#[test]
fn hang_up_reaches_every_event_as_itself() {
    let (near, far) = for_several();
    let mut events = new_loop();
    for (name, interest) in [
        ("reader", Interest::READ),
        ("writer", Interest::WRITE),
        ("closed", Interest::CLOSED),
        ("paused", Interest::empty()),
    ] {
        let event = events.io(Rc::clone(&near), interest);
        event.add(io(name)).unwrap();
    }
    close(far);
    assert_eq!(
        look(&mut events),
        [
            "reader READ|HANGUP",
            "writer WRITE|HANGUP",
            "closed CLOSED|HANGUP"
        ]
    );
}

#[test]
fn reset_reaches_an_event_for_closing_alone() {
    let (near, far) = tcp();
    let mut events = new_loop();
    let event = events.io(near, Interest::CLOSED);
    event.add(io("closed")).unwrap();
    reset(far);
    assert_eq!(run_out(&mut events), ["closed CLOSED|HANGUP|ERROR"]);
}

#[test]
fn reset_reaches_every_event_as_itself() {
    let (near, far) = tcp();
    let near = Rc::new(near);
    let mut events = new_loop();
    for (name, interest) in [("reader", Interest::READ), ("writer", Interest::WRITE)] {
        let event = events.io(Rc::clone(&near), interest);
        event.add(io(name)).unwrap();
    }
    reset(far);
    // The reset may be seen in two steps by an event that is ready anyway; both are over then.
    let ran = run_out(&mut events);
    assert!(
        ran.contains(&"reader READ|HANGUP|ERROR".to_owned()),
        "{ran:?}"
    );
    assert_eq!(ran.len(), 2);
}

#[test]
fn writer_of_a_pipe_without_a_reader_is_told_of_the_error() {
    let (reader, writer) = pipes();
    let writer = Rc::new(writer);
    let mut events = new_loop();
    for (name, interest) in [("writer", Interest::WRITE), ("closed", Interest::CLOSED)] {
        let event = events.io(Rc::clone(&writer), interest);
        event.add(io(name)).unwrap();
    }
    close(reader);
    assert_eq!(run_out(&mut events), ["writer WRITE|ERROR", "closed ERROR"]);
}

#[test]
fn refused_connection_is_an_error_of_the_writer() {
    let port = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let connecting = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::io::ioctl_fionbio(&connecting, true).unwrap();
    let refused = connect(&connecting, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    refused.unwrap_err();
    let mut events = make::<Option<Ready>>();
    events
        .io(connecting, Interest::WRITE)
        .add(|cx, _: &OwnedFd, ready| *cx.state = Some(ready))
        .unwrap();
    let mut seen = None;
    let _empty = events.run(&mut seen).unwrap();
    assert!(seen.unwrap().contains(Ready::HANGUP), "{seen:?}");
    assert!(seen.unwrap().is_writable());
}

#[test]
fn end_of_a_pipe_is_a_hang_up() {
    let (reader, writer) = pipes();
    let mut events = new_loop();
    let event = events.io(reader, Interest::READ).persist();
    let id = event.add(io("reader")).unwrap();
    put(&writer, b"x");
    close(writer);
    assert_eq!(look(&mut events), ["reader READ|HANGUP"]);
    assert_eq!(take(events.source::<PipeReader>(id).unwrap()), b"x");
    assert_eq!(look(&mut events), ["reader HANGUP"]);
}

#[test]
fn peer_that_closed_wakes_the_writer() {
    let (near, far) = tcp();
    let mut events = new_loop();
    events
        .io(near, Interest::WRITE)
        .persist()
        .add(|cx, mut near, ready| {
            use std::io::Write;
            // The first write is answered by a reset, a later one sees it.
            if ready.contains(Ready::ERROR) || near.write(b"into the void").is_err() {
                cx.state.push("gone".to_owned());
                cx.events.remove(cx.id()).unwrap();
            }
        })
        .unwrap();
    close(far);
    assert_eq!(run_out(&mut events), ["gone"]);
}

/// How many times the loop asked the kernel until a timer of 20 ms ended the run.
fn waits_of_20_ms(events: &mut EventLoop<Trace>) -> u64 {
    events
        .timer(ms(20))
        .add(|cx| {
            cx.state.push("enough".to_owned());
            cx.events.exit();
        })
        .unwrap();
    let before = events.stats().waits;
    let mut trace = Trace::new();
    let _exit = events.run_mode(Mode::StayOnEmpty, &mut trace).unwrap();
    assert_eq!(trace, ["enough"]);
    events.stats().waits - before
}

/// One for what nobody wants to hear, and one until the timer is due; as many again in case that
/// the kernel's clock ticks later than ours.
const FEW: u64 = 4;

#[test]
fn hang_up_of_a_paused_source_does_not_spin() {
    let (near, far) = sockets();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    let id = event.add(io("paused")).unwrap();
    events.set_interest(id, Interest::empty()).unwrap();
    close(far);
    assert!(waits_of_20_ms(&mut events) <= FEW);
    assert_eq!(events.stats().quenched, 1);
    // It is told when it asks again.
    events.set_interest(id, Interest::READ).unwrap();
    assert_eq!(look(&mut events), ["paused READ|HANGUP"]);
}

#[test]
fn hang_up_of_a_source_whose_event_was_deleted_does_not_spin() {
    let (near, far) = sockets();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    let id = event.add(io("deleted")).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    events.delete(id).unwrap();
    close(far);
    assert!(waits_of_20_ms(&mut events) <= FEW);
    events.add(id).unwrap();
    assert_eq!(look(&mut events), ["deleted READ|HANGUP"]);
}

#[test]
fn source_that_was_added_paused_does_not_spin() {
    let (near, far) = sockets();
    let mut events = new_loop();
    let event = events.io(near, Interest::empty()).persist();
    event.add(io("paused")).unwrap();
    close(far);
    assert!(waits_of_20_ms(&mut events) <= FEW);
}

/// The level holds for ever, so the callback runs in each turn, and no turn is without it.
#[test]
fn error_on_a_pipe_costs_no_turn_without_a_callback() {
    let (reader, writer) = pipes();
    let mut events = new_loop();
    let event = events.io(writer, Interest::CLOSED).persist();
    event.add(io("closed")).unwrap();
    close(reader);
    for _ in 0..10 {
        let before = events.stats().waits;
        assert_eq!(look(&mut events), ["closed ERROR"]);
        assert_eq!(events.stats().waits, before + 1);
    }
}

#[test]
fn edge_triggered_hang_up_is_told_once() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, far) = sockets();
    let mut events = new_loop();
    let event = events.io(near, Interest::CLOSED).edge().persist();
    event.add(io("closed")).unwrap();
    close(far);
    assert_eq!(look(&mut events), ["closed CLOSED|HANGUP"]);
    assert_eq!(look(&mut events), NOBODY);
    events.timer(ms(0)).add(timer("alive")).unwrap();
    assert_eq!(wait(&mut events), ["alive"]);
}
