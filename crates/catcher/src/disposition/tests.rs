//! Refusals of `sigaction`, at each of its calls in turn.
//!
//! | call | errno | outcome |
//! |---|---|---|
//! | the first, at a `watch` | any | an error with it; the disposition is as before, nothing is watched |
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
    // The handler is set; later it is looked at, then what was there before is set.
    for at in 1..=3 {
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
            // Another watcher comes and goes without a call.
            let calls = system.calls;
            acquire(&mut system, &mut dispositions).unwrap();
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
