//! Where a program runs: in this process on its kernel, or in a simulated world. It is the same program.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use evloop::{Builder, EventLoop, Signal, Source};
use evloop_sim::{RawFd, Sim, SimFile, SimParent};

/// What a program needs of it. An end of a connection that is not ours is a `Peer`.
pub(crate) trait Outside: 'static {
    type File: Source + Clone + 'static;
    type Peer;
    /// A process that was forked off from, until it is dropped.
    type Parent;

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

    /// A timeout, of so many milliseconds where that can be waited for.
    fn timeout(&self, ms: u64) -> Duration;

    /// A little time goes by before the next thing is done, as it always does.
    fn go_on(&self);

    /// The loop's thread gets a signal.
    fn raise(&self, signal: Signal);

    /// The program goes on in a child, if it can: its parent has open what it has, and does nothing.
    fn fork(&self) -> Option<Self::Parent>;

    /// The simulated world, if it is one: what can be done there only.
    fn sim(&self) -> Option<&Sim>;
}

/// What is over in no time, and what does not come to its end in a test.
pub(crate) fn none_or_far(ms: u64) -> Duration {
    const FAR: Duration = Duration::from_secs(24 * 3600);
    if ms == 0 { Duration::ZERO } else { FAR }
}

/// What a read finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Bytes(usize),
    Nothing,
    /// The end, or that the connection was reset.
    End,
}

pub(crate) fn found(read: std::io::Result<usize>) -> Found {
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

/// Whether a process may fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forks {
    Yes,
    No,
}

/// A simulated world.
pub(crate) struct Simulated {
    pub(crate) sim: Sim,
    /// Does only what a process can do as well, and whether that forks.
    pub(crate) like_process: Option<Forks>,
    /// Is not like the kernel: that a peer writes no more is not seen.
    pub(crate) is_wrong: bool,
}

impl Outside for Simulated {
    type File = SimFile;
    type Peer = RawFd;
    type Parent = SimParent;

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

    fn timeout(&self, ms: u64) -> Duration {
        match self.like_process {
            Some(_) => none_or_far(ms),
            None => Duration::from_millis(ms),
        }
    }

    fn go_on(&self) {
        if self.like_process.is_some() {
            self.sim.advance(Duration::from_micros(1));
        }
    }

    fn raise(&self, signal: Signal) {
        self.sim.raise(signal);
    }

    fn fork(&self) -> Option<Self::Parent> {
        (self.like_process != Some(Forks::No)).then(|| self.sim.fork())
    }

    fn sim(&self) -> Option<&Sim> {
        self.like_process.is_none().then_some(&self.sim)
    }
}
