//! The time that a turn goes by.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::c_int;
use std::time::Duration;

use libc::timeval;

use crate::abi::BASE_NO_CACHE_TIME;
use crate::base::Base;
use crate::{clock, current};

/// The wall clock as it was when a callback of this turn first asked; the true one while the loop does
/// not run. Always 0.
///
/// # Safety
///
/// `base` is a base, or null for the current one; `time` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_gettimeofday_cached(
    base: Option<&Base>,
    time: Option<&mut timeval>,
) -> c_int {
    let Some(time) = time else {
        return -1;
    };
    *time = clock::timeval(match current::or_current(base) {
        Some(base) => cached(base).1,
        None => clock::wall(),
    });
    0
}

/// Has the turn go by the time that it is now. 0; -1 where there is no base.
///
/// # Safety
///
/// `base` is a base, or null for the current one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_update_cache_time(base: Option<&Base>) -> c_int {
    let Some(base) = current::or_current(base) else {
        return -1;
    };
    let mut state = base.enter();
    if state.core.is_running() && base.flags & BASE_NO_CACHE_TIME == 0 {
        state.cached = Some((clock::now_ns(), clock::wall()));
    }
    0
}

/// The monotonic clock that a base goes by. -1 for null.
///
/// # Safety
///
/// `base` is a base; `time` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_gettime_monotonic(
    base: Option<&Base>,
    time: Option<&mut timeval>,
) -> c_int {
    match (base, time) {
        (Some(base), Some(time)) => {
            *time = clock::timeval(Duration::from_nanos(cached(base).0));
            0
        }
        _ => -1,
    }
}

/// Both clocks, as the turn goes by them.
fn cached(base: &Base) -> (u64, Duration) {
    let mut state = base.enter();
    let now = || (clock::now_ns(), clock::wall());
    if !state.core.is_running() || base.flags & BASE_NO_CACHE_TIME != 0 {
        return now();
    }
    *state.cached.get_or_insert_with(now)
}
