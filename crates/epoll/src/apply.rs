//! From a change to the `epoll_ctl` calls that make it true.
//!
//! The op table names the first call, the recovery rule what to do when it is refused; here they
//! meet the kernel.

use std::io;
use std::os::fd::BorrowedFd;

use evloop_backend::ControlError;
use evloop_changelist::{Entry, EpollOp, Interest, Op, RawFd, Recovery, Token, Trigger, recover};
use libc::epoll_event;

use crate::sys;

/// A change that the kernel refuses, after the recovery rule had its say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    op: Op,
    pub(crate) errno: i32,
}

impl Refusal {
    pub(crate) fn of(self, fd: RawFd) -> ControlError {
        let call = match self.op {
            Op::Add => "epoll_ctl(EPOLL_CTL_ADD)",
            Op::Modify => "epoll_ctl(EPOLL_CTL_MOD)",
            Op::Delete => "epoll_ctl(EPOLL_CTL_DEL)",
        };
        ControlError {
            call,
            fd,
            source: io::Error::from_raw_os_error(self.errno),
        }
    }
}

/// Tells the kernel one entry of a changelist. Once it is refused, the kernel holds nothing for
/// this file descriptor.
pub(crate) fn apply(epoll: &mut impl Control, entry: &Entry) -> Result<(), Refusal> {
    let Some(EpollOp { op, interest }) = entry.change.op() else {
        return Ok(());
    };
    let event = event(entry.token, interest, entry.change.trigger());
    let told = tell(epoll, op, entry.fd, event);
    told.inspect_err(|_| {
        // What was held before would otherwise be reported on, under an interest that nobody has.
        // Mostly there is nothing to delete, and that is as well.
        _ = epoll.epoll_ctl(Op::Delete, entry.fd, sys::NO_EVENT);
    })
}

/// Makes one call, and mends it once if it is refused for a reason that can be mended.
pub(crate) fn tell(
    epoll: &mut impl Control,
    op: Op,
    fd: RawFd,
    event: epoll_event,
) -> Result<(), Refusal> {
    let Err(errno) = epoll.epoll_ctl(op, fd, event) else {
        return Ok(());
    };
    match recover(op, errno) {
        Recovery::Done => Ok(()),
        Recovery::Fail => Err(Refusal { op, errno }),
        Recovery::Retry(other) => epoll
            .epoll_ctl(other, fd, event)
            .map_err(|errno| Refusal { op: other, errno }),
    }
}

/// The system call that tells; a test answers in the kernel's place.
pub(crate) trait Control {
    /// The error is the `errno`.
    fn epoll_ctl(&mut self, op: Op, fd: RawFd, event: epoll_event) -> Result<(), i32>;
}

impl Control for BorrowedFd<'_> {
    #[inline]
    fn epoll_ctl(&mut self, op: Op, fd: RawFd, event: epoll_event) -> Result<(), i32> {
        sys::epoll_ctl(*self, op, fd, event)
    }
}

/// What the kernel is given to hold.
pub(crate) fn event(token: Token, interest: Interest, trigger: Trigger) -> epoll_event {
    let edge = match trigger {
        Trigger::Level => 0,
        Trigger::Edge => libc::EPOLLET,
    };
    let asked = BITS.iter().filter(|(kind, _)| interest.contains(*kind));
    let bits = asked.fold(edge, |bits, (_, bit)| bits | bit);
    epoll_event {
        events: bits.cast_unsigned(),
        u64: token.to_bits(),
    }
}

/// The kernel's bit for each kind of interest.
pub(crate) const BITS: [(Interest, libc::c_int); 3] = [
    (Interest::READ, libc::EPOLLIN),
    (Interest::WRITE, libc::EPOLLOUT),
    (Interest::CLOSED, libc::EPOLLRDHUP),
];

#[cfg(test)]
mod tests;
