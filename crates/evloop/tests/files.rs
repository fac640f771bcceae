//! Regular files: refused, or always ready on request.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::time::Duration;

use evloop::{AddError, EventLoop, Interest, Mode, Outcome, Ready};

fn file() -> File {
    File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("it is there")
}

#[test]
fn regular_file_is_refused_and_given_back() {
    let mut events = EventLoop::<()>::new().unwrap();
    let file = file();
    let fd = file.as_raw_fd();
    let error = events
        .io(file, Interest::READ)
        .add(|_, _, _| {})
        .unwrap_err();
    assert_eq!(error.source.as_raw_fd(), fd);
    let AddError::Control(reason) = error.reason else {
        panic!("{error}")
    };
    assert_eq!(
        (reason.fd, reason.source.kind()),
        (fd, ErrorKind::PermissionDenied)
    );
    assert_eq!(events.len(), 0);
}

#[test]
fn regular_file_is_always_ready_on_request() {
    let mut events = EventLoop::<Vec<u8>>::new().unwrap();
    events
        .io(file(), Interest::READ | Interest::CLOSED)
        .persist()
        .or_always_ready()
        .add(|cx, mut file, ready| {
            assert_eq!(ready, Ready::READ);
            let mut buffer = [0; 64];
            match file.read(&mut buffer).unwrap() {
                0 => cx.events.remove(cx.id()).unwrap(),
                count => cx.state.extend(&buffer[..count]),
            }
        })
        .unwrap();
    let mut content = Vec::new();
    assert_eq!(events.run(&mut content).unwrap(), Outcome::Empty);
    let expected = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    assert_eq!(content, expected);
}

#[test]
fn paused_file_lets_the_loop_sleep() {
    let mut events = EventLoop::<u32>::new().unwrap();
    let file = events
        .io(file(), Interest::READ)
        .persist()
        .or_always_ready()
        .add(|cx, _, _| {
            *cx.state += 1;
            cx.events.set_interest(cx.id(), Interest::empty()).unwrap();
        })
        .unwrap();
    let mut runs = 0;
    events.timer(Duration::from_millis(5)).add(|_| {}).unwrap();
    let _outcome = events.run_mode(Mode::Once, &mut runs).unwrap();
    let before = events.stats().waits;
    let _outcome = events.run_mode(Mode::Once, &mut runs).unwrap();
    assert_eq!(runs, 1);
    assert_eq!(
        events.stats().waits,
        before + 1,
        "one wait, until the timer"
    );
    events.remove(file).unwrap();
}

#[test]
fn files_that_are_deleted_are_ready_no_more() {
    let mut events = EventLoop::<u32>::new().unwrap();
    let add = |events: &mut EventLoop<u32>| {
        let event = events
            .io(file(), Interest::READ)
            .persist()
            .or_always_ready();
        event.add(|cx, _, _| *cx.state += 1).unwrap()
    };
    let [first, _second] = [add(&mut events), add(&mut events)];
    events.delete(first).unwrap();
    let mut runs = 0;
    let _outcome = events.run_mode(Mode::NonBlocking, &mut runs).unwrap();
    assert_eq!(runs, 1);
    events.add(first).unwrap();
    let _outcome = events.run_mode(Mode::NonBlocking, &mut runs).unwrap();
    assert_eq!(runs, 3);
}
