//! The same random histories on this backend and on epoll: of a loop that keeps its side of the
//! contract, both report the same, level-triggered.
//!
//! One test, as it relies on which numbers the kernel gives out: in another thread a second one
//! would take some of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use evloop_backend::{Backend, Checked};
use evloop_changelist::{Changelist, Interest, RawFd, Ready, Token, Trigger};
use evloop_epoll::Epoll;
use evloop_poll::Poll;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Eventfd,
    Pipe,
    Stream,
    Datagram,
}

/// What happens; an [`Index`] picks one of the numbers there are, or were.
#[derive(Clone, Debug)]
enum Op {
    Open(Kind),
    Dup(Index),
    /// After it was deleted.
    Close(Index),
    Write(Index),
    Fill(Index),
    Read(Index),
    ShutDown(Index),
    /// Of the changelist.
    Add(Index, Interest),
    /// Of the changelist.
    Delete(Index, Interest),
    AddNow(Index, Interest),
    DeleteNow(Index),
    Wait,
}

fn op() -> impl Strategy<Value = Op> {
    let kinds = [Kind::Eventfd, Kind::Pipe, Kind::Stream, Kind::Datagram];
    let interest = || (0_u8..8).prop_map(Interest::from_bits_truncate);
    let index = any::<Index>;
    prop_oneof![
        2 => select(kinds.to_vec()).prop_map(Op::Open),
        1 => index().prop_map(Op::Dup),
        2 => index().prop_map(Op::Close),
        2 => index().prop_map(Op::Write),
        1 => index().prop_map(Op::Fill),
        2 => index().prop_map(Op::Read),
        1 => index().prop_map(Op::ShutDown),
        6 => (index(), interest()).prop_map(|(i, what)| Op::Add(i, what)),
        3 => (index(), interest()).prop_map(|(i, what)| Op::Delete(i, what)),
        3 => (index(), interest()).prop_map(|(i, what)| Op::AddNow(i, what)),
        1 => index().prop_map(Op::DeleteNow),
        5 => Just(Op::Wait),
    ]
}

fn open(kind: Kind) -> Vec<OwnedFd> {
    let sockets = |kind| {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        <[OwnedFd; 2]>::from(socketpair(AddressFamily::UNIX, kind, flags, None).unwrap()).into()
    };
    match kind {
        Kind::Eventfd => {
            vec![eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap()]
        }
        Kind::Pipe => {
            let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
            <[OwnedFd; 2]>::from(pipe_with(flags).unwrap()).into()
        }
        Kind::Stream => sockets(SocketType::STREAM),
        Kind::Datagram => sockets(SocketType::DGRAM),
    }
}

/// What a wait told, sorted.
type Told = Vec<(Token, Ready, i32)>;

struct World {
    poll: Checked<Poll>,
    epoll: Checked<Epoll>,
    files: BTreeMap<RawFd, OwnedFd>,
    /// The latest token of each number that there ever was, and what is held under it.
    records: BTreeMap<RawFd, (Token, Interest)>,
    changes: Changelist,
}

impl World {
    fn new() -> Self {
        Self {
            poll: Checked::new(Poll::new()),
            epoll: Checked::new(Epoll::new().unwrap()),
            files: BTreeMap::new(),
            records: BTreeMap::new(),
            changes: Changelist::new(),
        }
    }

    fn insert(&mut self, fd: OwnedFd) {
        let number = fd.as_raw_fd();
        let token = Token {
            slot: number.try_into().unwrap(),
            generation: 0,
        };
        self.records
            .entry(number)
            .or_insert((token, Interest::empty()));
        self.files.insert(number, fd);
    }

    fn add_now(&mut self, number: RawFd, interest: Interest) {
        self.changes.remove(number);
        let (token, held) = self.records.get_mut(&number).unwrap();
        token.generation += 1;
        let errnos = [&mut self.poll as &mut dyn Backend, &mut self.epoll].map(|backend| {
            let added = backend.add(number, *token, interest, Trigger::Level);
            added.err().map(|error| error.source.raw_os_error())
        });
        assert_eq!(errnos[0], errnos[1]);
        if errnos[0].is_none() {
            *held = interest;
        }
    }

    fn delete_now(&mut self, number: RawFd) {
        self.changes.remove(number);
        self.poll.delete(number).unwrap();
        self.epoll.delete(number).unwrap();
        self.records.get_mut(&number).unwrap().1 = Interest::empty();
    }

    fn wait(&mut self) {
        let changes = self.changes.entries();
        for entry in changes {
            if entry.change.op().is_some() {
                self.records
                    .insert(entry.fd, (entry.token, entry.change.wanted()));
            }
        }
        let [poll, epoll] = [&mut self.poll as &mut dyn Backend, &mut self.epoll].map(|backend| {
            let mut reports = Vec::new();
            backend
                .wait(changes, Some(Duration::ZERO), &mut reports)
                .unwrap();
            let told = reports
                .iter()
                .map(|report| (report.token, report.ready, report.errno));
            let mut told: Told = told.collect();
            told.sort_unstable();
            told
        });
        self.changes.clear();
        assert_eq!(poll, epoll);
        for (token, ..) in poll.iter().filter(|(.., errno)| *errno != 0) {
            let record = self.records.values_mut().find(|(other, _)| other == token);
            record.unwrap().1 = Interest::empty();
        }
    }

    /// Does something to the file of a number.
    fn touch(&self, number: RawFd, op: &Op) {
        let fd = &self.files[&number];
        match op {
            // What a file cannot do is refused.
            Op::Write(_) => _ = write(fd, &1_u64.to_ne_bytes()),
            Op::Fill(_) => while write(fd, &u64::MAX.to_ne_bytes().repeat(512)).is_ok() {},
            Op::Read(_) => _ = read(fd, &mut [0; 4096]),
            _ => _ = shutdown(fd, Shutdown::Write),
        }
    }

    fn step(&mut self, op: Op) {
        let known: Vec<RawFd> = self.records.keys().copied().collect();
        let alive: Vec<RawFd> = self.files.keys().copied().collect();
        match op {
            Op::Open(kind) if alive.len() < MOST_OPEN => {
                open(kind).into_iter().for_each(|fd| self.insert(fd));
            }
            Op::Dup(i) if (1..MOST_OPEN).contains(&alive.len()) => {
                self.insert(self.files[i.get(&alive)].try_clone().unwrap());
            }
            Op::Wait => self.wait(),
            Op::Open(_) | Op::Dup(_) => {}
            // The others pick a number; there are none before the first is opened.
            _ if known.is_empty() => {}
            Op::Add(i, interest) => self.change(*i.get(&known)).add(interest),
            Op::Delete(i, interest) => self.change(*i.get(&known)).delete(interest),
            Op::AddNow(i, interest) => self.add_now(*i.get(&known), interest),
            Op::DeleteNow(i) => self.delete_now(*i.get(&known)),
            // And these one that is open.
            _ if alive.is_empty() => {}
            Op::Close(i) => {
                self.delete_now(*i.get(&alive));
                self.files.remove(i.get(&alive));
            }
            Op::Write(i) | Op::Fill(i) | Op::Read(i) | Op::ShutDown(i) => {
                self.touch(*i.get(&alive), &op);
            }
        }
    }

    fn change(&mut self, number: RawFd) -> &mut evloop_changelist::Change {
        let (token, held) = self.records[&number];
        self.changes.record(number, token, held, Trigger::Level)
    }
}

/// Fewer than what epoll reports at once.
const MOST_OPEN: usize = 12;

proptest! {
    #[test]
    fn both_report_the_same(ops in vec(op(), 0..80)) {
        let mut world = World::new();
        for op in ops {
            world.step(op);
        }
        world.wait();
    }
}
