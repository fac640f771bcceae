//! What can be said of a base before it is made: `struct event_config`.
#![expect(unsafe_code, reason = "pointers come from C")]

use std::ffi::{CStr, CString, c_char, c_int};

use evloop_core::{Limits, Priority};
use libc::timeval;

use crate::{clock, mm};

/// `struct event_config`.
#[derive(Debug, Default)]
pub struct Config {
    /// Mechanisms not to take.
    pub(crate) avoided: Vec<CString>,
    /// What the mechanism must be able to do.
    pub(crate) features: c_int,
    pub(crate) flags: c_int,
    pub(crate) limits: Limits,
}

/// Makes a configuration that asks for nothing; null where there is no memory.
#[unsafe(no_mangle)]
pub extern "C" fn event_config_new() -> *mut Config {
    mm::place(Config::default())
}

/// Frees a configuration.
///
/// # Safety
///
/// `config` came from [`event_config_new`] and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_config_free(config: *mut Config) {
    if config.is_null() {
        return;
    }
    // SAFETY: the value must not be used again: the caller says so.
    unsafe { config.drop_in_place() };
    // SAFETY: the memory came from `mm::place`, and its value is gone.
    unsafe { mm::event_mm_free_(config.cast()) };
}

/// Does not take the mechanism of this name, whether there is such a one or not. -1 for null.
///
/// # Safety
///
/// `config` came from [`event_config_new`]; `name` is a string of C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_config_avoid_method(
    config: Option<&mut Config>,
    name: *const c_char,
) -> c_int {
    let Some(config) = config.filter(|_| !name.is_null()) else {
        return -1;
    };
    // SAFETY: the caller vouches for the string.
    let name = unsafe { CStr::from_ptr(name) };
    config.avoided.push(name.to_owned());
    0
}

/// Takes a mechanism only that can do all of `features`, in place of what was asked before. -1 for
/// null.
///
/// # Safety
///
/// `config` came from [`event_config_new`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_config_require_features(
    config: Option<&mut Config>,
    features: c_int,
) -> c_int {
    with(config, |config| config.features = features)
}

/// Adds a flag. -1 for null.
///
/// # Safety
///
/// `config` came from [`event_config_new`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_config_set_flag(config: Option<&mut Config>, flag: c_int) -> c_int {
    with(config, |config| config.flags |= flag)
}

/// For another system's mechanism: does nothing. -1 for null.
///
/// # Safety
///
/// `config` came from [`event_config_new`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_config_set_num_cpus_hint(
    config: Option<&mut Config>,
    _: c_int,
) -> c_int {
    with(config, |_| ())
}

/// Limits how long callbacks of this priority and less urgent ones run before the kernel is asked
/// again. Null or negative: no limit. -1 for null in place of a configuration.
///
/// # Safety
///
/// `config` came from [`event_config_new`]; `interval` is null or a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_config_set_max_dispatch_interval(
    config: Option<&mut Config>,
    interval: Option<&timeval>,
    callbacks: c_int,
    from: c_int,
) -> c_int {
    let limits = Limits {
        callbacks: u32::try_from(callbacks)
            .ok()
            .filter(|callbacks| i32::try_from(*callbacks) != Ok(i32::MAX)),
        interval: interval.map(|interval| clock::duration(*interval)),
        from: Priority(u8::try_from(from.max(0)).unwrap_or(u8::MAX)),
        ..Limits::NONE
    };
    with(config, |config| config.limits = limits)
}

fn with(config: Option<&mut Config>, change: impl FnOnce(&mut Config)) -> c_int {
    let Some(config) = config else {
        return -1;
    };
    change(config);
    0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn limits_are_those_that_were_said() {
        let mut config = Config::default();
        let interval = timeval {
            tv_sec: 0,
            tv_usec: 2500,
        };
        // SAFETY: the pointers are those of variables.
        let said = unsafe {
            event_config_set_max_dispatch_interval(Some(&mut config), Some(&interval), 16, 2)
        };
        let expected = Limits {
            callbacks: Some(16),
            interval: Some(Duration::from_micros(2500)),
            from: Priority(2),
            ..Limits::NONE
        };
        assert_eq!((said, config.limits), (0, expected));
        // SAFETY: as above.
        let said =
            unsafe { event_config_set_max_dispatch_interval(Some(&mut config), None, -1, -1) };
        assert_eq!((said, config.limits), (0, Limits::NONE));
    }

    #[test]
    fn nothing_is_no_configuration() {
        // SAFETY: null is allowed.
        assert_eq!(unsafe { event_config_set_flag(None, 1) }, -1);
        // SAFETY: null is allowed.
        assert_eq!(unsafe { event_config_require_features(None, 1) }, -1);
    }
}
