//! What is of the whole library: global locks, and what is given back at a program's end.
#![expect(
    unsafe_code,
    reason = "functions are exported by their name in C, and call others"
)]

use std::ffi::c_int;
use std::ptr;

use crate::host::host;
use crate::{current, debug};

/// Prepares libevent's global locks, when a program has set its functions for them. This library has
/// none of its own; those of the rest of libevent are prepared. -1 where that fails.
#[unsafe(no_mangle)]
pub extern "C" fn event_global_setup_locks_(enable: c_int) -> c_int {
    let setups = [host().setup_util_locks, host().setup_random_locks];
    for setup in setups.into_iter().flatten() {
        // SAFETY: libevent's function, called when libevent does.
        if unsafe { setup(enable) } < 0 {
            return -1;
        }
    }
    0
}

/// Gives back what libevent holds for the program, so that a leak checker finds nothing. No function may
/// be called after it.
#[unsafe(no_mangle)]
pub extern "C" fn libevent_global_shutdown() {
    debug::event_disable_debug_mode();
    current::set_current(ptr::null());
    for free in [host().free_util, host().free_random].into_iter().flatten() {
        // SAFETY: libevent's function, called when libevent does.
        unsafe { free() };
    }
}

/// For another system: -1.
#[unsafe(no_mangle)]
pub extern "C" fn event_base_start_iocp_(_: *mut std::ffi::c_void, _: c_int) -> c_int {
    -1
}

/// For another system: nothing.
#[unsafe(no_mangle)]
pub extern "C" fn event_base_stop_iocp_(_: *mut std::ffi::c_void) {}
