//! Files to try a backend on: connected stream sockets, with a hand on both ends.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use evloop_changelist::RawFd;

/// Stream sockets, non-blocking, each with a peer, that follow the rules of Unix-domain ones: a peer that
/// closes is seen at once. [`KernelFiles`] are such; a backend on a model has files of its own.
pub trait Files {
    /// Opens a socket that has a peer; our end's number.
    fn open(&mut self) -> RawFd;

    /// Closes our end.
    fn close(&mut self, fd: RawFd);

    /// Reads until there is nothing more, or the end.
    fn read(&mut self, fd: RawFd);

    /// Writes until there is no room.
    fn fill(&mut self, fd: RawFd);

    /// The peer writes a few bytes.
    fn peer_writes(&mut self, fd: RawFd);

    /// The peer reads until there is nothing more.
    fn peer_reads(&mut self, fd: RawFd);

    /// The peer will write no more.
    fn peer_shuts_down(&mut self, fd: RawFd);

    /// The peer closes.
    fn peer_closes(&mut self, fd: RawFd);

    /// The time by which the backend waits, in nanoseconds.
    fn now_ns(&self) -> u64;
}

/// Sockets of the running kernel, for a backend that waits for file descriptors.
#[derive(Debug)]
pub struct KernelFiles {
    /// Ours, and the peer's while it is open.
    pairs: BTreeMap<RawFd, (UnixStream, Option<UnixStream>)>,
    began: Instant,
}

impl Default for KernelFiles {
    fn default() -> Self {
        Self::new()
    }
}

impl KernelFiles {
    /// None is open yet. They are closed when this is dropped, so let that be after the backend.
    #[must_use]
    pub fn new() -> Self {
        Self {
            pairs: BTreeMap::new(),
            began: now(),
        }
    }

    fn ours(&self, fd: RawFd) -> &UnixStream {
        &self.pairs[&fd].0
    }

    fn peer(&self, fd: RawFd) -> &UnixStream {
        let peer = self.pairs[&fd].1.as_ref();
        peer.expect("a history asks nothing of a peer that is gone")
    }
}

impl Files for KernelFiles {
    fn open(&mut self) -> RawFd {
        let (ours, peer) = UnixStream::pair().expect("file descriptors for a test");
        for end in [&ours, &peer] {
            end.set_nonblocking(true).expect("a socket can be");
        }
        let fd = ours.as_raw_fd();
        self.pairs.insert(fd, (ours, Some(peer)));
        fd
    }

    fn close(&mut self, fd: RawFd) {
        self.pairs.remove(&fd);
    }

    fn read(&mut self, fd: RawFd) {
        drain(self.ours(fd));
    }

    fn fill(&mut self, fd: RawFd) {
        let mut ours = self.ours(fd);
        while ours.write(&[0; 65_536]).is_ok() {}
    }

    fn peer_writes(&mut self, fd: RawFd) {
        let mut peer = self.peer(fd);
        peer.write_all(b"some")
            .expect("there is room for so little");
    }

    fn peer_reads(&mut self, fd: RawFd) {
        drain(self.peer(fd));
    }

    fn peer_shuts_down(&mut self, fd: RawFd) {
        let shut = self.peer(fd).shutdown(Shutdown::Write);
        shut.expect("it is connected");
    }

    fn peer_closes(&mut self, fd: RawFd) {
        if let Some((_, peer)) = self.pairs.get_mut(&fd) {
            *peer = None;
        }
    }

    fn now_ns(&self) -> u64 {
        let passed = now().duration_since(self.began);
        u64::try_from(passed.as_nanos()).expect("a test is over within 584 years")
    }
}

/// Reads until there is nothing more, also past the one error that a reset connection gives.
fn drain(mut socket: &UnixStream) {
    let mut buf = [0; 65_536];
    loop {
        match socket.read(&mut buf) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(_) => return,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test of a backend measures its waits"
)]
fn now() -> Instant {
    Instant::now()
}
