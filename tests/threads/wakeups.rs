//! What a post costs: nothing while the loop is awake, and one write, by one of those who post,
//! each time that it went to sleep. Nobody reads what was written.
//!
//! The loop is woken by an eventfd. The kernel tells how much was written to it and not read.

use std::fs::{read_dir, read_link, read_to_string};
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;

use evloop::{Mode, Outcome, Remote};

use super::beside::run_beside;
use crate::support::clock::{DAY, ms};
use crate::support::process::in_own_process;
use crate::support::setting::{NO_EDGES, has_edges, make, skipped};
use crate::support::status::until_it_blocks;
use crate::support::trace::{new_loop, run_out};

/// How often the one eventfd of this process was written to.
pub(super) fn writes() -> u64 {
    let links = read_dir("/proc/self/fd").unwrap();
    let eventfds: Vec<_> = links
        .map(|link| link.unwrap())
        .filter(|link| {
            read_link(link.path()).is_ok_and(|file| file == Path::new("anon_inode:[eventfd]"))
        })
        .collect();
    let [eventfd] = &eventfds[..] else {
        panic!("not one eventfd: {eventfds:?}");
    };
    let info = Path::new("/proc/self/fdinfo").join(eventfd.file_name());
    let info = read_to_string(info).unwrap();
    let count = info
        .lines()
        .find_map(|line| line.strip_prefix("eventfd-count:"));
    u64::from_str_radix(count.unwrap().trim(), 16).unwrap()
}

/// Posts from eight threads.
fn flood(remote: &Remote<u64>) {
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    remote.post(|cx| *cx.state += 1).unwrap();
                }
            });
        }
    });
}

#[test]
fn loop_that_does_not_run_is_not_written_to() {
    in_own_process(
        "threads::wakeups::loop_that_does_not_run_is_not_written_to",
        || {
            let mut events = make::<u64>();
            let mut posted = 0;
            flood(&events.remote());
            assert_eq!(events.run(&mut posted).unwrap(), Outcome::Empty);
            flood(&events.remote());
            assert_eq!(events.run(&mut posted).unwrap(), Outcome::Empty);
            assert_eq!(posted, 16_000);
            assert_eq!(writes(), 0);
        },
    );
}

#[test]
fn loop_that_is_awake_is_not_written_to() {
    in_own_process(
        "threads::wakeups::loop_that_is_awake_is_not_written_to",
        || {
            let mut events = make::<u64>();
            let (enter, entered) = channel();
            let (leave, left) = channel();
            events.defer(move |_| {
                enter.send(()).unwrap();
                left.recv().unwrap();
            });
            let mut posted = 0;
            let (outcome, ()) = run_beside(
                &mut events,
                Mode::UntilEmpty,
                &mut posted,
                move |remote, _| {
                    entered.recv().unwrap();
                    flood(remote);
                    leave.send(()).unwrap();
                },
            );
            assert_eq!(outcome, Outcome::Empty);
            assert_eq!(posted, 8000);
            assert_eq!(writes(), 0);
        },
    );
}

#[test]
fn loop_that_sleeps_is_written_to_once() {
    // What is written is counted by what is left to be read.
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    in_own_process(
        "threads::wakeups::loop_that_sleeps_is_written_to_once",
        || {
            let mut events = make::<u64>();
            events.timer(DAY).add(|_| ()).unwrap();
            let mut posted = 0;
            let (_, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut posted, |remote, its| {
                for n in 0..100 {
                    until_it_blocks(its);
                    assert_eq!(writes(), n);
                    let (taken, is_taken) = channel();
                    let post = remote.post(move |cx| {
                        *cx.state += 1;
                        taken.send(()).unwrap();
                    });
                    post.unwrap();
                    // So that the loop has taken it, and sleeps the next time.
                    is_taken.recv().unwrap();
                }
                until_it_blocks(its);
                assert_eq!(writes(), 100);
                remote.exit().unwrap();
            });
            assert_eq!(posted, 100);
        },
    );
}

#[test]
fn flood_of_posts_takes_no_more_writes_than_waits() {
    // What is written is counted by what is left to be read.
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    in_own_process(
        "threads::wakeups::flood_of_posts_takes_no_more_writes_than_waits",
        || {
            let mut events = make::<u64>();
            events.timer(DAY).add(|_| ()).unwrap();
            let mut posted = 0;
            let (_, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut posted, |remote, its| {
                until_it_blocks(its);
                flood(remote);
                remote.post(|cx| cx.events.exit()).unwrap();
            });
            assert_eq!(posted, 8000);
            let (writes, waits) = (writes(), events.stats().waits);
            assert!((1..=waits).contains(&writes), "{writes} of {waits}");
        },
    );
}

/// Where nobody asks for edges, what is not read would be reported for ever.
#[test]
fn loop_that_was_woken_sleeps_again() {
    let mut events = make::<u64>();
    events.timer(DAY).add(|_| ()).unwrap();
    let mut posted = 0;
    let (outcome, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut posted, |remote, its| {
        until_it_blocks(its);
        let post = remote.post(|cx| {
            *cx.state += 1;
            cx.events.exit_after(ms(50));
        });
        post.unwrap();
    });
    assert_eq!((outcome, posted), (Outcome::Exit, 1));
    // Before the post, for what it had written, and up to the exit.
    let waits = events.stats().waits;
    assert!(waits <= 4, "{waits}");
}

/// A loop without a remote, and one whose remote is not used, pay nothing.
#[test]
fn remote_that_is_not_used_costs_no_turn() {
    let mut events = new_loop();
    let _remote = events.remote();
    events.timer(ms(0)).add(|_| ()).unwrap();
    run_out(&mut events);
    assert_eq!(events.stats().waits, 1);
}
