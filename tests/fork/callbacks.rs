//! A fork inside a run: the child's run is over, the parent's goes on.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc::{TryRecvError, channel};

use evloop::{Mode, Outcome, Ready, RunError};

use super::scene::{Scene, Side, assert_done, fork};
use crate::support::clock::ms;
use crate::support::held::held_by_the_loop;
use crate::support::process::in_own_process;
use crate::support::trace::{Loop, NOBODY, Trace, look, new_loop, run, timer, user};

/// Where the loop forks.
type Forks = Rc<Cell<Option<Side>>>;

/// Runs a loop that forks. In the parent the run goes well, in the child it ends by the fork.
fn run_in_both(events: &mut Loop, forks: &Forks) -> (Side, Trace) {
    let mut trace = Trace::new();
    let outcome = events.run(&mut trace);
    let side = forks.get().expect("the loop has forked");
    match side {
        Side::Parent(_) => drop(outcome.unwrap()),
        Side::Child => {
            let error = outcome.unwrap_err();
            assert!(matches!(error, RunError::Forked), "{error:?}");
        }
    }
    (side, trace)
}

#[test]
fn fork_in_a_callback_ends_the_childs_run() {
    in_own_process(
        "fork::callbacks::fork_in_a_callback_ends_the_childs_run",
        || {
            let mut scene = Scene::new();
            let held = held_by_the_loop();
            let forks = Forks::default();
            let at = Rc::clone(&forks);
            let events = &mut scene.events;
            events.defer(move |_| at.set(Some(fork())));
            events.timer(ms(2)).add(timer("timer")).unwrap();
            events.timer(ms(3)).add(|cx| cx.events.exit()).unwrap();
            let (side, trace) = run_in_both(events, &forks);
            match side {
                Side::Child => {
                    assert_eq!(trace, NOBODY);
                    scene.events.after_fork().unwrap();
                    // Its timers go on.
                    let ends = run(&mut scene.events, Mode::UntilEmpty);
                    assert_eq!(ends, (Outcome::Exit, vec!["timer".to_owned()]));
                    scene.check_wakeup();
                }
                Side::Parent(child) => {
                    assert_eq!(trace, ["timer"]);
                    assert_eq!(held_by_the_loop(), held);
                    assert_done(child);
                    scene.check();
                }
            }
        },
    );
}

/// What was active besides is the parent's to run, unless the child makes the loop its own.
#[test]
fn callbacks_behind_a_fork_are_not_run_twice() {
    in_own_process(
        "fork::callbacks::callbacks_behind_a_fork_are_not_run_twice",
        || {
            let mut events = new_loop();
            let forks = Forks::default();
            let at = Rc::clone(&forks);
            events.defer(move |cx| {
                cx.state.push("forks".to_owned());
                at.set(Some(fork()));
            });
            let id = events.user().add(user("behind")).unwrap();
            events.activate(id, Ready::READ).unwrap();
            let (side, trace) = run_in_both(&mut events, &forks);
            match side {
                Side::Child => {
                    assert_eq!(trace, ["forks"]);
                    // It is active still.
                    events.after_fork().unwrap();
                    assert_eq!(look(&mut events), ["behind READ"]);
                }
                Side::Parent(child) => {
                    assert_eq!(trace, ["forks", "behind READ"]);
                    assert_done(child);
                }
            }
        },
    );
}

/// A command may need the kernel, which the child's loop does not have yet.
#[test]
fn command_that_was_posted_before_a_fork_is_left_until_the_loop_is_the_childs_own() {
    in_own_process(
        "fork::callbacks::command_that_was_posted_before_a_fork_is_left_until_the_loop_is_the_childs_own",
        || {
            let mut events = new_loop();
            let forks = Forks::default();
            let at = Rc::clone(&forks);
            let remote = events.remote();
            let (did, done) = channel();
            events.defer(move |_| {
                drop(remote.call(move |_| did.send(()).unwrap()).unwrap());
                at.set(Some(fork()));
            });
            match run_in_both(&mut events, &forks) {
                (Side::Child, _) => {
                    assert_eq!(done.try_recv(), Err(TryRecvError::Empty));
                    events.after_fork().unwrap();
                    assert_eq!(look(&mut events), NOBODY);
                    assert_eq!(done.try_recv(), Ok(()));
                }
                (Side::Parent(child), _) => {
                    assert_eq!(done.try_recv(), Ok(()));
                    assert_done(child);
                }
            }
        },
    );
}

/// The callback is the last, and the loop would not wait any more.
#[test]
fn fork_in_the_last_callback_ends_the_childs_run() {
    in_own_process(
        "fork::callbacks::fork_in_the_last_callback_ends_the_childs_run",
        || {
            let mut events = new_loop();
            let forks = Forks::default();
            let at = Rc::clone(&forks);
            events.defer(move |_| at.set(Some(fork())));
            let (side, _) = run_in_both(&mut events, &forks);
            if let Side::Parent(child) = side {
                assert_done(child);
            }
        },
    );
}

#[test]
fn fork_before_a_wait_and_in_a_command_ends_the_childs_run() {
    in_own_process(
        "fork::callbacks::fork_before_a_wait_and_in_a_command_ends_the_childs_run",
        || {
            let places: [fn(&mut Loop, Forks); 3] = [
                |events, at| {
                    let watcher = events.prepare();
                    watcher.add(move |_, _| at.set(Some(fork()))).unwrap();
                },
                |events, at| {
                    let watcher = events.check();
                    watcher.add(move |_| at.set(Some(fork()))).unwrap();
                },
                |events, at| {
                    // A command has to be fit for another thread.
                    let (tell, told) = channel();
                    let command = move |_: &mut Loop| tell.send(fork()).unwrap();
                    _ = events.remote().call(command).unwrap();
                    let watcher = events.prepare();
                    watcher.add(move |_, _| at.set(told.recv().ok())).unwrap();
                },
            ];
            for fork_at in places {
                let mut events = new_loop();
                let forks = Forks::default();
                fork_at(&mut events, Rc::clone(&forks));
                events.timer(ms(1)).add(timer("timer")).unwrap();
                let mut trace = Trace::new();
                let outcome = events.run(&mut trace);
                match outcome {
                    Ok(_) => {
                        assert_eq!(trace, ["timer"]);
                        let Some(Side::Parent(child)) = forks.get() else {
                            panic!("the child ran on");
                        };
                        assert_done(child);
                    }
                    Err(error) => {
                        assert!(matches!(error, RunError::Forked), "{error:?}");
                        assert_eq!(trace, NOBODY);
                        return;
                    }
                }
            }
        },
    );
}

/// The child takes the loop over where it forked, and both runs go on.
#[test]
fn run_goes_on_in_a_child_that_takes_the_loop_over_at_once() {
    in_own_process(
        "fork::callbacks::run_goes_on_in_a_child_that_takes_the_loop_over_at_once",
        || {
            let mut scene = Scene::new();
            let forks = Forks::default();
            let at = Rc::clone(&forks);
            let events = &mut scene.events;
            events.defer(move |cx| {
                let side = fork();
                if side.is_child() {
                    cx.events.after_fork().unwrap();
                }
                at.set(Some(side));
            });
            let id = events.user().add(user("behind")).unwrap();
            events.activate(id, Ready::READ).unwrap();
            events.timer(ms(2)).add(timer("timer")).unwrap();
            events.timer(ms(3)).add(|cx| cx.events.exit()).unwrap();
            let mut trace = Trace::new();
            assert_eq!(events.run(&mut trace).unwrap(), Outcome::Exit);
            assert_eq!(trace, ["behind READ", "timer"]);
            scene.check_wakeup();
            if let Some(Side::Parent(child)) = forks.get() {
                assert_done(child);
                scene.check();
            }
        },
    );
}
