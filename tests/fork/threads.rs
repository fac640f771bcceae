//! Processes with several threads, one of which forks.

use std::thread;

use evloop::{Mode, Outcome, Ready, Remote, Signal};
use rustix::thread::gettid;

use super::scene::{Side, assert_done, assert_well, fork};
use crate::support::clock::{DAY, ms};
use crate::support::process::in_own_process;
use crate::support::raw::{in_forked_child, raise};
use crate::support::setting::make;
use crate::support::status::until_it_blocks;
use crate::support::trace::{Loop, NOBODY, Trace, look, new_loop, run, signal, timer, user, wait};

/// The parent waits for its child, by a signal, while the child runs what it has inherited, used by
/// many threads.
#[test]
fn parent_hears_of_the_end_of_a_child_that_runs_the_loop_too() {
    in_own_process(
        "fork::threads::parent_hears_of_the_end_of_a_child_that_runs_the_loop_too",
        || {
            let mut events = make::<u64>();
            let day = events.timer(DAY).add(|_| ()).unwrap();
            let chld = events.signal(Signal::CHLD);
            let chld = chld.add(|cx, caught| {
                *cx.state += 1000 * caught.count;
                cx.events.exit();
            });
            let chld = chld.unwrap();
            let remote = events.remote();
            let mut fired = 0;
            let Side::Parent(child) = fork() else {
                events.after_fork().unwrap();
                events.remove(chld).unwrap();
                let adders: Vec<_> = (0..8)
                    .map(|_| {
                        let remote = remote.clone();
                        thread::spawn(move || {
                            for _ in 0..25 {
                                let add = remote.call(|events| {
                                    let timer = events.timer(ms(3));
                                    timer.add(|cx| *cx.state += 1)
                                });
                                add.unwrap().wait().unwrap().unwrap();
                            }
                        })
                    })
                    .collect();
                thread::spawn(move || {
                    for adder in adders {
                        adder.join().unwrap();
                    }
                    _ = remote.remove(day).unwrap();
                });
                assert_eq!(events.run(&mut fired).unwrap(), Outcome::Empty);
                assert_eq!(fired, 200);
                return;
            };
            assert_eq!(events.run(&mut fired).unwrap(), Outcome::Exit);
            assert_eq!(fired, 1000);
            // Nobody but the signal has woken it.
            assert!(events.stats().waits <= 2);
            assert_done(child);
        },
    );
}

/// A child in whose parent the loop slept when another thread forked.
#[test]
fn child_of_another_thread_can_use_the_loops_remote() {
    in_own_process(
        "fork::threads::child_of_another_thread_can_use_the_loops_remote",
        || {
            let mut events = new_loop();
            events.timer(DAY).add(timer("day")).unwrap();
            let (remote, its) = (events.remote(), gettid());
            let forker = thread::spawn(move || {
                until_it_blocks(its);
                assert_well(in_forked_child(|| {
                    // Nobody takes it there.
                    remote.post(timer("child's")).unwrap();
                    let answer = remote.call(|_| ()).unwrap();
                    assert_eq!(answer.poll(), Ok(None));
                }));
                remote.post(timer("parent's")).unwrap();
                remote.break_loop().unwrap();
            });
            let (outcome, trace) = run(&mut events, Mode::UntilEmpty);
            forker.join().unwrap();
            assert_eq!(outcome, Outcome::Break);
            let rest: Trace = trace.into_iter().chain(look(&mut events)).collect();
            assert_eq!(rest, ["parent's"]);
        },
    );
}

/// Runs the loop, and looks that what another thread does while it waits does not wake it.
fn assert_sleeps_through(events: &mut Loop, act: impl FnOnce(&Remote<Trace>) + Send + 'static) {
    let (remote, its) = (events.remote(), gettid());
    let other = thread::spawn(move || {
        let waits = || {
            until_it_blocks(its);
            let waits = remote.call(|events| events.stats().waits).unwrap();
            waits.wait().unwrap()
        };
        let before = waits();
        until_it_blocks(its);
        act(&remote);
        // The one that was interrupted by this question.
        let after = waits();
        remote.break_loop().unwrap();
        assert_eq!(after, before + 1);
    });
    let ended = run(events, Mode::UntilEmpty);
    assert_eq!(ended, (Outcome::Break, Trace::new()));
    other.join().unwrap();
}

/// The child has the handler, and the loop as it was when another thread forked: asleep, and to be
/// woken by a write.
#[test]
fn signal_of_a_child_does_not_wake_its_parents_loop() {
    in_own_process(
        "fork::threads::signal_of_a_child_does_not_wake_its_parents_loop",
        || {
            let mut events = new_loop();
            events.signal(Signal::USR1).add(signal("USR1")).unwrap();
            assert_sleeps_through(&mut events, |_| {
                assert_well(in_forked_child(|| raise(Signal::USR1)));
            });
            assert_eq!(events.stats().signals, 0);
        },
    );
}

/// The child has the loop as it was when another thread forked: asleep, and to be woken by a write.
#[test]
fn posts_and_activations_of_a_child_do_not_wake_its_parents_loop() {
    in_own_process(
        "fork::threads::posts_and_activations_of_a_child_do_not_wake_its_parents_loop",
        || {
            let mut events = new_loop();
            let id = events.user().persist().add(user("event")).unwrap();
            let activator = events.activator(id, Ready::READ).unwrap();
            assert_sleeps_through(&mut events, move |remote| {
                assert_well(in_forked_child(|| activator.activate().unwrap()));
                assert_well(in_forked_child(|| remote.post(timer("child's")).unwrap()));
            });
        },
    );
}

/// That was made before the fork, as was another that the parent still has.
#[test]
fn activator_that_a_child_inherited_is_of_the_childs_loop() {
    in_own_process(
        "fork::threads::activator_that_a_child_inherited_is_of_the_childs_loop",
        || {
            let mut events = new_loop();
            let id = events.user().persist().add(user("event")).unwrap();
            let activator = events.activator(id, Ready::READ).unwrap();
            let Side::Parent(child) = fork() else {
                events.after_fork().unwrap();
                for _ in 0..3 {
                    let (activator, its) = (activator.clone(), gettid());
                    let other = thread::spawn(move || {
                        until_it_blocks(its);
                        activator.activate().unwrap();
                    });
                    assert_eq!(wait(&mut events), ["event READ"]);
                    other.join().unwrap();
                }
                return;
            };
            assert_done(child);
            assert_eq!(look(&mut events), NOBODY);
            assert_eq!(events.stats().wakeups, 0);
            activator.activate().unwrap();
            assert_eq!(look(&mut events), ["event READ"]);
        },
    );
}
