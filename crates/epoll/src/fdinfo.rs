//! What an epoll instance holds, as the kernel tells it under `/proc`.
//!
//! There is no system call for it: the one list of registrations is the text of the instance's
//! `fdinfo`, a line each. Not every system with an epoll has it: a sandbox may hide `/proc`, or offer
//! one of its own making in which the text has no such lines. An instance that holds nothing looks
//! the same, so nothing is concluded from a text without any.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd};

use evloop_backend::Held;
use evloop_changelist::{Interest, Token, Trigger};

use crate::apply::BITS;

/// What the kernel holds; `None` where it does not say, and where it says nothing.
pub(crate) fn interest_set(epoll: BorrowedFd<'_>) -> io::Result<Option<Vec<Held>>> {
    // The thread's own: threads need not share their file descriptors.
    let path = format!("/proc/thread-self/fdinfo/{}", epoll.as_raw_fd());
    match fs::read_to_string(path) {
        Ok(text) => {
            let held = parse(&text)?;
            Ok(Some(held).filter(|held| !held.is_empty()))
        }
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied => Ok(None),
            _ => Err(error),
        },
    }
}

/// Takes the registrations from the text, in its order.
fn parse(text: &str) -> io::Result<Vec<Held>> {
    text.lines()
        .filter(|line| line.starts_with("tfd:"))
        .map(|line| {
            let not_understood = || format!("not a registration with epoll: {line:?}");
            parse_line(line).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, not_understood()))
        })
        .collect()
}

/// A line such as `tfd:        4 events: 80002019 data:        4  pos:0 ino:91f3 sdev:f`: the number,
/// then the mask and the data in hexadecimal; what follows came later, and is of no use here.
fn parse_line(line: &str) -> Option<Held> {
    let mut words = line.split_whitespace();
    let mut value = |name| (words.next()? == name).then(|| words.next()).flatten();
    let fd = value("tfd:")?.parse().ok()?;
    let mask = u32::from_str_radix(value("events:")?, 16)
        .ok()?
        .cast_signed();
    let token = Token::from_bits(u64::from_str_radix(value("data:")?, 16).ok()?);

    // The kernel adds these to what it is asked for.
    let mut rest = mask & !(libc::EPOLLERR | libc::EPOLLHUP);
    let mut take = |bit: libc::c_int| {
        let is_set = rest & bit != 0;
        rest &= !bit;
        is_set
    };
    let trigger = if take(libc::EPOLLET) {
        Trigger::Edge
    } else {
        Trigger::Level
    };
    let asked = BITS.into_iter().filter(|(_, bit)| take(*bit));
    let interest: Interest = asked.map(|(kind, _)| kind).collect();
    // Nobody here asks for anything else.
    (rest == 0).then_some(Held {
        fd,
        token,
        interest,
        trigger,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Held = Held {
        fd: 4,
        token: Token {
            slot: 0xdead,
            generation: 7,
        },
        interest: Interest::READ,
        trigger: Trigger::Level,
    };

    #[test]
    fn registrations_are_taken_from_the_lines_that_tell_of_one() {
        let text = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1049\n\
            tfd:        4 events:       19 data:      70000dead  pos:0 ino:91f3 sdev:f\n\
            tfd:       12 events: 8000201d data: ffffffffffffffff\n";
        let all = Held {
            fd: 12,
            token: Token::from_bits(u64::MAX),
            interest: Interest::all(),
            trigger: Trigger::Edge,
        };
        assert_eq!(parse(text).unwrap(), [READ, all]);
    }

    #[test]
    fn line_that_is_not_understood_is_an_error() {
        let sound = "tfd: 4 events: 19 data: 70000dead";
        assert_eq!(parse_line(sound), Some(READ));
        for wrong in [
            "tfd: 4 events: 19",
            "tfd: x events: 19 data: 0",
            "tfd: 4 events: 1g data: 0",
            "tfd: 4 events: 19 data: 10000000000000000",
            "tfd: 4 data: 0 events: 19",
            // Readable out of turn (EPOLLPRI), and to be reported once (EPOLLONESHOT).
            "tfd: 4 events: 1b data: 0",
            "tfd: 4 events: 40000019 data: 0",
        ] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{wrong}");
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }
}
