//! Every change, under every sequence of refusals: what is true afterwards, and in how many calls.

use evloop_changelist::{Changelist, Edit, Edits};

use super::*;

/// The most calls that a change costs: the first, the one that mends, the one that clears away.
const MOST: usize = 3;

/// What `epoll_ctl(2)` can refuse with.
const ERRNOS: [i32; 8] = [
    libc::EBADF,
    libc::EEXIST,
    libc::EINVAL,
    libc::ELOOP,
    libc::ENOENT,
    libc::ENOMEM,
    libc::ENOSPC,
    libc::EPERM,
];

/// A kernel that knows one number, and refuses the calls that it is told to.
#[derive(Debug)]
struct Faulty {
    /// The mask under which the number is held.
    held: Option<u32>,
    refusals: [Option<i32>; MOST],
    calls: usize,
}

impl Control for Faulty {
    fn epoll_ctl(&mut self, op: Op, _: RawFd, event: epoll_event) -> Result<(), i32> {
        let refusal = self.refusals[self.calls];
        self.calls += 1;
        if let Some(errno) = refusal {
            // It is true: the file was closed or opened behind the loop's back.
            match errno {
                libc::EEXIST => self.held = Some(STALE),
                libc::ENOENT | libc::EBADF | libc::EPERM => self.held = None,
                _ => {}
            }
            return Err(errno);
        }
        match (op, self.held) {
            (Op::Add, Some(_)) => return Err(libc::EEXIST),
            (Op::Modify | Op::Delete, None) => return Err(libc::ENOENT),
            (Op::Add | Op::Modify, _) => self.held = Some(event.events),
            (Op::Delete, _) => self.held = None,
        }
        Ok(())
    }
}

/// A mask that nobody asks for.
const STALE: u32 = 1 << 20;

fn every_entry() -> Vec<Entry> {
    let token = Token::from_bits(7);
    let mut entries = Vec::new();
    for held in Interest::all_subsets() {
        for edits in Edits::all() {
            let mut list = Changelist::new();
            let change = list.record(5, token, held, Trigger::Level);
            let kinds = [
                (Interest::READ, edits.read),
                (Interest::WRITE, edits.write),
                (Interest::CLOSED, edits.closed),
            ];
            for (kind, edit) in kinds {
                match edit {
                    Edit::Keep => {}
                    Edit::Add => change.add(kind),
                    Edit::Delete => change.delete(kind),
                };
            }
            entries.extend_from_slice(list.entries());
        }
    }
    entries
}

fn every_sequence_of_refusals() -> Vec<[Option<i32>; MOST]> {
    let answers: Vec<_> = [None].into_iter().chain(ERRNOS.map(Some)).collect();
    let mut all = Vec::new();
    for &first in &answers {
        for &second in &answers {
            for &third in &answers {
                all.push([first, second, third]);
            }
        }
    }
    all
}

#[test]
fn every_change_is_made_true_or_refused_with_nothing_held() {
    let (entries, refusals) = (every_entry(), every_sequence_of_refusals());
    let mut refused = 0;
    for entry in &entries {
        let op = entry.change.op();
        for held in [None, Some(STALE)] {
            for &refusals in &refusals {
                let mut kernel = Faulty {
                    held,
                    refusals,
                    calls: 0,
                };
                let result = apply(&mut kernel, entry);
                let seen = || format!("{entry:?} from {held:?}: {kernel:?}, {result:?}");
                match (result, op) {
                    (Ok(()), None) => {
                        assert_eq!((kernel.calls, kernel.held), (0, held), "{}", seen());
                    }
                    (Ok(()), Some(EpollOp { op: Op::Delete, .. })) => {
                        assert_eq!(kernel.held, None, "{}", seen());
                    }
                    (Ok(()), Some(EpollOp { interest, .. })) => {
                        let wanted = event(entry.token, interest, Trigger::Level).events;
                        assert_eq!(kernel.held, Some(wanted), "{}", seen());
                        assert!(kernel.calls <= 2, "{}", seen());
                    }
                    (Err(refusal), _) => {
                        refused += 1;
                        let last = kernel.calls - 1;
                        // Only a refusal of the call that clears away can leave something behind.
                        assert!(
                            kernel.held.is_none() || refusals[last].is_some(),
                            "{}",
                            seen()
                        );
                        // The reason is that of the call that decided.
                        let told = refusals[last - 1];
                        assert!(
                            told.is_none_or(|errno| errno == refusal.errno),
                            "{}",
                            seen()
                        );
                    }
                }
            }
        }
    }
    assert!(refused > 0, "nothing was tried");
}
