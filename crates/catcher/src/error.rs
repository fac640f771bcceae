//! Why a signal is not watched, or is watched still.

use std::fmt;
use std::io;

use evloop_signals::Signal;

/// The disposition of a signal could not be changed. Nothing has changed.
#[derive(Debug)]
#[non_exhaustive]
pub struct CatchError {
    /// The signal.
    pub signal: Signal,
    /// The call that failed, as it is called in its manual: `"sigaction"`.
    pub call: &'static str,
    /// The system's reason. `EINVAL`: the C library keeps the signal for itself (32 and 33, with
    /// musl 34 as well).
    pub source: io::Error,
}

impl fmt::Display for CatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed for {}", self.call, self.signal)
    }
}

impl std::error::Error for CatchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
