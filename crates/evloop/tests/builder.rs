//! Loops made to measure: the backend that was chosen, and what it must be able to do.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use evloop::{
    AddError, Builder, Capabilities, EventLoop, Interest, Mechanism, NewError, Outcome, Ready,
};

#[test]
fn loop_takes_the_mechanism_that_was_chosen() {
    for (mechanism, name) in [(Mechanism::Epoll, "epoll"), (Mechanism::Poll, "poll")] {
        let builder = Builder::new().mechanism(mechanism);
        let mut events: EventLoop<String> = builder.build().unwrap();
        assert_eq!(events.backend_name(), name);
        let (near, mut far) = UnixStream::pair().unwrap();
        let reader = events.io(near, Interest::READ);
        let added = reader.add(|cx, mut near, ready| {
            assert_eq!(ready, Ready::READ);
            let mut buffer = [0; 8];
            let count = near.read(&mut buffer).unwrap();
            cx.state
                .push_str(&String::from_utf8_lossy(&buffer[..count]));
        });
        added.unwrap();
        far.write_all(b"hello").unwrap();
        let mut heard = String::new();
        assert_eq!(events.run(&mut heard).unwrap(), Outcome::Empty);
        assert_eq!(heard, "hello");
    }
}

#[test]
fn loop_that_could_not_do_what_is_required_is_not_made() {
    let poll = Builder::new().mechanism(Mechanism::Poll);
    let both = Capabilities::EDGE | Capabilities::EARLY_CLOSE;
    match poll.require(both).build::<()>().unwrap_err() {
        NewError::Unsupported { needed, backend } => {
            assert_eq!((needed, backend), (Capabilities::EDGE, "poll"));
        }
        other => panic!("{other}"),
    }
    let any = Builder::new().require(both).build::<()>().unwrap();
    assert!(any.capabilities().contains(both));
}

#[test]
fn edge_triggered_event_is_refused_where_there_are_no_edges() {
    let poll = Builder::new().mechanism(Mechanism::Poll);
    let mut events: EventLoop<()> = poll.build().unwrap();
    let (near, _far) = UnixStream::pair().unwrap();
    let fd = near.as_raw_fd();
    let event = events.io(near, Interest::READ).edge();
    let refused = event.add(|_, _, _| {}).unwrap_err();
    assert!(
        matches!(refused.reason, AddError::Unsupported { needed, .. } if needed == Capabilities::EDGE)
    );
    assert_eq!(refused.source.as_raw_fd(), fd, "the source comes back");
    assert_eq!(events.len(), 0);
}
