//! The changelist and the op table: whatever is asked in a turn, told in one call for each file, and mended
//! where the kernel's state is not what is recorded, leaves in the kernel what was wanted.

use std::collections::BTreeMap;

use evloop_changelist::{
    Changelist, Entry, EpollOp, Interest, Op, RawFd, Recovery, Token, Trigger, recover,
};

use crate::bytes::Bytes;

/// What is held for each file that is open; `None`: nothing.
type Kernel = BTreeMap<RawFd, Option<(Interest, Trigger)>>;

const FILES: u8 = 4;
const EEXIST: i32 = 17;
const ENOENT: i32 = 2;

pub(crate) fn run(bytes: &[u8]) {
    let bytes = Bytes::new(bytes);
    let mut kernel: Kernel = (0..RawFd::from(FILES)).map(|fd| (fd, None)).collect();
    // What is wanted, and what the kernel was told last.
    let mut wanted = kernel.clone();
    let mut told = kernel.clone();
    let mut changes = Changelist::new();
    while !bytes.is_empty() {
        bytes.begin_record();
        let fd = RawFd::from(bytes.byte() % FILES);
        let interest = Interest::from_bits_truncate(bytes.byte());
        match bytes.byte() % 8 {
            what @ 0..4 => {
                let trigger = if what & 1 == 1 {
                    Trigger::Edge
                } else {
                    Trigger::Level
                };
                let change = record(&mut changes, &told, fd);
                change.set_trigger(trigger);
                change.add(interest);
                want(&mut wanted, fd, |held| held | interest, Some(trigger));
            }
            4 | 5 => {
                record(&mut changes, &told, fd).delete(interest);
                want(&mut wanted, fd, |held| held - interest, None);
            }
            // The kernel forgets, as it does when a file is closed and opened again under its number; or
            // it holds what nobody remembers.
            6 => {
                let behind = (!interest.is_empty()).then_some((interest, Trigger::Level));
                kernel.insert(fd, behind);
                // Whatever is told next is not what comes to nothing.
                let change = record(&mut changes, &told, fd);
                change.set_trigger(Trigger::Level);
                change.add(Interest::READ);
                want(
                    &mut wanted,
                    fd,
                    |held| held | Interest::READ,
                    Some(Trigger::Level),
                );
                tell(&mut kernel, &mut changes);
                told.clone_from(&kernel);
            }
            _ => {
                tell(&mut kernel, &mut changes);
                told.clone_from(&kernel);
            }
        }
        changes.check_invariants();
        assert!(
            changes.len() <= usize::from(FILES),
            "one entry for each file"
        );
    }
    tell(&mut kernel, &mut changes);
    let interest = |held: &Kernel| -> Vec<Interest> {
        held.values()
            .map(|held| held.map_or(Interest::empty(), |(interest, _)| interest))
            .collect()
    };
    assert_eq!(interest(&kernel), interest(&wanted));
    for (fd, held) in &kernel {
        let is_edge = |held: &Option<(Interest, Trigger)>| held.map(|(_, trigger)| trigger);
        assert_eq!(is_edge(held), is_edge(&wanted[fd]), "the trigger of {fd}");
    }
}

fn record<'a>(
    changes: &'a mut Changelist,
    told: &Kernel,
    fd: RawFd,
) -> &'a mut evloop_changelist::Change {
    let token = Token {
        slot: 0,
        generation: 0,
    };
    let (interest, trigger) = told[&fd].unwrap_or_default();
    changes.record(fd, token, interest, trigger)
}

fn want(
    wanted: &mut Kernel,
    fd: RawFd,
    edit: impl FnOnce(Interest) -> Interest,
    trigger: Option<Trigger>,
) {
    let (interest, before) = wanted[&fd].unwrap_or_default();
    let now = edit(interest);
    let held = (!now.is_empty()).then(|| (now, trigger.unwrap_or(before)));
    wanted.insert(fd, held);
}

fn tell(kernel: &mut Kernel, changes: &mut Changelist) {
    for Entry { fd, change, .. } in changes.entries() {
        let Some(EpollOp { op, interest }) = change.op() else {
            continue;
        };
        let new = (interest, change.trigger());
        if let Err(errno) = control(kernel, op, *fd, new) {
            match recover(op, errno) {
                Recovery::Retry(op) => control(kernel, op, *fd, new).expect("two calls are enough"),
                Recovery::Done => {}
                Recovery::Fail => panic!("{change:?} is refused with {errno}"),
            }
        }
    }
    changes.clear();
}

/// `epoll_ctl(2)` on an open file.
fn control(kernel: &mut Kernel, op: Op, fd: RawFd, new: (Interest, Trigger)) -> Result<(), i32> {
    let held = kernel.get_mut(&fd).expect("the file is open");
    *held = match (op, held.is_some()) {
        (Op::Add, true) => return Err(EEXIST),
        (Op::Modify | Op::Delete, false) => return Err(ENOENT),
        (Op::Add | Op::Modify, _) => Some(new),
        (Op::Delete, true) => None,
    };
    Ok(())
}
