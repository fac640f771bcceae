//! What each error says, by itself and by its sources: each thing is named, by its call and its file
//! descriptor where there is one, and the kernel's reason is to be had.

use std::error::Error;
use std::io;

use evloop::{
    AddError, Capabilities, ControlError, DeleteAndWaitError, EventLoop, InsertError, Interest,
    IntoSourceError, LoopGone, NewError, NoAnswer, NoSuchEvent, RemoveError, RunError, Signal,
    WaitError,
};

const NO_ROOM: i32 = libc::ENOSPC;

fn reason() -> io::Error {
    io::Error::from_raw_os_error(NO_ROOM)
}

fn control() -> ControlError {
    ControlError {
        call: "epoll_ctl(EPOLL_CTL_ADD)",
        fd: 7,
        source: reason(),
    }
}

/// The text, and the kernel's reason: the last of the sources.
#[track_caller]
fn says(error: &dyn Error, text: &str, has_reason: bool) {
    assert!(error.to_string().starts_with(text), "{error}");
    let mut last = None;
    let mut next = error.source();
    while let Some(source) = next {
        last = Some(source);
        next = source.source();
    }
    let errno = last
        .and_then(|last| last.downcast_ref::<io::Error>())
        .and_then(io::Error::raw_os_error);
    assert_eq!(errno, has_reason.then_some(NO_ROOM), "{error}");
}

#[test]
fn new_says_what_could_not_be_made() {
    says(
        &NewError::World(reason()),
        "the world has no backend to give",
        true,
    );
    says(
        &NewError::Control(control()),
        "the internal pipe could not be registered",
        true,
    );
    let unsupported = NewError::Unsupported {
        needed: Capabilities::EDGE,
        backend: "poll",
    };
    says(&unsupported, "the poll backend cannot do EDGE", false);
}

#[test]
fn add_says_what_was_refused() {
    let call = "epoll_ctl(EPOLL_CTL_ADD) failed for file descriptor 7";
    says(&AddError::Control(control()), call, true);
    says(&AddError::NoSuchEvent, "the event was freed", false);
    says(&AddError::BadFd(-1), "-1 is not a file descriptor", false);
    let mixed = AddError::MixedTrigger(7);
    says(&mixed, "file descriptor 7 has events of the other", false);
    let unsupported = AddError::Unsupported {
        needed: Capabilities::EDGE,
        backend: "poll",
    };
    says(&unsupported, "the poll backend cannot do EDGE", false);
    let nonblocking = AddError::Nonblocking {
        fd: 7,
        source: reason(),
    };
    says(
        &nonblocking,
        "ioctl(FIONBIO) failed for file descriptor 7",
        true,
    );
    let caught = AddError::World {
        signal: Signal::USR1,
        source: reason(),
    };
    says(&caught, "SIGUSR1 cannot be caught here", true);
    says(
        &AddError::Forked,
        "the loop is the parent process's (see EventLoop::after_fork)",
        false,
    );
    let insert = InsertError {
        reason: AddError::Control(control()),
        source: (),
    };
    says(&insert, call, true);
}

#[test]
fn what_is_refused_at_the_end_says_so() {
    let call = "epoll_ctl(EPOLL_CTL_ADD) failed for file descriptor 7";
    says(&RemoveError::Control(control()), call, true);
    says(&RemoveError::NoSuchEvent, "the event was freed", false);
    says(&IntoSourceError::Control(control()), call, true);
    says(&IntoSourceError::NoSuchEvent, "the event was freed", false);
    says(
        &IntoSourceError::WrongType,
        "the event has no source of this type",
        false,
    );
    says(
        &IntoSourceError::Running,
        "the event's own callback has the source",
        false,
    );
    says(
        &RunError::Remove(RemoveError::Control(control())),
        call,
        true,
    );
}

#[test]
fn run_says_why_it_cannot_go_on() {
    let wait = WaitError {
        call: "epoll_wait",
        source: reason(),
    };
    says(&RunError::Wait(wait), "epoll_wait failed", true);
    says(
        &RunError::Renew(NewError::World(reason())),
        "the world has no backend to give",
        true,
    );
    says(&RunError::Reentrant, "the loop is running already", false);
    says(
        &RunError::Forked,
        "the loop is the parent process's (see EventLoop::after_fork)",
        false,
    );
}

#[test]
fn other_threads_are_told_what_is_gone() {
    says(&LoopGone, "the loop was dropped", false);
    says(&NoSuchEvent, "the event was freed", false);
    says(&NoAnswer, "there is no answer", false);
    says(&DeleteAndWaitError::LoopGone, "the loop was dropped", false);
    says(
        &DeleteAndWaitError::OwnThread,
        "this thread runs the loop, and cannot wait for it",
        false,
    );
}

/// The one error whose parts only the kernel makes.
#[test]
fn source_that_cannot_be_waited_for_is_named() {
    let mut events: EventLoop<()> = EventLoop::new().unwrap();
    let file = std::fs::File::open("Cargo.toml").unwrap();
    let error = events
        .io(file, Interest::READ)
        .add(|_, _, _| ())
        .unwrap_err();
    assert_eq!(format!("{error:?}").split(' ').next(), Some("InsertError"));
    let reason = Error::source(&error).unwrap();
    let errno = reason.downcast_ref::<io::Error>().unwrap().raw_os_error();
    assert_eq!(errno, Some(libc::EPERM));
    // It says what to do, and leaves the reason to its source.
    let text = error.to_string();
    assert!(text.contains("or_always_ready"), "{text}");
    assert!(!text.contains(&reason.to_string()), "{text}");
}
