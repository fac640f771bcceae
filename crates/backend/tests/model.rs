//! `Checked` around a backend of a few lines: it lets the sound one pass, whatever is asked of it,
//! and catches each way of breaking the contract.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use evloop_backend::{
    Backend, Capabilities, Change, Checked, ControlError, Entry, Held, Interest, RawFd, Ready,
    Report, Token, Trigger, WaitError,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

/// A way of breaking the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breach {
    AddErrorOfAnother,
    DeleteErrorOfAnother,
    RewritesReports,
    ReportsTheDeleted,
    ReportsTheDropped,
    ReportsMoreThanAsked,
    ReportsNothing,
    RefusesUnasked,
    RefusesTwice,
    RefusesWithoutError,
    ReportsTheRefused,
}

/// The naive backend: the test says what is ready and what is refused.
#[derive(Clone, Debug, Default)]
struct Manual {
    held: BTreeMap<RawFd, (Token, Interest)>,
    ready: BTreeMap<RawFd, Ready>,
    refused: BTreeSet<RawFd>,
    /// Whether it takes the liberty of reporting what another took the place of.
    is_haunted: bool,
    ghosts: Vec<Token>,
    breach: Option<Breach>,
    /// What it was told to hold no longer, and reports.
    gone: Option<Token>,
}

const EIO: i32 = 5;

impl Manual {
    fn breaks(&self, breach: Breach) -> bool {
        self.breach == Some(breach)
    }

    fn error(&self, call: &'static str, fd: RawFd, breach: Breach) -> ControlError {
        let fd = if self.breaks(breach) { fd + 1 } else { fd };
        ControlError {
            call,
            fd,
            source: io::Error::from_raw_os_error(EIO),
        }
    }

    fn apply(&mut self, entry: &Entry, reports: &mut Vec<Report>) {
        let (token, wanted) = (entry.token, entry.change.wanted());
        if entry.change.op().is_none() {
            return;
        }
        if self.refused.contains(&entry.fd) {
            self.held.remove(&entry.fd);
            let ready = if self.breaks(Breach::RefusesWithoutError) {
                Ready::READ
            } else {
                Ready::ERROR
            };
            let refusal = Report {
                token,
                ready,
                errno: EIO,
            };
            let times = if self.breaks(Breach::RefusesTwice) {
                2
            } else {
                1
            };
            reports.extend(std::iter::repeat_n(refusal, times));
            if self.breaks(Breach::ReportsTheRefused) {
                reports.push(Report::ready(token, Ready::ERROR));
            }
        } else if wanted.is_empty() {
            self.held.remove(&entry.fd);
            if self.breaks(Breach::ReportsTheDropped) {
                self.gone = Some(token);
            }
        } else {
            self.held.insert(entry.fd, (token, wanted));
        }
    }

    fn collect(&self, reports: &mut Vec<Report>) {
        for (fd, (token, interest)) in &self.held {
            let all = self.ready.get(fd).copied().unwrap_or_default();
            let told = if self.breaks(Breach::ReportsMoreThanAsked) {
                all
            } else {
                all.for_interest(*interest)
            };
            if !told.is_empty() || self.breaks(Breach::ReportsNothing) {
                reports.push(Report::ready(*token, told));
            }
            if self.breaks(Breach::RefusesUnasked) {
                reports.push(Report::refused(*token, EIO));
            }
        }
        let gone = self.gone.iter().chain(&self.ghosts);
        reports.extend(gone.map(|token| Report::ready(*token, Ready::READ)));
    }
}

impl Backend for Manual {
    fn name(&self) -> &'static str {
        "manual"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::EARLY_CLOSE
    }

    fn add(
        &mut self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        _: Trigger,
    ) -> Result<(), ControlError> {
        if self.refused.contains(&fd) {
            return Err(self.error("add", fd, Breach::AddErrorOfAnother));
        }
        let replaced = self.held.insert(fd, (token, interest));
        if self.is_haunted {
            self.ghosts.extend(replaced.map(|(token, _)| token));
        }
        Ok(())
    }

    fn delete(&mut self, fd: RawFd) -> Result<(), ControlError> {
        if self.breaks(Breach::DeleteErrorOfAnother) {
            return Err(self.error("delete", fd, Breach::DeleteErrorOfAnother));
        }
        let held = self.held.remove(&fd);
        if self.breaks(Breach::ReportsTheDeleted) {
            self.gone = held.map(|(token, _)| token);
        }
        Ok(())
    }

    fn wait(
        &mut self,
        changes: &[Entry],
        _: Option<Duration>,
        reports: &mut Vec<Report>,
    ) -> Result<(), WaitError> {
        if self.breaks(Breach::RewritesReports) {
            reports
                .iter_mut()
                .for_each(|report| report.ready = Ready::READ);
        }
        changes.iter().for_each(|entry| self.apply(entry, reports));
        self.collect(reports);
        Ok(())
    }

    fn interest_set(&self) -> io::Result<Option<Vec<Held>>> {
        let held = self.held.iter().map(|(&fd, &(token, interest))| Held {
            fd,
            token,
            interest,
            trigger: Trigger::Level,
        });
        Ok(Some(held.collect()))
    }
}

/// One call. The file descriptors are few, so that histories meet.
#[derive(Clone, Debug)]
enum Call {
    Add(RawFd, Interest),
    Delete(RawFd),
    /// Interest to add and to delete, by file descriptor.
    Wait(BTreeMap<RawFd, (Interest, Interest)>),
    /// From now on this is ready, and this refused.
    World(BTreeMap<RawFd, Ready>, BTreeSet<RawFd>),
}

fn interest() -> impl Strategy<Value = Interest> {
    (0_u8..8).prop_map(Interest::from_bits_truncate)
}

fn ready() -> impl Strategy<Value = Ready> {
    (0_u8..32).prop_map(Ready::from_bits_truncate)
}

fn call() -> impl Strategy<Value = Call> {
    let fd = || 0..6;
    prop_oneof![
        2 => (fd(), interest()).prop_map(|(fd, interest)| Call::Add(fd, interest)),
        1 => fd().prop_map(Call::Delete),
        4 => btree_map(fd(), (interest(), interest()), 0..4).prop_map(Call::Wait),
        2 => (btree_map(fd(), ready(), 0..6), btree_set(fd(), 0..2))
            .prop_map(|(ready, refused)| Call::World(ready, refused)),
    ]
}

/// A loop's side of the contract: each registration has a token of its own.
#[derive(Default)]
struct Caller {
    registrations: u32,
    tokens: BTreeMap<RawFd, Token>,
    reports: Vec<Report>,
}

impl Caller {
    fn new_token(&mut self, fd: RawFd) -> Token {
        self.registrations += 1;
        let token = Token {
            slot: fd.try_into().unwrap(),
            generation: self.registrations,
        };
        self.tokens.insert(fd, token);
        token
    }

    /// Makes the call of both, and compares what they say.
    fn make(&mut self, call: Call, manual: &mut Manual, checked: &mut Checked<Manual>) {
        match call {
            Call::Add(fd, interest) => {
                let token = self.new_token(fd);
                let expected = manual.add(fd, token, interest, Trigger::Level).is_ok();
                let made = checked.add(fd, token, interest, Trigger::Level);
                assert_eq!(made.is_ok(), expected);
            }
            Call::Delete(fd) => {
                assert_eq!(checked.delete(fd).is_ok(), manual.delete(fd).is_ok());
            }
            Call::World(ready, refused) => {
                for manual in [&mut *manual, checked.get_mut()] {
                    (manual.ready, manual.refused) = (ready.clone(), refused.clone());
                }
            }
            Call::Wait(edits) => {
                let held = manual.held.clone();
                let changes: Vec<Entry> = edits
                    .into_iter()
                    .map(|(fd, (add, delete))| {
                        let held = held.get(&fd);
                        let interest = held.map_or(Interest::empty(), |(_, interest)| *interest);
                        let token = held.map_or_else(|| self.new_token(fd), |(token, _)| *token);
                        let mut change = Change::new(interest, Trigger::Level);
                        change.add(add);
                        change.delete(delete);
                        Entry { fd, token, change }
                    })
                    .collect();
                let mut expected = self.reports.clone();
                manual.wait(&changes, None, &mut expected).unwrap();
                checked.wait(&changes, None, &mut self.reports).unwrap();
                assert_eq!(self.reports, expected);
            }
        }
        assert_eq!(checked.get_ref().held, manual.held);
    }
}

/// A history in which each breach shows.
fn telling_history() -> [Call; 8] {
    let read = Interest::READ;
    [
        Call::World(
            [(0, Ready::all()), (1, Ready::READ)].into(),
            BTreeSet::from([2]),
        ),
        Call::Add(0, read),
        Call::Add(1, Interest::WRITE),
        Call::Add(2, read),
        Call::Wait([(2, (read, Interest::empty()))].into()),
        Call::Wait([(0, (Interest::empty(), read))].into()),
        Call::Delete(1),
        Call::Wait(BTreeMap::new()),
    ]
}

fn run(mut manual: Manual, history: impl IntoIterator<Item = Call>) {
    let mut checked = Checked::new(manual.clone());
    let mut caller = Caller::default();
    for call in history {
        caller.make(call, &mut manual, &mut checked);
    }
}

proptest! {
    #[test]
    fn a_sound_backend_passes_and_is_not_changed(
        is_haunted: bool,
        history in vec(call(), 0..60),
    ) {
        run(Manual { is_haunted, ..Manual::default() }, history);
    }
}

#[test]
fn each_breach_is_caught() {
    run(Manual::default(), telling_history());
    for breach in [
        Breach::AddErrorOfAnother,
        Breach::DeleteErrorOfAnother,
        Breach::RewritesReports,
        Breach::ReportsTheDeleted,
        Breach::ReportsTheDropped,
        Breach::ReportsMoreThanAsked,
        Breach::ReportsNothing,
        Breach::RefusesUnasked,
        Breach::RefusesTwice,
        Breach::RefusesWithoutError,
        Breach::ReportsTheRefused,
    ] {
        let manual = Manual {
            breach: Some(breach),
            ..Manual::default()
        };
        let caught = catch_unwind(AssertUnwindSafe(|| run(manual, telling_history())));
        assert!(caught.is_err(), "{breach:?}");
    }
}

#[test]
fn errors_name_the_call_and_keep_the_reason() {
    use std::error::Error;

    let source = || io::Error::from_raw_os_error(EIO);
    let control = ControlError {
        call: "epoll_ctl(EPOLL_CTL_ADD)",
        fd: 7,
        source: source(),
    };
    assert_eq!(
        control.to_string(),
        "epoll_ctl(EPOLL_CTL_ADD) failed for file descriptor 7"
    );
    let wait = WaitError {
        call: "epoll_wait",
        source: source(),
    };
    assert_eq!(wait.to_string(), "epoll_wait failed");
    for error in [&control as &dyn Error, &wait] {
        assert_eq!(error.source().unwrap().to_string(), source().to_string());
    }
}

/// The least that a backend can be.
#[derive(Debug, Default)]
struct Least {
    waits: Vec<(usize, Option<Duration>)>,
}

impl Backend for Least {
    fn name(&self) -> &'static str {
        "least"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::EDGE
    }

    fn add(&mut self, _: RawFd, _: Token, _: Interest, _: Trigger) -> Result<(), ControlError> {
        Ok(())
    }

    fn delete(&mut self, _: RawFd) -> Result<(), ControlError> {
        Ok(())
    }

    fn wait(
        &mut self,
        changes: &[Entry],
        timeout: Option<Duration>,
        _: &mut Vec<Report>,
    ) -> Result<(), WaitError> {
        self.waits.push((changes.len(), timeout));
        Ok(())
    }
}

#[test]
fn what_a_backend_does_not_say_is_said_for_it() {
    let (fd, token) = (4, Token::from_bits(0));
    let mut change = Change::new(Interest::empty(), Trigger::Level);
    change.add(Interest::READ);
    let mut least = Least::default();
    let applied = least.apply(&[Entry { fd, token, change }], &mut Vec::new());
    applied.unwrap();
    assert_eq!(least.waits, [(1, Some(Duration::ZERO))]);
    assert!(least.interest_set().unwrap().is_none());
}

#[test]
fn checked_is_what_is_in_it() {
    let checked = Checked::new(Least::default());
    assert_eq!(checked.name(), "least");
    assert_eq!(checked.capabilities(), Capabilities::EDGE);
}

#[test]
fn checked_passes_on_what_is_held() {
    let token = Token {
        slot: 7,
        generation: 2,
    };
    let mut checked = Checked::new(Manual::default());
    checked
        .add(4, token, Interest::READ, Trigger::Level)
        .unwrap();
    let [held] = checked.interest_set().unwrap().unwrap()[..] else {
        panic!("one was added")
    };
    assert_eq!((held.fd, held.token), (4, token));
    assert_eq!(
        held.to_string(),
        "read of file descriptor 4 (level-triggered, token 7.2)"
    );
}
