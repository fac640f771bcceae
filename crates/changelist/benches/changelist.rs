//! What it costs to record a change and to read the operation off the table.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use evloop_changelist::{Change, Changelist, Interest, Token, Trigger};

fn main() {
    divan::main();
}

/// File descriptors that change between two waits.
const MANY: i32 = 1000;

const TOKEN: Token = Token {
    slot: 0,
    generation: 0,
};

/// A list in its steady state: as long as it will be, and empty.
fn used() -> Changelist {
    let mut changes = Changelist::new();
    edit(&mut changes, Interest::empty(), |change| {
        change.add(Interest::READ);
    });
    changes.clear();
    changes
}

fn edit(changes: &mut Changelist, held: Interest, with: impl Fn(&mut Change)) {
    for fd in 0..MANY {
        with(changes.record(fd, TOKEN, held, Trigger::Level));
    }
}

/// What a backend does before it waits: the operation of each entry.
fn flush(changes: &mut Changelist) {
    for entry in changes.entries() {
        black_box(entry.change.op());
    }
    changes.clear();
}

fn each(bencher: Bencher<'_, '_>, held: Interest, with: impl Fn(&mut Change) + Sync) {
    let bencher = bencher.counter(ItemsCount::new(MANY.unsigned_abs()));
    bencher.with_inputs(used).bench_refs(|changes| {
        edit(changes, held, &with);
        flush(changes);
    });
}

#[divan::bench]
fn add(bencher: Bencher<'_, '_>) {
    each(bencher, Interest::empty(), |change| {
        change.add(Interest::READ);
    });
}

/// What a one-shot event does that its callback adds again.
#[divan::bench]
fn delete_and_add(bencher: Bencher<'_, '_>) {
    each(bencher, Interest::READ, |change| {
        change.delete(Interest::READ);
        change.add(Interest::READ);
    });
}

/// Two touches of each file descriptor, one after the other.
#[divan::bench]
fn toggle_write(bencher: Bencher<'_, '_>) {
    let bencher = bencher.counter(ItemsCount::new(MANY.unsigned_abs()));
    bencher.with_inputs(used).bench_refs(|changes| {
        edit(changes, Interest::READ, |change| {
            change.add(Interest::WRITE);
        });
        edit(changes, Interest::READ, |change| {
            change.delete(Interest::WRITE);
        });
        flush(changes);
    });
}
