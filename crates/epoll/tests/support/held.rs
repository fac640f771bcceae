//! What the kernel holds, as it says itself.

use std::collections::HashMap;
use std::fs::read_to_string;
use std::os::fd::{AsFd, AsRawFd};

use evloop_changelist::{Interest, RawFd, Token, Trigger};

/// One registration: its number, its token, and the interest that is held.
pub(crate) type Held = (RawFd, Token, Interest, Trigger);

/// Everything that the kernel holds for this epoll instance, with the number of times that
/// it stands there: a file that lives on under another number leaves its old number taken twice.
pub(crate) fn held(epoll: &impl AsFd) -> HashMap<Held, usize> {
    let path = format!("/proc/thread-self/fdinfo/{}", epoll.as_fd().as_raw_fd());
    let mut all = HashMap::new();
    for line in read_to_string(path)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("tfd:"))
    {
        *all.entry(parse(line)).or_default() += 1;
    }
    all
}

/// A line such as `tfd:        4 events: 80002019 data:        4  pos:0 ino:91f3 sdev:f`; the mask
/// and the data are hexadecimal.
fn parse(line: &str) -> Held {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["tfd:", fd, "events:", mask, "data:", data, ..] = words[..] else {
        panic!("not a line of fdinfo: {line}");
    };
    let mask = u32::from_str_radix(mask, 16).unwrap();
    let token = Token::from_bits(u64::from_str_radix(data, 16).unwrap());
    let kinds = [
        (0x1, Interest::READ),
        (0x4, Interest::WRITE),
        (0x2000, Interest::CLOSED),
    ];
    let known = kinds
        .iter()
        .fold(ALWAYS | EDGE, |known, (bit, _)| known | bit);
    assert_eq!(mask & !known, 0, "nobody asked for this: {line}");
    let held = kinds
        .iter()
        .filter(|(bit, _)| mask & bit != 0)
        .map(|(_, kind)| *kind)
        .collect();
    let trigger = if mask & EDGE == 0 {
        Trigger::Level
    } else {
        Trigger::Edge
    };
    (fd.parse().unwrap(), token, held, trigger)
}

/// Error and hang-up, which the kernel adds.
const ALWAYS: u32 = 0x18;
const EDGE: u32 = 1 << 31;
