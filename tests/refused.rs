//! A loop whose making the kernel refuses: each system call of it, with each errno that its manual names or
//! that is a sandbox's. It is an error that ends in that errno, or a loop that works; nothing is left open.

#[path = "../crates/epoll/tests/support/refuse.rs"]
mod refuse;

use std::error::Error;
use std::io;

use evloop::{Builder, Interest, Mechanism, NewError};

use self::refuse::{in_own_thread, refuse, refuse_of};
use crate::support::files::with_input;
use crate::support::trace::{Loop, io as reader, look, timer};

/// Makes a loop, and looks that it works if it is one. `None`: it is.
fn errno_of(made: Result<Loop, NewError>) -> Option<i32> {
    match made {
        Ok(mut events) => {
            let (near, _far) = with_input();
            let input = events.io(near, Interest::READ);
            input.add(reader("reader")).unwrap();
            events.remote().post(timer("posted")).unwrap();
            assert_eq!(look(&mut events), ["posted", "reader READ"]);
            events.verify().unwrap();
            None
        }
        Err(error) => {
            let mut last: &dyn Error = &error;
            while let Some(source) = last.source() {
                last = source;
            }
            let reason = last.downcast_ref::<io::Error>();
            Some(reason.and_then(io::Error::raw_os_error).unwrap())
        }
    }
}

fn on_epoll() -> Option<i32> {
    errno_of(Builder::new().mechanism(Mechanism::Epoll).build())
}

#[test]
fn loop_without_an_eventfd_has_a_pipe_and_one_without_room_is_an_error() {
    const EXHAUSTED: [i32; 3] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM];
    for errno in [libc::EINVAL, libc::ENODEV, libc::ENOSYS, libc::EPERM] {
        in_own_thread(move || {
            refuse(libc::SYS_eventfd2, errno);
            assert_eq!(on_epoll(), None, "{errno}");
        });
        // Nor a pipe, but for that of two sockets.
        in_own_thread(move || {
            refuse(libc::SYS_eventfd2, errno);
            refuse(libc::SYS_pipe2, errno);
            assert_eq!(on_epoll(), None, "{errno}");
        });
    }
    for errno in EXHAUSTED {
        in_own_thread(move || {
            refuse(libc::SYS_eventfd2, errno);
            assert_eq!(on_epoll(), Some(errno));
        });
    }
}

#[test]
fn loop_without_an_epoll_is_an_error() {
    const ERRNOS: [i32; 6] = [
        libc::EINVAL,
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOMEM,
        libc::ENOSYS,
        libc::EPERM,
    ];
    for errno in ERRNOS {
        in_own_thread(move || {
            refuse(libc::SYS_epoll_create1, errno);
            assert_eq!(on_epoll(), Some(errno));
        });
    }
}

/// Which is not taken for a lack of room.
#[test]
fn loop_that_may_choose_is_on_poll_where_there_is_no_epoll() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        in_own_thread(move || {
            refuse(libc::SYS_epoll_create1, errno);
            let made = Builder::new().build();
            let backend = made.as_ref().map(Loop::backend_name);
            assert_eq!(backend.unwrap(), "poll", "{errno}");
            assert_eq!(errno_of(made), None, "{errno}");
        });
    }
    for errno in [libc::EMFILE, libc::ENFILE, libc::ENOMEM] {
        in_own_thread(move || {
            refuse(libc::SYS_epoll_create1, errno);
            assert_eq!(errno_of(Builder::new().build()), Some(errno));
        });
    }
}

#[test]
fn loop_whose_internal_pipe_is_not_taken_is_an_error() {
    for errno in [libc::EINVAL, libc::ENOMEM, libc::ENOSPC, libc::EPERM] {
        in_own_thread(move || {
            let add = (1, libc::EPOLL_CTL_ADD);
            refuse_of(libc::SYS_epoll_ctl, &[add], errno);
            assert_eq!(on_epoll(), Some(errno));
        });
    }
}

/// In a child the loop of before stays as it is: it can be tried again.
#[test]
fn loop_that_cannot_be_made_anew_is_as_before() {
    for (call, errno) in [
        (libc::SYS_eventfd2, libc::EMFILE),
        (libc::SYS_epoll_create1, libc::ENFILE),
        (libc::SYS_epoll_ctl, libc::ENOMEM),
    ] {
        in_own_thread(move || {
            let mut events: Loop = Builder::new().mechanism(Mechanism::Epoll).build().unwrap();
            let (near, _far) = with_input();
            let event = events.io(near, Interest::READ).persist();
            event.add(reader("reader")).unwrap();
            assert_eq!(look(&mut events), ["reader READ"]);
            refuse(call, errno);
            events.after_fork().unwrap_err();
            assert_eq!(look(&mut events), ["reader READ"]);
        });
    }
}
