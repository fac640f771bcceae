//! The two system calls, as safe functions: all the `unsafe` there is.
//!
//! rustix has `poll`, for borrowed file descriptors. A number in the table is not one: its file may
//! have been closed by now, and to be told so by the kernel is the point.
#![expect(unsafe_code, reason = "two system calls through libc, one block each")]

use std::io;
use std::ptr;

use libc::{c_int, nfds_t, pollfd, timespec};

/// `ppoll(2)` with no signal mask: how many of `fds` have something in `revents`. No timeout: for
/// ever. The error is the `errno`.
pub(crate) fn ppoll(fds: &mut [pollfd], timeout: Option<timespec>) -> Result<usize, i32> {
    let (len, timeout) = (
        len(fds),
        timeout.as_ref().map_or(ptr::null(), ptr::from_ref),
    );
    // SAFETY: the kernel reads and writes `len` entries from the start of `fds`, which is borrowed
    // mutably and as long. It reads the timeout, which is null or alive for the call, and no mask,
    // as that is null. The numbers in `fds` may be any: it looks them up, and touches no memory of
    // ours for them.
    let result = unsafe { libc::ppoll(fds.as_mut_ptr(), len, timeout, ptr::null()) };
    count(result)
}

/// `poll(2)`, otherwise as [`ppoll`]. A negative timeout: for ever.
pub(crate) fn poll(fds: &mut [pollfd], timeout_ms: c_int) -> Result<usize, i32> {
    let len = len(fds);
    // SAFETY: the kernel reads and writes `len` entries from the start of `fds`, which is borrowed
    // mutably and as long. Of the numbers in it the same is true as above.
    let result = unsafe { libc::poll(fds.as_mut_ptr(), len, timeout_ms) };
    count(result)
}

/// As many entries as the kernel may touch.
fn len(fds: &[pollfd]) -> nfds_t {
    nfds_t::try_from(fds.len()).unwrap_or(nfds_t::MAX)
}

/// What a system call returned: a count, or -1 with the reason in `errno`.
fn count(result: c_int) -> Result<usize, i32> {
    // The last OS error always is an errno.
    usize::try_from(result).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap_or(0))
}
