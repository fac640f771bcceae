//! Each system call of a waker, refused with each errno that its manual names, at each of its calls
//! in turn; what comes of it:
//!
//! | call | errno | outcome |
//! |---|---|---|
//! | `eventfd` | `EMFILE`, `ENFILE`, `ENOMEM` | an error that names the call |
//! | `eventfd` | any other | a waker on a pipe |
//! | `write` | `EINTR` | made again |
//! | `write`, eventfd | any other | the count is taken and begun anew: an edge |
//! | `write`, pipe | any other | made once more (a full pipe is readable in any case) |
//! | `read` | `EINTR` | made again |
//! | `read` | any other | what is left goes with the next wakeup |
//!
//! In each row: the wakeup arrives, a few calls more are made at most, nothing is left open. The calls
//! that make a pipe are refused in `pipe/tests.rs`.

use std::cell::{Cell, RefCell};

use rustix::event::{Timespec, epoll};

use super::*;
use crate::Method;
use crate::process::{in_own_process, open_fds};

const READ: [Errno; 7] = [
    Errno::AGAIN,
    Errno::BADF,
    Errno::FAULT,
    Errno::INTR,
    Errno::INVAL,
    Errno::IO,
    Errno::ISDIR,
];
const WRITE: [Errno; 12] = [
    Errno::AGAIN,
    Errno::BADF,
    Errno::DESTADDRREQ,
    Errno::DQUOT,
    Errno::FAULT,
    Errno::FBIG,
    Errno::INTR,
    Errno::INVAL,
    Errno::IO,
    Errno::NOSPC,
    Errno::PERM,
    Errno::PIPE,
];
/// The last two are those of a kernel, or a sandbox, that has no such call.
const EVENTFD: [Errno; 7] = [
    Errno::INVAL,
    Errno::MFILE,
    Errno::NFILE,
    Errno::NODEV,
    Errno::NOMEM,
    Errno::NOSYS,
    Errno::PERM,
];

/// Which call is refused, the how manieth of its name, and why.
type Fault = (&'static str, usize, Errno);

/// The kernel, with one refusal.
struct Faulty {
    fault: Option<Fault>,
    called: RefCell<Vec<&'static str>>,
    was_refused: Cell<bool>,
}

impl Faulty {
    fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            called: RefCell::default(),
            was_refused: Cell::new(false),
        }
    }

    fn answer<R>(
        &self,
        call: &'static str,
        f: impl FnOnce() -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let before = self.count(call);
        self.called.borrow_mut().push(call);
        match self.fault {
            Some((refused, at, errno)) if refused == call && at == before => {
                self.was_refused.set(true);
                Err(errno)
            }
            _ => f(),
        }
    }

    fn count(&self, call: &str) -> usize {
        let called = self.called.borrow();
        called.iter().filter(|name| **name == call).count()
    }
}

impl Calls for Faulty {
    fn eventfd(&self) -> Result<OwnedFd, Errno> {
        self.answer("eventfd", || Kernel.eventfd())
    }

    fn read(&self, fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
        self.answer("read", || Kernel.read(fd, buf))
    }

    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
        self.answer("write", || Kernel.write(fd, bytes))
    }
}

impl pipe::Calls for Faulty {
    fn pipe2(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        self.answer("pipe2", || Kernel.pipe2())
    }

    fn pipe(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        Kernel.pipe()
    }

    fn set_cloexec(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        Kernel.set_cloexec(fd)
    }

    fn set_nonblocking(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        Kernel.set_nonblocking(fd)
    }

    fn socketpair(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        Kernel.socketpair()
    }
}

const NOT_AT_ALL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// Puts a loop to sleep and wakes it, time and again; each wakeup has to arrive.
fn live(waker: &Waker, calls: &Faulty) {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(&epoll, waker, epoll::EventData::new_u64(0), flags).unwrap();
    let is_reported = || {
        let mut events = Vec::with_capacity(1);
        let spare = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(&epoll, spare, Some(&NOT_AT_ALL)).unwrap() == 1
    };
    for round in 0..4 {
        assert!(waker.sleep());
        waker.wake_by(calls);
        waker.wake_by(calls);
        assert!(is_reported(), "round {round}: {:?}", calls.fault);
        assert!(waker.awake());
        // An eventfd is drained where it is level-triggered.
        if waker.needs_drain() || round % 2 == 0 {
            waker.drain_by(calls);
        }
        assert!(!waker.awake() && !is_reported(), "{:?}", calls.fault);
    }
    // Nobody has forgotten to take what is left.
    waker.drain_by(calls);
    waker.drain_by(calls);
    let mut left = [0; 8];
    assert_eq!(Kernel.read(waker.as_fd(), &mut left), Err(Errno::AGAIN));
}

fn wakers() -> impl Iterator<Item = Waker> {
    let pipes = Method::ALL.map(|method| Waker::with_pipe(Pipe::with_method(method).unwrap()));
    [Waker::new().unwrap()].into_iter().chain(pipes)
}

#[test]
fn every_refusal_of_a_read_or_a_write_is_mended() {
    let test = "waker::tests::every_refusal_of_a_read_or_a_write_is_mended";
    in_own_process(test, || {
        let before = open_fds();
        let mut refused = 0;
        for waker in wakers() {
            let open = open_fds();
            let undisturbed = Faulty::new(None);
            live(&waker, &undisturbed);
            let usual = undisturbed.called.borrow().len();
            for (call, errnos) in [("read", &READ[..]), ("write", &WRITE[..])] {
                for at in 0..undisturbed.count(call) {
                    for &errno in errnos {
                        let calls = Faulty::new(Some((call, at, errno)));
                        live(&waker, &calls);
                        assert!(calls.was_refused.get(), "{:?}", calls.fault);
                        let made = calls.called.borrow().len();
                        assert!(made <= usual + 3, "{:?}: {made} calls", calls.fault);
                        refused += 1;
                    }
                }
            }
            assert_eq!(open_fds(), open);
        }
        assert_eq!(open_fds(), before);
        assert!(refused > 0);
    });
}

#[test]
fn every_refusal_of_an_eventfd_is_an_error_or_a_pipe() {
    let test = "waker::tests::every_refusal_of_an_eventfd_is_an_error_or_a_pipe";
    in_own_process(test, || {
        let before = open_fds();
        for errno in EVENTFD {
            let calls = Faulty::new(Some(("eventfd", 0, errno)));
            match Waker::by(&calls) {
                Ok(waker) => {
                    assert_eq!(waker.kind(), WakerKind::Pipe, "{errno}");
                    live(&waker, &calls);
                }
                Err(error) => {
                    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
                    assert!(exhausted.contains(&errno), "{errno}");
                    assert_eq!(error.call, "eventfd");
                    assert_eq!(error.source.raw_os_error(), Some(errno.raw_os_error()));
                    assert_eq!(*calls.called.borrow(), ["eventfd"], "nothing else is tried");
                }
            }
            assert_eq!(open_fds(), before, "{errno}");
        }
    });
}
