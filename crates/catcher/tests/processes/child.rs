//! Forked children, and what became of them.
#![expect(unsafe_code, reason = "no safe wrappers of these calls are at hand")]

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use evloop_catcher::Signal;
use libc::c_int;

/// How a child is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    /// `fork(3)`.
    Fork,
    /// The system call, of which the C library learns nothing.
    SystemCall,
}

/// Runs `body` in a child, and fails if it fails, or has not ended after 20 seconds.
pub(crate) fn in_child(by: By, body: impl FnOnce()) {
    let child = make(by);
    if child == 0 {
        // SAFETY: this call has no precondition.
        unsafe { libc::alarm(20) };
        let result = catch_unwind(AssertUnwindSafe(body));
        // SAFETY: the child ends here, and leaves what it has inherited as it is.
        unsafe { libc::_exit(c_int::from(result.is_err())) };
    }
    let mut status = -1;
    // SAFETY: the status is borrowed mutably.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0), "the child failed");
}

/// Makes a child; 0 in the child.
///
/// Such a child of a process with several threads may not do everything. Those here allocate, which
/// the C library allows, and panic, when the test fails anyway.
fn make(by: By) -> c_int {
    let child = match by {
        // SAFETY: see above.
        By::Fork => unsafe { libc::fork() },
        By::SystemCall => {
            let signal = libc::c_long::from(libc::SIGCHLD);
            // SAFETY: see above; the child gets a copy of the stack, as from fork.
            let child = unsafe { libc::syscall(libc::SYS_clone, signal, 0, 0, 0, 0) };
            child.try_into().unwrap()
        }
    };
    assert!(child >= 0);
    child
}

/// Sends this process a signal; as its only thread, and not by a number that the C library has
/// remembered of the parent.
pub(crate) fn kill_myself(signal: Signal) {
    // SAFETY: this call has no precondition.
    let me = unsafe { libc::getpid() };
    // SAFETY: this call has no precondition but that what it makes run is sound.
    assert_eq!(unsafe { libc::kill(me, signal.number()) }, 0);
}

/// Becomes a shell, with dispositions and mask as they are: `std` would clean them.
pub(crate) fn become_shell(script: &str) -> ! {
    let text = |text: &str| CString::new(text).unwrap();
    let (path, option, script) = (text("/bin/sh"), text("-c"), text(script));
    let arguments = [path.as_ptr(), option.as_ptr(), script.as_ptr(), ptr::null()];
    // SAFETY: the array ends with null; it and the strings live until the program is another.
    unsafe { libc::execv(path.as_ptr(), arguments.as_ptr()) };
    panic!("there is no /bin/sh");
}
