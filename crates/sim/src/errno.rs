//! The error numbers that the model kernel answers with; their values are Linux's.

use std::io;

/// Operation not permitted: the file can never be waited for.
pub(crate) const EPERM: i32 = 1;
/// Bad file descriptor: the number is not open, or not for this.
pub(crate) const EBADF: i32 = 9;
/// Resource temporarily unavailable: the call would block.
pub(crate) const EAGAIN: i32 = 11;
/// Invalid argument.
pub(crate) const EINVAL: i32 = 22;
/// Broken pipe: nobody can ever read what would be written.
pub(crate) const EPIPE: i32 = 32;
/// Socket operation on something else.
pub(crate) const ENOTSOCK: i32 = 88;
/// Connection reset by peer.
pub(crate) const ECONNRESET: i32 = 104;

/// The error number as a syscall's result.
pub(crate) fn fail<T>(errno: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(errno))
}
