//! The kernel's side of a program: interest set, readiness, signals, and time that passes when the
//! loop waits. Level-triggered.

use std::collections::BTreeMap;
use std::time::Duration;

use evloop_changelist::{Interest, Ready, Token};
use evloop_core::{Core, Demand, Kind, Release};
use evloop_signals::Signal;

#[derive(Default)]
pub(crate) struct Kernel {
    pub(crate) now_ns: u64,
    interest: BTreeMap<i32, (Interest, Token)>,
    ready: BTreeMap<i32, Ready>,
    caught: Vec<Signal>,
    raised: BTreeMap<Signal, u64>,
    /// What the wait before reported though no event wanted anything of it.
    pub(crate) unwanted: Vec<i32>,
}

impl Kernel {
    pub(crate) fn grant(&mut self, demand: Demand) -> Result<(), ()> {
        match demand {
            Demand::Fd {
                fd,
                token,
                interest,
                ..
            } => {
                let old = self.interest.insert(fd, (interest, token));
                assert_eq!(old, None, "what is held already is not demanded");
            }
            Demand::Signal(signal) => {
                assert!(
                    !self.caught.contains(&signal),
                    "what is caught already is not demanded"
                );
                self.caught.push(signal);
            }
        }
        Ok(())
    }

    pub(crate) fn release(&mut self, release: Option<Release>) {
        match release {
            None => {}
            Some(Release::Fd(fd)) => {
                assert!(
                    self.interest.remove(&fd).is_some(),
                    "what is released was held"
                );
            }
            Some(Release::Signal(signal)) => {
                let before = self.caught.len();
                self.caught.retain(|caught| *caught != signal);
                assert_eq!(self.caught.len() + 1, before, "what is released was caught");
                self.raised.remove(&signal);
            }
        }
    }

    pub(crate) fn set_ready(&mut self, fd: i32, ready: Ready) {
        self.ready.insert(fd, ready);
    }

    pub(crate) fn raise(&mut self, signal: Signal, count: u64) {
        if self.caught.contains(&signal) {
            *self.raised.entry(signal).or_default() += count;
        }
    }

    /// Another kernel's side, in a forked child: what is on its way is the parent's.
    pub(crate) fn forget(&mut self) {
        self.interest.clear();
        self.raised.clear();
        self.unwanted.clear();
    }

    pub(crate) fn restore(&mut self, fd: i32, token: Token, interest: Interest) {
        let old = self.interest.insert(fd, (interest, token));
        assert_eq!(old, None, "what is held already is not restored");
    }

    pub(crate) fn held(&self) -> Vec<(i32, Interest)> {
        self.interest
            .iter()
            .map(|(fd, (interest, _))| (*fd, *interest))
            .collect()
    }

    pub(crate) fn holds(&self, fd: i32) -> Interest {
        self.interest
            .get(&fd)
            .map_or(Interest::empty(), |(interest, _)| *interest)
    }

    /// `woken`: by another thread.
    pub(crate) fn wait(&mut self, core: &mut Core<usize>, timeout: Option<Duration>, woken: bool) {
        for entry in core.changes() {
            match entry.change.wanted() {
                wanted if wanted.is_empty() => drop(self.interest.remove(&entry.fd)),
                wanted => drop(self.interest.insert(entry.fd, (wanted, entry.token))),
            }
        }
        let wanted = |fd: i32| {
            core.iter().any(|event| {
                event.pending
                    && matches!(event.kind, Kind::Io { fd: its, interest, .. }
                        if its == fd && !interest.is_empty())
            })
        };
        for fd in self.unwanted.drain(..) {
            let held = self.interest.contains_key(&fd);
            assert!(!held || wanted(fd), "file descriptor {fd} spins");
        }
        let mut reports = Vec::new();
        for (fd, (interest, token)) in &self.interest {
            let ready = self
                .ready
                .get(fd)
                .copied()
                .unwrap_or_default()
                .for_interest(*interest);
            if !ready.is_empty() {
                reports.push((*token, ready));
                if !wanted(*fd) {
                    self.unwanted.push(*fd);
                }
            }
        }
        let raised = std::mem::take(&mut self.raised);
        // A report that nobody wants may come and lets time pass, so that the model need not know
        // what is held without being wanted.
        if reports.len() == self.unwanted.len() && raised.is_empty() && !woken {
            let passed = timeout.map_or(0, |timeout| timeout.as_nanos());
            self.now_ns += u64::try_from(passed).unwrap();
        }
        core.waited();
        for (token, ready) in reports {
            core.report(token, ready);
        }
        for (signal, count) in raised {
            core.catch(signal, count);
        }
    }
}
