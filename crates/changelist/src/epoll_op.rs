//! The op table: from what the kernel holds and what is to be edited to one `epoll_ctl` call.
//!
//! 8 states of what is held by 27 states of edits make 216 rows, worked out by the compiler from a
//! rule of four lines and looked up with one load. The rule trusts the record of what is held as
//! far as choosing a good first guess; a guess that the kernel refuses is mended by
//! [`recover`](crate::recover).

use core::fmt;

use crate::{Edit, Edits, Interest};

/// An operation of `epoll_ctl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `EPOLL_CTL_ADD`: begin to hold interest.
    Add,
    /// `EPOLL_CTL_MOD`: hold other interest; also, look again at what is ready.
    Modify,
    /// `EPOLL_CTL_DEL`: hold none.
    Delete,
}

impl fmt::Display for Op {
    /// `ADD`, `MOD` or `DEL`, as in the kernel's names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Add => "ADD",
            Self::Modify => "MOD",
            Self::Delete => "DEL",
        })
    }
}

/// A call of `epoll_ctl`: the operation, and the interest that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EpollOp {
    /// The operation.
    pub op: Op,
    /// The interest to hold from now on; for [`Op::Delete`], which the kernel gives no interest,
    /// the interest that is deleted. Never empty.
    pub interest: Interest,
}

impl fmt::Display for EpollOp {
    /// `MOD read+write`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op, self.interest)
    }
}

/// The call that takes the kernel from the interest it holds to the one the edits want, or `None`
/// where nothing is edited.
///
/// - Something is added: a modify, or where nothing was held an add, of all that is wanted.
/// - Only deletes, and something is left: a modify of what is left.
/// - Only deletes, and nothing is left: a delete.
///
/// An edit that changes nothing (an add of what is held, a delete of what is not) makes a call all
/// the same: it may be there because the file behind the number is another one now.
///
/// One load from a table of 432 bytes.
///
/// # Examples
///
/// ```
/// use evloop_changelist::{Edit, Edits, EpollOp, Interest, Op, epoll_op};
///
/// let edits = Edits { read: Edit::Delete, ..Edits::KEEP };
/// assert_eq!(
///     epoll_op(Interest::READ, edits),
///     Some(EpollOp { op: Op::Delete, interest: Interest::READ }),
/// );
/// ```
///
/// # Compared with libevent
///
/// `epoll_op_table`, which has 512 rows, 296 of them for states that cannot be. The other 216 are
/// the same.
#[must_use]
pub const fn epoll_op(held: Interest, edits: Edits) -> Option<EpollOp> {
    TABLE[row(held, edits)]
}

/// The row of a state: a number of base 3 with the edits as its digits, after what is held.
const fn row(held: Interest, edits: Edits) -> usize {
    // Bits that are no kind of interest would lead out of the table.
    let held = (held.bits() & Interest::all().bits()) as usize;
    ((held * 3 + edits.closed as usize) * 3 + edits.write as usize) * 3 + edits.read as usize
}

const ROWS: usize = 8 * 27;

static TABLE: [Option<EpollOp>; ROWS] = table();

// What the documentation of `epoll_op` promises.
const _: () = assert!(size_of::<[Option<EpollOp>; ROWS]>() == 432);

const fn table() -> [Option<EpollOp>; ROWS] {
    const EACH: [Edit; 3] = [Edit::Keep, Edit::Add, Edit::Delete];
    let mut table = [None; ROWS];
    let mut i = 0;
    while i < ROWS {
        let edits = Edits {
            read: EACH[i % 3],
            write: EACH[i / 3 % 3],
            closed: EACH[i / 9 % 3],
        };
        #[expect(clippy::cast_possible_truncation, reason = "i / 27 is less than 8")]
        let held = Interest::from_bits_truncate((i / 27) as u8);
        assert!(row(held, edits) == i);
        table[i] = rule(held, edits);
        i += 1;
    }
    table
}

const fn rule(held: Interest, edits: Edits) -> Option<EpollOp> {
    let wanted = edits.applied_to(held);
    let (op, interest) = match (edits.added().is_empty(), edits.deleted().is_empty()) {
        (true, true) => return None,
        (false, _) if held.is_empty() => (Op::Add, wanted),
        (true, false) if wanted.is_empty() => (Op::Delete, edits.deleted()),
        _ => (Op::Modify, wanted),
    };
    Some(EpollOp { op, interest })
}
