//! Readiness of sources: level-triggered, one-shot and persistent, one event and several.

use std::io::Read;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use evloop::{Interest, Outcome};
use rustix::io::dup;

use crate::support::files::{
    fill, for_several, number, pipes, put, sockets, take, tcp, with_input,
};
use crate::support::process::close;
use crate::support::process::in_own_process;
use crate::support::setting::make;
use crate::support::trace::{Loop, NOBODY, Trace, io, look, new_loop, run_out, wait};

const READ_WRITE: Interest = Interest::READ.union(Interest::WRITE);

#[test]
fn one_shot_reader_runs_once_though_there_is_more() {
    let (near, far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).keep();
    reader.add(io("reader")).unwrap();
    assert_eq!(look(&mut events), ["reader READ"]);
    put(&far, b"more");
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn one_shot_reads_up_to_the_end_when_its_callback_adds_it_again() {
    let (near, far) = sockets();
    let mut events = new_loop();
    events
        .io(near, Interest::READ)
        .add(|cx, mut near, _| {
            let mut buffer = [0; 64];
            let count = near.read(&mut buffer).unwrap();
            cx.state
                .push(String::from_utf8_lossy(&buffer[..count]).into_owned());
            if count > 0 {
                cx.events.add(cx.id()).unwrap();
            }
        })
        .unwrap();
    put(&far, b"hello");
    assert_eq!(wait(&mut events), ["hello"]);
    put(&far, b"again");
    assert_eq!(wait(&mut events), ["again"]);
    close(far);
    assert_eq!(run_out(&mut events), [""]);
    assert_eq!(events.len(), 0);
}

#[test]
fn one_shot_writer_runs_once() {
    let (near, _far) = sockets();
    let mut events = new_loop();
    events.io(near, Interest::WRITE).add(io("writer")).unwrap();
    assert_eq!(run_out(&mut events), ["writer WRITE"]);
}

#[test]
fn persistent_reader_runs_until_all_was_read() {
    let (near, far) = sockets();
    let mut events = new_loop();
    events
        .io(near, Interest::READ)
        .persist()
        .add(|cx, mut near, _| {
            let mut byte = [0];
            near.read_exact(&mut byte).unwrap();
            cx.state.push(format!("read {}", byte[0]));
        })
        .unwrap();
    put(&far, &[1, 2, 3]);
    assert_eq!(look(&mut events), ["read 1"]);
    assert_eq!(look(&mut events), ["read 2"]);
    assert_eq!(look(&mut events), ["read 3"]);
    assert_eq!(look(&mut events), NOBODY);
    put(&far, &[4]);
    assert_eq!(look(&mut events), ["read 4"]);
}

#[test]
fn reader_is_not_ready_before_there_is_input() {
    let (near, far) = sockets();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).persist();
    reader.add(io("reader")).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    close(far);
    assert_eq!(look(&mut events), ["reader READ|HANGUP"]);
}

#[test]
fn writer_is_not_ready_while_the_pipe_is_full() {
    let (reader, writer) = pipes();
    let mut events = new_loop();
    let id = events
        .io(writer, Interest::WRITE)
        .persist()
        .add(io("writer"))
        .unwrap();
    fill(events.source::<std::io::PipeWriter>(id).unwrap());
    assert_eq!(look(&mut events), NOBODY);
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    take(&reader);
    assert_eq!(look(&mut events), ["writer WRITE"]);
    fill(events.source::<std::io::PipeWriter>(id).unwrap());
    assert_eq!(look(&mut events), NOBODY);
    close(reader);
    assert_eq!(look(&mut events), ["writer ERROR"]);
}

#[test]
fn events_of_one_source_run_in_the_order_in_which_they_were_added() {
    let (near, far) = for_several();
    put(&far, b"x");
    let mut events = new_loop();
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let reader = events.io(Rc::clone(&near), Interest::READ).persist();
        ids.push(reader.add(io(name)).unwrap());
    }
    let in_order = ["a READ", "b READ", "c READ", "d READ"];
    assert_eq!(look(&mut events), in_order);
    assert_eq!(look(&mut events), in_order);

    // Who is deleted and added again was added last.
    events.delete(ids[1]).unwrap();
    assert_eq!(look(&mut events), ["a READ", "c READ", "d READ"]);
    events.add(ids[1]).unwrap();
    assert_eq!(look(&mut events), ["a READ", "c READ", "d READ", "b READ"]);
}

#[test]
fn two_one_shots_of_one_source_both_run() {
    let (near, far) = for_several();
    put(&far, b"x");
    let mut events = new_loop();
    for name in ["first", "second"] {
        let reader = events.io(Rc::clone(&near), Interest::READ);
        reader.add(io(name)).unwrap();
    }
    assert_eq!(run_out(&mut events), ["first READ", "second READ"]);
}

#[test]
fn events_of_one_source_are_told_their_own_part() {
    let (near, far) = for_several();
    put(&far, b"x");
    let mut events = new_loop();
    for (name, interest) in [
        ("reader", Interest::READ),
        ("writer", Interest::WRITE),
        ("both", READ_WRITE),
        ("closed", Interest::CLOSED),
    ] {
        let event = events.io(Rc::clone(&near), interest).persist();
        event.add(io(name)).unwrap();
    }
    assert_eq!(
        look(&mut events),
        ["reader READ", "writer WRITE", "both READ|WRITE"]
    );
    take(&*near);
    assert_eq!(look(&mut events), ["writer WRITE", "both WRITE"]);
}

#[test]
fn deleting_one_event_of_a_source_leaves_the_other() {
    let (near, far) = for_several();
    put(&far, b"x");
    let mut events = new_loop();
    let mut add = |name, interest| {
        let event = events.io(Rc::clone(&near), interest).persist();
        event.add(io(name)).unwrap()
    };
    let reader = add("reader", Interest::READ);
    let writer = add("writer", Interest::WRITE);
    assert_eq!(look(&mut events), ["reader READ", "writer WRITE"]);
    events.delete(writer).unwrap();
    assert_eq!(look(&mut events), ["reader READ"]);
    events.add(writer).unwrap();
    events.delete(reader).unwrap();
    assert_eq!(look(&mut events), ["writer WRITE"]);
}

#[test]
fn one_shot_that_ran_leaves_the_persistent_event_of_its_source() {
    let (near, far) = for_several();
    put(&far, b"x");
    let mut events = new_loop();
    let once = events.io(Rc::clone(&near), READ_WRITE);
    once.add(io("once")).unwrap();
    let always = events.io(near, Interest::READ).persist();
    always.add(io("always")).unwrap();
    assert_eq!(look(&mut events), ["once READ|WRITE", "always READ"]);
    assert_eq!(look(&mut events), ["always READ"]);
}

#[test]
fn added_in_a_callback_is_looked_at_in_the_next_turn() {
    let (near, far) = for_several();
    put(&far, b"x");
    let mut events = new_loop();
    let shared = Rc::clone(&near);
    events
        .io(near, Interest::READ)
        .add(move |cx, _, _| {
            cx.state.push("first".to_owned());
            let second = cx.events.io(Rc::clone(&shared), Interest::READ);
            second.add(io("second")).unwrap();
        })
        .unwrap();
    assert_eq!(look(&mut events), ["first"]);
    assert_eq!(look(&mut events), ["second READ"]);
}

#[test]
fn data_then_the_end_each_wake_the_reader() {
    let (near, far) = tcp();
    let mut events = new_loop();
    events
        .io(near, Interest::READ)
        .persist()
        .timeout(crate::support::clock::DAY)
        .add(|cx, mut near, ready| {
            assert!(ready.is_readable());
            let mut buffer = [0; 64];
            let count = near.read(&mut buffer).unwrap();
            cx.state.push(format!("{count} bytes"));
            if count == 0 {
                cx.events.remove(cx.id()).unwrap();
            }
        })
        .unwrap();
    put(&far, b"test string");
    assert_eq!(wait(&mut events), ["11 bytes"]);
    close(far);
    assert_eq!(run_out(&mut events), ["0 bytes"]);
}

#[test]
fn file_and_its_duplicate_are_two_sources() {
    in_own_process("io::file_and_its_duplicate_are_two_sources", || {
        let (near, far) = sockets();
        let twin = dup(&near).unwrap();
        let mut events = new_loop();
        let reader = events.io(near, Interest::READ).persist();
        let original = reader.add(io("original")).unwrap();
        let reader = events.io(twin, Interest::READ).persist();
        let twin = reader.add(io("duplicate")).unwrap();
        put(&far, b"x");
        assert_eq!(
            sorted(look(&mut events)),
            ["duplicate READ", "original READ"]
        );

        // The number is used again, by another duplicate of the same file.
        let old: OwnedFd = events.into_source(twin).unwrap();
        let old_number = number(&old);
        drop(old);
        assert_eq!(look(&mut events), ["original READ"]);
        let twin = dup(events.source::<UnixStream>(original).unwrap()).unwrap();
        assert_eq!(number(&twin), old_number);
        let writer = events.io(twin, Interest::WRITE).persist();
        writer.add(io("writer")).unwrap();
        assert_eq!(sorted(look(&mut events)), ["original READ", "writer WRITE"]);
    });
}

fn sorted(mut ran: Trace) -> Trace {
    ran.sort();
    ran
}

/// More than fit into one report of the kernel's.
const MANY: usize = 70;

fn writable() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

#[test]
fn many_sources_that_are_ready_all_run() {
    let mut events = make::<[u32; MANY]>();
    for at in 0..MANY {
        let writer = events.io(writable(), Interest::WRITE);
        writer.add(move |cx, _, _| cx.state[at] += 1).unwrap();
    }
    let mut ran = [0; MANY];
    assert_eq!(events.run(&mut ran).unwrap(), Outcome::Empty);
    assert_eq!(ran, [1; MANY]);
}

#[test]
fn many_sources_added_one_by_one_all_run_each_time() {
    let mut events = make::<[usize; MANY]>();
    let mut ran = [0; MANY];
    for at in 0..MANY {
        let writer = events.io(writable(), Interest::WRITE).persist();
        writer.add(move |cx, _, _| cx.state[at] += 1).unwrap();
        let outcome = events.run_mode(evloop::Mode::NonBlocking, &mut ran);
        assert_eq!(outcome.unwrap(), Outcome::Done);
    }
    for (at, ran) in ran.into_iter().enumerate() {
        assert_eq!(ran, MANY - at, "source {at}");
    }
}

#[test]
fn loop_may_be_moved_and_dropped_with_events_in_it() {
    let (near, far) = with_input();
    let mut events = new_loop();
    let reader = events.io(near, Interest::READ).persist();
    let pending = reader.add(io("reader")).unwrap();
    let mut moved: Box<Loop> = Box::new(events);
    assert_eq!(look(&mut moved), ["reader READ"]);
    moved.activate(pending, evloop::Ready::WRITE).unwrap();
    close(moved);
    assert!(!crate::support::files::is_open(&far));
}
