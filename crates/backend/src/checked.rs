//! The contract as code: a backend that is watched while it is used.
//!
//! What a backend may say follows from what it was told, so a record of the calls is enough to judge
//! the reports. Whether the kernel really holds what it should is beyond such a record.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use crate::{
    Backend, Capabilities, ControlError, Entry, Held, Interest, RawFd, Ready, Report, Token,
    Trigger, WaitError,
};

/// A backend that panics when the backend inside breaks its contract.
///
/// For tests, of a backend or of a loop: it behaves as the one inside. The loop must keep its side:
/// it deletes a file descriptor before that is closed, and gives each registration a token of its
/// own.
///
/// Costs a hash table access for each change and each report; it remembers every token that was
/// replaced.
///
/// # Examples
///
/// See the README of this crate.
#[derive(Debug)]
pub struct Checked<B> {
    backend: B,
    /// What is held for each file descriptor.
    held: HashMap<RawFd, (Token, Interest)>,
    /// Tokens that another took the place of, with no delete in between. Their file may live on.
    replaced: HashSet<Token>,
}

impl<B: Backend> Checked<B> {
    /// Watches a backend that holds nothing yet.
    pub fn new(backend: B) -> Self {
        Self {
            backend,
            held: HashMap::new(),
            replaced: HashSet::new(),
        }
    }

    /// The backend inside.
    pub const fn get_ref(&self) -> &B {
        &self.backend
    }

    /// The backend inside, to be used past the check. What it is told this way is not known here.
    pub const fn get_mut(&mut self) -> &mut B {
        &mut self.backend
    }

    fn hold(&mut self, fd: RawFd, token: Token, interest: Interest) {
        self.replaced.remove(&token);
        if let Some((before, _)) = self.held.insert(fd, (token, interest))
            && before != token
        {
            self.replaced.insert(before);
        }
    }

    /// What an entry asked for, if it was taken.
    fn apply(&mut self, entry: &Entry) {
        let wanted = entry.change.wanted();
        if entry.change.op().is_none() {
            // It was not told.
        } else if wanted.is_empty() {
            self.held.remove(&entry.fd);
        } else {
            self.hold(entry.fd, entry.token, wanted);
        }
    }

    /// Checks the reports that carry an errno: each is of an entry that told something, once, and
    /// says so as it should.
    fn check_refusals(&mut self, changes: &[Entry], reports: &[Report]) {
        let told = changes.iter().filter(|entry| entry.change.op().is_some());
        let mut fds: HashMap<Token, RawFd> = told.map(|entry| (entry.token, entry.fd)).collect();
        for report in reports.iter().filter(|report| report.errno != 0) {
            let fd = fds.remove(&report.token);
            self.must(
                fd.is_some(),
                "an errno is of an entry, and told once",
                report,
            );
            self.must(
                report.ready.contains(Ready::ERROR),
                "an errno comes as an error",
                report,
            );
            if let Some(fd) = fd {
                self.held.remove(&fd);
            }
        }
    }

    /// Checks the reports of readiness: each is of a token that is known, and says something that
    /// was asked for.
    fn check_readiness(&self, reports: &[Report]) {
        let held: HashMap<Token, Interest> = self.held.values().copied().collect();
        for report in reports.iter().filter(|report| report.errno == 0) {
            let (token, ready) = (report.token, report.ready);
            let interest = held.get(&token).copied();
            let is_replaced = self.replaced.contains(&token);
            self.must(
                interest.is_some() || is_replaced,
                "what was given up is silent",
                report,
            );
            self.must(!ready.is_empty(), "readiness is something", report);
            let asked = ready.for_interest(interest.unwrap_or(Interest::all()));
            self.must(ready == asked, "readiness is what was asked for", report);
        }
    }

    #[track_caller]
    fn must(&self, is_kept: bool, rule: &str, broken_by: &Report) {
        assert!(
            is_kept,
            "{} breaks its contract: {rule}, but {broken_by:?}",
            self.name()
        );
    }
}

impl<B: Backend> Backend for Checked<B> {
    fn name(&self) -> &'static str {
        self.backend.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    /// As the backend inside.
    ///
    /// # Panics
    ///
    /// If the error is of another file descriptor.
    fn add(
        &mut self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> Result<(), ControlError> {
        let result = self.backend.add(fd, token, interest, trigger);
        match &result {
            Ok(()) => self.hold(fd, token, interest),
            Err(error) => assert_eq!(error.fd, fd, "an error names its file descriptor"),
        }
        result
    }

    /// As the backend inside.
    ///
    /// # Panics
    ///
    /// If the error is of another file descriptor.
    fn delete(&mut self, fd: RawFd) -> Result<(), ControlError> {
        let result = self.backend.delete(fd);
        match &result {
            Ok(()) => _ = self.held.remove(&fd),
            Err(error) => assert_eq!(error.fd, fd, "an error names its file descriptor"),
        }
        result
    }

    /// As the backend inside.
    ///
    /// # Panics
    ///
    /// If a report breaks the contract, or reports that were there before are gone.
    fn wait(
        &mut self,
        changes: &[Entry],
        timeout: Option<Duration>,
        reports: &mut Vec<Report>,
    ) -> Result<(), WaitError> {
        let before = reports.clone();
        let result = self.backend.wait(changes, timeout, reports);
        assert!(reports.starts_with(&before), "reports are appended");
        let reports = &reports[before.len()..];
        changes.iter().for_each(|entry| self.apply(entry));
        self.check_refusals(changes, reports);
        self.check_readiness(reports);
        result
    }

    /// As the backend inside.
    fn interest_set(&self) -> io::Result<Option<Vec<Held>>> {
        self.backend.interest_set()
    }
}
