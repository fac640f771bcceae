//! What ends a run, or cuts a turn short.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::{c_int, c_short, c_void};
use std::ptr;

use libc::timeval;

use crate::abi::EV_TIMEOUT;
use crate::base::Base;
use crate::once::event_base_once;
use crate::wishes::Wish;

/// Ends the run, or the next, at the end of the turn in which this time has passed; null: of this turn.
/// -1 where there is no memory.
///
/// # Safety
///
/// `base` is a base; `time` is null or a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_loopexit(base: Option<&Base>, time: Option<&timeval>) -> c_int {
    if time.is_none() && base.is_some_and(|base| base.ask_if_entered(Wish::Exit)) {
        return 0;
    }
    let argument = base.map_or(ptr::null(), ptr::from_ref).cast_mut().cast();
    // SAFETY: the caller vouches for base and time; the argument is the base, as `exit` takes it.
    unsafe { event_base_once(base, -1, EV_TIMEOUT, Some(exit), argument, time) }
}

/// Ends the run of the base that is the argument.
unsafe extern "C" fn exit(_: c_int, _: c_short, base: *mut c_void) {
    // SAFETY: the pointer must be null or that of a base: `event_base_loopexit` was given it, and its
    // callback runs only in that base's loop.
    if let Some(base) = unsafe { base.cast::<Base>().as_ref() } {
        let mut state = base.enter();
        state.got_exit = true;
        state.core.exit();
    }
}

/// Ends the run after the callback that runs. One that does not run is not kept from running. -1 for
/// null.
///
/// A signal handler of the program's may call it, if the base has no lock: see the README.
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_loopbreak(base: Option<&Base>) -> c_int {
    ask(base, Wish::Break)
}

/// Has the kernel asked again after the callback that runs, before others. -1 for null. A handler may call
/// it where it may call [`event_base_loopbreak`].
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_loopcontinue(base: Option<&Base>) -> c_int {
    ask(base, Wish::Continue)
}

/// Whether the last run was ended by [`event_base_loopexit`].
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_got_exit(base: Option<&Base>) -> c_int {
    base.map_or(0, |base| c_int::from(base.enter().got_exit))
}

/// Whether the last run was ended by [`event_base_loopbreak`].
///
/// # Safety
///
/// `base` is a base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_got_break(base: Option<&Base>) -> c_int {
    base.map_or(0, |base| c_int::from(base.enter().got_break))
}

fn ask(base: Option<&Base>, wish: Wish) -> c_int {
    let Some(base) = base else {
        return -1;
    };
    base.ask(wish);
    0
}
