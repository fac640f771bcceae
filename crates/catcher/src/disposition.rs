//! What the process does at a signal: the handler while somebody watches the signal, and before
//! and after what it did before.
//!
//! One table, for a disposition belongs to the process: how many catchers watch each signal, and
//! what was found before.
#![expect(unsafe_code, reason = "no safe wrapper of sigaction is at hand")]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use evloop_signals::Signal;

use crate::CatchError;
use crate::handler::HANDLER;

/// By [`Signal::index`]; only signals that are watched have an entry.
pub(crate) struct Dispositions([Option<Installed>; 64]);

/// A signal whose disposition is the handler.
struct Installed {
    /// How many catchers watch it: at least 1.
    watchers: usize,
    /// What was found when the handler was installed.
    before: libc::sigaction,
}

/// The dispositions of the process. What a catcher watches changes with them in hand.
///
/// The handler never asks for them. A thread that panicked with them in its hands, as none should,
/// left them as it had found them.
pub(crate) fn lock() -> MutexGuard<'static, Dispositions> {
    static DISPOSITIONS: Mutex<Dispositions> = Mutex::new(Dispositions([const { None }; 64]));
    DISPOSITIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dispositions {
    /// One more watches the signal; the first installs the handler, and another one does so again if somebody has
    /// taken it away meanwhile.
    pub(crate) fn acquire(&mut self, signal: Signal) -> Result<(), CatchError> {
        self.acquire_by(signal, sigaction)
    }

    /// One less watches the signal; the last restores what was there before the first.
    ///
    /// Unless somebody else has changed the disposition in the meantime: what he wanted stays.
    pub(crate) fn release(&mut self, signal: Signal) -> Result<(), CatchError> {
        self.release_by(signal, sigaction)
    }

    fn acquire_by(&mut self, signal: Signal, mut sigaction: impl Call) -> Result<(), CatchError> {
        let found = sigaction(signal, Some(&catching()))?;
        let entry = &mut self.0[signal.index()];
        match entry {
            Some(installed) => {
                installed.watchers += 1;
                if !is_ours(&found) {
                    installed.before = found;
                }
            }
            None => {
                *entry = Some(Installed {
                    watchers: 1,
                    before: found,
                });
            }
        }
        Ok(())
    }

    fn release_by(&mut self, signal: Signal, mut sigaction: impl Call) -> Result<(), CatchError> {
        let entry = &mut self.0[signal.index()];
        match entry {
            None => {}
            Some(installed) if installed.watchers > 1 => installed.watchers -= 1,
            Some(installed) => {
                let now = sigaction(signal, None)?;
                if is_ours(&now) {
                    sigaction(signal, Some(&installed.before))?;
                }
                *entry = None;
            }
        }
        Ok(())
    }
}

/// [`sigaction`]; a test answers in the system's place.
trait Call: FnMut(Signal, Option<&libc::sigaction>) -> Result<libc::sigaction, CatchError> {}

impl<F> Call for F where
    F: FnMut(Signal, Option<&libc::sigaction>) -> Result<libc::sigaction, CatchError>
{
}

/// Whether a disposition is the handler.
fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == catching().sa_sigaction
}

/// The handler, as the system wants it.
fn catching() -> libc::sigaction {
    let mut action = NO_ACTION;
    action.sa_sigaction = HANDLER as libc::sighandler_t;
    // The handler is told why. Interrupted calls go on, as the wakeup is all that the loop needs;
    // and a thread that gave itself a stack for handlers gets it used, whether that signal was meant
    // or not.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    // No other handler interrupts this one.
    // SAFETY: the set must be one that may be written to: it is borrowed mutably. All bytes of it
    // are initialized before and after.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    action
}

/// Sets the disposition of a signal, or leaves it, and returns the one before.
fn sigaction(signal: Signal, new: Option<&libc::sigaction>) -> Result<libc::sigaction, CatchError> {
    let mut before = NO_ACTION;
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `new` must be null or a disposition whose handler may run in any thread at any time,
    // for ever: it is `HANDLER`, which does only what is async-signal-safe and is never unloaded
    // before the code that called this, or what was in force before. `before` is borrowed mutably.
    let result = unsafe { libc::sigaction(signal.number(), new, &raw mut before) };
    if result == 0 {
        Ok(before)
    } else {
        Err(CatchError {
            signal,
            call: "sigaction",
            source: io::Error::last_os_error(),
        })
    }
}

/// The default disposition, without a flag, with an empty mask.
// SAFETY: every part of the structure must have all bits zero among its values: they are integers,
// arrays of integers, and an optional function.
const NO_ACTION: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };

/// The numbers of `evloop-signals` are those of this system, or the crate does not compile.
const _: () = {
    let pairs = [
        (Signal::HUP, libc::SIGHUP),
        (Signal::INT, libc::SIGINT),
        (Signal::QUIT, libc::SIGQUIT),
        (Signal::TRAP, libc::SIGTRAP),
        (Signal::ABRT, libc::SIGABRT),
        (Signal::USR1, libc::SIGUSR1),
        (Signal::USR2, libc::SIGUSR2),
        (Signal::PIPE, libc::SIGPIPE),
        (Signal::ALRM, libc::SIGALRM),
        (Signal::TERM, libc::SIGTERM),
        (Signal::STKFLT, libc::SIGSTKFLT),
        (Signal::CHLD, libc::SIGCHLD),
        (Signal::CONT, libc::SIGCONT),
        (Signal::TSTP, libc::SIGTSTP),
        (Signal::TTIN, libc::SIGTTIN),
        (Signal::TTOU, libc::SIGTTOU),
        (Signal::URG, libc::SIGURG),
        (Signal::XCPU, libc::SIGXCPU),
        (Signal::XFSZ, libc::SIGXFSZ),
        (Signal::VTALRM, libc::SIGVTALRM),
        (Signal::PROF, libc::SIGPROF),
        (Signal::WINCH, libc::SIGWINCH),
        (Signal::IO, libc::SIGIO),
        (Signal::PWR, libc::SIGPWR),
        (Signal::SYS, libc::SIGSYS),
    ];
    let mut at = 0;
    while at < pairs.len() {
        let (signal, number) = pairs[at];
        assert!(
            signal.number() == number,
            "this system numbers its signals in another way"
        );
        at += 1;
    }
    // Those that must be refused have the numbers by which they are.
    let refused = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGILL,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGSEGV,
    ];
    let mut at = 0;
    while at < refused.len() {
        assert!(
            Signal::new(refused[at]).is_err(),
            "this signal must not be caught"
        );
        at += 1;
    }
};

#[cfg(test)]
mod tests;
