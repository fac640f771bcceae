//! The handler: one for all signals and all catchers of the process, and the list of their slots.
//!
//! It runs in whatever thread the kernel chose, between any two of its instructions. So it takes no
//! lock, allocates nothing and waits for nobody: it walks a list that only ever grows, adds to
//! atomics, and makes at most one `write(2)` for each loop that is asleep.
#![expect(
    unsafe_code,
    reason = "errno and what the kernel says are reached through pointers"
)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::iter;
use std::sync::{Arc, OnceLock};

use evloop_pipe::Waker;
use evloop_signals::Signal;
use libc::siginfo_t;

use crate::fork::ForkStamp;
use crate::info::pack;
use crate::slots::{Bell, Claim, Slot};

/// What `sigaction(2)` is given. One static, so that it has one address to know it by.
pub(crate) static HANDLER: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = handle;

extern "C" fn handle(number: c_int, info: *mut siginfo_t, _: *mut c_void) {
    let _errno = KeptErrno::new();
    let Ok(signal) = Signal::new(number) else {
        return;
    };
    // SAFETY: the pointer must be that of a structure that is not written to meanwhile: the kernel,
    // which was told `SA_SIGINFO`, has made one for this run of the handler.
    let said = pack(signal, unsafe { &*info });
    for slot in slots() {
        slot.record(signal, said);
    }
}

/// For a forked child, before it does anything else.
pub(crate) fn begin_child() {
    for slot in slots() {
        slot.begin_child();
    }
}

/// Claims the first slot that is free, or adds one.
pub(crate) fn claim(mut bell: Arc<LoopBell>) -> Claim<'static, LoopBell> {
    let mut link = &SLOTS;
    loop {
        let node = link.get_or_init(Box::default);
        match Claim::new(&node.slot, bell) {
            Ok(claim) => return claim,
            Err(given_back) => bell = given_back,
        }
        link = &node.next;
    }
}

/// All slots of the process: as many as there were ever catchers at a time.
static SLOTS: OnceLock<Box<Node>> = OnceLock::new();

fn slots() -> impl Iterator<Item = &'static Slot<LoopBell>> {
    // `OnceLock::get` never blocks. A node that is just being added has no signal watched yet.
    let nodes = iter::successors(SLOTS.get(), |node| node.next.get());
    nodes.map(|node| &node.slot)
}

#[derive(Debug)]
struct Node {
    slot: Slot<LoopBell>,
    next: OnceLock<Box<Self>>,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            slot: Slot::new(),
            next: OnceLock::new(),
        }
    }
}

/// Wakes the loop of a catcher, unless that loop is the parent's.
#[derive(Debug)]
pub(crate) struct LoopBell {
    waker: Arc<Waker>,
    stamp: ForkStamp,
}

impl LoopBell {
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        Self {
            waker,
            stamp: ForkStamp::new(),
        }
    }
}

impl Bell for LoopBell {
    fn ring(&self) {
        if !self.stamp.is_child() {
            self.waker.wake();
        }
    }
}

/// Keeps the thread's `errno`: the code that was interrupted may be about to read it.
struct KeptErrno {
    errno: &'static Cell<c_int>,
    value: c_int,
}

impl KeptErrno {
    fn new() -> Self {
        // SAFETY: this call has no precondition.
        let location = unsafe { libc::__errno_location() };
        // SAFETY: the pointer is that of this thread's errno, an int that lives as long as the
        // thread; what is made of it is dropped by the thread, when the handler returns. Nobody
        // but the thread accesses it, and a cell allows that the C library writes meanwhile.
        let errno = unsafe { &*location.cast::<Cell<c_int>>() };
        Self {
            errno,
            value: errno.get(),
        }
    }
}

impl Drop for KeptErrno {
    fn drop(&mut self) {
        self.errno.set(self.value);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::KeptErrno;

    #[test]
    fn errno_is_kept_whatever_the_handler_does() {
        let kept = KeptErrno::new();
        kept.errno.set(libc::EAGAIN);
        {
            let _errno = KeptErrno::new();
            // A failing call of the C library, as a waker's write may be one.
            assert!(std::fs::File::open("/nonexistent").is_err());
            assert_eq!(kept.errno.get(), libc::ENOENT);
        }
        let error = io::Error::last_os_error();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
    }
}
