//! Ghosts: files that were closed behind the loop's back while a duplicate of them lives. The kernel
//! goes on reporting them, under a number that is another's by now or nobody's, by which it cannot
//! be told to stop.
//!
//! A loop that owns its sources has none. It takes a source that somebody else closes.
#![expect(unsafe_code, reason = "a source that somebody else closes")]

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::thread;

use evloop::{AddError, EventId, Interest, Ready, Signal};
use rustix::io::Errno;
use rustix::stdio::dup2_stdin;
use rustix::thread::gettid;

use crate::support::clock::ms;
use crate::support::files::{number, put, shut_down_writing, sockets, take};
use crate::support::held::held_by_the_loop;
use crate::support::process::{in_own_process, in_own_process_if_held};
use crate::support::raw::raise;
use crate::support::status::until_it_blocks;
use crate::support::trace::{Loop, NOBODY, io, line, look, new_loop, signal, timer, wait};

/// A source that does not say when it is closed.
fn lent(file: &impl AsFd) -> BorrowedFd<'static> {
    // SAFETY: the file is to stay open for as long as the borrow lives, which it does not: this is
    // what the tests are about. The loop passes the number to the kernel and does nothing else with
    // it, and the callbacks do not touch it; so no other file that has it by then is harmed.
    unsafe { BorrowedFd::borrow_raw(number(file)) }
}

/// A file that the loop waits for and that was closed, though it lives.
struct Ghost {
    id: EventId,
    /// It was closed under this number.
    number: i32,
    /// What is put in here it reports.
    far: UnixStream,
    _twin: UnixStream,
}

impl Ghost {
    fn new(events: &mut Loop, name: &'static str) -> Self {
        let (near, far) = sockets();
        let twin = near.try_clone().unwrap();
        let event = events.io(lent(&near), Interest::READ).persist();
        let id = event.add(io(name)).unwrap();
        assert_eq!(look(events), NOBODY);
        Self {
            id,
            number: number(&near),
            far,
            _twin: twin,
        }
    }

    /// The source's number is free now, for `near` is the lowest that was.
    fn take_over(&self) -> (UnixStream, UnixStream) {
        let (near, far) = sockets();
        assert_eq!(number(&near), self.number);
        (near, far)
    }
}

/// How many times the loop waited for 20 ms.
fn waits_of_20_ms(events: &mut Loop) -> u64 {
    events.timer(ms(20)).add(timer("enough")).unwrap();
    let before = events.stats().waits;
    assert_eq!(wait(events), ["enough"]);
    events.verify().unwrap();
    events.stats().waits - before
}

/// One for what the kernel reports in vain, one after which it does not any more, and as many again
/// for a clock of the kernel's that ticks later than ours.
const FEW: u64 = 4;

#[test]
fn ghost_is_not_taken_for_the_new_owner_of_its_number() {
    in_own_process_if_held(
        "ghosts::ghost_is_not_taken_for_the_new_owner_of_its_number",
        || {
            let mut events = new_loop();
            let ghost = Ghost::new(&mut events, "ghost");
            events.remove(ghost.id).unwrap();
            let (near, far) = ghost.take_over();
            let event = events.io(near, Interest::READ).persist();
            let id = event.add(io("new")).unwrap();
            put(&ghost.far, b"x");
            assert_eq!(look(&mut events), NOBODY);
            assert_eq!(events.stats().ghosts, 1);
            // It is got rid of, at once and for good.
            let [held] = held_by_the_loop()[..] else {
                panic!("{:?}", held_by_the_loop());
            };
            assert_eq!((held.fd, held.interest), (ghost.number, Interest::READ));
            put(&ghost.far, b"x");
            assert_eq!(look(&mut events), NOBODY);
            assert_eq!(events.stats().ghosts, 1);
            put(&far, b"x");
            assert_eq!(look(&mut events), ["new READ"]);
            events.remove(id).unwrap();
            assert_eq!(held_by_the_loop(), []);
        },
    );
}

/// It reports something in every turn, to nobody.
#[test]
fn ghost_does_not_spin() {
    in_own_process_if_held("ghosts::ghost_does_not_spin", || {
        let mut events = new_loop();
        let ghost = Ghost::new(&mut events, "ghost");
        events.remove(ghost.id).unwrap();
        put(&ghost.far, b"x");
        assert!(waits_of_20_ms(&mut events) <= FEW);
        assert_eq!(events.stats().ghosts, 1);
        drop(ghost.far);
        assert!(waits_of_20_ms(&mut events) <= FEW);
        assert_eq!(events.stats().ghosts, 1);
    });
}

/// A last delete is not told to the kernel until it makes a difference; by then it cannot be.
#[test]
fn ghost_of_a_deleted_event_does_not_spin() {
    in_own_process_if_held("ghosts::ghost_of_a_deleted_event_does_not_spin", || {
        let mut events = new_loop();
        let room = sockets();
        let ghost = Ghost::new(&mut events, "ghost");
        events.delete(ghost.id).unwrap();
        put(&ghost.far, b"x");
        // The loop's next epoll instance takes this number, and not the ghost's.
        drop(room);
        assert!(waits_of_20_ms(&mut events) <= FEW + 1);
        let stats = events.stats();
        assert_eq!((stats.quenched, stats.ghosts), (1, 1));
        assert_eq!(held_by_the_loop(), []);
        // Its event is there as ever, and can be told that its source is not.
        let refused = events.add(ghost.id).unwrap_err();
        let AddError::Control(refused) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(Errno::from_io_error(&refused.source), Some(Errno::BADF));
        events.remove(ghost.id).unwrap();
    });
}

#[test]
fn many_ghosts_are_got_rid_of_together() {
    in_own_process_if_held("ghosts::many_ghosts_are_got_rid_of_together", || {
        let mut events = new_loop();
        let ghosts: Vec<_> = (0..30).map(|_| Ghost::new(&mut events, "ghost")).collect();
        for ghost in &ghosts {
            events.remove(ghost.id).unwrap();
            put(&ghost.far, b"x");
        }
        let (near, far) = sockets();
        let event = events.io(near, Interest::READ).persist();
        event.add(io("new")).unwrap();
        assert!(waits_of_20_ms(&mut events) <= FEW);
        assert!((1..=30).contains(&events.stats().ghosts));
        assert_eq!(held_by_the_loop().len(), 1);
        put(&far, b"x");
        assert_eq!(look(&mut events), ["new READ"]);
    });
}

/// To be rid of a ghost the loop takes a new epoll instance, of which nobody is to notice anything.
#[test]
fn what_is_no_ghost_goes_on() {
    in_own_process_if_held("ghosts::what_is_no_ghost_goes_on", || {
        let mut events = new_loop();
        let (near, level) = sockets();
        let event = events.io(near, Interest::READ).persist();
        event
            .add(|cx, near, ready| {
                take(near);
                cx.state.push(line("level", ready));
            })
            .unwrap();
        let (near, edge) = sockets();
        let event = events.io(near, Interest::READ).edge().persist();
        event.add(io("edge")).unwrap();
        let usr1 = events.signal(Signal::USR1).persist();
        usr1.add(signal("USR1")).unwrap();
        // Deleted and not told, paused and not told, changed and not told.
        let mut not_told = ["deleted", "paused", "changed"].map(|name| {
            let (near, far) = sockets();
            let event = events.io(near, Interest::READ).persist();
            (event.add(io(name)).unwrap(), far)
        });
        let ghost = Ghost::new(&mut events, "ghost");
        events.remove(ghost.id).unwrap();
        put(&ghost.far, b"x");
        let [(deleted, _), (paused, _), (changed, far)] = &mut not_told;
        events.delete(*deleted).unwrap();
        events.set_interest(*paused, Interest::empty()).unwrap();
        events.set_interest(*changed, Interest::CLOSED).unwrap();
        assert_eq!(look(&mut events), NOBODY);
        assert_eq!(events.stats().ghosts, 1);
        events.verify().unwrap();

        let held = held_by_the_loop().into_iter();
        assert_eq!(
            Vec::from_iter(held.map(|held| (held.interest, held.is_edge))),
            [
                (Interest::READ, false),
                (Interest::READ, true),
                (Interest::CLOSED, false)
            ]
        );
        put(&level, b"x");
        put(&edge, b"x");
        assert_eq!(look(&mut events), ["level READ", "edge READ"]);
        assert_eq!(look(&mut events), NOBODY);
        raise(Signal::USR1);
        assert_eq!(look(&mut events), ["USR1 x1"]);
        shut_down_writing(far);
        assert_eq!(look(&mut events), ["changed CLOSED"]);
        events.set_interest(*changed, Interest::empty()).unwrap();
        // From another thread, while it sleeps.
        let (remote, its) = (events.remote(), gettid());
        let poster = thread::spawn(move || {
            until_it_blocks(its);
            remote.post(timer("posted")).unwrap();
        });
        assert_eq!(wait(&mut events), ["posted"]);
        poster.join().unwrap();
    });
}

/// An event whose source was closed, and which nobody has removed, is told when the loop finds out.
#[test]
fn event_whose_source_was_closed_is_told_so() {
    in_own_process("ghosts::event_whose_source_was_closed_is_told_so", || {
        let mut events = new_loop();
        let room = sockets();
        let (near, _far) = sockets();
        let event = events.io(lent(&near), Interest::READ).persist();
        let closed = event
            .add(|cx, _, ready| {
                let why = cx.refusal().and_then(|error| Errno::from_io_error(&error));
                cx.state.push(format!("{} {why:?}", line("closed", ready)));
            })
            .unwrap();
        let ghost = Ghost::new(&mut events, "ghost");
        events.remove(ghost.id).unwrap();
        put(&ghost.far, b"x");
        drop(near);
        // The loop's next epoll instance takes this number.
        drop(room);
        let told = format!("closed ERROR {:?}", Some(Errno::BADF));
        assert_eq!(look(&mut events), [told]);
        assert_eq!(look(&mut events), NOBODY);
        events.remove(closed).unwrap();
    });
}

/// Standard input is everybody's, and may be put to another file at any time: no unsafe code is
/// needed for a ghost.
#[test]
fn standard_input_that_was_redirected_is_no_ghost_of_itself() {
    in_own_process_if_held(
        "ghosts::standard_input_that_was_redirected_is_no_ghost_of_itself",
        || {
            let ((first, first_far), (second, second_far)) = (sockets(), sockets());
            let mut events = new_loop();
            dup2_stdin(&first).unwrap();
            let event = events.io(std::io::stdin(), Interest::READ).persist();
            let id = event.add(io("first")).unwrap();
            put(&first_far, b"x");
            assert_eq!(look(&mut events), ["first READ"]);
            // The first file lives on, under its own number.
            dup2_stdin(&second).unwrap();
            events.remove(id).unwrap();
            let event = events.io(std::io::stdin(), Interest::READ).persist();
            event.add(io("second")).unwrap();
            assert_eq!(look(&mut events), NOBODY);
            assert_eq!(events.stats().ghosts, 1);
            put(&first_far, b"x");
            assert!(waits_of_20_ms(&mut events) <= FEW);
            assert_eq!(events.stats().ghosts, 1);
            put(&second_far, b"x");
            assert_eq!(look(&mut events), ["second READ"]);
        },
    );
}

/// The number changes hands while what is reported for it waits to be run.
#[test]
fn report_does_not_reach_who_takes_the_number_in_the_same_turn() {
    in_own_process(
        "ghosts::report_does_not_reach_who_takes_the_number_in_the_same_turn",
        || {
            let mut events = new_loop();
            let (near, far) = sockets();
            let victim = number(&near);
            let (hand, handed) = channel();
            let first = events.user().add(move |cx, _| {
                let old: EventId = handed.recv().unwrap();
                assert!(cx.events.info(old).unwrap().active.is_some());
                cx.events.remove(old).unwrap();
                let (near, far) = sockets();
                assert_eq!(number(&near), victim);
                let event = cx.events.io(near, Interest::READ).persist();
                // The far end stays open with it.
                let event = event.add(move |cx, _, ready| {
                    cx.state.push(line("new", ready));
                    take(&far);
                });
                event.unwrap();
                cx.state.push("replaced".to_owned());
            });
            let event = events.io(near, Interest::READ).persist();
            hand.send(event.add(io("old")).unwrap()).unwrap();
            put(&far, b"x");
            events.activate(first.unwrap(), Ready::READ).unwrap();
            assert_eq!(look(&mut events), ["replaced"]);
            assert_eq!(look(&mut events), NOBODY);
            assert_eq!(events.stats().ghosts, 0);
        },
    );
}
