//! A loop that runs in this thread while another uses it.

use std::fs::read_to_string;
use std::thread;

use evloop::{EventLoop, Mode, Outcome, Remote};
use rustix::process::Pid;
use rustix::thread::gettid;

/// Runs the loop while `other` uses it from another thread; says how the run ended, and what came
/// of `other`, which is told the number of the loop's thread.
///
/// Should `other` panic, the run ends and so does the test.
pub(super) fn run_beside<S, T: Send>(
    events: &mut EventLoop<S>,
    mode: Mode,
    state: &mut S,
    other: impl FnOnce(&Remote<S>, Pid) -> T + Send,
) -> (Outcome, T) {
    let remote = events.remote();
    let this_thread = gettid();
    thread::scope(|scope| {
        let other = scope.spawn(move || {
            let end = EndIfPanics(&remote);
            let result = other(end.0, this_thread);
            drop(end);
            result
        });
        let outcome = events.run_mode(mode, state).unwrap();
        events.verify().unwrap();
        (outcome, other.join().unwrap())
    })
}

struct EndIfPanics<'a, S>(&'a Remote<S>);

impl<S> Drop for EndIfPanics<'_, S> {
    fn drop(&mut self) {
        if thread::panicking() {
            _ = self.0.break_loop();
        }
    }
}

/// Returns when the thread waits for another one to unlock or to tell it something, or is over.
pub(super) fn until_it_waits_for_somebody(thread: Pid) {
    let futex = format!("{} ", libc::SYS_futex);
    let path = format!("/proc/self/task/{thread}/syscall");
    while read_to_string(&path).is_ok_and(|call| !call.starts_with(&futex)) {
        thread::yield_now();
    }
}
