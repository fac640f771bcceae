//! The kernel's side of a base, made anew: in a forked child, and to be rid of a file that cannot be
//! deleted.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::c_int;
use std::os::fd::AsFd;
use std::ptr;
use std::sync::Arc;

use evloop_catcher::ForkStamp;

use crate::base::{Base, State};
use crate::kernel::{Kernel, Registration, describe, errno};
use crate::lock::Entered;
use crate::log;
use crate::signals::Signals;
use crate::wakers::{NOTIFIER, Notifier, SIGNALS, registration};

/// Makes a base the child's own: what it has of the kernel's is its parent's. Its events are as they
/// were. -1 where the system refuses, or refuses a file descriptor.
///
/// A child that uses the base without asking gets the same, when it first adds or deletes an event or
/// runs the loop: nothing that it does reaches its parent.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_reinit(base: Option<&Base>) -> c_int {
    match base {
        Some(base) if base.enter().adopt() => 0,
        _ => -1,
    }
}

impl Entered<'_> {
    /// Makes the kernel's side anew; whether all that the base waits for could be held.
    pub(crate) fn adopt(&mut self) -> bool {
        self.stamp = ForkStamp::new();
        self.kernel.forget_late();
        if !self.is_runner() {
            // The thread that runs the loop is the parent's.
            self.runner = None;
            self.current = ptr::null();
            self.current_event = ptr::null();
            self.core.abort();
        }
        self.waiters = 0;
        // What the parent is woken by is not held; but its numbers are not free before all else is.
        let parents = (self.notifier.take(), self.signals.take());
        spare_closed(&parents);
        let is_renewed = self.kernel.renew();
        if !is_renewed {
            self.kernel.abandon();
        }
        let wakers = self.renew_wakers(&parents);
        let done = is_renewed & wakers & self.restore_fds();
        drop(parents);
        if !done {
            log::warn_later("event_reinit: not everything could be held anew");
        }
        done
    }

    /// Has the kernel hold what the base wants and nothing else, to be rid of a file that was closed
    /// while a duplicate of it lives.
    pub(crate) fn exorcise(&mut self) {
        if !self.kernel.renew() {
            return;
        }
        let State {
            kernel,
            notifier,
            signals,
            ..
        } = &mut **self;
        if let Some(notifier) = notifier {
            _ = hold(kernel, registration(&notifier.waker, NOTIFIER));
        }
        if let Some(signals) = signals {
            _ = hold(kernel, registration(signals.waker(), SIGNALS));
        }
        self.restore_fds();
    }

    /// Holds the file descriptors of all events, with a kernel that holds none. Whether all of them
    /// could be held.
    fn restore_fds(&mut self) -> bool {
        let State { core, kernel, .. } = &mut **self;
        let mut all = true;
        core.restore_fds(|fd, token, interest, trigger| {
            let held = hold(
                kernel,
                Registration {
                    fd,
                    token,
                    interest,
                    trigger,
                },
            );
            all &= held.is_ok();
            held
        });
        all
    }
}

/// Sees to it that no number is closed that the child has closed already, as a daemon does with all that
/// it does not know: it is going to be another file's.
fn spare_closed((notifier, signals): &(Option<Notifier>, Option<Signals>)) {
    if let Some(notifier) = notifier {
        spare(&notifier.waker);
        spare(&notifier.published);
    }
    if let Some(signals) = signals {
        spare(signals.waker());
    }
}

/// Never closes the file, if it is closed.
fn spare<T: AsFd>(file: &Arc<T>) {
    let duplicate = file.as_fd().try_clone_to_owned();
    if duplicate.is_err_and(|error| error.raw_os_error() == Some(libc::EBADF)) {
        // One owner for ever.
        _ = Arc::into_raw(Arc::clone(file));
    }
}

/// Holds what was held before; the error is the `errno`.
fn hold(kernel: &mut Kernel, registration: Registration) -> Result<(), i32> {
    kernel.hold(registration).map_err(|error| {
        log::warn_later(describe(&error));
        errno(&error)
    })
}
