//! What a command came to is told to whoever posted it.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use evloop::{
    AddError, Interest, Mode, NoAnswer, NoSuchEvent, Outcome, Priority, Ready, RemoveError,
};
use rustix::io::Errno;

use super::beside::{run_beside, until_it_waits_for_somebody};
use crate::support::clock::{DAY, ms, now};
use crate::support::files::sockets;
use crate::support::raw::closed;
use crate::support::setting::{NO_EDGES, has_edges, make, skipped};
use crate::support::status::until_it_blocks;
use crate::support::trace::{NOBODY, Trace, io, new_loop, run_out, user};

/// Each command does what the loop's own call does.
#[test]
fn commands_do_what_the_loop_does() {
    let mut events = new_loop();
    let mut user = |name| events.user().keep().add(user(name)).unwrap();
    let [added, deleted, removed, urgent] =
        ["added", "deleted", "removed", "urgent"].map(&mut user);
    for id in [added, deleted, urgent] {
        events.delete(id).unwrap();
    }
    let day = events.timer(DAY);
    let day = day.add(|cx| cx.events.exit()).unwrap();
    let mut trace = Trace::new();
    let (outcome, ()) = run_beside(&mut events, Mode::StayOnEmpty, &mut trace, |remote, _| {
        remote.add(added).unwrap().wait().unwrap().unwrap();
        remote.add(deleted).unwrap().wait().unwrap().unwrap();
        remote.delete(deleted).unwrap().wait().unwrap().unwrap();
        remote.remove(removed).unwrap().wait().unwrap().unwrap();
        let priority = Priority::MOST_URGENT;
        let changed = remote.set_priority(urgent, priority).unwrap();
        changed.wait().unwrap().unwrap();
        let look = remote.call(move |events| {
            let pending = |id| events.info(id).map(|info| (info.pending, info.priority));
            [added, deleted, removed, urgent].map(pending)
        });
        let normal = Priority::NORMAL;
        assert_eq!(
            look.unwrap().wait().unwrap(),
            [
                Some((true, normal)),
                Some((false, normal)),
                None,
                Some((false, priority))
            ]
        );
        let activated = remote.activate(added, Ready::READ).unwrap();
        activated.wait().unwrap().unwrap();
        let sooner = remote.set_timeout(day, Some(ms(1))).unwrap();
        sooner.wait().unwrap().unwrap();
    });
    assert_eq!(outcome, Outcome::Exit);
    assert_eq!(trace, ["added READ"]);
}

/// It is done when the kernel was just asked: that is the look, and there is no other.
#[test]
fn rescan_from_elsewhere_costs_no_wait_and_keeps_nobody_from_running() {
    let mut events = new_loop();
    let ids = ["a", "b"].map(|name| events.user().persist().add(user(name)).unwrap());
    let mut trace = Trace::new();
    let (_, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, its| {
        let waits = |is_rescanned: bool| {
            until_it_blocks(its);
            let looked = remote.call(move |events| {
                for id in ids {
                    events.activate(id, Ready::READ).unwrap();
                }
                if is_rescanned {
                    events.rescan();
                }
                events.stats().waits
            });
            looked.unwrap().wait().unwrap()
        };
        let before = waits(true);
        let after = waits(false);
        // That which the second call ended.
        assert_eq!(after, before + 1);
        until_it_blocks(its);
        remote.exit().unwrap();
    });
    assert_eq!(trace, ["a READ", "b READ", "a READ", "b READ"]);
}

#[test]
fn timeout_that_was_set_from_elsewhere_runs_from_when_it_was_set() {
    let mut events = make::<Option<Duration>>();
    let day = events.timer(DAY);
    let day = day.add(|cx| *cx.state = Some(now())).unwrap();
    let mut fired = None;
    let (outcome, set) = run_beside(&mut events, Mode::UntilEmpty, &mut fired, |remote, its| {
        until_it_blocks(its);
        let before = now();
        let set = remote.set_timeout(day, Some(ms(2))).unwrap();
        set.wait().unwrap().unwrap();
        before
    });
    assert_eq!(outcome, Outcome::Empty);
    assert!(fired.unwrap() >= set + ms(2));
}

#[test]
fn command_for_an_event_that_was_freed_says_so() {
    let mut events = new_loop();
    let id = events.user().add(user("freed")).unwrap();
    let remote = events.remote();
    events.remove(id).unwrap();
    let added = remote.add(id).unwrap();
    let deleted = remote.delete(id).unwrap();
    let removed = remote.remove(id).unwrap();
    let activated = remote.activate(id, Ready::READ).unwrap();
    let timeout = remote.set_timeout(id, Some(ms(1))).unwrap();
    let priority = remote.set_priority(id, Priority::MOST_URGENT).unwrap();
    assert_eq!(run_out(&mut events), NOBODY);
    let error = added.wait().unwrap().unwrap_err();
    assert!(matches!(error, AddError::NoSuchEvent), "{error:?}");
    for reply in [deleted, removed] {
        let error = reply.wait().unwrap().unwrap_err();
        assert!(matches!(error, RemoveError::NoSuchEvent), "{error:?}");
    }
    for reply in [activated, timeout, priority] {
        assert_eq!(reply.wait(), Ok(Err(NoSuchEvent)));
    }
}

#[test]
fn refusal_of_the_kernel_reaches_who_posted() {
    let mut events = new_loop();
    let mut trace = Trace::new();
    let (_, ()) = run_beside(&mut events, Mode::StayOnEmpty, &mut trace, |remote, _| {
        let added = remote.call(|events| {
            let refused = events
                .io(closed(1_000_000), Interest::READ)
                .add(io("never"));
            refused.unwrap_err().reason
        });
        let reason = added.unwrap().wait().unwrap();
        let AddError::Control(reason) = reason else {
            panic!("{reason:?}");
        };
        assert_eq!(Errno::from_io_error(&reason.source), Some(Errno::BADF));
        remote.exit().unwrap();
    });
}

#[test]
fn event_that_does_not_fit_is_refused_to_who_posted() {
    if !has_edges() {
        return skipped(NO_EDGES);
    }
    let (near, _far) = sockets();
    let near = std::rc::Rc::new(near);
    let mut events = new_loop();
    let edge = events.io(near.clone(), Interest::READ).edge().keep();
    let edge = edge.add(io("edge")).unwrap();
    events.delete(edge).unwrap();
    events.io(near, Interest::READ).add(io("level")).unwrap();
    let mut trace = Trace::new();
    let (_, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, _| {
        let refused = remote.add(edge).unwrap().wait().unwrap().unwrap_err();
        assert!(matches!(refused, AddError::MixedTrigger(_)), "{refused:?}");
        remote.exit().unwrap();
    });
    assert_eq!(trace, NOBODY);
}

#[test]
fn answer_is_there_when_the_command_was_taken() {
    let mut events = new_loop();
    let remote = events.remote();
    let answer = remote.call(|events| events.len()).unwrap();
    let unheard = remote.call(|events| events.len()).unwrap();
    assert_eq!(answer.poll(), Ok(None));
    // Who posted it may not care.
    drop(unheard);
    assert_eq!(run_out(&mut events), NOBODY);
    assert_eq!(answer.poll(), Ok(Some(0)));
    // It was given.
    assert_eq!(answer.poll(), Err(NoAnswer));
    let later = remote.call(|_| "later").unwrap();
    run_out(&mut events);
    // The answer stays when the loop goes.
    drop(events);
    assert_eq!(later.wait(), Ok("later"));
}

#[test]
fn command_that_is_never_taken_is_answered_when_the_loop_goes() {
    let mut events = new_loop();
    let answer = events.remote().call(|_| ()).unwrap();
    assert_eq!(answer.poll(), Ok(None));
    drop(events);
    assert_eq!(answer.poll(), Err(NoAnswer));
    assert_eq!(answer.wait(), Err(NoAnswer));
}

#[test]
fn who_waits_for_an_answer_is_told_that_the_loop_goes() {
    let mut events = new_loop();
    let answer = events.remote().call(|_| ()).unwrap();
    let (tell, told) = channel();
    let waiter = thread::spawn(move || {
        tell.send(rustix::thread::gettid()).unwrap();
        answer.wait()
    });
    until_it_waits_for_somebody(told.recv().unwrap());
    drop(events);
    assert_eq!(waiter.join().unwrap(), Err(NoAnswer));
}
