//! What the kernel holds, as it says itself.

use std::fs::{read_dir, read_link, read_to_string};
use std::path::Path;

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

/// All that the one epoll instance of this process holds, but for what the loop has of its own.
pub(crate) fn held_by_the_loop() -> Vec<Held> {
    let links = read_dir("/proc/self/fd").unwrap();
    let epolls: Vec<_> = links
        .map(|link| link.unwrap())
        .filter(|link| {
            read_link(link.path()).is_ok_and(|file| file == Path::new("anon_inode:[eventpoll]"))
        })
        .collect();
    let [epoll] = &epolls[..] else {
        panic!("not one epoll instance: {epolls:?}");
    };
    let mut held = held_under(epoll.file_name().to_str().unwrap());
    held.retain(|held| held.data != u64::MAX);
    held
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
