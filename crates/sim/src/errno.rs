//! The error numbers that the model kernel answers with; their values are Linux's.

use std::io;

/// Operation not permitted: the file can never be waited for.
pub(crate) const EPERM: i32 = 1;
/// Interrupted system call.
pub(crate) const EINTR: i32 = 4;
/// Bad file descriptor: the number is not open, or not for this.
pub(crate) const EBADF: i32 = 9;
/// Resource temporarily unavailable: the call would block.
pub(crate) const EAGAIN: i32 = 11;
/// Out of memory.
pub(crate) const ENOMEM: i32 = 12;
/// Invalid argument.
pub(crate) const EINVAL: i32 = 22;
/// Too many open files in the system.
pub(crate) const ENFILE: i32 = 23;
/// Too many open files in the process.
pub(crate) const EMFILE: i32 = 24;
/// No space left: too many files are waited for by one user.
pub(crate) const ENOSPC: i32 = 28;
/// Broken pipe: nobody can ever read what would be written.
pub(crate) const EPIPE: i32 = 32;
/// Function not implemented: a system without the call, or a sandbox that says so.
pub(crate) const ENOSYS: i32 = 38;
/// Socket operation on something else.
pub(crate) const ENOTSOCK: i32 = 88;
/// Software caused connection abort: the peer gave up before it was accepted.
pub(crate) const ECONNABORTED: i32 = 103;
/// Connection reset by peer.
pub(crate) const ECONNRESET: i32 = 104;
/// Transport endpoint is not connected.
pub(crate) const ENOTCONN: i32 = 107;
/// Connection refused: nobody listens.
pub(crate) const ECONNREFUSED: i32 = 111;

/// The error number as a syscall's result.
pub(crate) fn fail<T>(errno: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(errno))
}
