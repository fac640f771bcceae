//! A kit for tests of a backend: random histories, and the contract that each of them is held to.
//!
//! Whoever writes a [`Backend`] runs [`check`] on it under `proptest`; a history that breaks the contract
//! is shrunk to the few steps that do. Behind the feature `proptest`.
//!
//! # Examples
//!
//! ```
//! # use evloop_backend::{Backend, Capabilities, ControlError, Entry, Interest, RawFd, Report};
//! # use evloop_backend::{Token, Trigger, WaitError};
//! # use std::time::Duration;
//! # #[derive(Debug)]
//! # struct MyBackend;
//! # impl MyBackend {
//! #     fn new() -> Self {
//! #         Self
//! #     }
//! # }
//! # impl Backend for MyBackend {
//! #     fn name(&self) -> &'static str {
//! #         "forgetful"
//! #     }
//! #     fn capabilities(&self) -> Capabilities {
//! #         Capabilities::empty()
//! #     }
//! #     fn add(&mut self, _: RawFd, _: Token, _: Interest, _: Trigger) -> Result<(), ControlError> {
//! #         Ok(())
//! #     }
//! #     fn delete(&mut self, _: RawFd) -> Result<(), ControlError> {
//! #         Ok(())
//! #     }
//! #     fn wait(
//! #         &mut self,
//! #         _: &[Entry],
//! #         _: Option<Duration>,
//! #         _: &mut Vec<Report>,
//! #     ) -> Result<(), WaitError> {
//! #         Ok(())
//! #     }
//! # }
//! # let tried = std::panic::catch_unwind(|| {
//! use evloop_backend::conformance::{KernelFiles, any_history, check};
//! use proptest::prelude::*;
//!
//! proptest! {
//!     fn my_backend_keeps_the_contract(history in any_history()) {
//!         check(MyBackend::new(), &mut KernelFiles::new(), &history);
//!     }
//! }
//! my_backend_keeps_the_contract(); // or #[test]
//! # });
//! # assert!(tried.is_err(), "it forgets everything");
//! ```
//!
//! # What is checked
//!
//! After every step, under [`Checked`], whatever the backend reports: it is of something that is held,
//! no more than was asked for, a refusal once. At every wait, besides:
//!
//! - Each level-triggered file that is ready is reported, as all that it is ready for, at once or by
//!   one of the waits that follow at once.
//! - Each edge-triggered file that something happened to, or that was added, is reported, if it is ready
//!   still.
//! - A change of a number that is not open is reported, with its errno.
//! - What [`Backend::interest_set`] says is what was told, if it says something.
//! - With nothing ready, a wait lasts as long as it was told, one time in many at least.
//!
//! A backend that takes the liberties of the contract passes: reports that are spurious, doubled, late
//! or in any order, waits that are interrupted. Histories ask for no more than its
//! [`Capabilities`] promise. A file is deleted before it is closed, as the contract has it.

mod files;

use std::time::Duration;

use evloop_changelist::strategy::{any_interest, any_trigger};
use evloop_changelist::{Change, Entry, Interest, RawFd, Ready, Token, Trigger};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;

pub use self::files::{Files, KernelFiles};
use crate::{Backend, Capabilities, Checked, Report};

/// One step of a history. A file is named by its place among the [`FILES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// [`Backend::add`], under a new token.
    Add(usize, Interest, Trigger),
    /// [`Backend::delete`].
    Delete(usize),
    /// An edit for the next wait: what is added, then what is deleted.
    Edit(usize, Interest, Interest),
    /// For the next wait, a change of a number that is not open.
    EditClosed,
    /// The peer writes.
    PeerWrites(usize),
    /// The peer reads all that we wrote.
    PeerReads(usize),
    /// The peer writes no more.
    PeerShutsDown(usize),
    /// The peer closes.
    PeerCloses(usize),
    /// We read all there is.
    Read(usize),
    /// We write until there is no room.
    Fill(usize),
    /// We close the file, and open another, which may have the same number.
    Replace(usize),
    /// [`Backend::wait`], with what was edited.
    Wait,
}

/// How many files a history is about: few, so that the steps have to do with each other.
pub const FILES: usize = 3;

/// A history of up to 60 steps.
pub fn any_history() -> impl Strategy<Value = Vec<Step>> {
    let file = || 0..FILES;
    let some = || any_interest().prop_filter("an interest", |interest| !interest.is_empty());
    let step = prop_oneof![
        4 => (file(), some(), any_trigger()).prop_map(|(n, what, how)| Step::Add(n, what, how)),
        1 => file().prop_map(Step::Delete),
        4 => (file(), any_interest(), any_interest()).prop_map(|(n, a, d)| Step::Edit(n, a, d)),
        1 => Just(Step::EditClosed),
        4 => file().prop_map(Step::PeerWrites),
        1 => file().prop_map(Step::PeerReads),
        1 => file().prop_map(Step::PeerShutsDown),
        1 => file().prop_map(Step::PeerCloses),
        3 => file().prop_map(Step::Read),
        1 => file().prop_map(Step::Fill),
        1 => file().prop_map(Step::Replace),
        8 => Just(Step::Wait),
    ];
    vec(step, 1..60)
}

/// Plays a history on a backend that holds nothing yet, and on files of a kind that it can wait for.
///
/// # Panics
///
/// If the backend breaks its contract. The message says which part of it; run it under `proptest`, and
/// the history is a short one.
pub fn check<B: Backend>(backend: B, files: &mut impl Files, history: &[Step]) {
    let mut trial = Trial {
        backend: Checked::new(backend),
        opened: (0..FILES).map(|_| Opened::new(files.open())).collect(),
        files,
        tokens: 0,
        edits_closed: false,
    };
    for step in history {
        trial.play(*step);
    }
    trial.wait();
    trial.wait_in_vain();
}

/// A backend on trial.
struct Trial<'a, B, F> {
    backend: Checked<B>,
    files: &'a mut F,
    opened: Vec<Opened>,
    tokens: u32,
    /// The next wait changes a number that is not open.
    edits_closed: bool,
}

/// A stream socket, and what is known of it.
struct Opened {
    fd: RawFd,
    token: Token,
    held: Option<(Interest, Trigger)>,
    /// Edits for the next wait.
    change: Option<Change>,
    /// What happened to it, or was true when it was added, since it was last reported.
    news: Ready,
    has_unread: bool,
    is_full: bool,
    peer_is_silent: bool,
    peer_is_gone: bool,
    was_reset: bool,
}

impl Opened {
    fn new(fd: RawFd) -> Self {
        let token = Token {
            slot: 0,
            generation: 0,
        };
        Self {
            fd,
            token,
            held: None,
            change: None,
            news: Ready::empty(),
            has_unread: false,
            is_full: false,
            peer_is_silent: false,
            peer_is_gone: false,
            was_reset: false,
        }
    }

    /// What it is ready for at this moment.
    fn ready(&self) -> Ready {
        let is_over = self.peer_is_silent || self.peer_is_gone;
        let mut ready = Ready::empty();
        ready.set(Ready::READ, self.has_unread || is_over);
        ready.set(Ready::WRITE, !self.is_full);
        ready.set(Ready::CLOSED, is_over);
        ready.set(Ready::HANGUP, self.peer_is_gone);
        ready.set(Ready::ERROR, self.was_reset);
        ready
    }

    /// What has to be reported of it.
    fn due(&self) -> Ready {
        match self.held {
            None => Ready::empty(),
            Some((interest, Trigger::Level)) => asked(interest) & self.ready(),
            Some((interest, Trigger::Edge)) => asked(interest) & self.ready() & self.news,
        }
    }

    fn hold(&mut self, interest: Interest, trigger: Trigger) {
        self.held = Some((interest, trigger));
        self.news = self.ready();
    }
}

impl<B: Backend, F: Files> Trial<'_, B, F> {
    fn play(&mut self, step: Step) {
        match step {
            Step::Add(n, interest, trigger) => self.add(n, interest, trigger),
            Step::Delete(n) => self.delete(n),
            Step::Edit(n, add, delete) => self.edit(n, add, delete),
            Step::EditClosed => self.edits_closed = true,
            Step::PeerWrites(n) => {
                let opened = &mut self.opened[n];
                if !opened.peer_is_silent && !opened.peer_is_gone {
                    self.files.peer_writes(opened.fd);
                    opened.has_unread = true;
                    opened.news |= Ready::READ;
                }
            }
            Step::PeerReads(n) => {
                let opened = &mut self.opened[n];
                if !opened.peer_is_gone {
                    self.files.peer_reads(opened.fd);
                    opened
                        .news
                        .set(Ready::WRITE, opened.is_full || opened.news.is_writable());
                    opened.is_full = false;
                }
            }
            Step::PeerShutsDown(n) => {
                let opened = &mut self.opened[n];
                if !opened.peer_is_silent && !opened.peer_is_gone {
                    self.files.peer_shuts_down(opened.fd);
                    opened.peer_is_silent = true;
                    opened.news |= Ready::READ | Ready::CLOSED;
                }
            }
            Step::PeerCloses(n) => {
                let opened = &mut self.opened[n];
                if !opened.peer_is_gone {
                    self.files.peer_closes(opened.fd);
                    opened.peer_is_gone = true;
                    // It had not read what we wrote.
                    opened.was_reset = opened.is_full;
                    opened.is_full = false;
                    opened.news |= opened.ready();
                }
            }
            Step::Read(n) => {
                let opened = &mut self.opened[n];
                self.files.read(opened.fd);
                opened.has_unread = false;
                opened.was_reset = false;
            }
            Step::Fill(n) => {
                let opened = &mut self.opened[n];
                if !opened.peer_is_gone {
                    self.files.fill(opened.fd);
                    opened.is_full = true;
                }
            }
            Step::Replace(n) => {
                self.delete(n);
                self.files.close(self.opened[n].fd);
                self.opened[n] = Opened::new(self.files.open());
            }
            Step::Wait => self.wait(),
        }
    }

    fn add(&mut self, n: usize, interest: Interest, trigger: Trigger) {
        let (interest, trigger) = self.within_reach(interest, trigger);
        let token = self.new_token();
        let opened = &mut self.opened[n];
        let added = self.backend.add(opened.fd, token, interest, trigger);
        added.expect("a file that can be waited for is taken");
        opened.token = token;
        opened.change = None;
        opened.hold(interest, trigger);
    }

    fn delete(&mut self, n: usize) {
        let opened = &mut self.opened[n];
        let deleted = self.backend.delete(opened.fd);
        deleted.expect("an open file is forgotten, held or not");
        opened.held = None;
        opened.change = None;
    }

    fn edit(&mut self, n: usize, add: Interest, delete: Interest) {
        let (add, _) = self.within_reach(add, Trigger::Level);
        if self.opened[n].held.is_none() && self.opened[n].change.is_none() {
            self.opened[n].token = self.new_token();
        }
        let opened = &mut self.opened[n];
        let (interest, trigger) = opened.held.unwrap_or_default();
        let change = opened
            .change
            .get_or_insert_with(|| Change::new(interest, trigger));
        change.add(add);
        change.delete(delete);
    }

    /// The part of it that the backend says it can do.
    fn within_reach(&self, mut interest: Interest, mut trigger: Trigger) -> (Interest, Trigger) {
        let capabilities = self.backend.capabilities();
        if !capabilities.contains(Capabilities::EARLY_CLOSE) && interest.contains(Interest::CLOSED)
        {
            interest.remove(Interest::CLOSED);
            interest.insert(Interest::READ);
        }
        if !capabilities.contains(Capabilities::EDGE) {
            trigger = Trigger::Level;
        }
        (interest, trigger)
    }

    fn new_token(&mut self) -> Token {
        self.tokens += 1;
        Token {
            slot: 7,
            generation: self.tokens,
        }
    }

    /// Tells what was edited, and waits until all that has to be reported was.
    fn wait(&mut self) {
        let mut entries = self.take_entries();
        let closed = self.edits_closed.then(|| self.change_of_closed());
        self.edits_closed = false;
        entries.extend(closed);
        let mut refused = closed.map(|entry| entry.token);
        let mut due: Vec<(usize, Ready)> = (0..FILES).map(|n| (n, self.opened[n].due())).collect();
        for round in 0..ROUNDS {
            let reports = self.look(&entries, Duration::ZERO);
            if round == 0 {
                self.compare_interest(closed.as_ref());
            }
            entries.clear();
            for report in reports {
                if Some(report.token) == refused && report.errno != 0 {
                    refused = None;
                }
                let of = |n: &usize| self.opened[*n].token == report.token;
                if let Some(n) = (0..FILES).find(of) {
                    assert_eq!(
                        report.errno,
                        0,
                        "{} refuses an open file",
                        self.backend.name()
                    );
                    self.opened[n].news = Ready::empty();
                    due[n].1.remove(report.ready);
                }
            }
            if refused.is_none() && due.iter().all(|(_, due)| due.is_empty()) {
                return;
            }
        }
        let name = self.backend.name();
        assert_eq!(refused, None, "{name} keeps a refusal to itself");
        let late = due.iter().find(|(_, due)| !due.is_empty());
        panic!("{name} does not report what is ready: {late:?}");
    }

    /// What was edited, and is as good as told.
    fn take_entries(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for opened in &mut self.opened {
            let Some(change) = opened.change.take() else {
                continue;
            };
            let (fd, token) = (opened.fd, opened.token);
            entries.push(Entry { fd, token, change });
            if change.op().is_none() {
                // It tells nothing.
            } else if change.wanted().is_empty() {
                opened.held = None;
            } else {
                opened.hold(change.wanted(), change.trigger());
            }
        }
        entries
    }

    fn change_of_closed(&mut self) -> Entry {
        let mut change = Change::new(Interest::empty(), Trigger::Level);
        change.add(Interest::READ);
        Entry {
            fd: NEVER_OPEN,
            token: self.new_token(),
            change,
        }
    }

    fn look(&mut self, entries: &[Entry], timeout: Duration) -> Vec<Report> {
        // Reports are appended to what is there.
        let mut reports = vec![EARLIER];
        let waited = self.backend.wait(entries, Some(timeout), &mut reports);
        waited.expect("a wait can be done");
        reports.split_off(1)
    }

    /// What the backend says that the kernel holds.
    fn compare_interest(&self, refused: Option<&Entry>) {
        let said = self
            .backend
            .interest_set()
            .expect("it can be asked or says that it cannot");
        let Some(mut said) = said else { return };
        // Until it was found not to be open it may be held.
        said.retain(|held| refused.is_none_or(|entry| entry.token != held.token));
        let mut said: Vec<_> = said
            .iter()
            .map(|held| (held.fd, held.token, held.interest, held.trigger))
            .collect();
        let told = self.opened.iter().filter_map(|opened| {
            let (interest, trigger) = opened.held?;
            Some((opened.fd, opened.token, interest, trigger))
        });
        let mut told: Vec<_> = told.collect();
        said.sort_unstable_by_key(|(fd, ..)| *fd);
        told.sort_unstable_by_key(|(fd, ..)| *fd);
        let name = self.backend.name();
        assert_eq!(said, told, "{name} does not hold what it was told");
    }

    /// With nothing held, a wait lasts as long as it was told; an interrupted one does not.
    fn wait_in_vain(&mut self) {
        (0..FILES).for_each(|n| self.delete(n));
        let lasted = |trial: &mut Self| {
            let began_ns = trial.files.now_ns();
            let reports = trial.look(&[], BRIEF);
            assert_eq!(reports, [], "nothing is held");
            Duration::from_nanos(trial.files.now_ns() - began_ns) >= BRIEF
        };
        let name = self.backend.name();
        let has_lasted = (0..ROUNDS).any(|_| lasted(self));
        assert!(has_lasted, "{name} always returns before its timeout");
    }
}

/// What an interest asks to be told of.
fn asked(interest: Interest) -> Ready {
    Ready::from(interest) | Ready::ALWAYS
}

/// A report that was there before.
const EARLIER: Report = Report {
    token: Token {
        slot: 0,
        generation: 0,
    },
    ready: Ready::READ,
    errno: 0,
};

/// In so many waits a backend that reports a part of what is ready has reported all of it.
const ROUNDS: usize = 64;

/// Long enough to tell a wait from a look.
const BRIEF: Duration = Duration::from_millis(1);

/// A number that no test comes to use.
const NEVER_OPEN: RawFd = 1_000_000;
