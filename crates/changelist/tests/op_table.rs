//! The op table, row by row: against its rule written the slow way, and counted by the index that
//! libevent's table has.

use std::collections::{HashMap, HashSet};

use evloop_changelist::{Edit, Edits, EpollOp, Interest, Op, epoll_op};

const KINDS: [Interest; 3] = [Interest::READ, Interest::WRITE, Interest::CLOSED];

fn edit_of(edits: Edits, kind: Interest) -> Edit {
    match kind {
        Interest::READ => edits.read,
        Interest::WRITE => edits.write,
        _ => edits.closed,
    }
}

/// The rule, one kind of interest at a time.
fn slow_rule(held: Interest, edits: Edits) -> Option<EpollOp> {
    let mut wanted = Vec::new();
    let mut added = 0;
    let mut deleted = Vec::new();
    for kind in KINDS {
        match (edit_of(edits, kind), held.contains(kind)) {
            (Edit::Keep, false) => {}
            (Edit::Keep, true) => wanted.push(kind),
            (Edit::Add, _) => {
                added += 1;
                wanted.push(kind);
            }
            (Edit::Delete, _) => deleted.push(kind),
        }
    }
    let held_none = KINDS.into_iter().all(|kind| !held.contains(kind));
    let call = |op, kinds: Vec<Interest>| {
        Some(EpollOp {
            op,
            interest: kinds.into_iter().collect(),
        })
    };
    if added == 0 && deleted.is_empty() {
        None
    } else if added > 0 && held_none {
        call(Op::Add, wanted)
    } else if wanted.is_empty() {
        call(Op::Delete, deleted)
    } else {
        call(Op::Modify, wanted)
    }
}

fn rows() -> impl Iterator<Item = (Interest, Edits)> {
    Interest::all_subsets().flat_map(|held| Edits::all().map(move |edits| (held, edits)))
}

#[test]
fn rows_are_each_state_once() {
    assert_eq!(rows().count(), 8 * 27);
    assert_eq!(rows().collect::<HashSet<_>>().len(), 8 * 27);
    assert_eq!(rows().next(), Some((Interest::empty(), Edits::KEEP)));
}

#[test]
fn each_row_is_the_slow_rule() {
    for (held, edits) in rows() {
        assert_eq!(
            epoll_op(held, edits),
            slow_rule(held, edits),
            "held {held}, {edits:?}"
        );
    }
}

#[test]
fn interest_of_a_call_is_never_empty() {
    for (held, edits) in rows() {
        assert!(epoll_op(held, edits).is_none_or(|call| !call.interest.is_empty()));
    }
}

#[test]
fn bits_that_are_no_interest_are_ignored() {
    for (held, edits) in rows() {
        let odd = Interest::from_bits_retain(held.bits() | 0b1010_1000);
        assert_eq!(epoll_op(odd, edits), epoll_op(held, edits));
    }
}

#[test]
fn edits_apply_bit_by_bit() {
    for (held, edits) in rows() {
        for kind in KINDS {
            let edit = edit_of(edits, kind);
            let expected = edit == Edit::Add || (edit == Edit::Keep && held.contains(kind));
            assert_eq!(edits.applied_to(held).contains(kind), expected);
            assert_eq!(edits.added().contains(kind), edit == Edit::Add);
            assert_eq!(edits.deleted().contains(kind), edit == Edit::Delete);
        }
    }
}

/// The state under an index of libevent's table: 2 bits an edit (closed, read, write: add, delete),
/// then 1 bit a kind held (read, write, closed). `None` where an edit is both add and delete.
fn libevent_state(index: u16) -> Option<(Interest, Edits)> {
    let edit = |shift: u16| match index >> shift & 3 {
        0 => Some(Edit::Keep),
        1 => Some(Edit::Add),
        2 => Some(Edit::Delete),
        _ => None,
    };
    let edits = Edits {
        closed: edit(0)?,
        read: edit(2)?,
        write: edit(4)?,
    };
    let held = [
        (6, Interest::READ),
        (7, Interest::WRITE),
        (8, Interest::CLOSED),
    ];
    let held = held
        .into_iter()
        .filter(|(shift, _)| index >> shift & 1 == 1);
    Some((held.map(|(_, kind)| kind).collect(), edits))
}

#[test]
fn libevent_index_counts_as_libevent_table() {
    let mut impossible = 0;
    let mut states = HashSet::new();
    let mut calls = HashMap::<Option<Op>, u32>::new();
    for index in 0..512 {
        let Some((held, edits)) = libevent_state(index) else {
            impossible += 1;
            continue;
        };
        assert!(
            states.insert((held, edits)),
            "two indices for held {held}, {edits:?}"
        );
        *calls
            .entry(epoll_op(held, edits).map(|call| call.op))
            .or_default() += 1;
    }
    assert_eq!(impossible, 296);
    assert_eq!(
        calls,
        HashMap::from([
            (None, 8),
            (Some(Op::Add), 19),
            (Some(Op::Modify), 163),
            (Some(Op::Delete), 26),
        ])
    );
}

#[test]
fn rows_without_a_guess_count_as_libevent_table() {
    let is_clean = |(held, edits): &(Interest, Edits)| {
        !held.intersects(edits.added()) && held.contains(edits.deleted())
    };
    let count = |op: Option<Op>| {
        let clean = rows().filter(is_clean);
        clean
            .filter(|(held, edits)| epoll_op(*held, *edits).map(|call| call.op) == op)
            .count()
    };
    assert_eq!(
        [None, Some(Op::Add), Some(Op::Delete), Some(Op::Modify)].map(count),
        [8, 7, 7, 42]
    );
}

#[test]
fn modifies_that_change_nothing_count_as_libevent_table() {
    let same = rows().filter(|(held, edits)| {
        epoll_op(*held, *edits)
            == Some(EpollOp {
                op: Op::Modify,
                interest: *held,
            })
    });
    assert_eq!(same.count(), 49);
}

#[test]
fn delete_names_what_is_deleted() {
    let edits = Edits {
        read: Edit::Delete,
        write: Edit::Delete,
        ..Edits::KEEP
    };
    let interest = Interest::READ | Interest::WRITE;
    let delete = Some(EpollOp {
        op: Op::Delete,
        interest,
    });
    assert_eq!(epoll_op(interest, edits), delete);
    assert_eq!(
        epoll_op(Interest::READ, edits),
        delete,
        "even what was not held"
    );
}

#[test]
fn rows_are_written_without_a_bar() {
    let call = EpollOp {
        op: Op::Modify,
        interest: Interest::READ | Interest::CLOSED,
    };
    assert_eq!(call.to_string(), "MOD read+closed");
    assert_eq!(Interest::empty().to_string(), "none");
    assert_eq!(
        format!("{:<7}|{:>5}|", Edit::Delete, Op::Add),
        "delete |  ADD|"
    );
    for set in Interest::all_subsets() {
        let named = KINDS
            .into_iter()
            .filter(|kind| set.to_string().contains(&kind.to_string()));
        assert_eq!(named.collect::<Interest>(), set);
    }
}
