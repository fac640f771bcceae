//! Forked children.

use std::os::fd::AsRawFd;

use evloop_libevent::event_reinit;
use rustix::io::write;
use rustix::pipe::pipe;
use rustix::process::{WaitOptions, waitpid};

use crate::support::{Ev, Loop, NONBLOCK, ONCE, PERSIST, READ};

/// Does something in a child, which ends well if it says so; and how the child ended.
fn in_child(does: impl FnOnce() -> bool) -> Option<i32> {
    // SAFETY: the child makes no use of what other threads may hold, but for memory, whose lock the C
    // library frees in it.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // Ended by the signal, where it hangs.
        // SAFETY: no precondition.
        unsafe { libc::alarm(40) };
        let code = i32::from(!does());
        // SAFETY: the child leaves at once.
        unsafe { libc::_exit(code) };
    }
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
