//! A loop with something of everything, and a fork that returns on both sides.
#![expect(
    unsafe_code,
    reason = "fork, and a source that is closed by somebody else"
)]

use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;

use evloop::{EventId, Interest, Signal};
use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};
use rustix::thread::gettid;

use crate::support::clock::{DAY, ms};
use crate::support::files::{put, sockets, take};
use crate::support::process::is_done;
use crate::support::raw::raise;
use crate::support::status::until_it_blocks;
use crate::support::trace::{Loop, NOBODY, line, look, new_loop, signal, timer, wait};

/// A loop that waits for input, for a signal and for tomorrow.
pub(super) struct Scene {
    pub(super) events: Loop,
    pub(super) far: UnixStream,
    pub(super) usr1: EventId,
}

impl Scene {
    pub(super) fn new() -> Self {
        let (near, far) = sockets();
        let mut events = new_loop();
        let reader = events.io(near, Interest::READ).persist();
        reader
            .add(|cx, near, ready| {
                take(near);
                cx.state.push(line("reader", ready));
            })
            .unwrap();
        let usr1 = events.signal(Signal::USR1).persist();
        let usr1 = usr1.add(signal("USR1")).unwrap();
        events.timer(DAY).add(timer("tomorrow")).unwrap();
        assert_eq!(look(&mut events), NOBODY);
        Self { events, far, usr1 }
    }

    /// Panics unless the loop hears of input, of a signal, of the time and of other threads. Only for
    /// one process at a time: input is for whoever comes first.
    pub(super) fn check(&mut self) {
        let Self { events, far, .. } = self;
        put(&*far, b"x");
        assert_eq!(look(events), ["reader READ"]);
        raise(Signal::USR1);
        assert_eq!(look(events), ["USR1 x1"]);
        events.timer(ms(1)).add(timer("timer")).unwrap();
        assert_eq!(wait(events), ["timer"]);
        self.check_wakeup();
    }

    /// Panics unless another thread can wake the loop, and nothing else is to be heard of.
    pub(super) fn check_wakeup(&mut self) {
        let Self { events, .. } = self;
        let (remote, its) = (events.remote(), gettid());
        let poster = thread::spawn(move || {
            until_it_blocks(its);
            remote.post(timer("posted")).unwrap();
        });
        assert_eq!(wait(events), ["posted"]);
        poster.join().unwrap();
        assert_eq!(look(events), NOBODY);
        events.verify().unwrap();
    }
}

/// Which of the two processes this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Parent(Pid),
    Child,
}

impl Side {
    pub(super) fn is_child(self) -> bool {
        self == Self::Child
    }
}

/// Forks. The child ends, as the parent does, by coming to the end of the scenario.
pub(super) fn fork() -> Side {
    // SAFETY: the child has this thread only, and allocates and prints, which a child of a process
    // with several threads may not rely on. The C library sees to it that this works, and no other
    // thread of a test's own process does anything but wait for this one.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    Pid::from_raw(pid).map_or(Side::Child, Side::Parent)
}

/// Panics unless the child came to its end.
pub(super) fn assert_done(child: Pid) {
    let (_, status) = waitpid(Some(child), WaitOptions::empty()).unwrap().unwrap();
    assert!(is_done(ExitStatus::from_raw(status.as_raw())), "{status:?}");
}

/// Panics if the scenario of a child did.
pub(super) fn assert_well(child: WaitStatus) {
    assert_eq!(child.exit_status(), Some(0), "{child:?}");
}

/// Closes a source of the loop as a child does that closes all files it knows nothing of.
pub(super) fn close_behind_its_back(source: BorrowedFd<'_>) {
    // SAFETY: closing a file that others have takes it from them. The source belongs to the loop of
    // a child, which finds it closed; nobody in the child reads, writes or closes it any more, for
    // the child ends without dropping anything.
    let result = unsafe { libc::close(source.as_raw_fd()) };
    assert_eq!(result, 0);
}
