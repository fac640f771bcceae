//! A loop and those who post to it, in every order that the threads and the memory model allow.
//!
//! A thread that waits for ever is reported by loom. What the tests count themselves is relaxed, so
//! that it orders nothing.

use std::thread::{ThreadId, current};

use evloop_pipe::Waker;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

use super::*;

/// A command that only its poster knows.
type Number = usize;

fn mailbox(runner: Option<ThreadId>) -> (Arc<Mailbox<Number>>, Arc<Waker>) {
    let waker = Arc::new(Waker::new().expect("there are file descriptors left"));
    let current = Arc::new(CurrentWaker::new(&waker));
    (Arc::new(Mailbox::new(current, runner)), waker)
}

/// Calls `f` with each command that was posted; it is done when that returns.
fn take(mailbox: &Mailbox<Number>, mut f: impl FnMut(Number)) {
    let mut taken = VecDeque::new();
    mailbox.take(&mut taken);
    for posted in taken {
        let (command, _done) = posted.open(mailbox);
        f(command);
    }
}

fn join(thread: thread::JoinHandle<()>) {
    thread.join().expect("no thread panics");
}

/// A wait for the waker alone, as the loop's backend does it.
fn wait(waker: &Waker) {
    if waker.sleep() {
        while rustix::io::read(waker, &mut [0; 8]).is_err() {
            thread::yield_now();
        }
    }
    waker.awake();
}

#[test]
fn every_command_wakes_the_loop_and_is_taken_in_order() {
    loom::model(|| {
        let (mailbox, waker) = mailbox(Some(current().id()));
        let posters = [10, 20].map(|first| {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || {
                for command in first..first + 2 {
                    mailbox.post(command).expect("the loop is there");
                }
            })
        });
        let mut taken = Vec::new();
        while taken.len() < 4 {
            wait(&waker);
            take(&mailbox, |command| taken.push(command));
        }
        posters.into_iter().for_each(join);
        taken.sort_by_key(|command| command / 10);
        assert_eq!(taken, [10, 11, 20, 21]);
    });
}

/// The command forbids a callback, as that of a deletion does. The loop runs, once and again.
#[test]
fn when_a_wait_is_over_so_is_the_callback() {
    loom::model(|| {
        let (mailbox, _waker) = mailbox(None);
        let is_free = Arc::new(AtomicBool::new(false));
        let poster = thread::spawn({
            let (mailbox, is_free) = (Arc::clone(&mailbox), Arc::clone(&is_free));
            move || {
                // One that nobody waits for, and that says nothing of the next.
                mailbox.post(0).expect("the loop is there");
                let ticket = mailbox.post_with_ticket(1).expect("the loop is there");
                mailbox.wait(ticket).expect("the loop is there");
                is_free.store(true, Ordering::Relaxed);
            }
        });
        let mut is_deleted = false;
        let mut take = || {
            take(&mailbox, |command| is_deleted |= command == 1);
            is_deleted
        };
        for _ in 0..2 {
            mailbox.begin(current().id());
            if !take() {
                for _ in ["it begins", "it ends"] {
                    assert!(!is_free.load(Ordering::Relaxed), "the callback runs");
                }
            }
            take();
            mailbox.end();
        }
        join(poster);
        assert_eq!(
            mailbox.lock().waiting,
            0,
            "or each change would be a system call"
        );
    });
}

#[test]
fn who_waits_for_a_loop_is_told_that_it_is_gone() {
    loom::model(|| {
        let (mailbox, _waker) = mailbox(Some(current().id()));
        let poster = thread::spawn({
            let mailbox = Arc::clone(&mailbox);
            move || {
                let ticket = mailbox.post_with_ticket(1);
                let waited = ticket.and_then(|ticket| mailbox.wait(ticket));
                assert_eq!(waited, Err(LoopGone));
            }
        });
        let left = mailbox.close();
        assert!(left.len() <= 1);
        join(poster);
        take(&mailbox, |_| panic!("the loop is gone"));
    });
}

#[test]
fn a_wait_for_several_commands_ends_when_its_own_is_done() {
    loom::model(|| {
        let (mailbox, waker) = mailbox(Some(current().id()));
        let done = Arc::new(AtomicUsize::new(0));
        let posters = [1, 2].map(|command| {
            let (mailbox, done) = (Arc::clone(&mailbox), Arc::clone(&done));
            thread::spawn(move || {
                let ticket = mailbox.post_with_ticket(command);
                let ticket = ticket.expect("the loop is there");
                mailbox.wait(ticket).expect("the loop is there");
                assert_ne!(done.load(Ordering::Relaxed) & command, 0);
            })
        });
        let mut count = 0;
        while count < 2 {
            wait(&waker);
            take(&mailbox, |command| {
                done.fetch_or(command, Ordering::Relaxed);
                count += 1;
            });
        }
        posters.into_iter().for_each(join);
    });
}

#[test]
fn a_break_is_known_when_its_command_is_taken() {
    loom::model(|| {
        let (mailbox, waker) = mailbox(Some(current().id()));
        let poster = thread::spawn({
            let mailbox = Arc::clone(&mailbox);
            move || mailbox.post_break(1).expect("the loop is there")
        });
        let is_early = mailbox.take_break();
        let mut is_taken = false;
        while !is_taken {
            wait(&waker);
            take(&mailbox, |_| is_taken = true);
        }
        assert!(is_early != mailbox.take_break(), "never, or twice");
        join(poster);
    });
}
