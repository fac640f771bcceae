//! Common timeouts: many events with one and the same time.
//!
//! A program is handed a `timeval` with a mark in its microseconds and passes it to `event_add`. The
//! core keeps the events of a common timeout in a queue of their own, and does so for every event
//! with exactly that time, whether it came with the mark or not.
#![expect(unsafe_code, reason = "functions are exported by their name in C")]

use std::ffi::c_long;
use std::ptr;
use std::rc::Rc;

use libc::timeval;

use crate::base::Base;
use crate::{clock, log};

/// What marks a common timeout.
const MARK: c_long = 0x5000_0000;
const MARK_BITS: c_long = 0xf000_0000;
const INDEX_SHIFT: u32 = 20;
const MICROSECONDS: c_long = 0x000f_ffff;
/// As many as the index has values.
const MOST: usize = 256;

/// Makes a time a common timeout, and gives it back with a mark: the same pointer for the same time.
/// Null when there are 256 already.
///
/// # Safety
///
/// `base` is a base, and `time` a time. The result lives as long as the base.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_base_init_common_timeout(
    base: Option<&Base>,
    time: Option<&timeval>,
) -> *const timeval {
    let (Some(base), Some(time)) = (base, time) else {
        return ptr::null();
    };
    let mut state = base.enter();
    let time = if is_common(&state.common, *time) {
        plain(*time)
    } else {
        *time
    };
    let duration = clock::duration(time);
    let time = clock::timeval(duration);
    let is_it = |known: &&Rc<timeval>| {
        let known = plain(***known);
        (known.tv_sec, known.tv_usec) == (time.tv_sec, time.tv_usec)
    };
    if let Some(known) = state.common.iter().find(is_it) {
        return Rc::as_ptr(known);
    }
    let index = state.common.len();
    if index == MOST {
        log::warn_later("event_base_init_common_timeout: there are 256 common timeouts already");
        return ptr::null();
    }
    let mark = MARK | (c_long::try_from(index).unwrap_or(0) << INDEX_SHIFT);
    let marked = Rc::new(timeval {
        tv_sec: time.tv_sec,
        tv_usec: time.tv_usec | mark,
    });
    let result = Rc::as_ptr(&marked);
    state.common.push(marked);
    state.core.common_timeout(duration);
    result
}

/// Whether a time has the mark of one of these common timeouts.
pub(crate) fn is_common(common: &[Rc<timeval>], time: timeval) -> bool {
    let index = (time.tv_usec & !MARK_BITS) >> INDEX_SHIFT;
    time.tv_usec & MARK_BITS == MARK
        && usize::try_from(index).is_ok_and(|index| index < common.len())
}

/// A common timeout without its mark.
pub(crate) const fn plain(time: timeval) -> timeval {
    timeval {
        tv_sec: time.tv_sec,
        tv_usec: time.tv_usec & MICROSECONDS,
    }
}
