//! Against a model: a sorted map, and a kernel that writes what the test says.

use std::collections::BTreeMap;

use evloop_changelist::Ready;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Set(RawFd, Token, Interest),
    Remove(RawFd),
    /// The kernel writes these, and nothing for the others.
    Report(BTreeMap<RawFd, libc::c_short>),
}

fn op() -> impl Strategy<Value = Op> {
    let fd = || 0_i32..40;
    let said = select(
        &[
            libc::POLLIN,
            libc::POLLOUT | libc::POLLERR,
            libc::POLLHUP,
            libc::POLLNVAL,
        ][..],
    );
    prop_oneof![
        4 => (fd(), any::<u64>(), 0_u8..8).prop_map(|(fd, token, interest)| {
            Op::Set(fd, Token::from_bits(token), Interest::from_bits_truncate(interest))
        }),
        2 => fd().prop_map(Op::Remove),
        2 => btree_map(fd(), said, 0..20).prop_map(Op::Report),
    ]
}

type Model = BTreeMap<RawFd, (Token, Interest)>;

/// What is to be reported, and what is still held then.
fn expect(model: &mut Model, said: &BTreeMap<RawFd, libc::c_short>) -> Vec<(u64, Ready, i32)> {
    let mut expected = Vec::new();
    model.retain(|fd, (token, _)| {
        let said = said.get(fd).copied().unwrap_or(0);
        let is_open = said & libc::POLLNVAL == 0;
        if !is_open {
            expected.push((token.to_bits(), Ready::ERROR, libc::EBADF));
        } else if said != 0 {
            expected.push((token.to_bits(), bits::ready(said), 0));
        }
        is_open
    });
    expected.sort_unstable();
    expected
}

fn report(table: &mut Table, said: &BTreeMap<RawFd, libc::c_short>) -> Vec<(u64, Ready, i32)> {
    let mut count = 0;
    for entry in table.fds_mut() {
        entry.revents = said.get(&entry.fd).copied().unwrap_or(0);
        count += usize::from(entry.revents != 0);
    }
    let mut reports = Vec::new();
    table.report(count, &mut reports);
    let mut told: Vec<_> = reports
        .iter()
        .map(|report| (report.token.to_bits(), report.ready, report.errno))
        .collect();
    told.sort_unstable();
    told
}

proptest! {
    #[test]
    fn holds_and_reports_what_the_model_does(ops in vec(op(), 0..100)) {
        let (mut table, mut model) = (Table::new(), Model::new());
        for op in ops {
            match op {
                Op::Set(fd, token, interest) => {
                    table.set(fd, token, interest);
                    model.insert(fd, (token, interest));
                }
                Op::Remove(fd) => {
                    table.remove(fd);
                    model.remove(&fd);
                }
                Op::Report(said) => {
                    prop_assert_eq!(report(&mut table, &said), expect(&mut model, &said));
                }
            }
            table.check_invariants();
            prop_assert_eq!(table.len(), model.len());
            let held: Model = table
                .held()
                .map(|(fd, token, interest)| (fd, (token, interest)))
                .collect();
            prop_assert_eq!(&held, &model);
        }
    }
}

const TOKEN: Token = Token {
    slot: 0,
    generation: 0,
};

#[test]
fn a_negative_number_is_not_held() {
    let mut table = Table::new();
    table.set(-1, TOKEN, Interest::READ);
    table.remove(-1);
    assert_eq!((table.len(), table.has_room_for(-1)), (0, false));
}

#[test]
fn there_is_room_for_what_was_held_and_for_all_below() {
    let mut table = Table::new();
    assert!(!table.has_room_for(0));
    table.set(5, TOKEN, Interest::READ);
    table.remove(5);
    let room: Vec<RawFd> = (0..100).filter(|fd| table.has_room_for(*fd)).collect();
    assert_eq!(room, (0..8).collect::<Vec<_>>());
}
