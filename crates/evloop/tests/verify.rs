//! Whether all is in order: what the check of a loop finds, and says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    unsafe_code,
    reason = "what is checked is that things done behind the loop's back are found"
)]

use std::error::Error;
use std::fs::read_to_string;
use std::io;
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use evloop::{Builder, EventId, EventLoop, Held, Interest, Mechanism, Mode, Trigger, VerifyError};
use rustix::event::epoll;
use rustix::process::{Pid, WaitOptions, waitpid};

type Loop = EventLoop<()>;

fn look(events: &mut Loop) {
    let _outcome = events.run_mode(Mode::NonBlocking, &mut ()).unwrap();
}

/// A child has open what the process had when it was forked off. While it lives nothing that is closed here
/// is closed for the kernel, in whatever test.
fn without_children() -> MutexGuard<'static, ()> {
    static CHILDREN: Mutex<()> = Mutex::new(());
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A source that the loop does not close, so that a test can.
fn leaked() -> (&'static UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (Box::leak(Box::new(near)), far)
}

/// Closes a file descriptor that is the loop's, by its number.
fn close_behind_its_back(source: &'static UnixStream) {
    // SAFETY: it was leaked, so that nobody else closes it; nobody reads or writes it again.
    unsafe { rustix::io::close(source.as_raw_fd()) };
}

/// The epoll instance of a loop, whose number only its `Debug` output tells.
fn epoll_of(events: &Loop) -> BorrowedFd<'_> {
    let told = format!("{events:?}");
    let (_, number) = told.split_once("fd: ").unwrap();
    let number = number.split_once(' ').unwrap().0.parse().unwrap();
    // SAFETY: the loop is borrowed for as long, and with it its epoll instance.
    unsafe { BorrowedFd::borrow_raw(number) }
}

fn added(events: &mut Loop, interest: Interest) -> (EventId, Rc<UnixStream>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    let near = Rc::new(near);
    let event = events.io(Rc::clone(&near), interest).persist();
    (event.add(|_, _, _| ()).unwrap(), near, far)
}

#[test]
fn loop_is_in_order_whatever_is_outstanding() {
    for mechanism in [Mechanism::Epoll, Mechanism::Poll] {
        let mut events: Loop = Builder::new().mechanism(mechanism).build().unwrap();
        events.verify().unwrap();
        let (id, near, mut far) = added(&mut events, Interest::READ);
        let shared = events.io(near, Interest::WRITE);
        shared.add(|cx, _, _| cx.events.verify().unwrap()).unwrap();
        events.verify().unwrap();
        far.write_all(b"x").unwrap();
        look(&mut events);
        events.verify().unwrap();
        events.set_interest(id, Interest::CLOSED).unwrap();
        events.verify().unwrap();
        events.delete(id).unwrap();
        look(&mut events);
        events.verify().unwrap();
        events.remove(id).unwrap();
        events.verify().unwrap();
    }
}

/// What is said of a loop for what was done to it.
fn said(break_it: impl FnOnce(&mut Loop)) -> VerifyError {
    let _alone = without_children();
    let mut events: Loop = Builder::new().mechanism(Mechanism::Epoll).build().unwrap();
    let _near = added(&mut events, Interest::READ);
    events.verify().unwrap();
    break_it(&mut events);
    events.verify().unwrap_err()
}

/// The one thing that does not match: what was told, and what is held.
fn mismatch(error: &VerifyError) -> (Option<Held>, Option<Held>) {
    let VerifyError::Kernel(mismatches) = error else {
        panic!("{error}")
    };
    let [mismatch] = mismatches[..] else {
        panic!("{error}")
    };
    (mismatch.told, mismatch.held)
}

#[test]
fn source_that_was_closed_behind_the_loop_s_back_is_found() {
    let (near, _far) = leaked();
    let fd = near.as_raw_fd();
    let error = said(|events| {
        let event = events.io(near, Interest::READ | Interest::CLOSED).edge();
        event.add(|_, _, _| ()).unwrap();
        events.verify().unwrap();
        close_behind_its_back(near);
    });
    let (Some(told), None) = mismatch(&error) else {
        panic!("{error}")
    };
    assert_eq!(told.fd, fd);
    assert_eq!(told.interest, Interest::READ | Interest::CLOSED);
    assert_eq!(told.trigger, Trigger::Edge);
    let expected = format!("told to hold read+closed of file descriptor {fd} (edge-triggered");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(error.to_string().ends_with("the kernel holds nothing"));
}

#[test]
fn interest_that_the_loop_did_not_tell_is_found() {
    let (near, _far) = leaked();
    let fd = near.as_raw_fd();
    let error = said(|events| {
        let data = epoll::EventData::new_u64(5);
        epoll::add(epoll_of(events), near, data, epoll::EventFlags::OUT).unwrap();
    });
    let (None, Some(held)) = mismatch(&error) else {
        panic!("{error}")
    };
    assert_eq!((held.fd, held.interest), (fd, Interest::WRITE));
    let expected = format!("not told to, the kernel holds write of file descriptor {fd}");
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn interest_that_is_another_than_was_told_is_found() {
    let (near, _far) = leaked();
    let error = said(|events| {
        let event = events.io(near, Interest::READ);
        event.add(|_, _, _| ()).unwrap();
        // The token of the first registration under this number.
        let fd = u64::try_from(near.as_raw_fd()).unwrap();
        let data = epoll::EventData::new_u64(1 << 32 | fd);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::modify(epoll_of(events), near, data, flags).unwrap();
    });
    let (Some(told), Some(held)) = mismatch(&error) else {
        panic!("{error}")
    };
    assert_eq!((told.fd, told.token), (held.fd, held.token));
    assert_eq!(
        (told.trigger, held.trigger),
        (Trigger::Level, Trigger::Edge)
    );
}

#[test]
fn all_that_does_not_match_is_said_by_number() {
    let sources = [leaked(), leaked()];
    let mut fds = sources.each_ref().map(|(near, _)| near.as_raw_fd());
    let error = said(|events| {
        for (near, _) in sources.iter().rev() {
            let event = events.io(*near, Interest::READ);
            event.add(|_, _, _| ()).unwrap();
        }
        for (near, _) in &sources {
            close_behind_its_back(near);
        }
    });
    let VerifyError::Kernel(mismatches) = &error else {
        panic!("{error}")
    };
    fds.sort_unstable();
    let said: Vec<_> = mismatches.iter().map(|one| one.told.unwrap().fd).collect();
    assert_eq!(said, fds);
    assert_eq!(error.to_string().matches("; ").count(), 1);
}

#[test]
fn loop_that_nothing_can_wake_is_found() {
    let error = said(|events| {
        let epoll = epoll_of(events);
        let info = format!("/proc/self/fdinfo/{}", epoll.as_raw_fd());
        let info = read_to_string(info).unwrap();
        let own = info.lines().find(|line| line.contains("ffffffffffffffff"));
        let number = own.unwrap().split_whitespace().nth(1).unwrap();
        // SAFETY: it is the loop's own, and the loop is borrowed.
        let own = unsafe { BorrowedFd::borrow_raw(number.parse().unwrap()) };
        epoll::delete(epoll, own).unwrap();
        added(events, Interest::READ);
    });
    assert!(matches!(error, VerifyError::InternalPipe), "{error}");
}

#[test]
fn child_is_told_that_the_kernel_s_side_is_the_parent_s() {
    let _alone = without_children();
    let mut events = Loop::new().unwrap();
    added(&mut events, Interest::READ);
    // SAFETY: the child does nothing that another thread of the parent could hold a lock of,
    // but to allocate, which the C library allows.
    let pid = unsafe { libc::fork() };
    let Some(child) = Pid::from_raw(pid) else {
        let is_told = matches!(events.verify(), Err(VerifyError::Forked));
        let is_mended = events.after_fork().is_ok() && events.verify().is_ok();
        // SAFETY: no precondition.
        unsafe { libc::_exit(i32::from(!(is_told && is_mended))) };
    };
    let (_, status) = waitpid(Some(child), WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(status.exit_status(), Some(0));
    events.verify().unwrap();
}

#[test]
fn errors_have_the_reason_as_their_source() {
    let error = VerifyError::Unanswered(io::Error::from_raw_os_error(libc::EMFILE));
    assert!(error.source().unwrap().is::<io::Error>());
    assert!(VerifyError::InternalPipe.source().is_none());
}
