//! Deleting from another thread, and waiting until the callback is surely over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use evloop::{DeleteAndWaitError, EventId, Mode, Outcome, Ready, Remote};
use rustix::thread::gettid;

use super::beside::{run_beside, until_it_waits_for_somebody};
use crate::support::clock::{DAY, ms};
use crate::support::status::until_it_blocks;
use crate::support::trace::{Loop, NOBODY, Trace, new_loop, run_out, timer, user};

/// The callback is in its middle when it is deleted, and goes on only when the one who deletes it
/// waits.
#[test]
fn deleting_returns_when_the_callback_is_over() {
    let mut events = new_loop();
    let (enter, entered) = channel();
    let (tell, told) = channel();
    let is_over = Arc::new(AtomicBool::new(false));
    let is_over_there = Arc::clone(&is_over);
    let id = events
        .user()
        .persist()
        .add(move |_, _| {
            enter.send(()).unwrap();
            until_it_waits_for_somebody(told.recv().unwrap());
            is_over_there.store(true, Ordering::SeqCst);
        })
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
    let mut trace = Trace::new();
    let (outcome, ()) = run_beside(
        &mut events,
        Mode::UntilEmpty,
        &mut trace,
        move |remote, _| {
            entered.recv().unwrap();
            tell.send(gettid()).unwrap();
            remote.delete_and_wait(id).unwrap();
            assert!(is_over.load(Ordering::SeqCst));
        },
    );
    // It was the last event.
    assert_eq!(outcome, Outcome::Empty);
    assert!(!events.info(id).unwrap().pending);
}

/// The callback has itself run again and again, also while it is deleted.
#[test]
fn callback_does_not_run_after_its_event_was_deleted() {
    let mut events = new_loop();
    events.timer(DAY).add(timer("day")).unwrap();
    let ran = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&ran);
    let id = events
        .user()
        .persist()
        .add(move |cx, _| {
            counter.fetch_add(1, Ordering::SeqCst);
            cx.events.activate(cx.id(), Ready::READ).unwrap();
            // So that the loop looks for what was posted.
            cx.events.rescan();
        })
        .unwrap();
    let mut trace = Trace::new();
    let (_, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, _| {
        for _ in 0..50 {
            let activated = remote.activate(id, Ready::READ).unwrap();
            activated.wait().unwrap().unwrap();
            let before = ran.load(Ordering::SeqCst);
            while ran.load(Ordering::SeqCst) < before + 3 {
                thread::yield_now();
            }
            remote.delete_and_wait(id).unwrap();
            let after = ran.load(Ordering::SeqCst);
            for _ in 0..3 {
                remote.call(|_| ()).unwrap().wait().unwrap();
            }
            assert_eq!(ran.load(Ordering::SeqCst), after);
        }
        remote.exit().unwrap();
    });
}

#[test]
fn event_of_a_loop_that_sleeps_is_deleted_at_once() {
    let mut events = new_loop();
    let id = events.timer(DAY).add(timer("day")).unwrap();
    let mut trace = Trace::new();
    let (outcome, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, its| {
        until_it_blocks(its);
        remote.delete_and_wait(id).unwrap();
    });
    assert_eq!(outcome, Outcome::Empty);
    assert_eq!(trace, NOBODY);
}

/// On the thread that runs the loop, waiting would be for ever.
fn refused_on_this_thread(remote: &Remote<Trace>, id: EventId) {
    let refused = remote.delete_and_wait(id);
    assert_eq!(refused, Err(DeleteAndWaitError::OwnThread));
}

#[test]
fn deleting_and_waiting_is_refused_on_the_loops_own_thread() {
    let mut events = new_loop();
    let remote = events.remote();
    let other = events.user().add(user("other")).unwrap();
    let within = remote.clone();
    let timer = events.timer(ms(0)).persist();
    let id = timer
        .add(move |cx| {
            refused_on_this_thread(&within, cx.id());
            refused_on_this_thread(&within, other);
            // Nothing has changed.
            for id in [cx.id(), other] {
                assert!(cx.events.info(id).unwrap().pending);
            }
            cx.events.delete(cx.id()).unwrap();
            cx.events.activate(other, Ready::READ).unwrap();
        })
        .unwrap();
    let within = remote.clone();
    let watched = events
        .prepare()
        .add(move |_, _| refused_on_this_thread(&within, id));
    watched.unwrap();
    let within = remote.clone();
    let posted = remote.post(move |_| refused_on_this_thread(&within, id));
    posted.unwrap();
    let within = remote.clone();
    let command = remote.call(move |_| refused_on_this_thread(&within, id));
    assert_eq!(run_out(&mut events), ["other READ"]);
    command.unwrap().wait().unwrap();
}

/// A remote that was made within the run knows of it as well.
#[test]
fn deleting_and_waiting_is_refused_though_the_remote_is_new() {
    let mut events = new_loop();
    let id = events.user().add(user("user")).unwrap();
    events.defer(move |cx| {
        refused_on_this_thread(&cx.events.remote(), id);
        cx.events.delete(id).unwrap();
    });
    assert_eq!(run_out(&mut events), NOBODY);
}

/// Nothing is to be waited for; what was active already is so no more.
#[test]
fn event_of_a_loop_that_does_not_run_is_deleted_by_the_next_run() {
    let mut events = new_loop();
    let remote = events.remote();
    let id = events.user().persist().add(user("user")).unwrap();
    let delete = |events: &mut Loop, remote: &Remote<Trace>| {
        events.activate(id, Ready::READ).unwrap();
        let remote = remote.clone();
        let deleter = thread::spawn(move || remote.delete_and_wait(id));
        deleter.join().unwrap().unwrap();
        // It is the next run that does it.
        assert!(events.info(id).unwrap().pending);
    };
    delete(&mut events, &remote);
    assert_eq!(run_out(&mut events), NOBODY);
    assert!(!events.info(id).unwrap().pending);
    // Between two runs it is the same, and on this thread too.
    events.add(id).unwrap();
    delete(&mut events, &remote);
    remote.delete_and_wait(id).unwrap();
    assert_eq!(run_out(&mut events), NOBODY);
}

#[test]
fn nothing_of_a_loop_that_is_gone_is_to_be_waited_for() {
    let mut events = new_loop();
    let remote = events.remote();
    let id = events.user().add(user("user")).unwrap();
    drop(events);
    let refused = remote.delete_and_wait(id);
    assert_eq!(refused, Err(DeleteAndWaitError::LoopGone));
}

#[test]
fn event_that_was_freed_has_no_callback_to_wait_for() {
    let mut events = new_loop();
    let id = events.user().add(user("user")).unwrap();
    events.remove(id).unwrap();
    events.timer(DAY).add(timer("day")).unwrap();
    let mut trace = Trace::new();
    let (_, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, _| {
        remote.delete_and_wait(id).unwrap();
        remote.exit().unwrap();
    });
}

/// The run that is waited for ends otherwise: its callback panics, and so is over.
#[test]
fn callback_that_panics_is_over() {
    let mut events = new_loop();
    let remote = events.remote();
    let (enter, entered) = channel();
    let (tell, told) = channel();
    let id = events
        .user()
        .persist()
        .add(move |_, _| {
            enter.send(()).unwrap();
            until_it_waits_for_somebody(told.recv().unwrap());
            panic!("as it should");
        })
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
    let deleter = thread::spawn(move || {
        entered.recv().unwrap();
        tell.send(gettid()).unwrap();
        remote.delete_and_wait(id)
    });
    let run = AssertUnwindSafe(|| events.run(&mut Trace::new()));
    catch_unwind(run).unwrap_err();
    deleter.join().unwrap().unwrap();
    assert_eq!(run_out(&mut events), NOBODY);
}

/// The loop ends, and goes, while somebody waits: either answer is right, and one comes.
#[test]
fn who_waits_is_told_when_the_loop_ends_and_goes() {
    let mut events = new_loop();
    let remote = events.remote();
    let (enter, entered) = channel();
    let (tell, told) = channel();
    let id = events
        .user()
        .add(move |cx, _| {
            enter.send(()).unwrap();
            until_it_waits_for_somebody(told.recv().unwrap());
            cx.events.break_loop();
        })
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
    let deleter = thread::spawn(move || {
        entered.recv().unwrap();
        tell.send(gettid()).unwrap();
        remote.delete_and_wait(id)
    });
    assert_eq!(events.run(&mut Trace::new()).unwrap(), Outcome::Break);
    drop(events);
    let answer = deleter.join().unwrap();
    assert!(
        matches!(answer, Ok(()) | Err(DeleteAndWaitError::LoopGone)),
        "{answer:?}"
    );
}

/// Eight threads, each with events of its own that run all the time and that all of them delete.
#[test]
fn many_threads_delete_many_events() {
    const THREADS: usize = 8;
    const EVENTS: usize = 20;
    let mut events = new_loop();
    let ran: Arc<[AtomicU32]> = (0..THREADS * EVENTS).map(|_| AtomicU32::new(0)).collect();
    let ids: Vec<EventId> = (0..THREADS * EVENTS)
        .map(|at| {
            let ran = Arc::clone(&ran);
            let timer = events.timer(ms(0)).persist();
            let id = timer.add(move |_| _ = ran[at].fetch_add(1, Ordering::SeqCst));
            id.unwrap()
        })
        .collect();
    let mut trace = Trace::new();
    let (outcome, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, _| {
        let (ids, ran) = (&ids, &ran);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    for n in 0..EVENTS {
                        let at = n * THREADS + thread;
                        remote.delete_and_wait(ids[at]).unwrap();
                        let after = ran[at].load(Ordering::SeqCst);
                        // Another's, which may be deleted already or be so only now.
                        remote.delete_and_wait(ids[(at + 1) % ids.len()]).unwrap();
                        assert_eq!(ran[at].load(Ordering::SeqCst), after);
                    }
                });
            }
        });
    });
    assert_eq!(outcome, Outcome::Empty);
    assert!(ids.iter().all(|id| !events.info(*id).unwrap().pending));
}
