//! A child that does not make the loop its own can do nothing with it, and nothing to its parent.

use std::io::Read;
use std::os::unix::net::UnixStream;

use evloop::{AddError, Interest, Mode, Ready, RunError, Signal, VerifyError};

use super::scene::{Scene, Side, assert_done, assert_well, fork};
use crate::support::clock::ms;
use crate::support::files::{put, sockets};
use crate::support::held::{held_by_the_loop, if_held};
use crate::support::process::in_own_process;
use crate::support::raw::{in_forked_child, raise};
use crate::support::status::is_caught;
use crate::support::trace::{NOBODY, Trace, io, look, signal, timer, wait};

#[test]
fn inherited_loop_does_not_run() {
    in_own_process("fork::inherited::inherited_loop_does_not_run", || {
        let mut scene = Scene::new();
        let events = &mut scene.events;
        let id = events.user().add(|cx, _| cx.state.push("ran".to_owned()));
        events.activate(id.unwrap(), Ready::READ).unwrap();
        let answer = events.remote().call(|_| "taken").unwrap();
        assert_well(in_forked_child(|| {
            for mode in [
                Mode::UntilEmpty,
                Mode::Once,
                Mode::NonBlocking,
                Mode::StayOnEmpty,
            ] {
                let mut trace = Trace::new();
                let error = events.run_mode(mode, &mut trace).unwrap_err();
                assert!(matches!(error, RunError::Forked), "{error:?}");
                assert_eq!(trace, NOBODY);
            }
            assert_eq!(answer.poll(), Ok(None));
            assert!(matches!(events.verify(), Err(VerifyError::Forked)));
        }));
        assert_eq!(look(events), ["ran"]);
        assert_eq!(answer.poll(), Ok(Some("taken")));
        scene.check();
    });
}

#[test]
fn inherited_loop_takes_nothing_that_the_kernel_would_have_to_know() {
    in_own_process(
        "fork::inherited::inherited_loop_takes_nothing_that_the_kernel_would_have_to_know",
        || {
            let mut scene = Scene::new();
            let held = held_by_the_loop();
            let events = &mut scene.events;
            let (near, far) = sockets();
            let kept = events.io(near, Interest::empty()).persist();
            let kept = kept.add(io("kept")).unwrap();
            assert_well(in_forked_child(|| {
                let (near, _far) = sockets();
                let refused = events.io(near, Interest::READ).add(io("reader"));
                let refused = refused.unwrap_err();
                assert!(matches!(refused.reason, AddError::Forked));
                // It came back.
                let _near: UnixStream = refused.source;
                let refused = events.signal(Signal::USR2).add(signal("USR2"));
                assert!(matches!(refused, Err(AddError::Forked)));
                assert!(!is_caught(Signal::USR2));
                let refused = events.set_interest(kept, Interest::READ);
                assert!(matches!(refused, Err(AddError::Forked)));
            }));
            assert_eq!(held_by_the_loop(), held);
            put(&far, b"x");
            assert_eq!(look(events), NOBODY);
            scene.check();
        },
    );
}

#[test]
fn child_that_drops_the_loop_changes_nothing_in_its_parent() {
    in_own_process(
        "fork::inherited::child_that_drops_the_loop_changes_nothing_in_its_parent",
        || {
            let mut scene = Some(Scene::new());
            let held = held_by_the_loop();
            assert_eq!(held.len(), if_held(1));
            for _ in 0..3 {
                assert_well(in_forked_child(|| drop(scene.take())));
                assert_eq!(held_by_the_loop(), held);
            }
            scene.unwrap().check();
        },
    );
}

/// What a child does with single events is no business of its parent's either.
#[test]
fn child_that_takes_the_loop_apart_changes_nothing_in_its_parent() {
    in_own_process(
        "fork::inherited::child_that_takes_the_loop_apart_changes_nothing_in_its_parent",
        || {
            let mut scene = Scene::new();
            let events = &mut scene.events;
            let (near, far) = sockets();
            let other = events.io(near, Interest::READ).persist();
            let other = other.add(io("other")).unwrap();
            let (near, _far) = sockets();
            let mine = events.io(near, Interest::WRITE);
            let mine = mine.add(io("writer")).unwrap();
            let held = held_by_the_loop();
            assert_eq!(held.len(), if_held(3));
            assert_well(in_forked_child(|| {
                events.set_interest(other, Interest::WRITE).unwrap();
                events.delete(other).unwrap();
                let _source: UnixStream = events.into_source(mine).unwrap();
                let all: Vec<_> = events.iter().map(|event| event.event.id).collect();
                for id in all {
                    events.remove(id).unwrap();
                }
                assert_eq!(events.len(), 0);
            }));
            assert_eq!(held_by_the_loop(), held);
            put(&far, b"x");
            let mut ran = look(events);
            ran.sort();
            assert_eq!(ran, ["other READ", "writer WRITE"]);
            events.remove(other).unwrap();
            scene.check();
        },
    );
}

/// The child has the handler, and its parent's file descriptors.
#[test]
fn signal_of_a_child_is_not_its_parents() {
    in_own_process(
        "fork::inherited::signal_of_a_child_is_not_its_parents",
        || {
            let mut scene = Scene::new();
            let Scene { events, usr1, .. } = &mut scene;
            assert_well(in_forked_child(|| {
                for _ in 0..3 {
                    raise(Signal::USR1);
                }
                events.delete(*usr1).unwrap();
                raise(Signal::USR1);
            }));
            // Not even a wakeup came of it.
            events.timer(ms(1)).add(timer("timer")).unwrap();
            let before = events.stats().waits;
            assert_eq!(wait(events), ["timer"]);
            assert!(events.stats().waits <= before + 2);
            assert_eq!(events.stats().signals, 0);
            scene.check();
        },
    );
}

/// The file lives on in the child when its parent has closed it.
#[test]
fn child_that_lives_on_keeps_no_event_of_its_parents_alive() {
    in_own_process(
        "fork::inherited::child_that_lives_on_keeps_no_event_of_its_parents_alive",
        || {
            let mut scene = Scene::new();
            let (mut until_closed, closed) = sockets();
            let (near, far) = sockets();
            let event = scene.events.io(near, Interest::READ).persist();
            let id = event.add(io("closed")).unwrap();
            let Side::Parent(child) = fork() else {
                drop(closed);
                // Returns when the parent is done.
                let end = until_closed.read(&mut [0]).unwrap();
                assert_eq!(end, 0);
                return;
            };
            scene.events.remove(id).unwrap();
            put(&far, b"x");
            assert_eq!(look(&mut scene.events), NOBODY);
            assert_eq!(scene.events.stats().ghosts, 0);
            assert_eq!(held_by_the_loop().len(), if_held(1));
            scene.check();
            drop(closed);
            assert_done(child);
        },
    );
}

#[test]
fn inherited_loop_of_a_child_is_inherited_by_its_child() {
    in_own_process(
        "fork::inherited::inherited_loop_of_a_child_is_inherited_by_its_child",
        || {
            let mut scene = Scene::new();
            let mut trace = Trace::new();
            assert_well(in_forked_child(|| {
                let is_forked = |error| matches!(error, RunError::Forked);
                assert_well(in_forked_child(|| {
                    assert!(is_forked(scene.events.run(&mut trace).unwrap_err()));
                }));
                assert!(is_forked(scene.events.run(&mut trace).unwrap_err()));
                scene.events.after_fork().unwrap();
                assert_well(in_forked_child(|| {
                    assert!(is_forked(scene.events.run(&mut trace).unwrap_err()));
                    scene.events.after_fork().unwrap();
                    scene.check();
                }));
                scene.check();
            }));
            scene.check();
        },
    );
}
