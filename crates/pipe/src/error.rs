//! Why there is no pipe and no waker.

use std::fmt;
use std::io;

/// No pipe, or no waker, could be made. Nothing was left open.
///
/// The cause is usually the limit of open file descriptors (`EMFILE`, `ENFILE`).
#[derive(Debug)]
#[non_exhaustive]
pub struct PipeError {
    /// The call that failed, as it is called in its manual: `"pipe2"`.
    pub call: &'static str,
    /// The kernel's reason.
    pub source: io::Error,
}

impl PipeError {
    pub(crate) fn new(call: &'static str, errno: rustix::io::Errno) -> Self {
        Self {
            call,
            source: errno.into(),
        }
    }
}

impl fmt::Display for PipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.call)
    }
}

impl std::error::Error for PipeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use rustix::io::Errno;

    use super::*;

    #[test]
    fn refusal_names_the_call_and_keeps_the_reason() {
        let error = PipeError::new("pipe2", Errno::MFILE);
        assert_eq!(error.to_string(), "pipe2 failed");
        let reason = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(reason.raw_os_error(), Some(Errno::MFILE.raw_os_error()));
    }
}
