//! Backends that are each wrong in one way, as a real one could be. The kit finds every one of them.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use evloop_backend::conformance::{Step, any_history, check};
use evloop_backend::{Backend, Capabilities, ControlError, Held, Report, WaitError};
use evloop_sim::{Entry, Interest, RawFd, Ready, Sim, SimBackend, Token, Trigger};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use crate::files::SimFiles;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A delete is not told to the kernel.
    DropsDeletes,
    /// A change that wants nothing is not told.
    DropsLastDelete,
    /// Of several changes the last is not told.
    DropsLastChange,
    /// Changes take effect after the wait.
    TellsTooLate,
    /// An add of what is held already is refused, as the system call does.
    RefusesTakeover,
    /// An add of what is held already keeps the old token.
    KeepsOldToken,
    /// What the kernel refuses is not reported.
    SwallowsRefusals,
    /// It is reported, without saying that it is an error.
    RefusalIsNoError,
    /// Level-triggered readiness is reported once.
    LevelIsEdge,
    /// An edge-triggered add of what is ready already is not reported.
    EdgeWaitsForNews,
    /// Hang-ups are not reported unless there is something else.
    HidesHangup,
    /// What the file is ready for is reported, asked or not.
    SaysMore,
    /// Only the first of the reports comes, ever.
    LosesReports,
    /// Reports that were there are gone.
    ClearsReports,
    /// A wait is a look.
    NeverBlocks,
    /// A delete of what is not held is an error, as of the system call.
    DeleteOfNothingFails,
    /// Interest in a closed peer is forgotten.
    ForgetsClosed,
}

const FAULTS: [Fault; 17] = [
    Fault::DropsDeletes,
    Fault::DropsLastDelete,
    Fault::DropsLastChange,
    Fault::TellsTooLate,
    Fault::RefusesTakeover,
    Fault::KeepsOldToken,
    Fault::SwallowsRefusals,
    Fault::RefusalIsNoError,
    Fault::LevelIsEdge,
    Fault::EdgeWaitsForNews,
    Fault::HidesHangup,
    Fault::SaysMore,
    Fault::LosesReports,
    Fault::ClearsReports,
    Fault::NeverBlocks,
    Fault::DeleteOfNothingFails,
    Fault::ForgetsClosed,
];

/// The simulated backend with a fault. It cannot be asked what the kernel holds, unlike the one inside,
/// so that only what it does gives it away.
#[derive(Debug)]
struct Broken {
    inside: SimBackend,
    sim: Sim,
    fault: Fault,
    /// Changes that are late.
    late: Vec<Entry>,
    /// What was reported once.
    told: Vec<Token>,
}

impl Broken {
    fn new(sim: &Sim, fault: Fault) -> Self {
        Self {
            inside: sim.backend(),
            sim: sim.clone(),
            fault,
            late: Vec::new(),
            told: Vec::new(),
        }
    }

    /// The changes that are told.
    fn spoil_changes(&mut self, changes: &[Entry]) -> Vec<Entry> {
        let mut changes = changes.to_vec();
        match self.fault {
            Fault::DropsLastDelete => changes.retain(|entry| !entry.change.wanted().is_empty()),
            Fault::DropsLastChange if changes.len() > 1 => drop(changes.pop()),
            Fault::TellsTooLate => std::mem::swap(&mut changes, &mut self.late),
            _ => {}
        }
        changes
    }

    fn spoil_reports(&mut self, reports: &mut Vec<Report>) {
        let (fault, told) = (self.fault, &mut self.told);
        reports.retain_mut(|report| match fault {
            Fault::SwallowsRefusals => report.errno == 0,
            Fault::RefusalIsNoError if report.errno != 0 => {
                report.ready = Ready::READ;
                true
            }
            Fault::LevelIsEdge => {
                let is_new = !told.contains(&report.token);
                told.push(report.token);
                is_new
            }
            Fault::HidesHangup => !(report.ready - Ready::ALWAYS).is_empty(),
            Fault::SaysMore if report.errno == 0 => {
                report.ready |= Ready::READ | Ready::WRITE;
                true
            }
            _ => true,
        });
        if fault == Fault::LosesReports {
            reports.truncate(1);
        }
    }

    fn error(fd: RawFd, errno: i32) -> ControlError {
        ControlError {
            call: "control",
            fd,
            source: io::Error::from_raw_os_error(errno),
        }
    }
}

impl Backend for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn capabilities(&self) -> Capabilities {
        self.inside.capabilities()
    }

    fn add(
        &mut self,
        fd: RawFd,
        mut token: Token,
        mut interest: Interest,
        trigger: Trigger,
    ) -> Result<(), ControlError> {
        let before = self
            .sim
            .interest_set()
            .into_iter()
            .find(|held| held.fd == fd);
        match (self.fault, before) {
            (Fault::RefusesTakeover, Some(_)) => return Err(Self::error(fd, 17)),
            (Fault::KeepsOldToken, Some(held)) => token = held.token,
            (Fault::ForgetsClosed, _) if interest != Interest::CLOSED => {
                interest.remove(Interest::CLOSED);
            }
            _ => {}
        }
        self.inside.add(fd, token, interest, trigger)?;
        if self.fault == Fault::EdgeWaitsForNews && trigger == Trigger::Edge {
            // Takes the report that it begins with, and all others with it.
            let _ = self.inside.wait(&[], Some(Duration::ZERO), &mut Vec::new());
        }
        Ok(())
    }

    fn delete(&mut self, fd: RawFd) -> Result<(), ControlError> {
        let is_held = !self.sim.held(fd).is_empty();
        match self.fault {
            Fault::DropsDeletes => Ok(()),
            Fault::DeleteOfNothingFails if !is_held => Err(Self::error(fd, 2)),
            _ => self.inside.delete(fd),
        }
    }

    fn wait(
        &mut self,
        changes: &[Entry],
        timeout: Option<Duration>,
        reports: &mut Vec<Report>,
    ) -> Result<(), WaitError> {
        let timeout = match self.fault {
            Fault::NeverBlocks => Some(Duration::ZERO),
            _ => timeout,
        };
        let changes = self.spoil_changes(changes);
        let mut came = Vec::new();
        let waited = self.inside.wait(&changes, timeout, &mut came);
        self.spoil_reports(&mut came);
        if self.fault == Fault::ClearsReports {
            reports.clear();
        }
        reports.extend(came);
        waited
    }

    fn interest_set(&self) -> io::Result<Option<Vec<Held>>> {
        Ok(None)
    }
}

/// The shortest history found on which the kit fails, and after how many tries; `None`: it finds nothing.
fn caught(fault: Fault) -> Option<(u32, Vec<Step>)> {
    let tries = RefCell::new(0);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(1000)
    });
    let tried = runner.run(&any_history(), |history| {
        let sim = Sim::new(0);
        let broken = Broken::new(&sim, fault);
        let trial = AssertUnwindSafe(|| check(broken, &mut SimFiles::new(&sim), &history));
        *tries.borrow_mut() += 1;
        catch_unwind(trial).map_err(|_| TestCaseError::fail("it is broken"))
    });
    match tried {
        Err(TestError::Fail(_, history)) => Some((tries.into_inner(), history)),
        _ => None,
    }
}

#[test]
fn each_breach_is_found_and_shrinks_to_a_few_steps() {
    for fault in FAULTS {
        let Some((tries, history)) = caught(fault) else {
            panic!("{fault:?} is not found");
        };
        assert!(tries < 500, "{fault:?} is found by luck");
        assert!(history.len() <= 8, "{fault:?}: {history:?}");
    }
}
