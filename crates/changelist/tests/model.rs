//! The list against a naive one: a `Vec` that is searched from the front.

use evloop_changelist::{Change, Changelist, Entry, Interest, RawFd, Token, Trigger};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Record {
        fd: RawFd,
        token: Token,
        held: Interest,
        trigger: Trigger,
        add: Interest,
    },
    Remove(RawFd),
    RetainMultiplesOf(RawFd),
    Clear,
}

#[derive(Default)]
struct Model(Vec<Entry>);

impl Model {
    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Record {
                fd,
                token,
                held,
                trigger,
                add,
            } => {
                if !self.0.iter().any(|entry| entry.fd == fd) {
                    self.0.push(Entry {
                        fd,
                        token,
                        change: Change::new(held, trigger),
                    });
                }
                for entry in self.0.iter_mut().filter(|entry| entry.fd == fd) {
                    entry.token = token;
                    entry.change.add(add);
                }
            }
            Operation::Remove(fd) => self.0.retain(|entry| entry.fd != fd),
            Operation::RetainMultiplesOf(n) => self.0.retain(|entry| entry.fd % n == 0),
            Operation::Clear => self.0.clear(),
        }
    }

    fn find(&self, fd: RawFd) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.fd == fd)
    }
}

fn apply(list: &mut Changelist, operation: Operation) {
    match operation {
        Operation::Record {
            fd,
            token,
            held,
            trigger,
            add,
        } => {
            list.record(fd, token, held, trigger).add(add);
        }
        Operation::Remove(fd) => {
            let before = list.get(fd).copied();
            assert_eq!(list.remove(fd).map(|entry| entry.change), before);
        }
        Operation::RetainMultiplesOf(n) => list.retain(|entry| entry.fd % n == 0),
        Operation::Clear => list.clear(),
    }
}

const FDS: RawFd = 12;

fn any_operation() -> impl Strategy<Value = Operation> {
    let any_interest = || (0..8u8).prop_map(Interest::from_bits_truncate);
    let any_token = (0..4u32, 0..4u32).prop_map(|(slot, generation)| Token { slot, generation });
    let any_trigger = prop_oneof![Just(Trigger::Level), Just(Trigger::Edge)];
    let record = (
        0..FDS,
        any_token,
        any_interest(),
        any_trigger,
        any_interest(),
    );
    prop_oneof![
        12 => record.prop_map(|(fd, token, held, trigger, add)| {
            Operation::Record { fd, token, held, trigger, add }
        }),
        4 => (0..FDS).prop_map(Operation::Remove),
        1 => (2..4).prop_map(Operation::RetainMultiplesOf),
        1 => Just(Operation::Clear),
    ]
}

proptest! {
    #[test]
    fn list_is_the_naive_list(operations in vec(any_operation(), 0..60)) {
        let mut list = Changelist::new();
        let mut model = Model::default();
        for operation in operations {
            apply(&mut list, operation);
            model.apply(operation);

            list.check_invariants();
            prop_assert_eq!(list.entries(), &model.0);
            prop_assert_eq!(list.len(), model.0.len());
            prop_assert_eq!(list.is_empty(), model.0.is_empty());
            for fd in -1..=FDS {
                prop_assert_eq!(list.get(fd), model.find(fd).map(|entry| &entry.change));
            }
        }
    }
}
