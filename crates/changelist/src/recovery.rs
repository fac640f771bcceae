//! What to do about an operation that the kernel refused.
//!
//! The op table guesses from a record of what the kernel holds. A file that was closed, duplicated
//! or replaced behind the record's back makes the guess wrong, and the kernel's answer says which
//! guess would have been right.

use crate::Op;

/// What to do about a refused operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// Do this operation instead, once, with the same interest. If it is refused too, the change
    /// has failed.
    Retry(Op),
    /// Nothing: the kernel already is as was wanted.
    Done,
    /// Report it: the kernel will not hold this interest.
    Fail,
}

/// What to do about `op`, which the kernel refused with this `errno`.
///
/// | refused | with | then |
/// |---|---|---|
/// | modify | `ENOENT`: the file is not held (it was closed, and the number used again) | add |
/// | add | `EEXIST`: the file is held (it came back under its number, by way of a duplicate) | modify |
/// | delete | `ENOENT`, `EBADF`, `EPERM`: not held, closed, or replaced by a file that cannot be waited for | done |
/// | any | anything else | fail |
///
/// Whatever the kernel holds, the first call and at most one retry reach what is wanted, or show
/// that it cannot be had. A caller that shares the epoll instance with other threads may lose a
/// race between the two; it must not retry without end.
///
/// `errno` is the number as Linux counts it, the same on every architecture for those above.
///
/// # Examples
///
/// ```
/// use evloop_changelist::{Op, Recovery, recover};
///
/// const ENOENT: i32 = 2;
/// assert_eq!(recover(Op::Modify, ENOENT), Recovery::Retry(Op::Add));
/// assert_eq!(recover(Op::Delete, ENOENT), Recovery::Done);
/// ```
///
/// # Compared with libevent
///
/// The `switch` of `epoll_apply_one_change`.
#[must_use]
pub const fn recover(op: Op, errno: i32) -> Recovery {
    match (op, errno) {
        (Op::Modify, ENOENT) => Recovery::Retry(Op::Add),
        (Op::Add, EEXIST) => Recovery::Retry(Op::Modify),
        (Op::Delete, ENOENT | EBADF | EPERM) => Recovery::Done,
        _ => Recovery::Fail,
    }
}

// Linux, include/uapi/asm-generic/errno-base.h, which every architecture includes.
const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EBADF: i32 = 9;
const EEXIST: i32 = 17;
