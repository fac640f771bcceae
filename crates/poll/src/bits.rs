//! Our words for the bits of `struct pollfd`.

use evloop_changelist::{Interest, Ready};
use libc::c_short;

/// What the kernel is asked for.
pub(crate) fn events(interest: Interest) -> c_short {
    let asked = ASKED.iter().filter(|(kind, _)| interest.contains(*kind));
    asked.fold(0, |bits, (_, bit)| bits | bit)
}

/// The interest that [`events`] turned into these bits.
pub(crate) fn interest(events: c_short) -> Interest {
    let asked = ASKED.iter().filter(|(_, bit)| events & bit != 0);
    asked.map(|(kind, _)| *kind).collect()
}

/// What the kernel said. Only that: a hang-up is not turned into readiness to read.
pub(crate) fn ready(revents: c_short) -> Ready {
    let said = SAID.iter().filter(|(_, bit)| revents & bit != 0);
    said.map(|(kind, _)| *kind).collect()
}

const ASKED: [(Interest, c_short); 3] = [
    (Interest::READ, libc::POLLIN),
    (Interest::WRITE, libc::POLLOUT),
    (Interest::CLOSED, libc::POLLRDHUP),
];

const SAID: [(Ready, c_short); 5] = [
    (Ready::READ, libc::POLLIN),
    (Ready::WRITE, libc::POLLOUT),
    (Ready::CLOSED, libc::POLLRDHUP),
    (Ready::HANGUP, libc::POLLHUP),
    (Ready::ERROR, libc::POLLERR),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_can_be_told_from_the_bits() {
        for asked in Interest::all_subsets() {
            assert_eq!(interest(events(asked)), asked);
            assert_eq!(ready(events(asked)), Ready::from(asked));
        }
    }

    #[test]
    fn what_comes_unasked_is_as_it_is() {
        assert_eq!(ready(libc::POLLHUP | libc::POLLERR), Ready::ALWAYS);
        assert_eq!(interest(libc::POLLHUP | libc::POLLERR), Interest::empty());
    }
}
