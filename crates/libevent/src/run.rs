//! `event_base_loop`: the core's steps, done.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::c_int;

use evloop_core::{Mode, Outcome, Step};

use crate::abi::{EVLOOP_NO_EXIT_ON_EMPTY, EVLOOP_NONBLOCK, EVLOOP_ONCE};
use crate::base::Base;
use crate::host::host;
use crate::lock::Entered;
use crate::{clock, current, log};

/// Runs a loop until it is empty, or told to end. 0 if it was told; 1 if nothing is pending or active;
/// -1 if it runs already, or cannot wait.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_dispatch(base: Option<&Base>) -> c_int {
    // SAFETY: the caller vouches for the base.
    unsafe { event_base_loop(base, 0) }
}

/// [`event_base_dispatch`] with another end: `EVLOOP_ONCE`, `EVLOOP_NONBLOCK`,
/// `EVLOOP_NO_EXIT_ON_EMPTY`.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_loop(base: Option<&Base>, flags: c_int) -> c_int {
    let Some(base) = current::or_current(base) else {
        return -1;
    };
    let mut state = base.enter();
    if state.stamp.is_child() {
        // A thread of the parent's may have run the loop.
        state.adopt();
    }
    if state.core.is_running() || state.runner.is_some() {
        drop(state);
        log::warn("event_base_loop: the loop runs already");
        return -1;
    }
    state.begin_run(flags);
    let mut state = run(state, flags);
    state.1.end_run();
    state.0
}

/// What each call of the function does: see [`event_base_loop`].
fn run(mut state: Entered<'_>, flags: c_int) -> (c_int, Entered<'_>) {
    let once = flags & EVLOOP_ONCE != 0;
    let mode = match flags & EVLOOP_NONBLOCK != 0 {
        true => Mode::NonBlocking,
        false if once => Mode::Once,
        false => Mode::UntilEmpty,
    };
    loop {
        let begun = state.core.begin(mode);
        debug_assert!(begun.is_ok(), "it does not run");
        let ran = state.core.stats().callbacks;
        let outcome;
        (state, outcome) = match turn(state) {
            (state, Some(outcome)) => (state, outcome),
            (state, None) => return (-1, state),
        };
        let has_run = state.core.stats().callbacks > ran;
        match outcome {
            Outcome::Empty => return (1, state),
            // Not once: as long as anything is ready.
            Outcome::Done if mode == Mode::NonBlocking && !once && has_run => {}
            Outcome::Done | Outcome::Exit | Outcome::Break => return (0, state),
        }
    }
}

/// Does the core's steps until it is done; `None` where it cannot wait.
fn turn(mut state: Entered<'_>) -> (Entered<'_>, Option<Outcome>) {
    loop {
        match state.core.step(clock::now_ns) {
            Step::Wait(timeout) => {
                if state.stamp.is_child() {
                    state.adopt();
                }
                if !state.kernel.is_here() {
                    // A child that got no kernel's side of its own, and was told why.
                    state.core.abort();
                    return (state, None);
                }
                let waited;
                (state, waited) = state.await_readiness(timeout);
                if let Err(error) = waited {
                    state.core.abort();
                    log::warn_later(format_args!("{error}: {}", error.source));
                    return (state, None);
                }
                state.count_peaks();
            }
            Step::Run(activation) => state = state.call(activation.id, activation.ready),
            Step::Done(outcome) => return (state, Some(outcome)),
        }
    }
}

impl Entered<'_> {
    fn begin_run(&mut self, flags: c_int) {
        self.runner = Some(host().thread());
        self.got_break = false;
        self.got_exit = false;
        self.cached = None;
        if let Some(signals) = &self.signals {
            signals.claim();
        }
        self.stays = flags & EVLOOP_NO_EXIT_ON_EMPTY != 0;
        let keep = self.stays || self.counts.virtuals > 0;
        self.keep_running(keep);
    }

    fn end_run(&mut self) {
        self.runner = None;
        self.cached = None;
        self.stays = false;
        let keep = self.counts.virtuals > 0;
        self.keep_running(keep);
    }
}
