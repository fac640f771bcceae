//! Warnings, by libevent's own log where there is one: it goes where the program wants it.
#![expect(unsafe_code, reason = "libevent's log is C, with variable arguments")]

use std::ffi::{CStr, CString, c_int};
use std::fmt::Display;
use std::io::Write;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::host::host;

/// Something went wrong that the program is not otherwise told of, or not why. With no base entered:
/// the program's function for it may enter one.
#[cold]
pub(crate) fn warn(message: impl Display) {
    say(&text(message));
}

/// As [`warn`], from where a base is entered: it is said when a base is left.
#[cold]
pub(crate) fn warn_later(message: impl Display) {
    let mut owed = OWED.lock().unwrap_or_else(PoisonError::into_inner);
    owed.push(text(message));
    IS_OWED.store(true, Ordering::Relaxed);
}

/// Says what is owed. With no state borrowed.
#[inline]
pub(crate) fn pay() {
    if IS_OWED.load(Ordering::Relaxed) {
        pay_all();
    }
}

#[cold]
fn pay_all() {
    let mut owed = OWED.lock().unwrap_or_else(PoisonError::into_inner);
    IS_OWED.store(false, Ordering::Relaxed);
    let warnings = mem::take(&mut *owed);
    drop(owed);
    for text in &warnings {
        say(text);
    }
}

/// The warnings that are owed.
static OWED: Mutex<Vec<CString>> = Mutex::new(Vec::new());

/// Whether there may be any: what every call looks at.
static IS_OWED: AtomicBool = AtomicBool::new(false);

fn say(text: &CStr) {
    match host().warn {
        // SAFETY: the format must fit the arguments: it takes one string of C.
        Some(warn) => unsafe { warn(c"%s".as_ptr(), text.as_ptr()) },
        None => to_stderr("warn", text),
    }
}

/// Something that the program, or its user, asked to be told.
#[cold]
pub(crate) fn message(message: impl Display) {
    let text = text(message);
    match host().message {
        // SAFETY: as in `say`.
        Some(message) => unsafe { message(c"%s".as_ptr(), text.as_ptr()) },
        None => to_stderr("msg", &text),
    }
}

/// The process cannot go on: calls the program's own function for that, if it has set one, and ends
/// the process.
#[cold]
pub(crate) fn fatal(message: impl Display) -> ! {
    end(1, &text(message))
}

/// As [`fatal`], where the program has broken a rule: the process is aborted, so that there is a core
/// to look at.
#[cold]
pub(crate) fn abort(message: impl Display) -> ! {
    end(ABORT, &text(message))
}

/// `EVENT_ERR_ABORT_`.
const ABORT: c_int = 0xdead_dead_u32.cast_signed();

fn end(code: c_int, text: &CStr) -> ! {
    match host().fatal {
        // SAFETY: as in `say`. It does not return.
        Some(fatal) => unsafe { fatal(code, c"%s".as_ptr(), text.as_ptr()) },
        None => {
            to_stderr("err", text);
            if code == ABORT {
                std::process::abort();
            }
            std::process::exit(code)
        }
    }
}

fn text(message: impl Display) -> CString {
    let mut bytes = message.to_string().into_bytes();
    bytes.retain(|byte| *byte != 0);
    CString::new(bytes).unwrap_or_default()
}

fn to_stderr(severity: &str, text: &CStr) {
    let text = text.to_string_lossy();
    // A program that has closed its stderr wants to hear nothing.
    _ = writeln!(std::io::stderr(), "[{severity}] {text}");
}
