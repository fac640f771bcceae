//! Random histories under `Checked`, which knows the backend's contract; and what a wait reports,
//! against `poll(2)`, which keeps no state at all.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use evloop_backend::{Backend, Checked, Report};
use evloop_changelist::{Changelist, Interest, RawFd, Ready, Token, Trigger};
use evloop_epoll::Epoll;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};

/// Connections between us and a peer.
const CONNECTIONS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// Of the changelist.
    Add(usize, Interest),
    /// Of the changelist.
    Delete(usize, Interest),
    AddNow(usize, Interest, Trigger),
    DeleteNow(usize),
    PeerWrites(usize),
    PeerShutsDown(usize),
    PeerCloses(usize),
    WeRead(usize),
    WeFill(usize),
    Wait,
}

fn op() -> impl Strategy<Value = Op> {
    let of = || 0..CONNECTIONS;
    let interest = || (0_u8..8).prop_map(Interest::from_bits_truncate);
    let trigger = select(&[Trigger::Level, Trigger::Edge][..]);
    prop_oneof![
        4 => (of(), interest()).prop_map(|(i, interest)| Op::Add(i, interest)),
        2 => (of(), interest()).prop_map(|(i, interest)| Op::Delete(i, interest)),
        2 => (of(), interest(), trigger).prop_map(|(i, what, how)| Op::AddNow(i, what, how)),
        1 => of().prop_map(Op::DeleteNow),
        2 => of().prop_map(Op::PeerWrites),
        1 => of().prop_map(Op::PeerShutsDown),
        1 => of().prop_map(Op::PeerCloses),
        2 => of().prop_map(Op::WeRead),
        1 => of().prop_map(Op::WeFill),
        6 => Just(Op::Wait),
    ]
}

struct Connection {
    ours: OwnedFd,
    peers: Option<OwnedFd>,
    token: Token,
    /// What was told to the kernel, if it holds anything.
    held: Option<(Interest, Trigger)>,
}

impl Connection {
    fn new(slot: u32) -> Self {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, peers) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        Self {
            ours,
            peers: Some(peers),
            token: Token {
                slot,
                generation: 0,
            },
            held: None,
        }
    }

    fn number(&self) -> RawFd {
        self.ours.as_raw_fd()
    }

    /// What holds at this moment of what is asked for.
    fn ready(&self, interest: Interest) -> Ready {
        const BITS: [(PollFlags, Ready); 5] = [
            (PollFlags::IN, Ready::READ),
            (PollFlags::OUT, Ready::WRITE),
            (PollFlags::RDHUP, Ready::CLOSED),
            (PollFlags::HUP, Ready::HANGUP),
            (PollFlags::ERR, Ready::ERROR),
        ];
        let asked = BITS
            .iter()
            .filter(|(_, kind)| Ready::from(interest).contains(*kind));
        let mut fds = [PollFd::new(
            &self.ours,
            asked.map(|(bit, _)| *bit).collect(),
        )];
        poll(
            &mut fds,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        )
        .unwrap();
        let said = BITS
            .iter()
            .filter(|(bit, _)| fds[0].revents().contains(*bit));
        said.map(|(_, kind)| *kind).collect()
    }
}

struct World {
    epoll: Checked<Epoll>,
    connections: Vec<Connection>,
    changes: Changelist,
}

impl World {
    fn new() -> Self {
        Self {
            epoll: Checked::new(Epoll::new().unwrap()),
            connections: (0..).map(Connection::new).take(CONNECTIONS).collect(),
            changes: Changelist::new(),
        }
    }

    fn peer(&self, i: usize) -> Option<BorrowedFd<'_>> {
        self.connections[i].peers.as_ref().map(AsFd::as_fd)
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Add(i, interest) => self.change(i).add(interest),
            Op::Delete(i, interest) => self.change(i).delete(interest),
            Op::AddNow(i, interest, trigger) => {
                let connection = &mut self.connections[i];
                self.changes.remove(connection.number());
                connection.token.generation += 1;
                let (number, token) = (connection.number(), connection.token);
                self.epoll.add(number, token, interest, trigger).unwrap();
                connection.held = Some((interest, trigger));
            }
            Op::DeleteNow(i) => {
                let connection = &mut self.connections[i];
                self.changes.remove(connection.number());
                self.epoll.delete(connection.number()).unwrap();
                connection.held = None;
            }
            Op::PeerWrites(i) => {
                if let Some(peer) = self.peer(i) {
                    _ = rustix::io::write(peer, b"x"); // refused once it has shut down
                }
            }
            Op::PeerShutsDown(i) => {
                if let Some(peer) = self.peer(i) {
                    shutdown(peer, Shutdown::Write).unwrap();
                }
            }
            Op::PeerCloses(i) => self.connections[i].peers = None,
            Op::WeRead(i) => _ = rustix::io::read(&self.connections[i].ours, &mut [0; 64]),
            Op::WeFill(i) => {
                if self.peer(i).is_some() {
                    let ours = &self.connections[i].ours;
                    while rustix::io::write(ours, &[0; 65_536]).is_ok() {}
                }
            }
            Op::Wait => self.wait(),
        }
    }

    fn change(&mut self, i: usize) -> &mut evloop_changelist::Change {
        let connection = &self.connections[i];
        let (interest, trigger) = connection.held.unwrap_or_default();
        self.changes
            .record(connection.number(), connection.token, interest, trigger)
    }

    fn wait(&mut self) {
        for connection in &mut self.connections {
            let Some(change) = self.changes.get(connection.number()) else {
                continue;
            };
            let wanted = (change.wanted(), change.trigger());
            if change.op().is_some() {
                connection.held = (!wanted.0.is_empty()).then_some(wanted);
            }
        }
        let mut reports = Vec::new();
        self.epoll
            .wait(self.changes.entries(), Some(Duration::ZERO), &mut reports)
            .unwrap();
        self.changes.clear();
        self.compare(&reports);
    }

    /// Of what is level-triggered all that is ready is reported, and of what is edge-triggered
    /// nothing that is not.
    fn compare(&self, reports: &[Report]) {
        let told: BTreeMap<Token, Ready> = reports
            .iter()
            .map(|report| (report.token, report.ready))
            .collect();
        assert_eq!(told.len(), reports.len(), "one report each");
        for connection in &self.connections {
            let told = told.get(&connection.token).copied().unwrap_or_default();
            match connection.held {
                None => assert_eq!(told, Ready::empty()),
                Some((interest, Trigger::Level)) => assert_eq!(told, connection.ready(interest)),
                Some((interest, Trigger::Edge)) => {
                    assert!(told.is_empty() || told == connection.ready(interest));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn a_wait_reports_what_poll_reports(ops in vec(op(), 0..60)) {
        let mut world = World::new();
        for op in ops {
            world.step(op);
        }
        world.wait();
    }
}
