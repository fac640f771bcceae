//! Where a program runs: in this process on its kernel, or in a simulated world. It is the same program.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use evloop::{Builder, EventLoop, Signal, Source};
use evloop_sim::{RawFd, Sim, SimFile, SimParent};

/// What a program needs of it. An end of a connection that is not ours is a `Peer`.
pub(crate) trait Outside: 'static {
    type File: Source + Clone + 'static;
    type Peer;

    fn build<S>(&self) -> EventLoop<S>;

    fn pair(&self) -> (Self::File, Self::Peer);

    /// Another file descriptor of the same file.
    fn dup(&self, file: &Self::File) -> Self::File;

    fn read(&self, file: &Self::File, buf: &mut [u8]) -> Found;

    /// Writes as much as there is room for.
    fn write(&self, file: &Self::File, bytes: &[u8]);

    /// How much was written.
    fn peer_writes(&self, peer: &Self::Peer, bytes: &[u8]) -> usize;

    fn peer_reads(&self, peer: &Self::Peer);

    fn peer_shuts_down(&self, peer: &Self::Peer);

    fn peer_closes(&self, peer: Self::Peer);

    /// The simulated world, if it is one: what can be done there only.
    fn sim(&self) -> Option<&Sim>;
}

/// What a read finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Bytes(usize),
    Nothing,
    /// The end, or that the connection was reset.
    End,
}

fn found(read: std::io::Result<usize>) -> Found {
    match read {
        Ok(0) => Found::End,
        Ok(count) => Found::Bytes(count),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Found::Nothing,
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            Found::End
        }
    }
}

/// This process on its kernel.
pub(crate) struct Process;

impl Outside for Process {
    type File = Rc<UnixStream>;
    type Peer = UnixStream;

    fn build<S>(&self) -> EventLoop<S> {
        EventLoop::new().unwrap()
    }

    fn pair(&self) -> (Self::File, Self::Peer) {
        let (ours, peer) = UnixStream::pair().unwrap();
        // As the loop would, so that nothing depends on whether it came to that.
        ours.set_nonblocking(true).unwrap();
        peer.set_nonblocking(true).unwrap();
        (Rc::new(ours), peer)
    }

    fn dup(&self, file: &Self::File) -> Self::File {
        Rc::new(file.try_clone().unwrap())
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

    fn sim(&self) -> Option<&Sim> {
        None
    }
}

/// A simulated world.
pub(crate) struct Simulated {
    pub(crate) sim: Sim,
    /// Does only what this process can do as well.
    pub(crate) is_like_process: bool,
    /// Is not like the kernel: that a peer writes no more is not seen.
    pub(crate) is_wrong: bool,
}

impl Outside for Simulated {
    type File = SimFile;
    type Peer = RawFd;

    fn build<S>(&self) -> EventLoop<S> {
        Builder::new().build_in(self.sim.clone()).unwrap()
    }

    fn pair(&self) -> (Self::File, Self::Peer) {
        let (ours, peer) = self.sim.socketpair();
        (self.sim.own(ours).unwrap(), peer)
    }

    fn dup(&self, file: &Self::File) -> Self::File {
        file.dup().unwrap()
    }

    fn read(&self, mut file: &Self::File, buf: &mut [u8]) -> Found {
        found(file.read(buf))
    }

    fn write(&self, mut file: &Self::File, bytes: &[u8]) {
        _ = file.write(bytes);
    }

    fn peer_writes(&self, peer: &Self::Peer, bytes: &[u8]) -> usize {
        self.sim.write(*peer, bytes).unwrap_or(0)
    }

    fn peer_reads(&self, peer: &Self::Peer) {
        while self.sim.read(*peer, &mut [0; 512]).is_ok_and(|n| n > 0) {}
    }

    fn peer_shuts_down(&self, peer: &Self::Peer) {
        if !self.is_wrong {
            self.sim.shutdown(*peer, Shutdown::Write).unwrap();
        }
    }

    fn peer_closes(&self, peer: Self::Peer) {
        self.sim.close(peer).unwrap();
    }

    fn sim(&self) -> Option<&Sim> {
        (!self.is_like_process).then_some(&self.sim)
    }
}

/// Time that passes, signals, forks: where they can be had.
pub(crate) fn advance(outside: &impl Outside, time: Duration) {
    if let Some(sim) = outside.sim() {
        sim.advance(time);
    }
}

pub(crate) fn raise(outside: &impl Outside, signal: Signal) -> bool {
    outside.sim().is_some_and(|sim| {
        sim.raise(signal);
        true
    })
}

pub(crate) fn fork(outside: &impl Outside) -> Option<SimParent> {
    outside.sim().map(Sim::fork)
}
