//! The system calls for which no safe wrapper is at hand.
#![expect(
    unsafe_code,
    reason = "raise, tgkill, fork, and a file descriptor that is not open"
)]

use std::os::fd::{BorrowedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use evloop::Signal;
use rustix::process::{Pid, WaitOptions, WaitStatus, getpid, waitpid};

/// Sends a signal to the calling thread. If it does not block it, the handler has run on return.
pub(crate) fn raise(signal: Signal) {
    // SAFETY: no precondition but that what it makes run is sound, which is up to who installed it.
    let result = unsafe { libc::raise(signal.number()) };
    assert_eq!(result, 0);
}

/// Sends a signal to a thread of this process; to nobody if the thread has ended.
pub(crate) fn send_to(thread: Pid, signal: Signal) {
    let (process, thread) = (getpid().as_raw_nonzero(), thread.as_raw_nonzero());
    // SAFETY: as above; the kernel looks the numbers up and touches no memory for them.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal.number()) };
}

/// Runs `scenario` in a child that is a copy of this process, and says how the child ended:
/// with status 0 unless the scenario panicked.
pub(crate) fn in_forked_child(scenario: impl FnOnce()) -> WaitStatus {
    // SAFETY: the child has this thread only, and does what a child of a process with several
    // threads may not rely on: it allocates and prints. The C library sees to it that this works,
    // and the other thread of a test's own process does nothing but wait for this one.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    let Some(child) = Pid::from_raw(pid) else {
        let status = i32::from(catch_unwind(AssertUnwindSafe(scenario)).is_err());
        // SAFETY: no precondition; nothing of the parent's is flushed or run.
        unsafe { libc::_exit(status) }
    };
    let (_, status) = waitpid(Some(child), WaitOptions::empty()).unwrap().unwrap();
    status
}

/// A source that is not open.
pub(crate) fn closed(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: nobody has this number open: it is above the limit of the process. So there is no
    // file that could be mistaken for another.
    unsafe { BorrowedFd::borrow_raw(number) }
}
