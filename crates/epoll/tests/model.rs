//! Random histories of files and changes on the real kernel: after each flush the kernel holds
//! what a model of a few lines says, whatever was closed, duplicated or opened in between.
//!
//! One test, as it relies on which numbers the kernel gives out: in another thread a second one
//! would take some of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/held.rs"]
mod held;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use evloop_backend::Backend;
use evloop_changelist::{Changelist, Interest, RawFd, Token, Trigger};
use evloop_epoll::Epoll;
use held::{Held, held};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Eventfd,
    Pipe,
    Sockets,
    /// A file that epoll refuses.
    Regular,
}

/// What happens; an [`Index`] picks one of the numbers there are, or were.
#[derive(Clone, Debug)]
enum Op {
    Open(Kind),
    Dup(Index),
    Close(Index),
    /// Of the changelist.
    Add(Index, Interest, Trigger),
    /// Of the changelist.
    Delete(Index, Interest),
    AddNow(Index, Interest, Trigger),
    DeleteNow(Index),
    Flush,
}

fn interest() -> impl Strategy<Value = Interest> {
    (1_u8..8).prop_map(Interest::from_bits_truncate)
}

fn trigger() -> impl Strategy<Value = Trigger> {
    select(&[Trigger::Level, Trigger::Edge][..])
}

fn op() -> impl Strategy<Value = Op> {
    let kinds = [Kind::Eventfd, Kind::Pipe, Kind::Sockets, Kind::Regular];
    let index = any::<Index>;
    prop_oneof![
        2 => select(kinds.to_vec()).prop_map(Op::Open),
        2 => index().prop_map(Op::Dup),
        2 => index().prop_map(Op::Close),
        6 => (index(), interest(), trigger()).prop_map(|(i, what, how)| Op::Add(i, what, how)),
        4 => (index(), interest()).prop_map(|(i, what)| Op::Delete(i, what)),
        1 => (index(), interest(), trigger()).prop_map(|(i, what, how)| Op::AddNow(i, what, how)),
        1 => index().prop_map(Op::DeleteNow),
        4 => Just(Op::Flush),
    ]
}

/// What the loop believes to be held under a number. It does not hear of what is closed or opened.
#[derive(Clone, Copy)]
struct Record {
    held: Interest,
    trigger: Trigger,
    token: Token,
}

/// What an open file is, whatever its numbers.
type FileId = usize;

#[derive(Default)]
struct World {
    files: BTreeMap<RawFd, (OwnedFd, FileId)>,
    opened: FileId,
    records: BTreeMap<RawFd, Record>,
    changes: Changelist,
    /// The model of the kernel: a registration is of a file under a number, and lives until it is
    /// deleted or the file has no number left.
    kernel: BTreeMap<(FileId, RawFd), (Token, Interest, Trigger)>,
}

impl World {
    fn open(&mut self, kind: Kind) {
        let fds = match kind {
            Kind::Eventfd => vec![eventfd(0, EventfdFlags::CLOEXEC).unwrap()],
            Kind::Regular => vec![File::open("Cargo.toml").unwrap().into()],
            Kind::Pipe => <[OwnedFd; 2]>::from(rustix::pipe::pipe().unwrap()).into(),
            Kind::Sockets => {
                let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
                let pair = socketpair(family, SocketType::STREAM, flags, None).unwrap();
                <[OwnedFd; 2]>::from(pair).into()
            }
        };
        for fd in fds {
            self.insert(fd, self.opened);
            self.opened += 1;
        }
    }

    fn insert(&mut self, fd: OwnedFd, id: FileId) {
        let number = fd.as_raw_fd();
        let slot = u32::try_from(number).unwrap();
        let token = Token {
            slot,
            generation: 0,
        };
        let record = Record {
            held: Interest::empty(),
            trigger: Trigger::Level,
            token,
        };
        self.records.entry(number).or_insert(record);
        self.files.insert(number, (fd, id));
    }

    fn close(&mut self, number: RawFd) {
        let Some((_, id)) = self.files.remove(&number) else {
            return;
        };
        if self.files.values().all(|(_, other)| *other != id) {
            self.kernel.retain(|(other, _), _| *other != id);
        }
    }

    /// The model of a change: afterwards the kernel holds what was wanted, unless that cannot be.
    /// Returns the errno that the loop is told.
    fn expect(
        &mut self,
        number: RawFd,
        (token, wanted, trigger): (Token, Interest, Trigger),
    ) -> i32 {
        let Some((file, id)) = self.files.get(&number) else {
            return if wanted.is_empty() { 0 } else { libc::EBADF };
        };
        let stat = std::fs::metadata(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
        self.kernel.remove(&(*id, number));
        if wanted.is_empty() {
            return 0;
        } else if stat.is_file() {
            return libc::EPERM;
        }
        self.kernel.insert((*id, number), (token, wanted, trigger));
        0
    }

    /// A token that was never used for this number.
    fn renew(&mut self, number: RawFd) -> Token {
        let record = self.records.get_mut(&number).unwrap();
        record.token.generation += 1;
        record.token
    }

    fn add_now(&mut self, epoll: &mut Epoll, number: RawFd, interest: Interest, trigger: Trigger) {
        self.changes.remove(number);
        let before = self.kernel.clone();
        let token = self.renew(number);
        let errno = self.expect(number, (token, interest, trigger));
        let held = match epoll.add(number, token, interest, trigger) {
            Ok(()) => {
                assert_eq!(errno, 0);
                interest
            }
            Err(error) => {
                assert_eq!(error.source.raw_os_error(), Some(errno));
                assert_eq!((error.fd, error.call), (number, "epoll_ctl(EPOLL_CTL_ADD)"));
                self.kernel = before; // nothing changed
                self.records[&number].held
            }
        };
        self.records.insert(
            number,
            Record {
                held,
                trigger,
                token,
            },
        );
    }

    fn delete_now(&mut self, epoll: &mut Epoll, number: RawFd) {
        self.changes.remove(number);
        epoll.delete(number).unwrap();
        let record = self.records.get_mut(&number).unwrap();
        record.held = Interest::empty();
        let nothing = (record.token, Interest::empty(), record.trigger);
        self.expect(number, nothing);
    }

    fn flush(&mut self, epoll: &mut Epoll) {
        let mut expected = Vec::new();
        for entry in self.changes.entries().to_vec() {
            if entry.change.op().is_none() {
                continue;
            }
            let (wanted, trigger) = (entry.change.wanted(), entry.change.trigger());
            let errno = self.expect(entry.fd, (entry.token, wanted, trigger));
            let held = if errno == 0 {
                wanted
            } else {
                Interest::empty()
            };
            self.records.insert(
                entry.fd,
                Record {
                    held,
                    trigger,
                    token: entry.token,
                },
            );
            expected.extend((errno != 0).then_some((entry.token, errno)));
        }
        let mut reports = Vec::new();
        epoll
            .wait(self.changes.entries(), Some(Duration::ZERO), &mut reports)
            .unwrap();
        self.changes.clear();
        let refused = reports.iter().filter(|report| report.errno != 0);
        assert_eq!(
            refused
                .map(|report| (report.token, report.errno))
                .collect::<Vec<_>>(),
            expected
        );
        for report in reports.iter().filter(|report| report.errno == 0) {
            let mut tokens = self.kernel.values().map(|(token, ..)| *token);
            assert!(tokens.any(|token| token == report.token), "{report:?}");
        }
        assert_eq!(held(epoll), self.held());
        assert_eq!(interest_set(epoll), self.held());
    }

    fn held(&self) -> HashMap<Held, usize> {
        let mut all = HashMap::new();
        for ((_, number), (token, interest, trigger)) in &self.kernel {
            *all.entry((*number, *token, *interest, *trigger))
                .or_default() += 1;
        }
        all
    }

    fn step(&mut self, epoll: &mut Epoll, op: Op) {
        let numbers: Vec<RawFd> = self.records.keys().copied().collect();
        let open: Vec<RawFd> = self.files.keys().copied().collect();
        match op {
            Op::Open(kind) if open.len() < MOST_OPEN => self.open(kind),
            Op::Dup(i) if !open.is_empty() && open.len() < MOST_OPEN => {
                let (fd, id) = &self.files[i.get(&open)];
                let (twin, id) = (fd.try_clone().unwrap(), *id);
                self.insert(twin, id);
            }
            Op::Close(i) if !open.is_empty() => self.close(*i.get(&open)),
            Op::Flush => self.flush(epoll),
            _ if numbers.is_empty() => {}
            Op::Add(i, interest, trigger) => {
                let number = *i.get(&numbers);
                let record = self.records[&number];
                let change = self
                    .changes
                    .record(number, record.token, record.held, record.trigger);
                change.set_trigger(trigger);
                change.add(interest);
            }
            Op::Delete(i, interest) => {
                let number = *i.get(&numbers);
                let record = self.records[&number];
                self.changes
                    .record(number, record.token, record.held, record.trigger)
                    .delete(interest);
            }
            Op::AddNow(i, interest, trigger) => {
                self.add_now(epoll, *i.get(&numbers), interest, trigger);
            }
            Op::DeleteNow(i) => self.delete_now(epoll, *i.get(&numbers)),
            Op::Open(_) | Op::Dup(_) | Op::Close(_) => {}
        }
    }
}

const MOST_OPEN: usize = 8;

/// What the kernel holds, as the backend says.
fn interest_set(epoll: &Epoll) -> HashMap<Held, usize> {
    let mut all = HashMap::new();
    for held in epoll.interest_set().unwrap().unwrap_or_default() {
        *all.entry((held.fd, held.token, held.interest, held.trigger))
            .or_default() += 1;
    }
    all
}

proptest! {
    #[test]
    fn the_kernel_holds_what_the_model_holds(ops in vec(op(), 0..60)) {
        let mut epoll = Epoll::new().unwrap();
        let mut world = World::default();
        for op in ops {
            world.step(&mut epoll, op);
        }
        world.flush(&mut epoll);
    }
}
