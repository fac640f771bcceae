//! Bad input: a typed error at the call that gave it, which says what and where; nothing changed.

use std::error::Error;
use std::fs::File;
use std::io::stdin;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use evloop::{AddError, EventLoop, InsertError, Interest, NewError, Signal, SignalError};
use rustix::fs::CWD;
use rustix::io::{Errno, dup};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::clock::DAY;
use crate::support::files::{is_nonblocking, number, open_fds, sockets, with_input};
use crate::support::process::in_own_process;
use crate::support::raw::closed;
use crate::support::setting::{Setting, setting};
use crate::support::status::is_caught;
use crate::support::trace::{Loop, io, look, new_loop, signal};

/// The call, the file descriptor, and the reason.
fn control<F>(error: &InsertError<F>) -> (&'static str, i32, Option<Errno>) {
    let AddError::Control(control) = &error.reason else {
        panic!("{error}");
    };
    (control.call, control.fd, errno(error))
}

/// The system's reason, from what is under the error.
fn errno(error: &impl Error) -> Option<Errno> {
    let reason = error.source()?.downcast_ref::<std::io::Error>()?;
    Errno::from_io_error(reason)
}

/// The loop is as new, and works.
fn is_unchanged(events: &mut Loop) {
    assert_eq!((events.len(), events.timers()), (0, 0));
    assert!(events.is_empty());
    events.check_invariants();
    let (near, _far) = with_input();
    let id = events.io(near, Interest::READ).persist();
    let id = id.add(io("works")).unwrap();
    assert_eq!(look(events), ["works READ"]);
    events.remove(id).unwrap();
}

#[test]
fn file_descriptor_that_is_not_open_is_refused() {
    let mut events = new_loop();
    let number = 1_000_000;
    let event = events.io(closed(number), Interest::READ).timeout(DAY);
    let error = event.add(io("never")).unwrap_err();
    let call = match setting() {
        Setting::Epoll | Setting::AtOnce => "epoll_ctl(EPOLL_CTL_ADD)",
        Setting::Poll => "poll",
    };
    assert_eq!(control(&error), (call, number, Some(Errno::BADF)));
    assert!(error.to_string().contains("1000000"), "{error}");
    assert!(error.to_string().contains(call), "{error}");
    is_unchanged(&mut events);
}

#[test]
fn number_that_is_no_file_descriptor_is_refused() {
    let mut events = new_loop();
    // It stands for a directory in some calls, and is negative.
    let error = events.io(CWD, Interest::READ).add(io("never"));
    let reason = error.unwrap_err().reason;
    assert!(matches!(reason, AddError::BadFd(fd) if fd < 0));
    is_unchanged(&mut events);
}

#[test]
fn regular_file_is_refused_and_comes_back_as_it_was() {
    let mut events = new_loop();
    for path in ["Cargo.toml", "."] {
        let file = File::open(path).unwrap();
        let number = number(&file);
        let event = events.io(file, Interest::READ).timeout(DAY);
        if setting() == Setting::Poll {
            // It takes files, as always ready.
            event.add(io("file")).unwrap();
            assert_eq!(look(&mut events), ["file READ"]);
            continue;
        }
        let error = event.add(io("never")).unwrap_err();
        let call = "epoll_ctl(EPOLL_CTL_ADD)";
        assert_eq!(control(&error), (call, number, Some(Errno::PERM)));
        assert!(!is_nonblocking(&error.source));
        assert!(error.source.metadata().is_ok());
        is_unchanged(&mut events);
    }
}

#[test]
fn refused_source_goes_back_to_where_it_is_shared() {
    let file = Rc::new(closed(1_000_000));
    let mut events = new_loop();
    let event = events.io(Rc::clone(&file), Interest::READ);
    let error = event.add(io("never")).unwrap_err();
    assert_eq!(Rc::strong_count(&file), 2);
    drop(error);
    assert_eq!(Rc::strong_count(&file), 1);
}

#[test]
fn callback_of_a_refused_event_is_dropped_and_never_called() {
    let captured = Rc::new(());
    let mine = Rc::clone(&captured);
    let mut events = new_loop();
    let event = events.io(closed(1_000_000), Interest::READ);
    event
        .add(move |_, _, _| drop(Rc::clone(&mine)))
        .unwrap_err();
    assert_eq!(Rc::strong_count(&captured), 1);
}

#[test]
fn file_that_was_paused_is_refused_when_it_asks() {
    // Poll takes files, as always ready.
    if setting() == Setting::Poll {
        return;
    }
    let mut events = new_loop();
    let file = File::open("Cargo.toml").unwrap();
    let event = events.io(file, Interest::empty()).persist();
    let id = event.add(io("never")).unwrap();
    let refused = events.set_interest(id, Interest::READ).unwrap_err();
    assert_eq!(errno(&refused), Some(Errno::PERM));
    let before = events.info(id).unwrap();
    assert!(before.pending);
    events.check_invariants();
    events.delete(id).unwrap();
    let refused = events.set_interest(id, Interest::READ);
    refused.unwrap();
    assert_eq!(errno(&events.add(id).unwrap_err()), Some(Errno::PERM));
    assert!(!events.info(id).unwrap().pending);
    events.remove(id).unwrap();
    is_unchanged(&mut events);
}

#[test]
fn numbers_that_are_no_signals_are_refused() {
    for number in [i32::MIN, -1, 0, 65, i32::MAX] {
        assert_eq!(Signal::new(number), Err(SignalError::OutOfRange(number)));
    }
}

#[test]
fn signals_that_cannot_be_caught_are_refused() {
    for (number, name) in [(9, "KILL"), (19, "STOP")] {
        let refused = Signal::new(number);
        assert_eq!(refused, Err(SignalError::Uncatchable(number)), "{name}");
    }
    for (number, name) in [(4, "ILL"), (7, "BUS"), (8, "FPE"), (11, "SEGV")] {
        let refused = Signal::new(number);
        assert_eq!(refused, Err(SignalError::Fault(number)), "{name}");
    }
}

/// The C library keeps two for itself.
#[test]
fn signal_that_the_system_refuses_is_an_error_of_the_add() {
    let mut events = new_loop();
    for number in [32, 33] {
        let reserved = Signal::new(number).unwrap();
        let event = events.signal(reserved).timeout(DAY);
        let before = is_caught(reserved);
        let refused = event.add(signal("never")).unwrap_err();
        let AddError::Catch(error) = &refused else {
            panic!("{refused}");
        };
        assert_eq!((error.signal, error.call), (reserved, "sigaction"));
        assert_eq!(errno(&refused), Some(Errno::INVAL));
        assert_eq!(is_caught(reserved), before);
        is_unchanged(&mut events);
    }
}

/// Lets the process open so many more file descriptors than it has.
fn allow_to_open(more: usize) {
    // The limit is for the numbers: those of the duplicates are the next to be given out.
    let twins: Vec<OwnedFd> = (0..=more).map(|_| dup(stdin()).unwrap()).collect();
    let first_refused = u64::try_from(number(twins.last().unwrap())).unwrap();
    let limit = Rlimit {
        current: Some(first_refused),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
fn loop_without_file_descriptors_to_be_had_is_an_error_that_leaves_nothing_open() {
    in_own_process(
        "errors::loop_without_file_descriptors_to_be_had_is_an_error_that_leaves_nothing_open",
        || {
            let full = getrlimit(Resource::Nofile);
            let before = open_fds();
            let mut more = 0;
            loop {
                allow_to_open(more);
                let made = EventLoop::<()>::new();
                setrlimit(Resource::Nofile, full).unwrap();
                let reason = match made {
                    Ok(_) => break,
                    Err(NewError::Backend(error)) => errno(&error),
                    Err(NewError::Pipe(error)) => errno(&error),
                    Err(error) => panic!("{error}"),
                };
                assert_eq!(reason, Some(Errno::MFILE));
                assert_eq!(open_fds(), before);
                more += 1;
            }
            assert_eq!(more, 2, "an epoll instance and an eventfd");
            assert_eq!(open_fds(), before);
        },
    );
}

#[test]
fn loop_at_the_limit_of_file_descriptors_goes_on() {
    in_own_process(
        "errors::loop_at_the_limit_of_file_descriptors_goes_on",
        || {
            let mut events = new_loop();
            let (near, _far) = sockets();
            let near = Rc::new(near);
            allow_to_open(0);
            assert!(near.as_fd().try_clone_to_owned().is_err());
            let event = events.io(Rc::clone(&near), Interest::WRITE).persist();
            event.add(io("writer")).unwrap();
            assert_eq!(look(&mut events), ["writer WRITE"]);
        },
    );
}
