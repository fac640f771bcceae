//! Commands are taken in the order in which they were posted, and none is lost, whatever the loop
//! does meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use evloop::{Interest, LoopGone, Mode, Outcome, Priority, Ready, Remote, RunError};

use super::beside::run_beside;
use crate::support::clock::{DAY, ms};
use crate::support::files::with_input;
use crate::support::setting::make;
use crate::support::status::until_it_blocks;
use crate::support::trace::{Loop, NOBODY, Trace, io, look, new_loop, run_out, timer, user};

fn post(remote: &Remote<Trace>, name: &'static str) {
    remote.post(timer(name)).unwrap();
}

#[test]
fn remote_can_be_cloned_and_sent_and_shared_whatever_the_state_is() {
    fn is_for_threads<T: Clone + Send + Sync + 'static>() {}
    is_for_threads::<Remote<Rc<()>>>();
}

/// Posts of one thread after another are in one order, also where there are more than a turn takes.
#[test]
fn posts_of_several_threads_are_in_one_order() {
    let mut events = make::<Vec<u32>>();
    let remote = events.remote();
    for n in 0..100 {
        let remote = remote.clone();
        let poster = thread::spawn(move || remote.post(move |cx| cx.state.push(n)));
        poster.join().unwrap().unwrap();
    }
    let mut taken = Vec::new();
    assert_eq!(events.run(&mut taken).unwrap(), Outcome::Empty);
    assert!(taken.into_iter().eq(0..100));
}

#[test]
fn posts_and_other_commands_of_a_thread_are_in_one_order() {
    let mut events = new_loop();
    let id = events.user().keep().add(user("event")).unwrap();
    let remote = events.remote();
    post(&remote, "first");
    let activated = remote.activate(id, Ready::READ).unwrap();
    post(&remote, "last");
    assert_eq!(run_out(&mut events), ["first", "event READ", "last"]);
    activated.wait().unwrap().unwrap();
}

#[test]
fn what_was_posted_before_the_run_is_taken_before_any_callback() {
    let mut events = new_loop();
    let id = events.user().persist().add(user("deleted")).unwrap();
    events.activate(id, Ready::READ).unwrap();
    let deleted = events.remote().delete(id).unwrap();
    assert_eq!(run_out(&mut events), NOBODY);
    deleted.wait().unwrap().unwrap();
}

#[test]
fn what_is_posted_while_the_loop_sleeps_wakes_it() {
    let mut events = new_loop();
    let day = events.timer(DAY).add(timer("day")).unwrap();
    let mut trace = Trace::new();
    let (outcome, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut trace, |remote, its| {
        for _ in 0..3 {
            until_it_blocks(its);
            post(remote, "posted");
            let posted_is_over = remote.call(|_| ()).unwrap();
            posted_is_over.wait().unwrap();
        }
        until_it_blocks(its);
        _ = remote.remove(day).unwrap();
    });
    assert_eq!(outcome, Outcome::Empty);
    assert_eq!(trace, ["posted"; 3]);
}

/// What is active is not held up: commands are taken behind the next wait.
#[test]
fn what_is_posted_during_a_callback_comes_after_what_is_active() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let (ask, asked) = channel();
    let (answer, answered) = channel();
    events.defer(move |cx| {
        ask.send(()).unwrap();
        answered.recv().unwrap();
        cx.state.push("first".to_owned());
    });
    events.defer(timer("second"));
    let reader = events.io(near, Interest::READ);
    let reader = reader.add(io("reader")).unwrap();
    events.delete(reader).unwrap();
    let mut trace = Trace::new();
    let (_, ()) = run_beside(
        &mut events,
        Mode::UntilEmpty,
        &mut trace,
        move |remote, _| {
            asked.recv().unwrap();
            post(remote, "posted");
            _ = remote.add(reader).unwrap();
            answer.send(()).unwrap();
        },
    );
    assert_eq!(trace, ["first", "second", "posted", "reader READ"]);
}

/// The callback that posts is the last of the run, and nothing else is left.
#[test]
fn what_is_posted_at_the_very_end_of_a_run_is_done_by_it() {
    let mut events = new_loop();
    let remote = events.remote();
    events
        .timer(ms(0))
        .add(move |cx| {
            cx.state.push("last".to_owned());
            let remote = remote.clone();
            let poster = thread::spawn(move || post(&remote, "posted"));
            poster.join().unwrap();
        })
        .unwrap();
    assert_eq!(run_out(&mut events), ["last", "posted"]);
}

/// A command can be the one that adds what the loop then runs for.
#[test]
fn command_at_the_very_end_keeps_the_run_going() {
    let mut events = new_loop();
    let id = events.user().keep().add(user("event")).unwrap();
    let remote = events.remote();
    events.delete(id).unwrap();
    events.defer(move |_| _ = remote.activate(id, Ready::WRITE).unwrap());
    assert_eq!(run_out(&mut events), ["event WRITE"]);
}

#[test]
fn what_is_posted_between_two_runs_waits_for_the_next() {
    let mut events = new_loop();
    let remote = events.remote();
    assert_eq!(run_out(&mut events), NOBODY);
    post(&remote, "posted");
    let called = remote.call(|events| events.len()).unwrap();
    assert_eq!(called.poll(), Ok(None));
    assert_eq!(run_out(&mut events), ["posted"]);
    // The closure that was posted was an event by then.
    assert_eq!(called.poll(), Ok(Some(1)));
    assert_eq!(run_out(&mut events), NOBODY);
}

#[test]
fn one_look_takes_what_was_posted() {
    let mut events = new_loop();
    let remote = events.remote();
    post(&remote, "posted");
    assert_eq!(look(&mut events), ["posted"]);
    assert_eq!(look(&mut events), NOBODY);
}

/// A loop that posts to itself for ever goes on asking the kernel.
#[test]
fn commands_that_post_commands_keep_no_source_from_being_heard() {
    fn post_again(events: &mut Loop) {
        let remote = events.remote();
        _ = remote.call(post_again).unwrap();
    }
    let (near, _far) = with_input();
    let mut events = new_loop();
    post_again(&mut events);
    events
        .io(near, Interest::READ)
        .add(|cx, _, _| cx.events.exit())
        .unwrap();
    assert_eq!(events.run(&mut Trace::new()).unwrap(), Outcome::Exit);
}

#[test]
fn posts_to_a_loop_that_is_gone_are_refused() {
    let mut events = new_loop();
    let remote = events.remote();
    let id = events.user().add(user("event")).unwrap();
    drop(events);
    assert_eq!(remote.post(timer("posted")), Err(LoopGone));
    assert_eq!(remote.exit(), Err(LoopGone));
    assert_eq!(remote.break_loop(), Err(LoopGone));
    assert_eq!(remote.call(|_| ()).unwrap_err(), LoopGone);
    assert_eq!(remote.add(id).unwrap_err(), LoopGone);
    assert_eq!(remote.delete(id).unwrap_err(), LoopGone);
    assert_eq!(remote.remove(id).unwrap_err(), LoopGone);
    assert_eq!(remote.activate(id, Ready::READ).unwrap_err(), LoopGone);
    assert_eq!(remote.set_timeout(id, None).unwrap_err(), LoopGone);
    let prioritized = remote.set_priority(id, Priority::NORMAL);
    assert_eq!(prioritized.unwrap_err(), LoopGone);
}

/// What a command owns is given up with the loop, though the command was never taken, and may use
/// the remote while it goes.
#[test]
fn commands_that_were_not_taken_are_dropped_with_the_loop() {
    struct Told(Arc<AtomicBool>, Remote<Trace>);
    impl Drop for Told {
        fn drop(&mut self) {
            assert_eq!(self.1.exit(), Err(LoopGone));
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let mut events = new_loop();
    let is_dropped = Arc::new(AtomicBool::new(false));
    let remote = events.remote();
    let told = Told(Arc::clone(&is_dropped), remote.clone());
    remote.post(move |_| drop(told)).unwrap();
    assert!(!is_dropped.load(Ordering::Relaxed));
    drop(events);
    assert!(is_dropped.load(Ordering::Relaxed));
}

/// Runs the loop, which panics.
fn run_into_panic(events: &mut Loop) -> Trace {
    let mut trace = Trace::new();
    let run = AssertUnwindSafe(|| events.run(&mut trace));
    catch_unwind(run).unwrap_err();
    events.verify().unwrap();
    trace
}

#[test]
fn command_that_panics_loses_none_of_the_others() {
    let mut events = new_loop();
    let remote = events.remote();
    post(&remote, "before");
    let answer = remote.call(|_| panic!("as it should")).unwrap();
    post(&remote, "behind");
    let last = remote.call(|_| 7).unwrap();
    assert_eq!(run_into_panic(&mut events), NOBODY);
    // Nobody waits for ever.
    answer.wait().unwrap_err();
    // What was posted first is done first, taken or not.
    post(&remote, "since");
    assert_eq!(run_out(&mut events), ["before", "behind", "since"]);
    assert_eq!(last.poll(), Ok(Some(7)));
}

#[test]
fn command_that_panics_in_a_turn_loses_none_of_the_others() {
    let (near, _far) = with_input();
    let mut events = new_loop();
    let remote = events.remote();
    let reader = events.io(near, Interest::READ);
    reader.add(io("reader")).unwrap();
    let again = remote.clone();
    events.defer(move |_| {
        _ = again.call(|_| panic!("as it should")).unwrap();
        post(&again, "behind");
    });
    assert_eq!(run_into_panic(&mut events), NOBODY);
    assert_eq!(run_out(&mut events), ["reader READ", "behind"]);
}

#[test]
fn closure_that_panics_loses_none_of_the_others() {
    let mut events = new_loop();
    let remote = events.remote();
    for n in 0..3 {
        post(&remote, "posted");
        if n == 1 {
            remote.post(|_| panic!("as it should")).unwrap();
        }
    }
    assert_eq!(run_into_panic(&mut events), ["posted", "posted"]);
    assert_eq!(run_out(&mut events), ["posted"]);
    // From another thread as well, now.
    thread::spawn(move || post(&remote, "still"))
        .join()
        .unwrap();
    assert_eq!(run_out(&mut events), ["still"]);
}

/// It has the loop, but a run is not over before what was posted last is done.
#[test]
fn command_cannot_run_the_loop() {
    fn is_refused(events: &mut Loop) -> bool {
        let refused = events.run(&mut Trace::new());
        matches!(refused, Err(RunError::Reentrant))
    }
    // The command is taken in a turn if there is something to wait for, and at the end if not.
    for is_last in [false, true] {
        let mut events = new_loop();
        let remote = events.remote();
        let first = remote.call(is_refused).unwrap();
        let (hand, handed) = channel();
        events.defer(move |_| {
            let second = remote.call(is_refused).unwrap();
            hand.send(second).unwrap();
        });
        if !is_last {
            events.timer(ms(1)).add(timer("timer")).unwrap();
        }
        run_out(&mut events);
        assert_eq!(first.poll(), Ok(Some(true)));
        assert_eq!(handed.recv().unwrap().poll(), Ok(Some(true)));
    }
}
