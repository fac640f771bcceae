//! What an epoll instance holds, as the kernel says itself.

use std::fs::read_to_string;

use evloop_changelist::{Interest, RawFd, Trigger};

/// One registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    pub(crate) fd: RawFd,
    pub(crate) interest: Interest,
    pub(crate) is_edge: bool,
    /// What the kernel reports it under.
    pub(crate) data: u64,
}

impl Held {
    pub(crate) const fn trigger(self) -> Trigger {
        if self.is_edge {
            Trigger::Edge
        } else {
            Trigger::Level
        }
    }
}

/// All that the epoll instance with this number holds, by number.
pub(crate) fn held_under(epoll: &str) -> Vec<Held> {
    let info = read_to_string(format!("/proc/self/fdinfo/{epoll}")).unwrap();
    let mut held: Vec<_> = info
        .lines()
        .filter(|line| line.starts_with("tfd:"))
        .map(parse)
        .collect();
    held.sort();
    held
}

/// A line such as `tfd:        4 events: 80002019 data:        4  pos:0 ino:91f3 sdev:f`; the mask
/// and the data are hexadecimal.
fn parse(line: &str) -> Held {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["tfd:", fd, "events:", mask, "data:", data, ..] = words[..] else {
        panic!("not a line of fdinfo: {line}");
    };
    let mask = u32::from_str_radix(mask, 16).unwrap();
    let known = KINDS
        .iter()
        .fold(ALWAYS | EDGE, |known, (bit, _)| known | bit);
    assert_eq!(mask & !known, 0, "nobody asked for this: {line}");
    let asked = KINDS.iter().filter(|(bit, _)| mask & bit != 0);
    Held {
        fd: fd.parse().unwrap(),
        interest: asked.map(|(_, kind)| *kind).collect(),
        is_edge: mask & EDGE != 0,
        data: u64::from_str_radix(data, 16).unwrap(),
    }
}

/// The kernel's bits of interest.
pub(crate) const KINDS: [(u32, Interest); 3] = [
    (0x1, Interest::READ),
    (0x4, Interest::WRITE),
    (0x2000, Interest::CLOSED),
];
/// Error and hang-up, which the kernel adds.
const ALWAYS: u32 = 0x18;
pub(crate) const EDGE: u32 = 1 << 31;
