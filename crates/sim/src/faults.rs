//! Calls that fail: those that a test names, and those that the seed decides.

use std::collections::BTreeMap;

use crate::errno::{ECONNABORTED, EINTR, EMFILE, ENFILE, ENOMEM, ENOSPC, ENOSYS, EPERM};
use crate::schedule::Random;

/// A call of the program under test that can be made to fail. See [`Sim::fail`](crate::Sim::fail).
///
/// The program's are those of a loop on its backend and of a [`SimFile`](crate::SimFile). What a test
/// does by [`Sim`](crate::Sim), as the rest of the world, always succeeds if it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Call {
    /// [`World::backend`](evloop_backend::World::backend). By the seed: `ENOSYS` and `EPERM`, of a
    /// sandbox, `EMFILE`, `ENFILE`, `ENOMEM`.
    Backend,
    /// [`Backend::add`](evloop_backend::Backend::add). By the seed: `ENOMEM`, `ENOSPC`.
    Add,
    /// An entry of a [`Backend::wait`](evloop_backend::Backend::wait) that asks for some interest. The
    /// kernel then holds none in the file, and says so. By the seed: `ENOMEM`, `ENOSPC`.
    Change,
    /// The wait itself, when the changes have been told. Never by the seed, as there is no errno that a
    /// correct call gives; `EINTR` is [`Disorder::interrupted_percent`](crate::Disorder).
    Wait,
    /// [`SimFile::accept`](crate::SimFile::accept). By the seed: `EMFILE`, `ENFILE`, `ENOMEM`,
    /// `ECONNABORTED`.
    Accept,
    /// [`SimFile::dup`](crate::SimFile::dup). By the seed: `EMFILE`.
    Dup,
    /// Reading from a [`SimFile`](crate::SimFile). By the seed: `EINTR`.
    Read,
    /// Writing to a [`SimFile`](crate::SimFile). By the seed: `EINTR`.
    Write,
}

impl Call {
    /// What may be drawn when it is refused.
    const fn refusals(self) -> &'static [i32] {
        match self {
            Self::Backend => &[ENOSYS, EPERM, EMFILE, ENFILE, ENOMEM],
            Self::Add | Self::Change => &[ENOMEM, ENOSPC],
            Self::Accept => &[EMFILE, ENFILE, ENOMEM, ECONNABORTED],
            Self::Dup => &[EMFILE],
            Self::Wait | Self::Read | Self::Write => &[],
        }
    }
}

/// How often calls of the program under test fail, by the seed.
///
/// Each `_percent` is a rate, in how many calls of a hundred. A rate of 0 draws nothing.
///
/// # Examples
///
/// ```
/// use evloop_sim::{Faults, Sim};
///
/// let sim = Sim::new(7);
/// sim.set_faults(Faults { short_percent: 50, ..Faults::none() });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// What needs memory, a number or permission is refused: see [`Call`] for what and why.
    pub refused_percent: u8,
    /// A read or a write of a [`SimFile`](crate::SimFile) is interrupted: `EINTR`.
    pub interrupted_percent: u8,
    /// A read or a write of a [`SimFile`](crate::SimFile) does only a part of what it could.
    pub short_percent: u8,
}

impl Faults {
    /// No call fails that could succeed.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            refused_percent: 0,
            interrupted_percent: 0,
            short_percent: 0,
        }
    }

    /// Some of everything.
    #[must_use]
    pub const fn some() -> Self {
        Self {
            refused_percent: 5,
            interrupted_percent: 10,
            short_percent: 25,
        }
    }
}

/// Which calls are to fail.
#[derive(Debug, Default)]
pub(crate) struct FaultPlan {
    pub(crate) rates: Faults,
    /// How often each call was made.
    made: BTreeMap<Call, u64>,
    /// Call, and which of them -> what it fails with.
    planned: BTreeMap<(Call, u64), i32>,
}

impl FaultPlan {
    /// The call after `after` others of its kind fails.
    pub(crate) fn plan(&mut self, call: Call, after: u64, errno: i32) {
        let made = self.made.get(&call).copied().unwrap_or(0);
        self.planned.insert((call, made + after), errno);
    }

    /// What the call fails with that is made now, if it does.
    pub(crate) fn draw(&mut self, call: Call, random: &mut Random) -> Option<i32> {
        let made = self.made.entry(call).or_default();
        let this = (call, *made);
        *made += 1;
        if let Some(errno) = self.planned.remove(&this) {
            return Some(errno);
        }
        let is_transfer = matches!(call, Call::Read | Call::Write);
        if is_transfer && random.happens(self.rates.interrupted_percent) {
            return Some(EINTR);
        }
        let refusals = call.refusals();
        let is_refused = !refusals.is_empty() && random.happens(self.rates.refused_percent);
        is_refused.then(|| refusals[random.index(refusals.len())])
    }

    /// How much of a transfer of `len` bytes is done.
    pub(crate) fn shorten(&self, len: usize, random: &mut Random) -> usize {
        if len > 1 && random.happens(self.rates.short_percent) {
            1 + random.index(len)
        } else {
            len
        }
    }
}
