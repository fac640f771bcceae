//! Files of a simulated world for the kit.

use std::collections::BTreeMap;
use std::net::Shutdown;

use evloop_backend::conformance::Files;
use evloop_sim::{RawFd, Sim};

#[derive(Debug)]
pub(crate) struct SimFiles {
    sim: Sim,
    peers: BTreeMap<RawFd, RawFd>,
}

impl SimFiles {
    pub(crate) fn new(sim: &Sim) -> Self {
        Self {
            sim: sim.clone(),
            peers: BTreeMap::new(),
        }
    }

    fn drain(&self, fd: RawFd) {
        // Once more for a connection that was reset, which is an error and then the end.
        for _ in 0..2 {
            while self.sim.read(fd, &mut [0; 65_536]).is_ok_and(|n| n > 0) {}
        }
    }
}

impl Files for SimFiles {
    fn open(&mut self) -> RawFd {
        let (ours, peer) = self.sim.socketpair();
        self.peers.insert(ours, peer);
        ours
    }

    fn close(&mut self, fd: RawFd) {
        self.sim.close(fd).expect("it is open");
        if let Some(peer) = self.peers.remove(&fd) {
            self.sim.close(peer).expect("it is open");
        }
    }

    fn read(&mut self, fd: RawFd) {
        self.drain(fd);
    }

    fn fill(&mut self, fd: RawFd) {
        while self.sim.write(fd, &[0; 65_536]).is_ok() {}
    }

    fn peer_writes(&mut self, fd: RawFd) {
        let written = self.sim.write(self.peers[&fd], b"some");
        written.expect("there is room");
    }

    fn peer_reads(&mut self, fd: RawFd) {
        self.drain(self.peers[&fd]);
    }

    fn peer_shuts_down(&mut self, fd: RawFd) {
        let shut = self.sim.shutdown(self.peers[&fd], Shutdown::Write);
        shut.expect("it is a socket");
    }

    fn peer_closes(&mut self, fd: RawFd) {
        if let Some(peer) = self.peers.remove(&fd) {
            self.sim.close(peer).expect("it is open");
        }
    }

    fn now_ns(&self) -> u64 {
        self.sim.now_ns()
    }
}
