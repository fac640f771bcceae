//! What the kernel holds after each wait, by its own account: what is wanted, nothing that belongs
//! to a source that is gone, and in as few changes as can be.

use std::os::unix::net::UnixStream;
use std::rc::Rc;

use evloop::{EventId, Interest, Trigger};

use crate::support::clock::{DAY, ms};
use crate::support::files::{for_several, number, put, sockets, take, with_input};
use crate::support::held::held_by_the_loop;
use crate::support::process::in_own_process_if_held;
use crate::support::setting::is_coalesced;
use crate::support::trace::{Loop, NOBODY, io, look, new_loop, run_out, timer};

const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;

/// Interest and trigger of everything that is held, by number.
fn held() -> Vec<(Interest, Trigger)> {
    held_by_the_loop()
        .into_iter()
        .map(|held| (held.interest, held.trigger()))
        .collect()
}

fn level(interest: Interest) -> Vec<(Interest, Trigger)> {
    vec![(interest, Trigger::Level)]
}

/// A loop with these events of one source, and the ends of the source.
fn with_events<const N: usize>(
    interests: [Interest; N],
) -> (Loop, [EventId; N], Rc<UnixStream>, UnixStream) {
    let (near, far) = for_several();
    let mut events = new_loop();
    let ids = interests.map(|interest| {
        let event = events.io(Rc::clone(&near), interest).persist();
        event.add(io("event")).unwrap()
    });
    (events, ids, near, far)
}

#[test]
fn first_interest_is_held_at_once() {
    in_own_process_if_held("kernel::first_interest_is_held_at_once", || {
        let (_events, _, near, _far) = with_events([READ]);
        assert_eq!(held(), level(READ));
        assert_eq!(held_by_the_loop()[0].fd, number(&near));
    });
}

#[test]
fn interest_of_several_events_is_held_together() {
    in_own_process_if_held(
        "kernel::interest_of_several_events_is_held_together",
        || {
            let (mut events, ids, ..) = with_events([READ, WRITE, READ, Interest::CLOSED]);
            look(&mut events);
            assert_eq!(held(), level(Interest::all()));
            events.delete(ids[0]).unwrap();
            look(&mut events);
            assert_eq!(held(), level(Interest::all()), "another wants to read");
            events.delete(ids[2]).unwrap();
            look(&mut events);
            assert_eq!(held(), level(WRITE | Interest::CLOSED));
            events.set_interest(ids[3], READ).unwrap();
            look(&mut events);
            assert_eq!(held(), level(READ | WRITE));
        },
    );
}

#[test]
fn edge_is_held_as_an_edge() {
    in_own_process_if_held("kernel::edge_is_held_as_an_edge", || {
        let (near, _far) = sockets();
        let mut events = new_loop();
        let event = events.io(near, READ).edge().persist();
        let id = event.add(io("event")).unwrap();
        assert_eq!(held(), [(READ, Trigger::Edge)]);
        events.set_interest(id, READ | WRITE).unwrap();
        look(&mut events);
        assert_eq!(held(), [(READ | WRITE, Trigger::Edge)]);
    });
}

#[test]
fn wish_to_write_is_not_held_longer_than_it_lasts() {
    in_own_process_if_held(
        "kernel::wish_to_write_is_not_held_longer_than_it_lasts",
        || {
            let (mut events, ids, ..) = with_events([READ, WRITE]);
            look(&mut events);
            events.delete(ids[1]).unwrap();
            look(&mut events);
            assert_eq!(held(), level(READ));
            drop(events);

            let (mut events, [id], ..) = with_events([WRITE]);
            events.timer(DAY).add(timer("tomorrow")).unwrap();
            events.delete(id).unwrap();
            assert_eq!(look(&mut events), NOBODY);
            assert_eq!(held(), []);
        },
    );
}

/// A reader that comes and goes costs nothing while nothing is to be read.
#[test]
fn last_delete_of_a_reader_is_told_when_it_makes_a_difference() {
    in_own_process_if_held(
        "kernel::last_delete_of_a_reader_is_told_when_it_makes_a_difference",
        || {
            let (mut events, [id], near, far) = with_events([READ]);
            events.timer(DAY).add(timer("tomorrow")).unwrap();
            let before = events.stats().changes_told;
            for _ in 0..10 {
                events.delete(id).unwrap();
                assert_eq!(look(&mut events), NOBODY);
                events.add(id).unwrap();
                assert_eq!(look(&mut events), NOBODY);
            }
            assert_eq!(events.stats().changes_told, before);
            assert_eq!(held(), level(READ));

            events.delete(id).unwrap();
            put(&far, b"x");
            assert_eq!(look(&mut events), NOBODY);
            assert_eq!(look(&mut events), NOBODY);
            assert_eq!(held(), []);
            assert_eq!(events.stats().quenched, 1);
            events.add(id).unwrap();
            assert_eq!(look(&mut events), ["event READ"]);
            take(&*near);
            assert_eq!(look(&mut events), NOBODY);
        },
    );
}

#[test]
fn source_that_is_given_up_is_not_held_any_more() {
    in_own_process_if_held(
        "kernel::source_that_is_given_up_is_not_held_any_more",
        || {
            let (mut events, ids, ..) = with_events([READ, WRITE]);
            look(&mut events);
            events.remove(ids[0]).unwrap();
            let near: Rc<UnixStream> = events.into_source(ids[1]).unwrap();
            assert_eq!(held(), []);
            let event = events.io(near, READ);
            let id = event.add(io("again")).unwrap();
            events.delete(id).unwrap();
            look(&mut events);
            events.remove(id).unwrap();
            assert_eq!(held(), []);
        },
    );
}

#[test]
fn one_shot_that_is_over_is_not_held_any_more() {
    in_own_process_if_held("kernel::one_shot_that_is_over_is_not_held_any_more", || {
        let (near, _far) = with_input();
        let mut events = new_loop();
        events.io(near, READ).add(io("once")).unwrap();
        assert_eq!(look(&mut events), ["once READ"]);
        assert_eq!(held(), []);
    });
}

#[test]
fn number_that_is_used_again_is_held_under_a_new_name() {
    in_own_process_if_held(
        "kernel::number_that_is_used_again_is_held_under_a_new_name",
        || {
            let mut names = Vec::new();
            let mut numbers = Vec::new();
            let mut events = new_loop();
            for _ in 0..10 {
                let (near, _far) = sockets();
                numbers.push(number(&near));
                let event = events.io(near, READ).persist();
                let id = event.add(io("event")).unwrap();
                names.push(held_by_the_loop()[0].data);
                look(&mut events);
                events.remove(id).unwrap();
            }
            numbers.dedup();
            assert_eq!(numbers.len(), 1);
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), 10);
        },
    );
}

/// One that adds and deletes itself between two waits, in each turn, leaves things as they are.
#[test]
fn flapping_between_two_waits_comes_to_nothing() {
    in_own_process_if_held(
        "kernel::flapping_between_two_waits_comes_to_nothing",
        || {
            let (mut events, ids, ..) = with_events([READ, WRITE]);
            look(&mut events);
            let before = events.stats();
            for _ in 0..100 {
                for _ in 0..3 {
                    events.delete(ids[1]).unwrap();
                    events.add(ids[1]).unwrap();
                    events.set_interest(ids[0], WRITE).unwrap();
                    events.set_interest(ids[0], READ).unwrap();
                }
                look(&mut events);
            }
            let after = events.stats();
            let told = after.changes_told - before.changes_told;
            let skipped = after.changes_skipped - before.changes_skipped;
            let expected = if is_coalesced() {
                (0, 100)
            } else {
                (100 * 3 * 4, 0)
            };
            assert_eq!((told, skipped), expected);
            assert_eq!(held(), level(READ | WRITE));
        },
    );
}

/// A callback that does so in each turn, until it has had enough and stays deleted.
#[test]
fn event_that_deletes_and_adds_itself_lets_the_kernel_rest() {
    in_own_process_if_held(
        "kernel::event_that_deletes_and_adds_itself_lets_the_kernel_rest",
        || {
            let (near, _far) = sockets();
            let mut events = new_loop();
            let event = events.io(near, WRITE).persist();
            event
                .add(|cx, _, _| {
                    let id = cx.id();
                    cx.events.delete(id).unwrap();
                    cx.events.add(id).unwrap();
                    cx.state.push("ran".to_owned());
                    if cx.state.len() == 10 {
                        cx.events.delete(id).unwrap();
                    }
                })
                .unwrap();
            assert_eq!(run_out(&mut events), ["ran"; 10]);
            let stats = events.stats();
            let told = if is_coalesced() { 0 } else { 11 };
            assert_eq!((stats.waits, stats.changes_told), (10, told));
            // Something to wait for, so that it waits.
            events.timer(ms(20)).add(timer("timer")).unwrap();
            assert_eq!(run_out(&mut events), ["timer"]);
            assert!(events.stats().waits - stats.waits <= 3);
            assert_eq!(held(), []);
        },
    );
}

#[test]
fn refused_add_leaves_nothing_held() {
    in_own_process_if_held("kernel::refused_add_leaves_nothing_held", || {
        let (near, _far) = for_several();
        let mut events = new_loop();
        let file = std::fs::File::open("Cargo.toml").unwrap();
        events.io(file, READ).add(io("never")).unwrap_err();
        let level_event = events.io(Rc::clone(&near), READ).persist();
        level_event.add(io("level")).unwrap();
        let edge = events.io(near, WRITE).edge();
        edge.add(io("edge")).unwrap_err();
        look(&mut events);
        assert_eq!(held(), level(READ));
    });
}
