//! What can be refused, one type per operation. `E` is the front's own error, from the kernel.

use core::fmt;

use evloop_changelist::RawFd;

/// An event could not be made. See [`Core::insert`](crate::Core::insert).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InsertError {
    /// The file descriptor is negative.
    BadFd(RawFd),
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadFd(fd) => write!(f, "{fd} is not a file descriptor"),
        }
    }
}

impl core::error::Error for InsertError {}

/// An event could not be added. Nothing has changed. See [`Core::add`](crate::Core::add).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddError<E> {
    /// The event was freed.
    NoSuchEvent,
    /// The events on a file descriptor are all level-triggered or all edge-triggered; those that
    /// are on this one are of the other kind.
    MixedTrigger(RawFd),
    /// The kernel refused.
    Refused(E),
}

impl<E> fmt::Display for AddError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchEvent => f.write_str("the event was freed"),
            Self::MixedTrigger(fd) => write!(
                f,
                "file descriptor {fd} has events of the other trigger (level and edge do not mix)"
            ),
            Self::Refused(_) => f.write_str("the kernel refused"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for AddError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NoSuchEvent | Self::MixedTrigger(_) => None,
            Self::Refused(source) => Some(source),
        }
    }
}

/// The loop is running already. See [`Core::begin`](crate::Core::begin).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reentrant;

impl fmt::Display for Reentrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the loop is running already")
    }
}

impl core::error::Error for Reentrant {}

/// The event was freed: the handle names nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchEvent;

impl fmt::Display for NoSuchEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event was freed")
    }
}

impl core::error::Error for NoSuchEvent {}

#[cfg(test)]
mod tests {
    use alloc::format;
    use core::error::Error;

    use super::*;

    #[test]
    fn errors_say_what_was_refused() {
        assert_eq!(
            format!("{}", InsertError::BadFd(-3)),
            "-3 is not a file descriptor"
        );
        let mixed = AddError::<NoSuchEvent>::MixedTrigger(7);
        assert_eq!(
            format!("{mixed}"),
            "file descriptor 7 has events of the other trigger (level and edge do not mix)"
        );
        assert_eq!(format!("{Reentrant}"), "the loop is running already");
        assert_eq!(format!("{NoSuchEvent}"), "the event was freed");
    }

    #[test]
    fn refusal_of_the_kernel_is_the_source() {
        let refused = AddError::Refused(NoSuchEvent);
        assert_eq!(format!("{refused}"), "the kernel refused");
        let source = refused.source();
        assert!(source.is_some_and(|source| source.is::<NoSuchEvent>()));
        assert!(AddError::<NoSuchEvent>::NoSuchEvent.source().is_none());
    }
}
