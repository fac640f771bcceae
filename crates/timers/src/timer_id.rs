//! The handle of a timer.

use core::fmt;
use core::num::NonZeroU32;

/// The handle of one timer: a slot, and which use of the slot this is.
///
/// Slots are used again, handles are not: once its timer has gone, a handle finds nothing for ever,
/// whatever has moved into the slot since. A handle means something only to the [`Timers`] that gave
/// it out. `Option<TimerId>` is as small as `TimerId`: 8 bytes.
///
/// [`Timers`]: crate::Timers
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimerId {
    pub(crate) slot: u32,
    pub(crate) generation: NonZeroU32,
}

impl fmt::Debug for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimerId({}v{})", self.slot, self.generation)
    }
}
