//! A signal's number, known to be one that a handler can be installed for.

use core::error::Error;
use core::fmt;

/// A signal that a program may handle.
///
/// Every number from 1 to 64 but those that [`SignalError`] is about; the real-time signals have
/// numbers only. The C library keeps 32 and 33 for itself (musl 34 as well) and refuses a handler
/// for them: that is for the one to find out who asks it.
///
/// # Examples
///
/// ```
/// use evloop_signals::{Signal, SignalError};
///
/// assert_eq!(Signal::new(2), Ok(Signal::INT));
/// assert_eq!(Signal::INT.to_string(), "SIGINT");
/// assert_eq!(Signal::new(9), Err(SignalError::Uncatchable(9)));
/// ```
///
/// # Compared with libevent
///
/// A number that cannot be handled is refused here, and not by the `event_add` of an event that has
/// it. libevent takes `SIGSEGV` and the other faults.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

impl Signal {
    /// The signal of this number.
    ///
    /// # Errors
    ///
    /// The number is not a signal's, or no handler may be installed for it; see [`SignalError`].
    pub const fn new(number: i32) -> Result<Self, SignalError> {
        match number {
            SIGKILL | SIGSTOP => Err(SignalError::Uncatchable(number)),
            SIGILL | SIGBUS | SIGFPE | SIGSEGV => Err(SignalError::Fault(number)),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "1..=64 fits into eight bits"
            )]
            1..=64 => Ok(Self(number as u8)),
            _ => Err(SignalError::OutOfRange(number)),
        }
    }

    /// The number, from 1 to 64.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    /// The place of the signal in a table of 64: its number less 1.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// The signal's bit in a word of 64, at its [`index`](Signal::index), as in the kernel's own
    /// sets.
    #[must_use]
    pub const fn bit(self) -> u64 {
        1 << self.index()
    }
}

/// `SIGINT`; a signal without a name is `signal 34`.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

/// As [`Display`](fmt::Display).
impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a number is not a [`Signal`]. Each variant has the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignalError {
    /// No signal has this number; they go from 1 to 64.
    OutOfRange(i32),
    /// `SIGKILL` and `SIGSTOP`: the kernel lets nobody handle them.
    Uncatchable(i32),
    /// `SIGILL`, `SIGBUS`, `SIGFPE` and `SIGSEGV`: raised by an instruction that cannot go on. To
    /// note them down and return, as an event loop does, would raise them again for ever.
    Fault(i32),
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange(number) => write!(f, "{number} is not a signal number"),
            Self::Uncatchable(number) => write!(f, "signal {number} cannot be handled"),
            Self::Fault(number) => {
                write!(
                    f,
                    "signal {number} reports a fault, which no event loop can handle"
                )
            }
        }
    }
}

impl Error for SignalError {}

macro_rules! named {
    ($($name:ident = $number:literal, $meaning:literal;)*) => {
        /// The signals with a name. Not among them are those that are refused.
        impl Signal {
            $(
                #[doc = concat!("`SIG", stringify!($name), "` (", $number, "): ", $meaning, ".")]
                pub const $name: Self = Self($number);
            )*

            /// The name that C gives it: `"SIGINT"`. Real-time signals have none.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(concat!("SIG", stringify!($name))),)*
                    _ => None,
                }
            }
        }
    };
}

named! {
    HUP = 1, "the terminal has hung up; to a daemon, by custom, \"read your configuration again\"";
    INT = 2, "interrupt from the terminal (Ctrl-C)";
    QUIT = 3, "quit from the terminal (Ctrl-\\\\)";
    TRAP = 5, "a breakpoint or trace trap";
    ABRT = 6, "`abort(3)`, which ends the process whatever the handler did";
    USR1 = 10, "for the program's own use";
    USR2 = 12, "for the program's own use";
    PIPE = 13, "a write to a pipe or socket that nobody reads";
    ALRM = 14, "`alarm(2)` or the real-time timer ran out";
    TERM = 15, "a request to end";
    STKFLT = 16, "unused";
    CHLD = 17, "a child stopped, continued or ended";
    CONT = 18, "continue; the process has continued already when the handler runs";
    TSTP = 20, "stop from the terminal (Ctrl-Z)";
    TTIN = 21, "a background process reads from its terminal";
    TTOU = 22, "a background process writes to its terminal";
    URG = 23, "urgent data on a socket";
    XCPU = 24, "the limit of processor time is exceeded";
    XFSZ = 25, "the limit of file size is exceeded";
    VTALRM = 26, "the virtual timer ran out";
    PROF = 27, "the profiling timer ran out";
    WINCH = 28, "the terminal's window has another size";
    IO = 29, "a file descriptor is ready";
    PWR = 30, "power failure";
    SYS = 31, "a system call that is not allowed";
}

// The numbers that are refused.
const SIGILL: i32 = 4;
const SIGBUS: i32 = 7;
const SIGFPE: i32 = 8;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGSTOP: i32 = 19;
