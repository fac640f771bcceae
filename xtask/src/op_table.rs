//! The epoll op table as a page for reading, and the step that holds the page against the code.

use std::fmt::Write;
use std::path::Path;

use evloop_changelist::{Edit, Edits, EpollOp, Interest, Op, epoll_op};

use crate::step::{Failure, Mode, Verdict};
use crate::workspace::Workspace;

const PAGE: &str = "docs/op-table.md";

const HEAD: &str = "\
# The epoll op table

What the kernel is told about one file descriptor, in one `epoll_ctl` or in none: the answer of
`evloop_changelist::epoll_op` for every state. A row is what is to become of reading, writing and
early close; a column is the interest the kernel holds now: **R**ead, **W**rite, **C**losed.

- `add`, `mod` and `del` are `EPOLL_CTL_ADD`, `EPOLL_CTL_MOD` and `EPOLL_CTL_DEL`, with the interest
  asked for after them; `–` is no call.
- `+` adds a kind of interest, `-` deletes it; what is not named is kept.
- An edit that changes nothing makes a call all the same: the file behind the number may be another
  one now.

This page is written by `cargo xtask op-table --fix` and checked by `cargo xtask op-table --check`.

";

const EDITS: [Edit; 3] = [Edit::Keep, Edit::Add, Edit::Delete];

/// Holds the page against the code, or rewrites it.
pub(crate) fn check(workspace: &Workspace, mode: Mode) -> Result<Verdict, Failure> {
    let wanted = page();
    if workspace.read(PAGE)? == wanted {
        return Ok(Verdict::Passed);
    }
    if mode == Mode::Fix {
        workspace.write(Path::new(PAGE), &wanted)?;
        println!("{PAGE}: rewritten");
        return Ok(Verdict::Passed);
    }
    Err(Failure::Findings(format!(
        "{PAGE} is not what the code says: cargo xtask op-table --fix"
    )))
}

/// The page.
pub(crate) fn page() -> String {
    let mut text = HEAD.to_owned();
    let held: Vec<Interest> = (0..8).map(Interest::from_bits_truncate).collect();
    line(&mut text, "edits", held.iter().map(|&held| letters(held)));
    line(&mut text, "---", held.iter().map(|_| "---".to_owned()));
    for edits in all_edits() {
        let cells = held.iter().map(|&held| cell(epoll_op(held, edits)));
        line(&mut text, &signs(edits), cells);
    }
    text.push('\n');
    text.push_str(&tally());
    text
}

fn all_edits() -> impl Iterator<Item = Edits> {
    (0..27).map(|n| Edits {
        read: EDITS[n % 3],
        write: EDITS[n / 3 % 3],
        closed: EDITS[n / 9],
    })
}

/// How many of the states lead to each op.
fn tally() -> String {
    let (mut none, mut add, mut modify, mut delete) = (0, 0, 0, 0);
    for edits in all_edits() {
        for held in (0..8).map(Interest::from_bits_truncate) {
            *match epoll_op(held, edits).map(|told| told.op) {
                None => &mut none,
                Some(Op::Add) => &mut add,
                Some(Op::Modify) => &mut modify,
                Some(Op::Delete) => &mut delete,
            } += 1;
        }
    }
    let all = none + add + modify + delete;
    format!("{all} states: {none} no call, {add} add, {modify} mod, {delete} del.\n")
}

fn line(text: &mut String, head: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    writeln!(text, "| {head} | {} |", cells.join(" | "))
        .expect("a String takes all that is written to it");
}

fn cell(told: Option<EpollOp>) -> String {
    match told {
        None => "–".to_owned(),
        Some(EpollOp {
            op: Op::Add,
            interest,
        }) => format!("add {}", letters(interest)),
        Some(EpollOp {
            op: Op::Modify,
            interest,
        }) => format!("mod {}", letters(interest)),
        Some(EpollOp { op: Op::Delete, .. }) => "del".to_owned(),
    }
}

fn letters(interest: Interest) -> String {
    let named = [
        (Interest::READ, 'R'),
        (Interest::WRITE, 'W'),
        (Interest::CLOSED, 'C'),
    ];
    let letters: String = named
        .iter()
        .filter(|(kind, _)| interest.contains(*kind))
        .map(|(_, letter)| *letter)
        .collect();
    if letters.is_empty() {
        "none".to_owned()
    } else {
        letters
    }
}

fn signs(edits: Edits) -> String {
    let sign = |edit, letter| match edit {
        Edit::Keep => String::new(),
        Edit::Add => format!("+{letter}"),
        Edit::Delete => format!("-{letter}"),
    };
    let signs = [
        sign(edits.read, 'R'),
        sign(edits.write, 'W'),
        sign(edits.closed, 'C'),
    ];
    let signs: Vec<String> = signs.into_iter().filter(|sign| !sign.is_empty()).collect();
    if signs.is_empty() {
        "keep all".to_owned()
    } else {
        signs.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cell of the row and the column with these heads.
    fn cell_at(row: &str, column: &str) -> String {
        let page = page();
        let mut rows = page
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let heads = rows.next().unwrap();
        let at = heads.iter().position(|&head| head == column).unwrap();
        rows.find(|cells| cells[1] == row).unwrap()[at].to_owned()
    }

    #[test]
    fn the_page_has_a_cell_for_every_state() {
        let page = page();
        let rows: Vec<_> = page
            .lines()
            .filter(|line| line.starts_with('|'))
            .skip(2)
            .collect();
        assert_eq!(rows.len(), 27);
        assert!(
            rows.iter().all(|row| row.matches('|').count() == 10),
            "{page}"
        );
    }

    #[test]
    fn cells_say_what_the_kernel_is_told() {
        assert_eq!(cell_at("keep all", "none"), "–");
        assert_eq!(cell_at("+R", "none"), "add R");
        assert_eq!(cell_at("+W", "R"), "mod RW");
        assert_eq!(cell_at("-R", "R"), "del");
        assert_eq!(cell_at("-R", "RC"), "mod C");
    }

    #[test]
    fn the_states_are_counted() {
        assert_eq!(tally(), "216 states: 8 no call, 19 add, 163 mod, 26 del.\n");
    }
}
