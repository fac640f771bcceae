//! The kernel's side of a base, made anew: in a forked child, and to be rid of a file that cannot be
//! deleted.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::c_int;
use std::mem;
use std::ptr;

use evloop_catcher::ForkStamp;

use crate::base::{Base, State};
use crate::kernel::{Kernel, Registration, describe, errno};
use crate::lock::Entered;
use crate::log;
use crate::wakers::Parents;

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
        // What the parent is woken by is not held; but its numbers are not free before all else is, if there
        // is room for both.
        let mut parents = Parents::take(self);
        parents.spare_closed();
        let has_room = self.kernel.renew().is_ok()
            && self.renew_wakers(&parents).is_ok()
            && self.publish().is_ok();
        let mut done = if has_room {
            self.take_over(&parents)
        } else {
            self.replace(&mut parents)
        };
        done &= self.kernel.is_here() && self.hold_wakers();
        done &= self.restore_fds();
        drop(parents);
        if !done {
            log::warn_later("event_reinit: not everything could be held anew");
        }
        done
    }

    /// Makes the kernel's side anew of what numbers the parent's sets free: they are all that there are.
    /// Whether the system agreed; if not, what it refused is not there.
    fn replace(&mut self, parents: &mut Parents) -> bool {
        self.kernel.abandon();
        parents.notifier = None;
        let wakers = self.renew_wakers(parents);
        let mut done = self.take_over(parents);
        parents.signals = None;
        let opened = self.kernel.open();
        let opened = opened.map_err(|error| format!("{error}: {}", error.source));
        for made in [wakers, opened, self.publish()] {
            done &= made.inspect_err(|error| log::warn_later(error)).is_ok();
        }
        done
    }

    /// Watches the signals that the parent's share of them watches; whether the system agreed.
    fn take_over(&self, parents: &Parents) -> bool {
        let Some(before) = &parents.signals else {
            return true;
        };
        let now = self.signals.as_ref();
        now.is_some_and(|now| now.take_over(before))
    }

    /// Has the kernel hold what the base wants and nothing else, to be rid of a file that was closed
    /// while a duplicate of it lives.
    pub(crate) fn exorcise(&mut self) {
        let renewed = self.kernel.renew();
        let was_haunted = mem::replace(&mut self.is_haunted, renewed.is_err());
        match renewed {
            Ok(()) => {
                self.hold_wakers();
                self.restore_fds();
            }
            // It is reported at each wait from now on.
            Err(error) if !was_haunted => {
                log::warn_later(format_args!("{error}: {}", error.source));
            }
            Err(_) => {}
        }
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

/// Holds what was held before; the error is the `errno`.
fn hold(kernel: &mut Kernel, registration: Registration) -> Result<(), i32> {
    kernel.hold(registration).map_err(|error| {
        log::warn_later(describe(&error));
        errno(&error)
    })
}

#[cfg(test)]
mod tests;
