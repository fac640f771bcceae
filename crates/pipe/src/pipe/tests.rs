//! The fallback, with every combination of refusals, and what it leaves open.
//!
//! | call | errno | outcome |
//! |---|---|---|
//! | `pipe2`, `pipe`, `fcntl` | `EMFILE`, `ENFILE`, `ENOMEM` | an error that names the call |
//! | `pipe2`, `pipe`, `fcntl` | any other | what was made is closed; the next method |
//! | `socketpair` | any | an error that names the call |

use std::cell::{Cell, RefCell};

use super::*;
use crate::process::{in_own_process, open_fds};

/// What each step answers, in the order of [`STEPS`]; `None` lets the kernel do it.
type Script = [Option<Errno>; STEPS.len()];

/// The steps of [`Method::ALL`], one after the other.
const STEPS: [&str; 7] = [
    "pipe2",
    "pipe",
    "fcntl(F_SETFD)",
    "fcntl(F_SETFD)",
    "fcntl(F_SETFL)",
    "fcntl(F_SETFL)",
    "socketpair",
];

/// The kernel, with refusals.
struct Faulty {
    script: Script,
    cloexecs: Cell<usize>,
    nonblockings: Cell<usize>,
    called: RefCell<Vec<&'static str>>,
}

impl Faulty {
    fn new(script: Script) -> Self {
        let (cloexecs, nonblockings) = (Cell::new(0), Cell::new(0));
        Self {
            script,
            cloexecs,
            nonblockings,
            called: RefCell::default(),
        }
    }

    fn step<R>(&self, index: usize, call: impl Fn() -> Result<R, Errno>) -> Result<R, Errno> {
        self.called.borrow_mut().push(STEPS[index]);
        self.script[index].map_or_else(call, Err)
    }
}

impl Calls for Faulty {
    fn pipe2(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        self.step(0, || Kernel.pipe2())
    }

    fn pipe(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        self.step(1, || Kernel.pipe())
    }

    fn set_cloexec(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        let nth = self.cloexecs.replace(self.cloexecs.get() + 1);
        self.step(2 + nth, || Kernel.set_cloexec(fd))
    }

    fn set_nonblocking(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        let nth = self.nonblockings.replace(self.nonblockings.get() + 1);
        self.step(4 + nth, || Kernel.set_nonblocking(fd))
    }

    fn socketpair(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        self.step(6, || Kernel.socketpair())
    }
}

/// Which method is expected to win, or which step is expected to be reported.
fn expected(script: &Script) -> Result<Method, (&'static str, Errno)> {
    let mut refusal = None;
    for (method, steps) in [
        (Method::Pipe2, 0..1),
        (Method::Pipe, 1..6),
        (Method::Socketpair, 6..7),
    ] {
        match steps
            .into_iter()
            .find_map(|step| Some((STEPS[step], script[step]?)))
        {
            None => return Ok(method),
            Some(failed @ (_, Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => return Err(failed),
            Some(failed) => refusal = Some(failed),
        }
    }
    Err(refusal.expect("every method was refused"))
}

/// Every script of success, a call that is missing, and a limit that is reached.
fn scripts() -> impl Iterator<Item = Script> {
    let answers = [None, Some(Errno::NOSYS), Some(Errno::MFILE)];
    (0..answers.len().pow(7)).map(move |mut number| {
        [(); STEPS.len()].map(|()| {
            let answer = answers[number % answers.len()];
            number /= answers.len();
            answer
        })
    })
}

/// What the manual of each step names, and what a kernel or a sandbox without the call answers.
const ERRNOS: [&[Errno]; STEPS.len()] = {
    const PIPE: &[Errno] = &[
        Errno::FAULT,
        Errno::INVAL,
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOPKG,
        Errno::NOSYS,
        Errno::PERM,
    ];
    const FCNTL: &[Errno] = &[
        Errno::ACCESS,
        Errno::AGAIN,
        Errno::BADF,
        Errno::INTR,
        Errno::INVAL,
        Errno::NOLCK,
        Errno::PERM,
    ];
    const SOCKETPAIR: &[Errno] = &[
        Errno::AFNOSUPPORT,
        Errno::FAULT,
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::OPNOTSUPP,
        Errno::PROTONOSUPPORT,
        Errno::ACCESS,
        Errno::PERM,
    ];
    [PIPE, PIPE, FCNTL, FCNTL, FCNTL, FCNTL, SOCKETPAIR]
};

/// Every script in which one step is refused with each of its errnos, and those before it are
/// missing where that is what it takes to come so far.
fn scripts_of_one_errno() -> impl Iterator<Item = Script> {
    (0..STEPS.len()).flat_map(|step| {
        ERRNOS[step].iter().map(move |&errno| {
            let mut script = [None; STEPS.len()];
            script[0] = Some(Errno::NOSYS);
            script[1] = Some(Errno::NOSYS).filter(|_| step == 6);
            script[step] = Some(errno);
            script
        })
    })
}

fn check(script: Script, before: usize) {
    let calls = Faulty::new(script);
    let made = Pipe::by_first(&calls);
    let open = open_fds() - before;
    match (made, expected(&script)) {
        (Ok(pipe), Ok(method)) => {
            assert_eq!((pipe.method(), open), (method, 2), "{script:?}");
        }
        (Err(error), Err((call, errno))) => {
            assert_eq!((error.call, open), (call, 0), "{script:?}");
            assert_eq!(error.source.raw_os_error(), Some(errno.raw_os_error()));
            assert_eq!(calls.called.borrow().last(), Some(&call), "{script:?}");
        }
        (made, expected) => panic!("{script:?}: made {made:?}, expected {expected:?}"),
    }
}

#[test]
fn every_script_ends_as_expected_and_leaves_nothing_open() {
    let test = "pipe::tests::every_script_ends_as_expected_and_leaves_nothing_open";
    in_own_process(test, || {
        let before = open_fds();
        scripts().for_each(|script| check(script, before));
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn every_errno_of_every_step_ends_as_expected_and_leaves_nothing_open() {
    let test = "pipe::tests::every_errno_of_every_step_ends_as_expected_and_leaves_nothing_open";
    in_own_process(test, || {
        let before = open_fds();
        scripts_of_one_errno().for_each(|script| check(script, before));
        assert_eq!(open_fds(), before);
    });
}
