//! Random histories of files and changes on the real kernel: each wait reports what a model of a
//! few lines says, whatever was closed, duplicated or opened in between.
//!
//! One test, as it relies on which numbers the kernel gives out: in another thread a second one
//! would take some of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use evloop_backend::Backend;
use evloop_changelist::{Changelist, Interest, RawFd, Ready, Token, Trigger};
use evloop_poll::Poll;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

/// What happens; an [`Index`] picks one of the numbers there are, or were.
#[derive(Clone, Debug)]
enum Op {
    OpenEventfd,
    /// Always ready, and neither read nor written.
    OpenDirectory,
    Dup(Index),
    Close(Index),
    Write(Index),
    Read(Index),
    /// Of the changelist.
    Add(Index, Interest, Trigger),
    /// Of the changelist.
    Delete(Index, Interest),
    AddNow(Index, Interest, Trigger),
    DeleteNow(Index),
    Wait,
}

fn op() -> impl Strategy<Value = Op> {
    let interest = || (0_u8..8).prop_map(Interest::from_bits_truncate);
    let trigger = || prop_oneof![7 => Just(Trigger::Level), 1 => Just(Trigger::Edge)];
    let index = any::<Index>;
    prop_oneof![
        2 => select(&[Op::OpenEventfd, Op::OpenDirectory][..]),
        2 => index().prop_map(Op::Dup),
        2 => index().prop_map(Op::Close),
        2 => index().prop_map(Op::Write),
        2 => index().prop_map(Op::Read),
        6 => (index(), interest(), trigger()).prop_map(|(i, what, how)| Op::Add(i, what, how)),
        4 => (index(), interest()).prop_map(|(i, what)| Op::Delete(i, what)),
        2 => (index(), interest(), trigger()).prop_map(|(i, what, how)| Op::AddNow(i, what, how)),
        1 => index().prop_map(Op::DeleteNow),
        4 => Just(Op::Wait),
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
    poll: Poll,
    numbers: BTreeMap<RawFd, (OwnedFd, FileId)>,
    /// What holds of each file that was ever opened.
    files: Vec<Ready>,
    records: BTreeMap<RawFd, Record>,
    changes: Changelist,
    /// The model: what is held is held of a number.
    held: BTreeMap<RawFd, (Token, Interest)>,
}

/// What a wait tells of one registration.
type Told = (Token, Ready, i32);

impl World {
    fn open(&mut self, fd: OwnedFd, ready: Ready) {
        self.insert(fd, self.files.len());
        self.files.push(ready);
    }

    fn insert(&mut self, fd: OwnedFd, id: FileId) {
        let number = fd.as_raw_fd();
        self.records.entry(number).or_insert_with(|| Record {
            held: Interest::empty(),
            trigger: Trigger::Level,
            token: Token {
                slot: number.try_into().unwrap(),
                generation: 0,
            },
        });
        self.numbers.insert(number, (fd, id));
    }

    fn add_now(&mut self, number: RawFd, interest: Interest, trigger: Trigger) {
        self.changes.remove(number);
        let record = self.records.get_mut(&number).unwrap();
        record.token.generation += 1;
        let errno = if trigger == Trigger::Edge {
            libc::EOPNOTSUPP
        } else if !self.numbers.contains_key(&number) {
            libc::EBADF
        } else {
            (record.held, record.trigger) = (interest, trigger);
            self.held.insert(number, (record.token, interest));
            0
        };
        let added = self.poll.add(number, record.token, interest, trigger);
        let refused = added.err().map(|error| {
            assert_eq!((error.call, error.fd), ("poll", number));
            error.source.raw_os_error().unwrap()
        });
        assert_eq!(refused, (errno != 0).then_some(errno));
    }

    /// The model of the changes, and what is to be told of those that are refused.
    fn apply(&mut self) -> Vec<Told> {
        let mut expected = Vec::new();
        for entry in self.changes.entries() {
            let (wanted, trigger) = (entry.change.wanted(), entry.change.trigger());
            if entry.change.op().is_none() {
                continue;
            }
            let record = self.records.get_mut(&entry.fd).unwrap();
            (record.held, record.trigger) = (wanted, trigger);
            self.held.remove(&entry.fd);
            if wanted.is_empty() {
                continue;
            }
            if trigger == Trigger::Level {
                self.held.insert(entry.fd, (entry.token, wanted));
            } else {
                record.held = Interest::empty();
                expected.push((entry.token, Ready::ERROR, libc::EOPNOTSUPP));
            }
        }
        expected
    }

    /// The model of a wait.
    fn expect(&mut self) -> Vec<Told> {
        let mut expected = self.apply();
        self.held.retain(|number, (token, interest)| {
            let Some((_, id)) = self.numbers.get(number) else {
                self.records.get_mut(number).unwrap().held = Interest::empty();
                expected.push((*token, Ready::ERROR, libc::EBADF));
                return false;
            };
            let ready = self.files[*id].for_interest(*interest);
            expected.extend((!ready.is_empty()).then_some((*token, ready, 0)));
            true
        });
        expected.sort_unstable();
        expected
    }

    fn wait(&mut self) {
        let expected = self.expect();
        let mut reports = Vec::new();
        self.poll
            .wait(self.changes.entries(), Some(Duration::ZERO), &mut reports)
            .unwrap();
        self.changes.clear();
        let mut told: Vec<Told> = reports
            .iter()
            .map(|report| (report.token, report.ready, report.errno))
            .collect();
        told.sort_unstable();
        assert_eq!(told, expected);
    }

    fn step(&mut self, op: Op) {
        let known: Vec<RawFd> = self.records.keys().copied().collect();
        let open: Vec<RawFd> = self.numbers.keys().copied().collect();
        match op {
            Op::OpenEventfd if open.len() < MOST_OPEN => {
                let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
                self.open(eventfd(0, flags).unwrap(), Ready::WRITE);
            }
            Op::OpenDirectory if open.len() < MOST_OPEN => {
                let directory = File::open("src").unwrap();
                self.open(directory.into(), Ready::READ | Ready::WRITE);
            }
            Op::Dup(i) if !open.is_empty() && open.len() < MOST_OPEN => {
                let (fd, id) = &self.numbers[i.get(&open)];
                self.insert(fd.try_clone().unwrap(), *id);
            }
            Op::Close(i) if !open.is_empty() => _ = self.numbers.remove(i.get(&open)),
            Op::Write(i) if !open.is_empty() => {
                let (fd, id) = &self.numbers[i.get(&open)];
                if write(fd, &1_u64.to_ne_bytes()).is_ok() {
                    self.files[*id] |= Ready::READ;
                }
            }
            Op::Read(i) if !open.is_empty() => {
                let (fd, id) = &self.numbers[i.get(&open)];
                if read(fd, &mut [0; 8]).is_ok() {
                    self.files[*id] -= Ready::READ;
                }
            }
            Op::Wait => self.wait(),
            Op::OpenEventfd
            | Op::OpenDirectory
            | Op::Dup(_)
            | Op::Close(_)
            | Op::Write(_)
            | Op::Read(_) => {}
            _ if known.is_empty() => {}
            Op::Add(i, interest, trigger) => {
                let change = self.change(*i.get(&known));
                change.set_trigger(trigger);
                change.add(interest);
            }
            Op::Delete(i, interest) => self.change(*i.get(&known)).delete(interest),
            Op::AddNow(i, interest, trigger) => self.add_now(*i.get(&known), interest, trigger),
            Op::DeleteNow(i) => {
                let number = *i.get(&known);
                self.changes.remove(number);
                self.poll.delete(number).unwrap();
                self.records.get_mut(&number).unwrap().held = Interest::empty();
                self.held.remove(&number);
            }
        }
    }

    fn change(&mut self, number: RawFd) -> &mut evloop_changelist::Change {
        let record = self.records[&number];
        self.changes
            .record(number, record.token, record.held, record.trigger)
    }

    fn check(&self) {
        self.poll.check_invariants();
        let held: BTreeMap<_, _> = self
            .poll
            .held()
            .map(|(number, token, interest)| (number, (token, interest)))
            .collect();
        assert_eq!(held, self.held);
    }
}

const MOST_OPEN: usize = 8;

proptest! {
    #[test]
    fn a_wait_reports_what_the_model_says(ops in vec(op(), 0..60)) {
        let mut world = World::default();
        for op in ops {
            world.step(op);
            world.check();
        }
        world.wait();
        world.check();
    }
}
