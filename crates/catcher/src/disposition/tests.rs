//! Refusals of `sigaction`, at each of its calls in turn.
//!
//! | call | errno | outcome |
//! |---|---|---|
//! | the one of a `watch` | any | an error with it; the disposition is as before, nothing is watched |
//! | a look, or the last, at an `unwatch` | any | an error with it; the signal is watched still |
//!
//! Each can be tried again.

use super::*;

const BEFORE: libc::sighandler_t = libc::SIG_IGN;

/// A system with one signal.
struct Faulty {
    handler: libc::sighandler_t,
    /// The call that is refused, and why.
    refused: (usize, i32),
    calls: usize,
}

impl Faulty {
    fn answer(
        &mut self,
        signal: Signal,
        new: Option<&libc::sigaction>,
    ) -> Result<libc::sigaction, CatchError> {
        let (at, errno) = self.refused;
        self.calls += 1;
        if self.calls == at {
            return Err(CatchError {
                signal,
                call: "sigaction",
                source: io::Error::from_raw_os_error(errno),
            });
        }
        let mut before = NO_ACTION;
        before.sa_sigaction = self.handler;
        if let Some(new) = new {
            self.handler = new.sa_sigaction;
        }
        Ok(before)
    }
}

#[test]
fn every_refusal_changes_nothing_and_can_be_tried_again() {
    let signal = Signal::USR1;
    let ours = catching().sa_sigaction;
    // The handler is set, by two; later it is looked at, then what was there before is set.
    for at in [1, 3, 4] {
        for errno in [libc::EINVAL, libc::EFAULT, libc::EPERM, libc::ENOSYS] {
            let mut system = Faulty {
                handler: BEFORE,
                refused: (at, errno),
                calls: 0,
            };
            let mut dispositions = Dispositions([const { None }; 64]);
            let acquire = |system: &mut Faulty, dispositions: &mut Dispositions| {
                dispositions.acquire_by(signal, |signal, new| system.answer(signal, new))
            };
            let refused = acquire(&mut system, &mut dispositions);
            if at == 1 {
                let error = refused.unwrap_err();
                assert_eq!(error.source.raw_os_error(), Some(errno));
                assert_eq!(system.handler, BEFORE);
                assert!(dispositions.0[signal.index()].is_none());
                acquire(&mut system, &mut dispositions).unwrap();
            }
            assert_eq!(system.handler, ours);
            // Another watcher finds the handler, and goes without a call.
            acquire(&mut system, &mut dispositions).unwrap();
            let calls = system.calls;
            let release = |system: &mut Faulty, dispositions: &mut Dispositions| {
                dispositions.release_by(signal, |signal, new| system.answer(signal, new))
            };
            release(&mut system, &mut dispositions).unwrap();
            assert_eq!((system.calls, system.handler), (calls, ours));

            let refused = release(&mut system, &mut dispositions);
            if at > 1 {
                let error = refused.unwrap_err();
                assert_eq!(error.source.raw_os_error(), Some(errno));
                assert_eq!(system.handler, ours, "it is watched still");
                release(&mut system, &mut dispositions).unwrap();
            }
            assert_eq!(system.handler, BEFORE);
            assert!(dispositions.0[signal.index()].is_none());
        }
    }
}

#[test]
fn handler_that_was_taken_away_is_installed_again_for_the_next_who_watches() {
    let signal = Signal::USR1;
    let mut system = Faulty {
        handler: libc::SIG_DFL,
        refused: (0, 0),
        calls: 0,
    };
    let mut dispositions = Dispositions([const { None }; 64]);
    let answer = |system: &mut Faulty, signal, new: Option<&_>| system.answer(signal, new);
    for _ in 0..2 {
        dispositions
            .acquire_by(signal, |signal, new| answer(&mut system, signal, new))
            .unwrap();
        assert_eq!(system.handler, catching().sa_sigaction);
        system.handler = BEFORE;
    }
    dispositions
        .acquire_by(signal, |signal, new| answer(&mut system, signal, new))
        .unwrap();
    for _ in 0..3 {
        dispositions
            .release_by(signal, |signal, new| answer(&mut system, signal, new))
            .unwrap();
    }
    assert_eq!(system.handler, BEFORE, "what was taken away last");
}
