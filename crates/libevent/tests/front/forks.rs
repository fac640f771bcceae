//! Forked children.

use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use evloop_libevent::{event_base_priority_init, event_priority_set, event_reinit};
use rustix::io::write;
use rustix::pipe::pipe;
use rustix::process::{WaitOptions, waitpid};

use crate::support::{Ev, Loop, NONBLOCK, ONCE, PERSIST, READ};

/// Does something in a child, which ends well if it says so; and how the child ended.
pub(crate) fn in_child(does: impl FnOnce() -> bool) -> Option<i32> {
    let child = fork();
    if child == 0 {
        leave(does());
    }
    ended(child)
}

/// 0 in the child, which is ended by a signal where it hangs.
fn fork() -> i32 {
    // SAFETY: the child makes no use of what other threads may hold, but for memory, whose lock the C
    // library frees in it.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: no precondition.
        unsafe { libc::alarm(40) };
    }
    child
}

/// Ends a child.
fn leave(well: bool) -> ! {
    // SAFETY: the child leaves at once.
    unsafe { libc::_exit(i32::from(!well)) }
}

fn ended(child: i32) -> Option<i32> {
    let child = rustix::process::Pid::from_raw(child);
    let (_, status) = waitpid(child, WaitOptions::empty()).unwrap().unwrap();
    status.exit_status()
}

#[test]
fn child_waits_for_its_own_and_leaves_its_parents_alone() {
    for events in [Loop::new(), Loop::with_changelist()] {
        let (reader, writer) = pipe().unwrap();
        let (event, notes) = Ev::noting(&events, reader.as_raw_fd(), READ | PERSIST);
        event.add();
        let ended = in_child(|| {
            // SAFETY: the base is one.
            let reinit = unsafe { event_reinit(events.base()) };
            write(&writer, b"x").unwrap();
            let ran = events.run(ONCE);
            event.del();
            (reinit, ran, notes.take()) == (0, 0, vec![READ])
        });
        assert_eq!(ended, Some(0));
        // The child has deleted its event, not this one.
        assert_eq!(events.run(ONCE), 0);
        assert_eq!(notes.take(), [READ]);
        event.del();
    }
}

#[test]
fn child_that_does_not_ask_leaves_its_parents_alone_too() {
    let events = Loop::new();
    let (reader, writer) = pipe().unwrap();
    let (event, notes) = Ev::noting(&events, reader.as_raw_fd(), READ | PERSIST);
    event.add();
    let ended = in_child(|| {
        event.del();
        events.run(NONBLOCK) == 1
    });
    assert_eq!(ended, Some(0));
    let ended = in_child(|| {
        write(&writer, b"x").unwrap();
        events.run(ONCE) == 0 && notes.take() == [READ]
    });
    assert_eq!(ended, Some(0));
    assert_eq!(events.run(ONCE), 0);
    assert_eq!(notes.take(), [READ]);
    event.del();
}

/// The other event is active when the child assigns it anew, so that its slot is left over.
#[test]
fn child_of_a_callback_that_goes_on_with_the_loop_leaves_its_parents_alone() {
    for events in [Loop::new(), Loop::with_changelist()] {
        // SAFETY: the base is one.
        assert_eq!(unsafe { event_base_priority_init(events.base(), 2) }, 0);
        let (forking, fork_now) = pipe().unwrap();
        let (reader, writer) = pipe().unwrap();
        let (other, notes) = Ev::noting(&events, reader.as_raw_fd(), READ | PERSIST);
        let other = Rc::new(other);
        let forked: Rc<Cell<Option<i32>>> = Rc::default();
        let (child, others) = (Rc::clone(&forked), Rc::clone(&other));
        let fd = forking.as_raw_fd();
        let event = Ev::new(&events, fd, READ | PERSIST, move |_, _| {
            rustix::io::read(&forking, &mut [0]).unwrap();
            child.set(Some(fork()));
            match child.get() {
                Some(0) => others.assign_anew(-1, 0),
                Some(pid) => assert_eq!(ended(pid), Some(0)),
                None => {}
            }
        });
        for (event, priority) in [(&event, 0), (&*other, 1)] {
            // SAFETY: the event is one.
            assert_eq!(unsafe { event_priority_set(event.event(), priority) }, 0);
            event.add();
        }
        write(&fork_now, b"x").unwrap();
        write(&writer, b"x").unwrap();
        events.run(ONCE | NONBLOCK);
        if forked.get() == Some(0) {
            events.run(NONBLOCK);
            leave(notes.len() == 0);
        }
        assert_eq!(notes.take(), [READ]);
        // The kernel still holds it.
        events.run(ONCE | NONBLOCK);
        assert_eq!(notes.take(), [READ]);
        event.del();
        other.del();
    }
}
