//! Readiness of files, and what becomes of their numbers.

use std::os::fd::{AsRawFd, IntoRawFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{dup, write};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::pipe;

use crate::support::{CLOSED, ET, Ev, Loop, NONBLOCK, ONCE, PERSIST, READ, WRITE};

fn sockets() -> (rustix::fd::OwnedFd, rustix::fd::OwnedFd) {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    socketpair(family, kind, SocketFlags::CLOEXEC, None).unwrap()
}

#[test]
fn each_event_of_a_file_is_told_what_it_asked_for() {
    for events in Loop::each() {
        let (near, far) = sockets();
        write(&far, b"x").unwrap();
        let fd = near.as_raw_fd();
        let (reading, read) = Ev::noting(&events, fd, READ);
        let (writing, written) = Ev::noting(&events, fd, WRITE);
        let (both, told) = Ev::noting(&events, fd, READ | WRITE);
        for event in [&reading, &writing, &both] {
            event.add();
        }
        assert_eq!(events.run(0), 1);
        assert_eq!(read.take(), [READ]);
        assert_eq!(written.take(), [WRITE]);
        assert_eq!(told.take(), [READ | WRITE]);
    }
}

#[test]
fn hang_up_is_readiness_to_read_and_to_write() {
    for events in Loop::each() {
        let (reader, writer) = pipe().unwrap();
        drop(writer);
        let (event, told) = Ev::noting(&events, reader.as_raw_fd(), READ);
        event.add();
        assert_eq!(events.run(0), 1);
        assert_eq!(told.take(), [READ]);

        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let (event, told) = Ev::noting(&events, writer.as_raw_fd(), WRITE);
        event.add();
        assert_eq!(events.run(0), 1);
        assert_eq!(told.take(), [WRITE]);
    }
}

#[test]
fn event_that_waits_for_a_close_alone_is_told_of_an_error() {
    for events in Loop::each() {
        let (reader, writer) = pipe().unwrap();
        let (event, told) = Ev::noting(&events, writer.as_raw_fd(), CLOSED);
        event.add();
        assert_eq!(events.run(NONBLOCK), 0);
        drop(reader);
        assert_eq!(events.run(0), 1);
        assert_eq!(told.take(), [CLOSED]);
    }
}

#[test]
fn error_is_no_close_to_who_asked_for_more() {
    for events in Loop::each() {
        for what in [READ, WRITE, READ | WRITE] {
            let (reader, writer) = pipe().unwrap();
            drop(reader);
            let (event, told) = Ev::noting(&events, writer.as_raw_fd(), what | CLOSED);
            event.add();
            assert_eq!(events.run(0), 1);
            assert_eq!(told.take(), [what]);
        }
    }
}

#[test]
fn edges_are_told_once_where_there_are_edges() {
    for (events, calls) in Loop::each().into_iter().zip([1, 1, 3]) {
        let fd = eventfd(1, EventfdFlags::CLOEXEC).unwrap();
        let (reading, read) = Ev::noting(&events, fd.as_raw_fd(), READ | ET | PERSIST);
        reading.add();
        // The kernel is told of this one when the loop waits.
        let (writing, written) = Ev::noting(&events, fd.as_raw_fd(), WRITE | ET | PERSIST);
        writing.add();
        for _ in 0..3 {
            assert_eq!(events.run(ONCE | NONBLOCK), 0);
        }
        let edge = if calls == 1 { ET } else { 0 };
        assert_eq!(read.take(), vec![READ | edge; calls]);
        assert_eq!(written.take(), vec![WRITE | edge; calls]);
        reading.del();
        writing.del();
    }
}

#[test]
fn edges_and_levels_do_not_mix_on_one_file() {
    for events in Loop::each() {
        let (near, _far) = sockets();
        let (level, _) = Ev::noting(&events, near.as_raw_fd(), READ);
        let (edge, _) = Ev::noting(&events, near.as_raw_fd(), READ | ET);
        level.add();
        assert_eq!(edge.try_add(None), -1);
        assert_eq!((level.pending(), edge.pending()), (READ, 0));
        level.del();
        edge.add();
        edge.del();
    }
}

#[test]
fn number_that_was_closed_and_is_used_again_is_waited_for() {
    for events in Loop::each() {
        let (reader, writer) = pipe().unwrap();
        let fd = reader.as_raw_fd();
        let (event, told) = Ev::noting(&events, fd, READ | PERSIST);
        event.add();
        assert_eq!(events.run(NONBLOCK), 0);
        // Closed behind the loop's back, and made anew under the same number.
        let (next, other_end) = pipe().unwrap();
        drop(writer);
        rustix_dup2(&next, reader);
        let (again, told_again) = Ev::noting(&events, fd, READ | PERSIST);
        again.add();
        write(&other_end, b"x").unwrap();
        assert_eq!(events.run(ONCE), 0);
        assert_eq!(told_again.take(), [READ]);
        drop(told);
        event.del();
        again.del();
        // SAFETY: nobody else has the number.
        drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
    }
}

#[test]
fn refusal_that_comes_at_the_wait_is_told_before_anything_is_waited_for() {
    for events in [Loop::new(), Loop::with_changelist()] {
        let (reader, _writer) = pipe().unwrap();
        let fd = reader.as_raw_fd();
        let (event, told) = Ev::noting(&events, fd, READ);
        event.add();
        // What epoll does not take, in the place of what it took.
        let folder = rustix::fd::OwnedFd::from(std::fs::File::open("/").unwrap());
        rustix_dup2(&folder, reader);
        let (again, told_again) = Ev::noting(&events, fd, WRITE);
        again.add();
        // Neither times out.
        assert_eq!(events.run(ONCE), 0);
        assert_eq!((told.take(), told_again.take()), (vec![READ], vec![WRITE]));
        event.del();
        again.del();
        // SAFETY: nobody else has the number.
        drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
    }
}

/// Puts a duplicate of `from` in the place of `to`, whose number stays open.
fn rustix_dup2(from: &rustix::fd::OwnedFd, mut to: rustix::fd::OwnedFd) {
    rustix::io::dup2(from, &mut to).unwrap();
    let _number = to.into_raw_fd();
}

#[test]
fn file_that_lives_on_in_a_duplicate_does_not_spin_the_loop() {
    for events in Loop::each() {
        let (reader, writer) = pipe().unwrap();
        write(&writer, b"x").unwrap();
        let duplicate = dup(&reader).unwrap();
        let (event, told) = Ev::noting(&events, reader.as_raw_fd(), READ | PERSIST);
        event.add();
        drop(reader);
        event.del();
        let (_idle, other_end) = sockets();
        let (other, _) = Ev::noting(&events, other_end.as_raw_fd(), READ);
        other.add();
        // Once it may wake the loop; then it is got rid of.
        for _ in 0..2 {
            assert_eq!(events.run(NONBLOCK), 0);
        }
        assert_eq!(told.take(), []);
        other.del();
        drop(duplicate);
    }
}

#[test]
fn bad_number_is_refused_and_nothing_has_changed() {
    for events in Loop::each() {
        let (event, _) = Ev::noting(&events, i32::MAX, READ);
        assert_eq!(event.try_add(Some(crate::support::ms(1))), -1);
        let error = std::io::Error::last_os_error();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        assert_eq!(event.pending(), 0);
        assert_eq!(events.run(0), 1);
    }
}

#[test]
fn event_deleted_by_an_earlier_callback_of_the_turn_is_not_called() {
    use std::cell::RefCell;
    use std::rc::Rc;
    for events in Loop::each() {
        let (near, far) = sockets();
        write(&far, b"x").unwrap();
        write(&near, b"x").unwrap();
        let pair: Rc<RefCell<Vec<Ev>>> = Rc::default();
        let calls = Rc::new(std::cell::Cell::new(0));
        for fd in [near.as_raw_fd(), far.as_raw_fd()] {
            let (all, counted) = (Rc::clone(&pair), Rc::clone(&calls));
            let event = Ev::new(&events, fd, READ, move |_, _| {
                counted.set(counted.get() + 1);
                for event in &*all.borrow() {
                    event.del();
                }
            });
            event.add();
            pair.borrow_mut().push(event);
        }
        assert_eq!(events.run(0), 1);
        assert_eq!(calls.get(), 1);
        pair.take();
    }
}
