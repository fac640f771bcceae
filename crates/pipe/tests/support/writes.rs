//! Counts the system calls that a waker has made.

use std::os::fd::AsFd;

use evloop_pipe::{Waker, WakerKind};

/// Takes everything that was written to the waker, and returns how many writes it was.
pub(crate) fn take(waker: &Waker) -> usize {
    let mut buffer = [0; 4096];
    match (rustix::io::read(waker.as_fd(), &mut buffer), waker.kind()) {
        (Err(_), _) => 0,
        (Ok(read), WakerKind::Pipe) => read,
        (Ok(read), WakerKind::Eventfd) => {
            let count = u64::from_ne_bytes(buffer[..read].try_into().unwrap());
            usize::try_from(count).unwrap()
        }
    }
}
