//! This process as the place where a program runs; and a process of its own for one that forks.
#![expect(unsafe_code, reason = "raise, and forks that return on both sides")]

use std::any::Any;
use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;

use evloop::{EventLoop, Signal};
use evloop_sim::Sim;
use rustix::io::fcntl_dupfd_cloexec;

use crate::outside::{Forks, Found, Outside, found, none_or_far};
use crate::program::{Ran, run};

/// This process on its kernel.
pub(crate) struct Process(pub(crate) Forks);

impl Outside for Process {
    type File = Rc<UnixStream>;
    type Peer = UnixStream;
    type Parent = ();

    fn build<S>(&self) -> EventLoop<S> {
        EventLoop::new().unwrap()
    }

    fn pair(&self) -> (Self::File, Self::Peer) {
        let (ours, peer) = UnixStream::pair().unwrap();
        let (ours, peer) = (numbered(&ours), numbered(&peer));
        // As the loop would, so that nothing depends on whether it came to that.
        ours.set_nonblocking(true).unwrap();
        peer.set_nonblocking(true).unwrap();
        (Rc::new(ours), peer)
    }

    fn dup(&self, file: &Self::File) -> Self::File {
        Rc::new(numbered(&**file))
    }

    fn read(&self, file: &Self::File, buf: &mut [u8]) -> Found {
        found((&**file).read(buf))
    }

    fn write(&self, file: &Self::File, bytes: &[u8]) {
        _ = (&**file).write(bytes);
    }

    fn peer_writes(&self, mut peer: &Self::Peer, bytes: &[u8]) -> usize {
        peer.write(bytes).unwrap_or(0)
    }

    fn peer_reads(&self, mut peer: &Self::Peer) {
        while peer.read(&mut [0; 512]).is_ok_and(|n| n > 0) {}
    }

    fn peer_shuts_down(&self, peer: &Self::Peer) {
        _ = peer.shutdown(Shutdown::Write);
    }

    fn peer_closes(&self, peer: Self::Peer) {
        drop(peer);
    }

    fn timeout(&self, ms: u64) -> Duration {
        none_or_far(ms)
    }

    fn go_on(&self) {}

    fn raise(&self, signal: Signal) {
        // SAFETY: what it makes run is the handler of the loop, which watches the signal.
        assert_eq!(unsafe { libc::raise(signal.number()) }, 0);
    }

    fn fork(&self) -> Option<()> {
        (self.0 == Forks::Yes).then(go_on_in_child)
    }

    fn sim(&self) -> Option<&Sim> {
        None
    }
}

/// The same file, under a number that the loop's own files do not take: in the model they have none. So the
/// numbers of a program's files have the same order in both.
fn numbered(file: impl AsFd) -> UnixStream {
    fcntl_dupfd_cloexec(file, 300).unwrap().into()
}

/// Runs a program that may fork in a process of its own, and returns what came of it, as text: what the
/// last of its children has to say.
///
/// # Panics
///
/// If a check of the program fails there.
pub(crate) fn run_and_fork(bytes: &[u8]) -> String {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    // SAFETY: the child has this thread alone. It does nothing that another thread could hold a lock
    // of but to allocate, which the C library allows, and does not return.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        drop(reader);
        // SAFETY: this call has no precondition.
        unsafe { libc::alarm(60) };
        let ran = catch_unwind(|| run(Process(Forks::Yes), bytes));
        let (text, status) = match ran {
            Ok(ran) => (ran.text(), 0),
            Err(panic) => (said(&*panic), 1),
        };
        _ = File::from(writer).write_all(text.as_bytes());
        // SAFETY: this call has no precondition.
        unsafe { libc::_exit(status) };
    }
    drop(writer);
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).unwrap();
    assert_eq!(status_of(child), 0, "{text}");
    text
}

/// Goes on in a child, while the parent waits for it and ends as it does.
fn go_on_in_child() {
    // SAFETY: as in `run_and_fork`: it is called in the only thread of a process.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child != 0 {
        let failed = status_of(child) != 0;
        // SAFETY: this call has no precondition.
        unsafe { libc::_exit(i32::from(failed)) };
    }
    // SAFETY: this call has no precondition.
    unsafe { libc::alarm(60) };
}

fn status_of(child: libc::pid_t) -> libc::c_int {
    let mut status = -1;
    // SAFETY: the status is borrowed mutably.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    status
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref().copied());
    text.unwrap_or("a panic without a text").to_owned()
}

impl Ran {
    pub(crate) fn text(&self) -> String {
        let calls = self.calls.iter().map(|call| format!("{call:?}\n"));
        calls.chain([self.steps.join("\n")]).collect()
    }
}
