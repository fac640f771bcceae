//! What the kernel says of a delivery, in words that a handler can store and in words to be read.
//!
//! A `siginfo_t` is a union: which of its fields mean anything depends on the signal and on the code
//! in it. [`Layout`] is that rule, once: the handler reads the fields that it names and no others, and
//! packs them for [`Last`](crate::last::Last); [`SignalInfo`] is made of what was stored.
#![expect(unsafe_code, reason = "a siginfo_t is a union")]

use evloop_signals::Signal;
use libc::siginfo_t;

use crate::last::Words;

/// What the kernel says of one delivery of a signal: why it came, and from whom. The parts of a
/// `siginfo_t` that senders and children fill in.
///
/// # Examples
///
/// ```
/// use evloop_catcher::{ChildState, Origin, SignalInfo};
///
/// fn describe(info: &SignalInfo) -> String {
///     match info.origin {
///         Origin::Sent { pid, uid } => format!("sent by process {pid} of user {uid}"),
///         Origin::Queued { value, .. } => format!("sent with the number {}", value.int()),
///         Origin::Child { pid, state: ChildState::Exited(status), .. } => {
///             format!("child {pid} exited with {status}")
///         }
///         _ => format!("of code {}", info.code),
///     }
/// }
/// # let _ = describe;
/// ```
///
/// # Compared with libevent
///
/// There is no counterpart: its handler is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalInfo {
    /// Why it came, by number: `si_code`. Below zero and 0: somebody sent it; above: the kernel.
    pub code: i32,
    /// Why it came, and what is known for that reason.
    pub origin: Origin,
}

/// Why a signal came. A `pid` is a process by the number that it has for this one: 0, if it has none
/// because it is outside of this one's pid namespace. A `uid` is the real user of that process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A process sent it: by `kill(2)` (`SI_USER`), or by `tgkill(2)`, on which `raise(3)` and
    /// `pthread_kill(3)` rest (`SI_TKILL`). The kernel says from whom: no other process can make
    /// that up.
    Sent {
        /// Who sent it.
        pid: i32,
        /// Its user.
        uid: u32,
    },
    /// A process sent it together with a value: by `sigqueue(3)` (`SI_QUEUE`), or by another call
    /// that queues one (any other code below 0: of message queues, of asynchronous I/O, of the
    /// sender's own). All three are what the sender says: not to be relied on where it matters who
    /// may do something.
    Queued {
        /// Who sent it, or says so.
        pid: i32,
        /// Its user.
        uid: u32,
        /// The value: `si_value`.
        value: SignalValue,
    },
    /// `SIGCHLD`: a child of this process is not what it was (`CLD_EXITED` and the like).
    ///
    /// Of several children that end at the same time perhaps only one is told of, as the kernel
    /// merges signals that are pending. Who has to know of all asks `waitpid(2)` until it knows of no
    /// more.
    Child {
        /// The child.
        pid: i32,
        /// Its user.
        uid: u32,
        /// What it is now.
        state: ChildState,
    },
    /// A timer of `timer_create(2)` expired (`SI_TIMER`).
    Timer {
        /// The value that the timer was given.
        value: SignalValue,
    },
    /// None of these, but the kernel for a reason of its own (any other code above 0, and
    /// `SI_SIGIO`): a key on the terminal, an alarm, I/O, a limit.
    Kernel,
}

/// What became of a child: `si_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildState {
    /// It has exited, with this status: 0 to 255.
    Exited(i32),
    /// A signal of this number has killed it.
    Killed(i32),
    /// A signal of this number has killed it, and its memory was dumped.
    Dumped(i32),
    /// It is traced, and stands still at this signal's number.
    Trapped(i32),
    /// A signal of this number has stopped it.
    Stopped(i32),
    /// It goes on.
    Continued,
}

/// What was sent with a signal: an integer or an address, which sender and receiver agree upon.
/// `union sigval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalValue(usize);

impl SignalValue {
    /// The value, if an integer was sent: `sival_int`.
    #[must_use]
    pub fn int(self) -> i32 {
        // The union's first bytes, whatever their order.
        let [a, b, c, d, ..] = self.0.to_ne_bytes();
        i32::from_ne_bytes([a, b, c, d])
    }

    /// The value, if an address was sent: `sival_ptr`. If an integer was, it may be a part of this.
    #[must_use]
    pub const fn address(self) -> usize {
        self.0
    }
}

impl SignalInfo {
    /// The process that sent the signal, or the child that it tells of; where there is one.
    #[must_use]
    pub const fn pid(&self) -> Option<i32> {
        match self.origin {
            Origin::Sent { pid, .. } | Origin::Queued { pid, .. } | Origin::Child { pid, .. } => {
                Some(pid)
            }
            Origin::Timer { .. } | Origin::Kernel => None,
        }
    }

    /// The user of the process that [`SignalInfo::pid`] is about.
    #[must_use]
    pub const fn uid(&self) -> Option<u32> {
        match self.origin {
            Origin::Sent { uid, .. } | Origin::Queued { uid, .. } | Origin::Child { uid, .. } => {
                Some(uid)
            }
            Origin::Timer { .. } | Origin::Kernel => None,
        }
    }

    /// What [`pack`] was given for this signal.
    #[inline]
    pub(crate) fn unpack(signal: Signal, [code, process, datum]: Words) -> Self {
        let code = halves(code).0.cast_signed();
        let (pid, uid) = halves(process);
        let pid = pid.cast_signed();
        let status = halves(datum).0.cast_signed();
        let value = SignalValue(usize::try_from(datum).unwrap_or_default());
        let origin = match Layout::of(signal, code) {
            Layout::Sent => Origin::Sent { pid, uid },
            Layout::Queued => Origin::Queued { pid, uid, value },
            Layout::Child => Origin::Child {
                pid,
                uid,
                state: ChildState::new(code, status),
            },
            Layout::Timer => Origin::Timer { value },
            Layout::Kernel => Origin::Kernel,
        };
        Self { code, origin }
    }
}

impl ChildState {
    const fn new(code: i32, status: i32) -> Self {
        match code {
            libc::CLD_EXITED => Self::Exited(status),
            libc::CLD_KILLED => Self::Killed(status),
            libc::CLD_DUMPED => Self::Dumped(status),
            libc::CLD_TRAPPED => Self::Trapped(status),
            libc::CLD_STOPPED => Self::Stopped(status),
            _ => Self::Continued,
        }
    }
}

/// Which fields of a `siginfo_t` the kernel has filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// `si_pid`, `si_uid`.
    Sent,
    /// `si_pid`, `si_uid`, `si_value`.
    Queued,
    /// `si_pid`, `si_uid`, `si_status`.
    Child,
    /// `si_value`.
    Timer,
    /// None that is kept.
    Kernel,
}

impl Layout {
    /// As the kernel's own `siginfo_layout` tells them apart.
    const fn of(signal: Signal, code: i32) -> Self {
        match code {
            libc::SI_USER | libc::SI_TKILL => Self::Sent,
            libc::SI_TIMER => Self::Timer,
            // Below zero for signals whose positive codes mean something else.
            libc::SI_SIGIO => Self::Kernel,
            ..0 => Self::Queued,
            libc::CLD_EXITED..=libc::CLD_CONTINUED if signal.number() == libc::SIGCHLD => {
                Self::Child
            }
            _ => Self::Kernel,
        }
    }
}

/// Takes from what the kernel handed to a handler of this signal what is to be kept.
/// Async-signal-safe.
pub(crate) fn pack(signal: Signal, info: &siginfo_t) -> Words {
    let layout = Layout::of(signal, info.si_code);
    let process = match layout {
        Layout::Sent | Layout::Queued | Layout::Child => {
            // SAFETY: the field must be one that the kernel has filled in: see `Layout`.
            let pid = unsafe { info.si_pid() };
            // SAFETY: as above.
            let uid = unsafe { info.si_uid() };
            pair(pid.cast_unsigned(), uid)
        }
        Layout::Timer | Layout::Kernel => 0,
    };
    let datum = match layout {
        Layout::Queued | Layout::Timer => {
            // SAFETY: as above.
            let value = unsafe { info.si_value() };
            value.sival_ptr.addr() as u64
        }
        Layout::Child => {
            // SAFETY: as above.
            let status = unsafe { info.si_status() };
            pair(status.cast_unsigned(), 0)
        }
        Layout::Sent | Layout::Kernel => 0,
    };
    [pair(info.si_code.cast_unsigned(), 0), process, datum]
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the halves are taken apart on purpose"
)]
const fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process, and one datum that is status and value.
    fn unpacked(signal: Signal, code: i32) -> Origin {
        let process = pair((-2_i32).cast_unsigned(), u32::MAX);
        let info = SignalInfo::unpack(signal, [pair(code.cast_unsigned(), 0), process, 7]);
        assert_eq!(info.code, code);
        let has_process = !matches!(info.origin, Origin::Timer { .. } | Origin::Kernel);
        assert_eq!(info.pid(), has_process.then_some(-2));
        assert_eq!(info.uid(), has_process.then_some(u32::MAX));
        info.origin
    }

    #[test]
    fn each_code_has_its_fields() {
        let (pid, uid, value) = (-2, u32::MAX, SignalValue(7));
        for code in -100..=0x81 {
            let expected = match code {
                0 | -6 => Origin::Sent { pid, uid },
                -2 => Origin::Timer { value },
                -5 | 1.. => Origin::Kernel,
                _ => Origin::Queued { pid, uid, value },
            };
            assert_eq!(unpacked(Signal::USR1, code), expected, "{code}");
            if !(1..=6).contains(&code) {
                assert_eq!(unpacked(Signal::CHLD, code), expected, "{code}");
            }
        }
        let states = [
            ChildState::Exited(7),
            ChildState::Killed(7),
            ChildState::Dumped(7),
            ChildState::Trapped(7),
            ChildState::Stopped(7),
            ChildState::Continued,
        ];
        for (code, state) in (1..).zip(states) {
            assert_eq!(
                unpacked(Signal::CHLD, code),
                Origin::Child { pid, uid, state }
            );
        }
    }

    #[test]
    fn value_is_an_integer_or_an_address() {
        for int in [0, 1, -1, i32::MIN] {
            // What a C compiler leaves beside the integer of a union is anybody's guess.
            let mut bytes = [0xa5; size_of::<usize>()];
            bytes[..4].copy_from_slice(&int.to_ne_bytes());
            assert_eq!(SignalValue(usize::from_ne_bytes(bytes)).int(), int);
        }
        assert_eq!(SignalValue(usize::MAX).address(), usize::MAX);
    }
}
