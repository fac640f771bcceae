//! Sources: owned by the loop, lent to callbacks, shared by events, given back and closed.

use std::cell::Cell;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use evloop::{EventId, Interest, IntoSourceError, Ready};
use rustix::io::dup;

use crate::support::files::{
    for_several, is_nonblocking, is_open, number, open_fds, pipes, put, sockets, take, with_input,
};
use crate::support::process::in_own_process;
use crate::support::trace::{NOBODY, io, line, look, new_loop, run_out, user};

#[test]
fn source_is_made_non_blocking() {
    let (near, far) = for_several();
    assert!(!is_nonblocking(&near));
    let mut events = new_loop();
    let event = events.io(Rc::clone(&near), Interest::READ);
    event.add(io("event")).unwrap();
    assert!(is_nonblocking(&near) && !is_nonblocking(&far));
}

#[test]
fn source_may_be_left_blocking() {
    let (near, _far) = for_several();
    let mut events = new_loop();
    let event = events.io(Rc::clone(&near), Interest::READ).leave_blocking();
    let id = event.add(io("event")).unwrap();
    assert!(!is_nonblocking(&near));
    events.delete(id).unwrap();
    events.add(id).unwrap();
    assert!(!is_nonblocking(&near));
}

#[test]
fn source_is_closed_when_its_one_shot_is_over() {
    let (near, far) = with_input();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ);
    event.add(io("event")).unwrap();
    assert!(is_open(&far));
    assert_eq!(run_out(&mut events), ["event READ"]);
    assert!(!is_open(&far));
}

#[test]
fn source_is_closed_when_its_event_is_removed_and_not_when_it_is_deleted() {
    let (near, far) = sockets();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ);
    let id = event.add(io("event")).unwrap();
    events.delete(id).unwrap();
    look(&mut events);
    assert!(is_open(&far));
    events.remove(id).unwrap();
    assert!(!is_open(&far));
}

#[test]
fn shared_source_is_closed_with_the_last_who_has_it() {
    let (near, far) = for_several();
    let mut events = new_loop();
    let mut add = |interest| {
        let event = events.io(Rc::clone(&near), interest).persist();
        event.add(io("event")).unwrap()
    };
    let (first, second) = (add(Interest::READ), add(Interest::WRITE));
    drop(near);
    events.remove(first).unwrap();
    assert!(is_open(&far));
    assert_eq!(look(&mut events), ["event WRITE"]);
    events.remove(second).unwrap();
    assert!(!is_open(&far));
}

#[test]
fn dropped_loop_closes_all_that_it_had() {
    in_own_process("sources::dropped_loop_closes_all_that_it_had", || {
        let before = open_fds();
        let mut events = new_loop();
        let mut others = Vec::new();
        for at in 0..10 {
            let (near, far) = with_input();
            let event = events.io(near, Interest::READ).persist();
            let id = event.add(io("event")).unwrap();
            if at % 2 == 0 {
                events.delete(id).unwrap();
            }
            others.push(far);
        }
        look(&mut events);
        drop(events);
        assert!(others.iter().all(|far| !is_open(far)));
        drop(others);
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn source_is_given_back_open_and_as_it_is() {
    let (near, far) = with_input();
    let number_before = number(&near);
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    let id = event.add(io("event")).unwrap();
    assert_eq!(look(&mut events), ["event READ"]);
    let near: UnixStream = events.into_source(id).unwrap();
    assert_eq!(number(&near), number_before);
    assert_eq!((events.len(), events.info(id)), (0, None));
    assert_eq!(look(&mut events), NOBODY);
    assert_eq!(take(&near), b"x");
    put(&near, b"hello");
    assert_eq!(take_some(&far), b"hello");

    // It can be added again, here or in another loop.
    put(&far, b"x");
    for mut events in [events, new_loop()] {
        let event = events.io(near.try_clone().unwrap(), Interest::READ);
        event.add(io("again")).unwrap();
        assert_eq!(run_out(&mut events), ["again READ"]);
    }
}

fn take_some(file: &UnixStream) -> Vec<u8> {
    file.set_nonblocking(true).unwrap();
    take(file)
}

#[test]
fn active_event_whose_source_was_taken_does_not_run() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    let id = event.add(io("event")).unwrap();
    events.activate(id, Ready::WRITE).unwrap();
    events.into_source::<UnixStream>(id).unwrap();
    assert_eq!(look(&mut events), NOBODY);
}

#[test]
fn source_of_another_type_is_not_given() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    let id = event.add(io("event")).unwrap();
    assert!(events.source::<OwnedFd>(id).is_none());
    assert!(events.source::<Rc<UnixStream>>(id).is_none());
    let refused = events.into_source::<OwnedFd>(id);
    assert!(matches!(refused, Err(IntoSourceError::WrongType)));
    assert_eq!(look(&mut events), ["event READ"]);

    let user = events.user().persist().add(user("user")).unwrap();
    assert!(events.source::<UnixStream>(user).is_none());
    let refused = events.into_source::<UnixStream>(user);
    assert!(matches!(refused, Err(IntoSourceError::WrongType)));
}

#[test]
fn source_of_the_event_that_runs_is_not_given() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let event = events.io(near, Interest::READ).persist();
    let id = event
        .add(|cx, _, _| {
            let refused = cx.events.into_source::<UnixStream>(cx.id());
            cx.state.push(refused.unwrap_err().to_string());
        })
        .unwrap();
    assert_eq!(
        look(&mut events),
        ["the event's own callback has the source"]
    );
    assert!(events.into_source::<UnixStream>(id).is_ok());
}

#[test]
fn one_connection_writes_to_another() {
    let (near, far) = with_input();
    let (other_near, other_far) = sockets();
    let mut events = new_loop();
    let other = events.io(other_near, Interest::READ).persist();
    let other = other.add(io("other")).unwrap();
    events
        .io(near, Interest::READ)
        .add(move |cx, near, _| {
            let mut to: &UnixStream = cx.events.source(other).unwrap();
            to.write_all(&take(near)).unwrap();
            to.write_all(b"!").unwrap();
        })
        .unwrap();
    put(&far, b"yz");
    look(&mut events);
    assert_eq!(take_some(&other_far), b"xyz!");
}

#[test]
fn source_can_be_taken_from_another_callback() {
    let (near, _far) = with_input();
    let (other_near, other_far) = with_input();
    let mut events = new_loop();
    let ids = Rc::new(Cell::new(None::<EventId>));
    let other = Rc::clone(&ids);
    events
        .io(near, Interest::READ)
        .priority(evloop::Priority::MOST_URGENT)
        .add(move |cx, _, _| {
            let taken: UnixStream = cx.events.into_source(other.get().unwrap()).unwrap();
            cx.state.push("taken".to_owned());
            drop(taken);
        })
        .unwrap();
    let event = events.io(other_near, Interest::READ);
    ids.set(Some(event.add(io("other")).unwrap()));
    assert_eq!(run_out(&mut events), ["taken"]);
    assert!(!is_open(&other_far));
}

#[test]
fn source_can_be_shared_by_loops() {
    let (near, far) = for_several();
    let [mut first, mut second] = [(), ()].map(|()| new_loop());
    for (events, name) in [(&mut first, "first"), (&mut second, "second")] {
        let reader = events.io(Rc::clone(&near), Interest::READ).persist();
        reader.add(io(name)).unwrap();
    }
    drop(near);
    put(&far, b"x");
    assert_eq!(look(&mut first), ["first READ"]);
    assert_eq!(look(&mut second), ["second READ"]);
    drop(first);
    assert!(is_open(&far));
    assert_eq!(look(&mut second), ["second READ"]);
}

/// A file that lives on under another number after its source was closed reports to nobody, not
/// even to the next who has the number.
#[test]
fn ghost_of_a_closed_source_reaches_nobody() {
    in_own_process("sources::ghost_of_a_closed_source_reaches_nobody", || {
        let (near, far) = sockets();
        let twin = dup(&near).unwrap();
        let old = number(&near);
        let mut events = new_loop();
        let event = events.io(near, Interest::READ).persist();
        let id = event.add(io("old")).unwrap();
        look(&mut events);
        events.remove(id).unwrap();

        let (near, _next_far) = sockets();
        assert_eq!(number(&near), old);
        let event = events.io(near, Interest::READ).persist();
        event.add(io("new")).unwrap();
        put(&far, b"x");
        for _ in 0..3 {
            assert_eq!(look(&mut events), NOBODY);
        }
        let stats = events.stats();
        assert_eq!((stats.ghosts, stats.quenched), (0, 0));
        drop(twin);
    });
}

/// A source of the program's own making.
struct Wrapped {
    inner: std::io::PipeReader,
    drops: Rc<Cell<u32>>,
}

impl AsFd for Wrapped {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
    }
}

#[test]
fn any_owner_of_a_file_descriptor_can_be_a_source() {
    let (reader, writer) = pipes();
    let drops = Rc::new(Cell::new(0));
    let mut events = new_loop();
    let source = Wrapped {
        inner: reader,
        drops: Rc::clone(&drops),
    };
    let event = events.io(source, Interest::READ);
    let id = event
        .add(|cx, wrapped, ready| {
            let read = take(&wrapped.inner);
            cx.state
                .push(line(&String::from_utf8(read).unwrap(), ready));
        })
        .unwrap();
    assert!(events.source::<Wrapped>(id).is_some());
    put(&writer, b"piped");
    assert_eq!(run_out(&mut events), ["piped READ"]);
    assert_eq!(drops.get(), 1);
}
