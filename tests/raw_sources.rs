//! Sources that are somebody else's, named by their number: closed, opened again and duplicated as
//! their owner likes. What the loop tells the kernel is held against the kernel.
#![expect(unsafe_code, reason = "the door for raw numbers is unsafe")]

use std::fs::File;
use std::os::fd::{AsFd, RawFd};
use std::os::unix::net::UnixStream;

use evloop::{
    AddError, Builder, Capabilities, EventId, Interest, IntoSourceError, Mechanism, RawSource,
    Ready, Trigger,
};
use rustix::io::{Errno, dup};

use crate::support::fdinfo::Held;
use crate::support::files::{for_several, is_nonblocking, is_open, number, put, sockets, take};
use crate::support::held::held_by_the_loop;
use crate::support::process::{in_own_process, in_own_process_if_held};
use crate::support::setting::{Setting, is_coalesced, is_held, setting};
use crate::support::trace::{Loop, NOBODY, io, line, look, new_loop, user};

/// A persistent event of this number.
fn lent(
    events: &mut Loop,
    number: RawFd,
    interest: Interest,
    trigger: Trigger,
    name: &'static str,
) -> Result<EventId, AddError> {
    // SAFETY: each test has a process of its own, in which it opens and closes all files that get
    // this number; or it removes the event before the file is closed.
    let event = unsafe { events.io_raw(number, interest) };
    let event = match trigger {
        Trigger::Level => event,
        Trigger::Edge => event.edge(),
    };
    event.persist().add(move |cx, number, ready| {
        let refusal = cx.refusal().and_then(|error| Errno::from_io_error(&error));
        let why = refusal.map_or_else(String::new, |errno| format!(" {errno:?}"));
        cx.state.push(format!("{}{why}", line(name, ready)));
        assert!(cx.events.source::<RawSource>(cx.id()).unwrap().number() == number);
    })
}

fn reader(events: &mut Loop, file: &impl AsFd, name: &'static str) -> EventId {
    lent(events, number(file), Interest::READ, Trigger::Level, name).unwrap()
}

/// Two ends, of which the near one has this number, which is free.
fn sockets_at(wanted: RawFd) -> (UnixStream, UnixStream) {
    let (near, far) = sockets();
    assert_eq!(number(&near), wanted);
    (near, far)
}

/// The kernel holds this, under whatever names, if it [holds anything](is_held).
fn assert_held<const N: usize>(expected: [(RawFd, Interest); N]) {
    let held = held_by_the_loop().into_iter();
    let held = held.map(|Held { fd, interest, .. }| (fd, interest));
    let held: Vec<_> = held.collect();
    if is_held() {
        assert_eq!(held, expected);
    }
}

#[test]
fn lent_source_is_neither_closed_nor_made_non_blocking() {
    let (near, far) = for_several();
    let mut events = new_loop();
    let id = reader(&mut events, &near, "lent");
    assert!(!is_nonblocking(&near));
    put(&far, b"x");
    assert_eq!(look(&mut events), ["lent READ"]);
    events.remove(id).unwrap();
    let id = reader(&mut events, &near, "lent");
    assert!(matches!(
        events.into_source::<UnixStream>(id),
        Err(IntoSourceError::WrongType)
    ));
    let source: RawSource = events.into_source(id).unwrap();
    assert_eq!(source.number(), number(&near));
    assert!(is_open(&far));
    let _dropped = reader(&mut events, &near, "lent");
    drop(events);
    assert!(is_open(&far));
}

#[test]
fn numbers_that_are_no_open_file_are_refused() {
    let mut events = new_loop();
    for number in [-1, RawFd::MIN, 1 << 30, RawFd::MAX] {
        let refused = lent(
            &mut events,
            number,
            Interest::READ,
            Trigger::Level,
            "nothing",
        );
        assert!(
            matches!(
                &refused,
                Err(AddError::Control(error))
                    if error.fd == number && error.source.raw_os_error() == Some(9)
            ) || matches!(refused, Err(AddError::BadFd(fd)) if fd == number && fd < 0),
        );
        assert_eq!(events.len(), 0);
    }
}

#[test]
fn regular_file_is_refused_or_always_ready() {
    let file = File::open("/proc/self/exe").unwrap();
    let mut events = new_loop();
    let refused = lent(
        &mut events,
        number(&file),
        Interest::READ,
        Trigger::Level,
        "f",
    );
    // Poll takes files, as always ready.
    if setting() == Setting::Poll {
        assert_eq!(look(&mut events), ["f READ"]);
        events.remove(refused.unwrap()).unwrap();
    } else {
        assert!(matches!(refused, Err(AddError::Control(_))), "{refused:?}");
    }
    assert_eq!(events.len(), 0);
    // SAFETY: the file is open for as long as the event is.
    let event = unsafe { events.io_raw(number(&file), Interest::READ) };
    let event = event.or_always_ready().add(|cx, _, ready| {
        cx.state.push(line("file", ready));
    });
    event.unwrap();
    assert_eq!(look(&mut events), ["file READ"]);
}

#[test]
fn number_that_is_opened_again_is_waited_for_from_the_next_add() {
    in_own_process_if_held(
        "raw_sources::number_that_is_opened_again_is_waited_for_from_the_next_add",
        || {
            for trigger in [Trigger::Level, Trigger::Edge] {
                let mut events = new_loop();
                let (near, far) = sockets();
                let at = number(&near);
                let id = lent(&mut events, at, Interest::READ, trigger, "lent").unwrap();
                put(&far, b"x");
                assert_eq!(look(&mut events), ["lent READ"]);
                drop(near);
                let (near, far) = sockets_at(at);
                put(&far, b"x");
                // The kernel has forgotten it, and nobody has told the loop.
                assert_eq!(look(&mut events), NOBODY);
                assert_held([]);
                events.verify().unwrap();
                events.add(id).unwrap();
                assert_eq!(look(&mut events), ["lent READ"]);
                assert_held([(at, Interest::READ)]);
                events.verify().unwrap();
                events.remove(id).unwrap();
                drop(near);
            }
        },
    );
}

/// What poll is told is a number: whatever has it is waited for, and whatever had it is not.
#[test]
fn poll_goes_by_the_number() {
    in_own_process("raw_sources::poll_goes_by_the_number", || {
        let mut events: Loop = Builder::new().mechanism(Mechanism::Poll).build().unwrap();
        let (near, old_far) = sockets();
        let at = number(&near);
        let id = reader(&mut events, &near, "lent");
        let twin = near.try_clone().unwrap();
        drop(near);
        put(&old_far, b"x");
        assert_eq!(look(&mut events), [format!("lent ERROR {:?}", Errno::BADF)]);
        let (near, far) = sockets_at(at);
        events.add(id).unwrap();
        assert_eq!(look(&mut events), NOBODY);
        put(&far, b"x");
        assert_eq!(look(&mut events), ["lent READ"]);
        drop(near);
        let (near, far) = sockets_at(at);
        assert_eq!(look(&mut events), NOBODY);
        put(&far, b"x");
        assert_eq!(look(&mut events), ["lent READ"]);
        assert_eq!(events.stats().ghosts, 0);
        events.remove(id).unwrap();
        drop((near, twin));
    });
}

#[test]
fn number_that_is_opened_again_is_waited_for_when_its_interest_changes() {
    in_own_process(
        "raw_sources::number_that_is_opened_again_is_waited_for_when_its_interest_changes",
        || {
            let mut events = new_loop();
            let (near, _far) = sockets();
            let at = number(&near);
            let id = reader(&mut events, &near, "lent");
            assert_eq!(look(&mut events), NOBODY);
            drop(near);
            let (_near, _far) = sockets_at(at);
            events
                .set_interest(id, Interest::READ | Interest::WRITE)
                .unwrap();
            assert_eq!(look(&mut events), ["lent WRITE"]);
            assert_held([(at, Interest::READ | Interest::WRITE)]);
        },
    );
}

/// Deleted and added between two waits: that comes to nothing only for a source of the loop's own.
#[test]
fn file_that_changed_between_delete_and_add_is_waited_for() {
    in_own_process(
        "raw_sources::file_that_changed_between_delete_and_add_is_waited_for",
        || {
            for closes_first in [true, false] {
                let mut events = new_loop();
                let (near, _far) = sockets();
                let at = number(&near);
                let id = reader(&mut events, &near, "lent");
                assert_eq!(look(&mut events), NOBODY);
                let mut near = Some(near);
                if closes_first {
                    near = None;
                }
                events.delete(id).unwrap();
                drop(near);
                let (_near, far) = sockets_at(at);
                events.add(id).unwrap();
                put(&far, b"x");
                assert_eq!(look(&mut events), ["lent READ"]);
                assert_held([(at, Interest::READ)]);
                events.verify().unwrap();
                events.remove(id).unwrap();
            }
        },
    );
}

#[test]
fn file_that_was_closed_is_deleted_and_removed_without_an_error() {
    in_own_process_if_held(
        "raw_sources::file_that_was_closed_is_deleted_and_removed_without_an_error",
        || {
            let mut events = new_loop();
            // So that there is something to wait for.
            events.user().add(user("idle")).unwrap();
            let (near, far) = sockets();
            let ids = ["first", "second"].map(|name| reader(&mut events, &near, name));
            put(&far, b"x");
            assert_eq!(look(&mut events), ["first READ", "second READ"]);
            drop(near);
            events.verify().unwrap();
            events.delete(ids[0]).unwrap();
            assert_eq!(look(&mut events), NOBODY);
            events.delete(ids[1]).unwrap();
            assert_eq!(look(&mut events), NOBODY);
            assert!(matches!(events.add(ids[0]), Err(AddError::Control(_))));
            for id in ids {
                events.remove(id).unwrap();
            }
            events.verify().unwrap();
        },
    );
}

#[test]
fn add_of_a_file_that_was_closed_since_the_last_is_told_to_its_event() {
    in_own_process(
        "raw_sources::add_of_a_file_that_was_closed_since_the_last_is_told_to_its_event",
        || {
            let mut events = new_loop();
            let (near, _far) = sockets();
            let id = reader(&mut events, &near, "lent");
            assert_eq!(look(&mut events), NOBODY);
            drop(near);
            // As far as the loop knows, the kernel holds it.
            events.add(id).unwrap();
            assert_eq!(look(&mut events), [format!("lent ERROR {:?}", Errno::BADF)]);
            assert_eq!(look(&mut events), NOBODY);
            // It knows better now.
            assert!(matches!(events.add(id), Err(AddError::Control(_))));
        },
    );
}

/// The owner of the new file gives it to the same loop, which still has the event of the old one.
#[test]
fn new_file_can_be_given_to_the_loop_under_a_number_that_is_lent_still() {
    in_own_process(
        "raw_sources::new_file_can_be_given_to_the_loop_under_a_number_that_is_lent_still",
        || {
            let mut events = new_loop();
            let (near, _far) = sockets();
            let at = number(&near);
            let old = reader(&mut events, &near, "old");
            assert_eq!(look(&mut events), NOBODY);
            drop(near);
            let (near, far) = sockets_at(at);
            let event = events.io(near, Interest::READ).persist();
            let new = event.add(io("new")).unwrap();
            put(&far, b"x");
            assert_eq!(look(&mut events), ["old READ", "new READ"]);
            events.remove(old).unwrap();
            assert_eq!(look(&mut events), ["new READ"]);
            assert_held([(at, Interest::READ)]);
            events.remove(new).unwrap();
            assert_held([]);
            assert!(!is_open(&far));
        },
    );
}

/// The file lives on in a duplicate, and goes on being reported.
#[test]
fn file_that_lives_on_is_not_taken_for_the_one_that_has_its_number() {
    in_own_process_if_held(
        "raw_sources::file_that_lives_on_is_not_taken_for_the_one_that_has_its_number",
        || {
            for trigger in [Trigger::Level, Trigger::Edge] {
                let mut events = new_loop();
                let (near, old_far) = sockets();
                let at = number(&near);
                let id = lent(&mut events, at, Interest::READ, trigger, "lent").unwrap();
                assert_eq!(look(&mut events), NOBODY);
                let _twin = dup(&near).unwrap();
                drop(near);
                let (near, far) = sockets_at(at);
                // As far as anybody has said, the event is for the old file.
                put(&old_far, b"x");
                assert_eq!(look(&mut events), ["lent READ"]);
                events.add(id).unwrap();
                put(&old_far, b"x");
                assert_eq!(look(&mut events), NOBODY, "{trigger:?}");
                assert_eq!(events.stats().ghosts, 1);
                assert_held([(at, Interest::READ)]);
                put(&old_far, b"x");
                assert_eq!(look(&mut events), NOBODY);
                assert_eq!(events.stats().ghosts, 1);
                put(&far, b"x");
                assert_eq!(look(&mut events), ["lent READ"]);
                events.remove(id).unwrap();
                drop(near);
            }
        },
    );
}

/// A file and its duplicate; the duplicate is closed and deleted, and comes back under its number.
#[test]
fn duplicate_comes_back_under_its_number() {
    in_own_process("raw_sources::duplicate_comes_back_under_its_number", || {
        let mut events = new_loop();
        let (near, far) = sockets();
        near.set_nonblocking(true).unwrap();
        let twin = dup(&near).unwrap();
        let at = number(&twin);
        reader(&mut events, &near, "file");
        let other = reader(&mut events, &twin, "twin");
        put(&far, b"x");
        let mut ran = look(&mut events);
        ran.sort();
        assert_eq!(ran, ["file READ", "twin READ"]);
        take(&near);
        drop(twin);
        events.delete(other).unwrap();
        // It comes too late for the kernel to be told.
        assert_eq!(look(&mut events), NOBODY);
        assert_held([(number(&near), Interest::READ), (at, Interest::READ)]);
        // The same file again: to the kernel it has never gone.
        let twin = dup(&near).unwrap();
        assert_eq!(number(&twin), at);
        let writer = lent(&mut events, at, Interest::WRITE, Trigger::Level, "writer").unwrap();
        put(&far, b"x");
        let mut ran = look(&mut events);
        ran.sort();
        assert_eq!(ran, ["file READ", "writer WRITE"]);
        assert_eq!(events.stats().ghosts, 0);
        take(&near);
        events.remove(writer).unwrap();
        assert_eq!(look(&mut events), NOBODY);
        assert_held([(number(&near), Interest::READ)]);
        events.verify().unwrap();
    });
}

/// One `epoll_ctl` for each call that could matter, and none that could not.
#[test]
fn kernel_is_told_of_every_add_and_of_nothing_else() {
    let (near, far) = for_several();
    let mut events = new_loop();
    let id = reader(&mut events, &near, "lent");
    put(&far, b"x");
    let mut told = || {
        let before = events.stats().changes_told;
        assert_eq!(look(&mut events), ["lent READ"]);
        let told = events.stats().changes_told - before;
        events.add(id).unwrap();
        told
    };
    let later = u64::from(is_coalesced());
    assert_eq!((told(), told(), told()), (0, later, later));
    // Twice between two waits is once.
    if !is_coalesced() {
        return;
    }
    events.add(id).unwrap();
    events.activate(id, Ready::READ).unwrap();
    let before = events.stats().changes_told;
    assert_eq!(look(&mut events), ["lent READ"]);
    assert_eq!(events.stats().changes_told - before, 1);
    assert_eq!(look(&mut events), ["lent READ"]);
    assert_eq!(events.stats().changes_told - before, 1);
}

#[test]
fn edge_that_the_backend_cannot_report_is_refused() {
    let (near, _far) = sockets();
    let mut events: Loop = Builder::new().mechanism(Mechanism::Poll).build().unwrap();
    let trigger = Trigger::Edge;
    let refused = lent(&mut events, number(&near), Interest::READ, trigger, "edge");
    assert!(matches!(
        refused,
        Err(AddError::Unsupported {
            needed: Capabilities::EDGE,
            backend: "poll",
        })
    ));
    assert_eq!(events.len(), 0);
}
