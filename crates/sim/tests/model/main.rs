//! The model against the running kernel: the same random history on both.
//!
//! After each step the results, what every number is ready for, and the interest set are equal. A
//! wait reports the same on both, in the same order, which for edge-triggered files tells what woke
//! them since.

#![cfg(target_os = "linux")]

mod real;

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use evloop_sim::{
    Backend, Change, Edits, Entry, Held, Interest, RawFd, Ready, Report, Sim, Token, Trigger,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rustix::event::epoll::EventFlags;

use self::real::{FIRST, Kind, Line, Real, flags};

#[derive(Clone, Debug)]
enum Step {
    Open(Kind),
    Connect(RawFd),
    Accept(RawFd),
    Dup(RawFd),
    Close(RawFd),
    Write(RawFd, usize),
    /// Writes until there is no room.
    Fill(RawFd),
    Read(RawFd, usize),
    /// Reads until there is nothing.
    Drain(RawFd),
    Shutdown(RawFd, Shutdown),
    Add(RawFd, Interest, Trigger),
    Delete(RawFd),
    /// A wait with one change: what it adds, then what it deletes.
    Change(RawFd, Interest, Interest, Trigger),
    Wait,
}

const OFTEN: &[Kind] = &[
    Kind::Pipe,
    Kind::Pipe,
    Kind::Socket,
    Kind::Socket,
    Kind::Listener,
    Kind::Listener,
    Kind::Eventfd,
    Kind::File,
];

fn history(triggers: &'static [Trigger]) -> impl Strategy<Value = Vec<Step>> {
    // Mostly a few, so that the steps have to do with each other.
    let fd = || prop_oneof![3 => FIRST..FIRST + 3, 1 => FIRST..FIRST + 10];
    let interest = || (0_u8..8).prop_map(Interest::from_bits_retain);
    let trigger = || select(triggers);
    let how = select(&[Shutdown::Read, Shutdown::Write, Shutdown::Both][..]);
    let length = || prop_oneof![3 => 1_usize..64, 1 => 1_usize..10_000];
    let change = (fd(), interest(), interest(), trigger());
    let step = prop_oneof![
        8 => select(OFTEN).prop_map(Step::Open),
        8 => fd().prop_map(Step::Connect),
        5 => fd().prop_map(Step::Accept),
        4 => fd().prop_map(Step::Dup),
        5 => fd().prop_map(Step::Close),
        8 => (fd(), length()).prop_map(|(fd, length)| Step::Write(fd, length)),
        4 => fd().prop_map(Step::Fill),
        8 => (fd(), length()).prop_map(|(fd, length)| Step::Read(fd, length)),
        4 => fd().prop_map(Step::Drain),
        3 => (fd(), how).prop_map(|(fd, how)| Step::Shutdown(fd, how)),
        10 => (fd(), interest(), trigger()).prop_map(|(fd, i, t)| Step::Add(fd, i, t)),
        2 => fd().prop_map(Step::Delete),
        8 => change.prop_map(|(fd, add, delete, t)| Step::Change(fd, add, delete, t)),
        12 => Just(Step::Wait),
    ];
    vec(step, 1..100)
}

/// Both kernels. They number their files alike.
struct Both {
    sim: Sim,
    real: Real,
    tokens: u32,
}

impl Both {
    fn new(base: RawFd) -> Self {
        Self {
            sim: Sim::new(0),
            real: Real::new(base),
            tokens: 0,
        }
    }

    fn run(&mut self, step: &Step) {
        let Self { sim, real, .. } = self;
        match *step {
            // The steps choose from the first ten numbers.
            Step::Open(_) | Step::Connect(_) | Step::Accept(_) | Step::Dup(_)
                if real.numbers().count() > 8 => {}
            Step::Open(Kind::Pipe) => assert_eq!(sim.pipe(), real.pipe()),
            Step::Open(Kind::Socket) => assert_eq!(sim.socketpair(), real.socketpair()),
            Step::Open(Kind::Eventfd) => assert_eq!(sim.eventfd(), real.eventfd()),
            Step::Open(Kind::File) => assert_eq!(sim.file(), real.file()),
            Step::Open(Kind::Listener) => assert_eq!(sim.listen(BACKLOG), real.listen(BACKLOG)),
            Step::Connect(fd) => {
                assert_eq!(answer(sim.connect(fd)), real.connect(fd));
            }
            Step::Accept(fd) => assert_eq!(answer(sim.accept(fd)), real.accept(fd)),
            Step::Dup(fd) => assert_eq!(answer(sim.dup(fd)), real.dup(fd)),
            Step::Close(fd) => assert_eq!(answer(sim.close(fd)), real.close(fd)),
            Step::Write(fd, length) => self.write(fd, length),
            Step::Fill(fd) => self.fill(fd),
            Step::Read(fd, length) => self.read(fd, length),
            Step::Drain(fd) => self.drain(fd),
            // What it does to a socket that listens is not modelled.
            Step::Shutdown(fd, _) if real.kind(fd) == Some(Kind::Listener) => {}
            Step::Shutdown(fd, how) => {
                assert_eq!(answer(sim.shutdown(fd, how)), real.shutdown(fd, how));
            }
            Step::Add(fd, interest, trigger) => self.add(fd, interest, trigger),
            Step::Delete(fd) => {
                sim.backend().delete(fd).expect("a delete is never refused");
                real.forget(fd);
            }
            Step::Change(fd, add, delete, trigger) => self.change(fd, add, delete, trigger),
            Step::Wait => self.wait(&[], None),
        }
    }

    fn write(&self, fd: RawFd, length: usize) {
        let bytes = match self.real.kind(fd) {
            // Near its limit a socket counts the kernel's own records, which the model guesses.
            Some(Kind::Socket) if !self.is_writable(fd) => return,
            Some(Kind::Socket) => pattern(length % 64),
            Some(Kind::Eventfd) => (length as u64).to_ne_bytes().to_vec(),
            _ => pattern(length),
        };
        self.write_both(fd, &bytes);
    }

    fn fill(&self, fd: RawFd) {
        let bytes = pattern(5000);
        match self.real.kind(fd) {
            Some(Kind::Pipe) => while self.write_both(fd, &bytes) {},
            Some(Kind::Socket) if self.is_writable(fd) => {
                let sim = last(|| answer(self.sim.write(fd, &bytes)));
                assert_eq!(sim, last(|| self.real.write(fd, &bytes)));
            }
            Some(Kind::Eventfd) => {
                self.write_both(fd, &(u64::MAX - 1).to_ne_bytes());
            }
            _ => {}
        }
    }

    fn read(&self, fd: RawFd, length: usize) {
        let is_socket = self.real.kind(fd) == Some(Kind::Socket);
        self.read_both(fd, if is_socket { length % 64 } else { length });
    }

    fn drain(&self, fd: RawFd) {
        if self.real.kind(fd) == Some(Kind::Socket) {
            let mut buf = vec![0; 100_000];
            let sim = last(|| answer(self.sim.read(fd, &mut buf)));
            assert_eq!(sim, last(|| self.real.read(fd, &mut buf)));
        } else {
            while self.read_both(fd, 7000) {}
        }
    }

    /// Whether something was written.
    fn write_both(&self, fd: RawFd, bytes: &[u8]) -> bool {
        let written = answer(self.sim.write(fd, bytes));
        assert_eq!(written, self.real.write(fd, bytes));
        written.is_ok_and(|n| n > 0)
    }

    /// Whether something was read.
    fn read_both(&self, fd: RawFd, length: usize) -> bool {
        let (mut sim_buf, mut real_buf) = (vec![0; length], vec![0; length]);
        let read = answer(self.sim.read(fd, &mut sim_buf));
        assert_eq!(read, self.real.read(fd, &mut real_buf));
        assert_eq!(sim_buf, real_buf);
        read.is_ok_and(|n| n > 0)
    }

    fn add(&mut self, fd: RawFd, interest: Interest, trigger: Trigger) {
        let token = self.new_token();
        let added = self.sim.backend().add(fd, token, interest, trigger);
        let refusal = added.map_err(|refused| refused.source.raw_os_error().expect("a number"));
        assert_eq!(refusal, self.real.hold(fd, token, interest, trigger));
    }

    fn change(&mut self, fd: RawFd, add: Interest, delete: Interest, trigger: Trigger) {
        let mut change = Change::new(self.sim.held(fd), trigger);
        change.add(add);
        change.delete(delete);
        // What the edits mean, in one line.
        let wanted = (self.sim.held(fd) | add) - delete;

        let entry = Entry {
            fd,
            token: self.new_token(),
            change,
        };
        if change.edits() == Edits::KEEP {
            return; // Whether it mends something is the backend's choice.
        }
        let told = if wanted.is_empty() {
            self.real.forget(fd);
            Ok(())
        } else {
            self.real.hold(fd, entry.token, wanted, trigger)
        };
        let refusal = told.err().map(|errno| (entry.token.to_bits(), errno));
        self.wait(&[entry], refusal);
    }

    /// Waits on both; the sim may have to report the refusal of a change first.
    fn wait(&self, changes: &[Entry], refusal: Option<(u64, i32)>) {
        let mut reports = Vec::new();
        self.sim
            .backend()
            .wait(changes, Some(Duration::ZERO), &mut reports)
            .expect("a wait");
        let (refused, ready): (Vec<Report>, Vec<Report>) =
            reports.iter().partition(|report| report.errno != 0);
        assert!(refused.iter().all(|report| report.ready == Ready::ERROR));
        let refused: Vec<_> = refused
            .iter()
            .map(|r| (r.token.to_bits(), r.errno))
            .collect();
        assert_eq!(refused, Vec::from_iter(refusal));

        let sim: Vec<_> = ready.iter().map(|r| (r.token.to_bits(), r.ready)).collect();
        assert_eq!(sim, self.real.wait(), "what a wait reports");
    }

    /// Compares all that can be seen without changing anything.
    fn compare(&self) {
        for fd in self.real.numbers() {
            let sim = self.sim.ready(fd).expect("it is open on both");
            assert_eq!(sim, self.real.ready(fd), "what {fd} is ready for");
        }
        let mut sim: Vec<Line> = self.sim.interest_set().iter().map(line).collect();
        sim.sort_unstable();
        assert_eq!(sim, self.real.interest_set(), "the interest set");
        self.sim.check_invariants();
    }

    fn is_writable(&self, fd: RawFd) -> bool {
        self.sim
            .ready(fd)
            .is_ok_and(|ready| ready.contains(Ready::WRITE))
    }

    /// A token for one registration only, so that a report tells which it belongs to.
    fn new_token(&mut self) -> Token {
        self.tokens += 1;
        Token {
            slot: 7,
            generation: self.tokens,
        }
    }
}

/// Small, so that it is reached.
const BACKLOG: usize = 1;

/// A result whose errors can be compared.
type Answer<T> = Result<T, i32>;

fn answer<T>(result: io::Result<T>) -> Answer<T> {
    result.map_err(|error| error.raw_os_error().expect("a system call's error"))
}

/// The first answer that is an error, or the end of the input.
fn last(call: impl FnMut() -> Answer<usize>) -> Answer<usize> {
    std::iter::repeat_with(call)
        .find(|answer| !matches!(answer, Ok(n) if *n > 0))
        .expect("nothing is endless")
}

/// Bytes whose order is seen.
fn pattern(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

/// How /proc shows an item. What epoll adds of itself is the interest in hang-ups and errors.
fn line(held: &Held) -> Line {
    let flags = flags(held.interest, held.trigger) | EventFlags::HUP | EventFlags::ERR;
    (held.fd, flags.bits(), held.token.to_bits())
}

fn check(base: RawFd, history: &[Step]) {
    let mut both = Both::new(base);
    for step in history {
        both.run(step);
        both.compare();
    }
    both.wait(&[], None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn level_triggered_histories_agree(history in history(&[Trigger::Level])) {
        check(400, &history);
    }

    #[test]
    fn edge_triggered_histories_agree(history in history(&[Trigger::Edge])) {
        check(500, &history);
    }

    #[test]
    fn mixed_histories_agree(history in history(&[Trigger::Level, Trigger::Edge])) {
        check(600, &history);
    }
}

/// Opens a pipe on both, as numbers 3 and 4, and waits for its reader.
fn pipe_waited_for() -> Vec<Step> {
    vec![
        Step::Open(Kind::Pipe),
        Step::Add(FIRST, Interest::READ, Trigger::Edge),
        Step::Wait,
    ]
}

#[test]
fn a_write_without_room_wakes_the_reader_again() {
    let mut history = pipe_waited_for();
    history.extend([
        Step::Fill(FIRST + 1),
        Step::Wait,
        Step::Write(FIRST + 1, 1),
        Step::Wait,
    ]);
    check(700, &history);
}

#[test]
fn the_room_of_what_was_read_of_a_page_is_not_used_again() {
    let mut history = pipe_waited_for();
    let steps = [
        Step::Write(FIRST + 1, 4000),
        Step::Read(FIRST, 3000),
        Step::Fill(FIRST + 1),
    ];
    history.extend(steps);
    check(720, &history);
}

#[test]
fn a_socket_is_writable_again_when_a_quarter_is_left() {
    let mut both = Both::new(740);
    both.run(&Step::Open(Kind::Socket));
    both.run(&Step::Fill(FIRST));
    // Both took more than twice as much, and less than four times.
    let mut buf = [0; 50_000];
    assert_eq!(both.sim.read(FIRST + 1, &mut buf).ok(), Some(buf.len()));
    assert_eq!(both.real.read(FIRST + 1, &mut buf), Ok(buf.len()));
    both.compare();
    assert!(!both.is_writable(FIRST));
    both.run(&Step::Drain(FIRST + 1));
    both.compare();
    assert!(both.is_writable(FIRST));
}
