//! A child that makes the loop its own has all of it, and so has its parent.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::thread;

use evloop::{Interest, Mode, NoSuchEvent, Outcome, Ready, Signal};
use rustix::io::Errno;

use super::scene::{Scene, Side, assert_done, assert_well, close_behind_its_back, fork};
use crate::support::clock::{deadline, loop_now, ms};
use crate::support::fdinfo::Held;
use crate::support::files::{number, open_fds, put, sockets};
use crate::support::held::{held_by_the_loop, if_held};
use crate::support::process::in_own_process;
use crate::support::raw::{in_forked_child, raise};
use crate::support::setting::has_edges;
use crate::support::status::is_caught;
use crate::support::trace::{
    Loop, NOBODY, Trace, io, line, look, new_loop, run, signal, timer, user,
};

/// What the kernel holds, and not under which names.
fn held() -> Vec<Held> {
    let held = held_by_the_loop().into_iter();
    held.map(|held| Held { data: 0, ..held }).collect()
}

#[test]
fn loop_works_in_the_child_and_in_its_parent() {
    in_own_process(
        "fork::rebuilt::loop_works_in_the_child_and_in_its_parent",
        || {
            let mut scene = Scene::new();
            assert_well(in_forked_child(|| {
                scene.events.after_fork().unwrap();
                scene.check();
            }));
            scene.check();
        },
    );
}

/// Both are used at a time: what one changes is not seen by the other.
#[test]
fn child_and_parent_change_their_own_loop() {
    in_own_process(
        "fork::rebuilt::child_and_parent_change_their_own_loop",
        || {
            let mut scene = Scene::new();
            let (near, far) = sockets();
            let events = &mut scene.events;
            let other = events.io(near, Interest::READ).persist();
            let other = other.add(io("other")).unwrap();
            let before = held_by_the_loop();
            put(&far, b"x");
            assert_well(in_forked_child(|| {
                events.after_fork().unwrap();
                assert_eq!(held().len(), if_held(2));
                events.set_interest(other, Interest::WRITE).unwrap();
                assert_eq!(look(events), ["other WRITE"]);
                events.remove(other).unwrap();
                assert_eq!(held().len(), if_held(1));
                events.remove(scene.usr1).unwrap();
                assert!(!is_caught(Signal::USR1));
                let (near, _far) = sockets();
                events.io(near, Interest::READ).add(io("new")).unwrap();
                assert_eq!(look(events), NOBODY);
            }));
            assert_eq!(held_by_the_loop(), before);
            assert!(is_caught(Signal::USR1));
            assert_eq!(look(events), ["other READ"]);
            events.remove(other).unwrap();
            scene.check();
        },
    );
}

/// Also where a handle of another thread's outlives the loop.
#[test]
fn child_keeps_no_waker_of_its_parents() {
    in_own_process("fork::rebuilt::child_keeps_no_waker_of_its_parents", || {
        let before = open_fds();
        let mut events = new_loop();
        let caught = events.signal(Signal::USR1).persist();
        let caught = caught.add(signal("USR1")).unwrap();
        let remote = events.remote();
        let activator = events.activator(caught, Ready::READ).unwrap();
        let parents = open_fds();
        assert_well(in_forked_child(|| {
            events.after_fork().unwrap();
            assert_eq!(open_fds(), parents);
            assert_well(in_forked_child(|| {
                events.after_fork().unwrap();
                assert_eq!(open_fds(), parents);
                activator.activate().unwrap();
                assert_eq!(look(&mut events), ["USR1 x0"]);
                drop(events);
                assert_eq!(open_fds(), before);
                assert_eq!(activator.activate(), Err(NoSuchEvent));
                assert!(remote.exit().is_err());
            }));
        }));
    });
}

#[test]
fn child_holds_what_its_parent_holds() {
    in_own_process("fork::rebuilt::child_holds_what_its_parent_holds", || {
        let mut events = new_loop();
        let mut fars = Vec::new();
        for interest in [Interest::READ, Interest::WRITE, Interest::CLOSED] {
            for is_edge in [false, has_edges()] {
                let (near, far) = sockets();
                let event = events.io(near, interest).persist();
                let event = if is_edge { event.edge() } else { event };
                event.add(io("event")).unwrap();
                fars.push(far);
            }
        }
        // What is not wanted need not be held any more.
        let (near, _far) = sockets();
        let kept = events.io(near, Interest::READ).keep();
        let kept = kept.add(io("kept")).unwrap();
        let (near, _far) = sockets();
        let paused = events.io(near, Interest::READ).persist();
        let paused = paused.add(io("paused")).unwrap();
        look(&mut events);
        events.delete(kept).unwrap();
        events.set_interest(paused, Interest::empty()).unwrap();
        // What the kernel was not told yet.
        let (near, _far) = sockets();
        let changed = events.io(near, Interest::READ).persist();
        let changed = changed.add(io("changed")).unwrap();
        events.set_interest(changed, Interest::WRITE).unwrap();
        let [kept_fd, paused_fd, changed_fd] = [kept, paused, changed].map(|id| {
            let near = events.source::<UnixStream>(id).unwrap();
            number(near)
        });
        let parents = held();
        assert_well(in_forked_child(|| {
            events.after_fork().unwrap();
            events.verify().unwrap();
            let mut expected = parents.clone();
            expected.retain(|held| ![kept_fd, paused_fd].contains(&held.fd));
            for held in &mut expected {
                if held.fd == changed_fd {
                    held.interest = Interest::WRITE;
                }
            }
            assert_eq!(held(), expected);
            look(&mut events);
            assert_eq!(held(), expected);
            // They are there to be used again.
            events.add(kept).unwrap();
            events.set_interest(paused, Interest::READ).unwrap();
            assert_eq!(held().len(), expected.len() + if_held(2));
        }));
        assert_eq!(held(), parents);
    });
}

/// What was active is active, and timeouts go on as if nothing had happened.
#[test]
fn events_are_in_the_child_as_they_were() {
    in_own_process(
        "fork::rebuilt::events_are_in_the_child_as_they_were",
        || {
            let mut events = new_loop();
            let active = events.user().keep().add(user("active")).unwrap();
            events
                .activate(active, Ready::READ | Ready::CLOSED)
                .unwrap();
            events.common_timeout(ms(20));
            let common = events.timer(ms(20)).add(timer("common")).unwrap();
            let ordinary = events.timer(ms(10)).add(timer("ordinary")).unwrap();
            let before = [common, ordinary].map(|id| deadline(&events, id));
            let check = |events: &mut Loop| {
                assert_eq!([common, ordinary].map(|id| deadline(events, id)), before);
                let ran = run(events, Mode::UntilEmpty);
                let expected = ["active READ|CLOSED", "ordinary", "common"];
                assert_eq!(ran, (Outcome::Empty, expected.map(str::to_owned).into()));
                assert!(loop_now(events) >= before[0]);
            };
            assert_well(in_forked_child(|| {
                events.after_fork().unwrap();
                check(&mut events);
            }));
            check(&mut events);
        },
    );
}

#[test]
fn what_was_posted_before_the_fork_is_done_in_both() {
    in_own_process(
        "fork::rebuilt::what_was_posted_before_the_fork_is_done_in_both",
        || {
            let mut scene = Scene::new();
            let remote = scene.events.remote();
            remote.post(timer("posted")).unwrap();
            assert_well(in_forked_child(|| {
                scene.events.after_fork().unwrap();
                assert_eq!(look(&mut scene.events), ["posted"]);
                scene.check();
            }));
            assert_eq!(look(&mut scene.events), ["posted"]);
            scene.check();
        },
    );
}

/// The wakeup is on its way when the loop forks, in a callback, and would wait for a day otherwise.
#[test]
fn wakeup_that_is_on_its_way_is_not_lost() {
    in_own_process(
        "fork::rebuilt::wakeup_that_is_on_its_way_is_not_lost",
        || {
            let mut scene = Scene::new();
            let remote = scene.events.remote();
            let (tell, told) = channel();
            scene.events.defer(move |cx| {
                let posted = thread::spawn(move || remote.post(|cx| cx.events.exit()));
                posted.join().unwrap().unwrap();
                let side = fork();
                if side.is_child() {
                    cx.events.after_fork().unwrap();
                }
                tell.send(side).unwrap();
            });
            let ended = run(&mut scene.events, Mode::UntilEmpty);
            assert_eq!(ended, (Outcome::Exit, Trace::new()));
            // And the next is not either.
            scene.check_wakeup();
            if let Side::Parent(child) = told.recv().unwrap() {
                assert_done(child);
                scene.check();
            }
        },
    );
}

/// What was caught before the fork is the parent's; what the child gets, also before it has made the loop its
/// own, is the child's.
#[test]
fn signal_caught_before_the_fork_is_the_parents() {
    in_own_process(
        "fork::rebuilt::signal_caught_before_the_fork_is_the_parents",
        || {
            let mut scene = Scene::new();
            raise(Signal::USR1);
            raise(Signal::USR1);
            assert_well(in_forked_child(|| {
                for _ in 0..3 {
                    raise(Signal::USR1);
                }
                scene.events.after_fork().unwrap();
                assert_eq!(look(&mut scene.events), ["USR1 x3"]);
                assert_eq!(look(&mut scene.events), NOBODY);
                raise(Signal::USR1);
                assert_eq!(look(&mut scene.events), ["USR1 x1"]);
                scene.check();
            }));
            assert_eq!(look(&mut scene.events), ["USR1 x2"]);
            scene.check();
        },
    );
}

/// A child that gives its event up gives the signal back, and only for itself.
#[test]
fn signal_is_given_back_in_one_process_and_caught_in_the_other() {
    in_own_process(
        "fork::rebuilt::signal_is_given_back_in_one_process_and_caught_in_the_other",
        || {
            let mut scene = Scene::new();
            let events = &mut scene.events;
            assert_well(in_forked_child(|| {
                events.delete(scene.usr1).unwrap();
                events.after_fork().unwrap();
                assert!(!is_caught(Signal::USR1));
                events.add(scene.usr1).unwrap();
                assert!(is_caught(Signal::USR1));
                raise(Signal::USR1);
                assert_eq!(look(events), ["USR1 x1"]);
                events.remove(scene.usr1).unwrap();
                assert!(!is_caught(Signal::USR1));
                let usr2 = events.signal(Signal::USR2).add(signal("USR2"));
                usr2.unwrap();
                raise(Signal::USR2);
                assert_eq!(look(events), ["USR2 x1"]);
            }));
            assert!(is_caught(Signal::USR1) && !is_caught(Signal::USR2));
            scene.check();
        },
    );
}

/// What was closed in the child is told to its events, with the reason; the others are as before.
/// The loop's own new files take numbers that are free now.
#[test]
fn source_that_the_child_has_closed_is_an_error_of_its_events() {
    in_own_process(
        "fork::rebuilt::source_that_the_child_has_closed_is_an_error_of_its_events",
        || {
            let mut scene = Scene::new();
            let mut fars = Vec::new();
            let closed = ["a", "b", "c", "d"].map(|name| {
                let (near, far) = sockets();
                fars.push(far);
                let event = scene.events.io(near, Interest::READ).persist();
                let id = event.add(move |cx, _, ready| {
                    let why = cx.refusal().and_then(|error| Errno::from_io_error(&error));
                    cx.state.push(format!("{} {why:?}", line(name, ready)));
                });
                id.unwrap()
            });
            look(&mut scene.events);
            assert_well(in_forked_child(|| {
                let events = &mut scene.events;
                for id in closed {
                    close_behind_its_back(events.source::<UnixStream>(id).unwrap().as_fd());
                }
                events.after_fork().unwrap();
                let ran = look(events);
                let told: Vec<_> = ran.iter().map(|line| &line[..7]).collect();
                assert_eq!(told, ["a ERROR", "b ERROR", "c ERROR", "d ERROR"]);
                assert!(ran.iter().all(|line| line.contains("Some(")), "{ran:?}");
                assert!(ran[3].contains(&format!("{:?}", Errno::BADF)), "{ran:?}");
                // Once is enough, and what the others send is not theirs.
                put(&fars[0], b"x");
                assert_eq!(look(events), NOBODY);
                scene.check();
            }));
            put(&fars[3], b"x");
            assert_eq!(look(&mut scene.events), ["a READ None", "d READ None"]);
        },
    );
}

#[test]
fn loop_can_be_made_anew_at_any_time() {
    in_own_process("fork::rebuilt::loop_can_be_made_anew_at_any_time", || {
        let mut scene = Scene::new();
        let before = held();
        for _ in 0..3 {
            scene.events.after_fork().unwrap();
            assert_eq!(held(), before);
            scene.check();
        }
        // Within a run too.
        let events = &mut scene.events;
        events.defer(|cx| {
            cx.events.after_fork().unwrap();
            cx.state.push("anew".to_owned());
        });
        assert_eq!(look(events), ["anew"]);
        scene.check();
    });
}
