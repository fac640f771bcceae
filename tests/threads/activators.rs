//! Events that are activated from other threads: no activation lost, many of them one, and nothing run
//! that was deleted or freed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use evloop::{Activator, EventId, Mode, NoSuchEvent, Outcome, Priority, Ready, Remote};

use super::beside::run_beside;
use super::wakeups::writes;
use crate::support::clock::{DAY, ms};
use crate::support::process::in_own_process;
use crate::support::setting::{NO_EDGES, has_edges, make, skipped};
use crate::support::status::until_it_blocks;
use crate::support::trace::{Loop, NOBODY, Trace, look, new_loop, run_out, timer, user, wait};

#[test]
fn activator_can_be_cloned_and_sent_and_shared() {
    fn is_for_threads<T: Clone + Send + Sync + 'static>() {}
    is_for_threads::<Activator>();
}

#[test]
fn activation_wakes_a_loop_that_sleeps_and_is_told_as_it_was_made() {
    let mut events = new_loop();
    let id = events.user().persist().add(user("event")).unwrap();
    let activator = events.activator(id, Ready::WRITE).unwrap();
    let plain = events.activator(id, Ready::empty()).unwrap();
    let mut trace = Trace::new();
    let (outcome, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, its| {
        for activator in [&activator, &plain] {
            until_it_blocks(its);
            activator.activate().unwrap();
            let seen = remote.call(|_| ()).unwrap();
            seen.wait().unwrap();
        }
        until_it_blocks(its);
        remote.exit().unwrap();
    });
    assert_eq!(outcome, Outcome::Exit);
    assert_eq!(trace, ["event WRITE", "event"]);
}

/// The work of eight threads, each of which activates whenever it has done some.
#[test]
fn callback_finds_all_the_work_that_it_is_activated_for() {
    const THREADS: u64 = 8;
    const EACH: u64 = 2000;
    let work = Arc::new(AtomicU64::new(0));
    let mut events = make::<u64>();
    let done = Arc::clone(&work);
    let id = events.user().persist().add(move |cx, _| {
        *cx.state += 1;
        if done.load(Ordering::Relaxed) == THREADS * EACH {
            cx.events.exit();
        }
    });
    let activator = events.activator(id.unwrap(), Ready::empty()).unwrap();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (work, activator) = (Arc::clone(&work), activator.clone());
            thread::spawn(move || {
                for _ in 0..EACH {
                    work.fetch_add(1, Ordering::Relaxed);
                    activator.activate().unwrap();
                }
            })
        })
        .collect();
    let mut runs = 0;
    // A loop that missed the last of it would wait for ever.
    assert_eq!(events.run(&mut runs).unwrap(), Outcome::Exit);
    assert!((1..=THREADS * EACH).contains(&runs), "{runs}");
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn activations_of_a_loop_that_is_awake_are_one_and_write_nothing() {
    in_own_process(
        "threads::activators::activations_of_a_loop_that_is_awake_are_one_and_write_nothing",
        || {
            let mut events = make::<u64>();
            let id = events.user().persist();
            let id = id.add(|cx, _| *cx.state += 1).unwrap();
            let activator = events.activator(id, Ready::empty()).unwrap();
            let flood = move || {
                thread::scope(|scope| {
                    for _ in 0..8 {
                        scope.spawn(|| (0..1000).for_each(|_| activator.activate().unwrap()));
                    }
                });
            };
            let mut runs = 0;
            // Before a run it is awake too.
            flood();
            assert_eq!(
                events.run_mode(Mode::Once, &mut runs).unwrap(),
                Outcome::Done
            );
            assert_eq!(runs, 1);
            events.defer(move |_| flood());
            assert_eq!(
                events.run_mode(Mode::Once, &mut runs).unwrap(),
                Outcome::Done
            );
            assert_eq!(runs, 2);
            assert_eq!(events.stats().waits, 2);
            assert_eq!(writes(), 0);
        },
    );
}

#[test]
fn activation_of_a_loop_that_sleeps_writes_once() {
    // What is written is counted by what is left to be read.
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    in_own_process(
        "threads::activators::activation_of_a_loop_that_sleeps_writes_once",
        || {
            let mut events = make::<u64>();
            let (ran, has_run) = channel();
            let id = events.user().persist().add(move |cx, _| {
                *cx.state += 1;
                ran.send(()).unwrap();
            });
            let activator = events.activator(id.unwrap(), Ready::empty()).unwrap();
            let mut runs = 0;
            let other = move |remote: &Remote<u64>, its| {
                for n in 0..100 {
                    until_it_blocks(its);
                    assert_eq!(writes(), n);
                    activator.activate().unwrap();
                    has_run.recv().unwrap();
                }
                until_it_blocks(its);
                assert_eq!(writes(), 100);
                remote.exit().unwrap();
            };
            let (_, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut runs, other);
            assert_eq!(runs, 100);
            // One that each ended, and that of the exit: nobody looks for what is known already.
            assert_eq!(events.stats().waits, 101);
        },
    );
}

#[test]
fn events_are_activated_in_the_order_of_their_activators() {
    let mut events = new_loop();
    let names = ["a", "b", "c"];
    let mut activator = |name| {
        let id = events.user().persist().add(user(name)).unwrap();
        events.activator(id, Ready::READ).unwrap()
    };
    let activators = names.map(&mut activator);
    for activator in activators.iter().rev() {
        activator.activate().unwrap();
    }
    assert_eq!(wait(&mut events), ["a READ", "b READ", "c READ"]);
    assert_eq!(look(&mut events), NOBODY);
}

/// As many as need several words of bits.
#[test]
fn each_of_many_activators_is_of_its_own_event() {
    let mut events = make::<Vec<usize>>();
    let activators: Vec<_> = (0..200)
        .map(|n| {
            let event = events.user().persist();
            let id = event.add(move |cx, _| cx.state.push(n)).unwrap();
            events.activator(id, Ready::empty()).unwrap()
        })
        .collect();
    for n in [0, 1, 63, 64, 127, 128, 199] {
        activators[n].activate().unwrap();
        let mut ran = Vec::new();
        let _done = events.run_mode(Mode::NonBlocking, &mut ran).unwrap();
        assert_eq!(ran, [n]);
    }
    activators.iter().for_each(|all| all.activate().unwrap());
    let mut ran = Vec::new();
    let _done = events.run_mode(Mode::NonBlocking, &mut ran).unwrap();
    assert!(ran.into_iter().eq(0..200));
}

#[test]
fn deleted_event_is_not_activated_until_it_is_added_again() {
    let mut events = new_loop();
    let id = events.user().persist().add(user("event")).unwrap();
    let activator = events.activator(id, Ready::READ).unwrap();
    // It was on its way.
    activator.activate().unwrap();
    events.delete(id).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    activator.activate().unwrap();
    assert_eq!(look(&mut events), NOBODY);
    events.add(id).unwrap();
    assert_eq!(look(&mut events), NOBODY);
    activator.activate().unwrap();
    assert_eq!(look(&mut events), ["event READ"]);
}

/// Whichever of the two the thread did last, it has not run when that is taken.
#[test]
fn activation_and_deletion_by_one_thread_are_no_callback() {
    let mut events = new_loop();
    events.timer(DAY).add(timer("day")).unwrap();
    let id = events.user().persist().add(user("event")).unwrap();
    let activator = events.activator(id, Ready::READ).unwrap();
    let mut trace = Trace::new();
    let (_, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, _| {
        for n in 0..500 {
            if n % 2 == 0 {
                activator.activate().unwrap();
                remote.delete_and_wait(id).unwrap();
            } else {
                let deleted = remote.delete(id).unwrap();
                activator.activate().unwrap();
                deleted.wait().unwrap().unwrap();
            }
            let ran = remote.call(move |events| events.info(id).unwrap().runs);
            let ran = ran.unwrap().wait().unwrap();
            // The loop may have been quick, and then it has run before it was deleted.
            for _ in 0..2 {
                let again = remote.call(move |events| events.info(id).unwrap().runs);
                assert_eq!(again.unwrap().wait().unwrap(), ran);
            }
            remote.add(id).unwrap().wait().unwrap().unwrap();
        }
        remote.exit().unwrap();
    });
}

/// What keeps the event active is that somebody activated it, and not that its old timeout has expired.
#[test]
fn activation_outlives_that_the_timeout_begins_anew() {
    type Change = fn(&mut Loop, EventId);
    let changes: [Change; 3] = [
        |events, id| events.set_timeout(id, Some(DAY)).unwrap(),
        |events, id| events.set_timeout(id, None).unwrap(),
        |events, id| events.add(id).unwrap(),
    ];
    let activations: [Change; 3] = [
        |events, id| {
            let activator = events.activator(id, Ready::empty()).unwrap();
            activator.activate().unwrap();
        },
        |events, id| events.activate(id, Ready::empty()).unwrap(),
        |events, id| events.activate_later(id, Ready::empty()).unwrap(),
    ];
    for change in changes {
        for activate in activations {
            let mut events = new_loop();
            let event = events.user().keep().timeout(ms(0));
            let id = event.add(user("event")).unwrap();
            let first = events.timer(ms(0)).priority(Priority::MOST_URGENT);
            first
                .add(move |cx| {
                    cx.events.set_timeout(id, Some(DAY)).unwrap();
                    change(cx.events, id);
                })
                .unwrap();
            activate(&mut events, id);
            assert_eq!([look(&mut events), look(&mut events)].concat(), ["event"]);
        }
    }
}

#[test]
fn activation_waits_for_the_run_that_comes() {
    let mut events = new_loop();
    let id = events.user().persist().add(user("event")).unwrap();
    let activator = events.activator(id, Ready::READ).unwrap();
    activator.activate().unwrap();
    // A run that takes none of it.
    events.break_loop();
    assert_eq!(events.run(&mut Trace::new()).unwrap(), Outcome::Break);
    assert_eq!(wait(&mut events), ["event READ"]);
}

#[test]
fn who_activates_an_event_that_was_freed_is_told_from_the_second_time_on() {
    let mut events = new_loop();
    let one_shot = events.user().add(user("once")).unwrap();
    let once = events.activator(one_shot, Ready::READ).unwrap();
    once.activate().unwrap();
    assert_eq!(run_out(&mut events), ["once READ"]);
    // The loop has not looked for it since.
    assert_eq!(once.activate(), Ok(()));
    assert_eq!(look(&mut events), NOBODY);
    assert_eq!(once.activate(), Err(NoSuchEvent));
    assert_eq!(once.clone().activate(), Err(NoSuchEvent));
    assert_eq!(NoSuchEvent.to_string(), "the event was freed");
    // And nobody has it made active who has its slot.
    let next = events.user().persist().add(user("next")).unwrap();
    assert_eq!(once.activate(), Err(NoSuchEvent));
    assert_eq!(look(&mut events), NOBODY);
    let refused = events.activator(one_shot, Ready::READ).unwrap_err();
    assert_eq!(refused, NoSuchEvent);
    assert!(events.info(next).unwrap().pending);
}

#[test]
fn who_activates_an_event_of_a_loop_that_is_gone_is_told() {
    let mut events = new_loop();
    let id = events.user().persist().add(user("event")).unwrap();
    let activator = events.activator(id, Ready::READ).unwrap();
    activator.activate().unwrap();
    drop(events);
    assert_eq!(activator.activate(), Err(NoSuchEvent));
}

/// What it takes is used again, and nothing of it is left over.
#[test]
fn activator_that_has_the_place_of_another_is_not_activated_by_it() {
    let mut events = new_loop();
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        ids.push(events.user().persist().add(user(name)).unwrap());
    }
    let first = events.activator(ids[0], Ready::READ).unwrap();
    let copy = first.clone();
    first.activate().unwrap();
    drop(first);
    // One clone is left: the place is still its own.
    let second = events.activator(ids[1], Ready::READ).unwrap();
    assert_eq!(look(&mut events), ["a READ"]);
    copy.activate().unwrap();
    drop(copy);
    let third = events.activator(ids[1], Ready::WRITE).unwrap();
    // What was on its way by the last clone is not lost with it.
    assert_eq!(look(&mut events), ["a READ"]);
    third.activate().unwrap();
    second.activate().unwrap();
    assert_eq!(look(&mut events), ["b READ|WRITE"]);
    // And that the event before it is gone says nothing of the next.
    events.remove(ids[1]).unwrap();
    third.activate().unwrap();
    assert_eq!(look(&mut events), NOBODY);
    assert_eq!(third.activate(), Err(NoSuchEvent));
    drop(third);
    let fourth = events.activator(ids[0], Ready::READ).unwrap();
    fourth.activate().unwrap();
    assert_eq!(look(&mut events), ["a READ"]);
}
