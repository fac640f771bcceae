//! Numbers and the files behind them: bad ones, closed, duplicated and used again.
//!
//! Tests run side by side, and one may be given the number that another has just closed. So the
//! numbers here are above those that come by themselves, and each is of one test.

use std::os::unix::fs::OpenOptionsExt;

use rustix::io::fcntl_dupfd_cloexec;

use super::*;

/// The same file under this number as well.
fn dup_to(number: RawFd, fd: &OwnedFd) -> OwnedFd {
    let twin = fcntl_dupfd_cloexec(fd, number).unwrap();
    assert_eq!(twin.as_raw_fd(), number, "the number is free");
    twin
}

/// A number that was held under `A`, and then closed.
fn closed(number: RawFd) -> Poll {
    let fd = dup_to(number, &ready_eventfd());
    holding(&fd, A, Interest::READ)
}

const BAD: Report = Report::refused(A, libc::EBADF);

#[test]
fn a_bad_add_is_an_error_and_changes_nothing() {
    let mut poll = Poll::new();
    let path = File::options()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open("Cargo.toml")
        .unwrap();
    for number in [-1, RawFd::MIN, RawFd::MAX, 600, path.as_raw_fd()] {
        let error = refusal(poll.add(number, A, Interest::READ, Trigger::Level));
        assert_eq!(error, ("poll", number, Some(libc::EBADF)));
        assert_eq!(held(&poll), []);
    }
}

/// That of the standard input, which every Rust program has open.
#[test]
fn zero_is_a_number_like_others() {
    let mut poll = Poll::new();
    poll.add(0, A, Interest::READ, Trigger::Level).unwrap();
    assert_eq!(held(&poll), [(0, A, Interest::READ)]);
}

#[test]
fn a_bad_add_leaves_what_was_held_before() {
    let mut poll = closed(610);
    let error = refusal(poll.add(610, B, Interest::WRITE, Trigger::Level));
    assert_eq!(error, ("poll", 610, Some(libc::EBADF)));
    assert_eq!(held(&poll), [(610, A, Interest::READ)]);
}

#[test]
fn a_regular_file_is_always_ready() {
    let file = OwnedFd::from(File::open("Cargo.toml").unwrap());
    let both = Ready::READ | Ready::WRITE;
    assert_eq!(ready_for(&file, Interest::all()), both);
    let directory = OwnedFd::from(File::open("src").unwrap());
    assert_eq!(ready_for(&directory, Interest::READ), Ready::READ);
}

#[test]
fn a_closed_number_is_reported_once_and_does_not_spin() {
    let mut poll = closed(620);
    assert_eq!(look(&mut poll, &[]), [BAD]);
    assert_eq!(held(&poll), []);
    assert_eq!(look(&mut poll, &[]), []);
}

#[test]
fn a_closed_number_ends_a_wait() {
    let mut reports = Vec::new();
    closed(630).wait(&[], None, &mut reports).unwrap();
    assert_eq!(reports, [BAD]);
}

#[test]
fn among_closed_numbers_nothing_is_passed_over() {
    let fds: Vec<OwnedFd> = (640..660)
        .map(|number| dup_to(number, &ready_eventfd()))
        .collect();
    let mut poll = Poll::new();
    for fd in &fds {
        let number = fd.as_raw_fd();
        let token = Token {
            slot: number.try_into().unwrap(),
            generation: 0,
        };
        poll.add(number, token, Interest::READ, Trigger::Level)
            .unwrap();
    }
    // The first, two that are neighbours, and the last two.
    let is_closed = |number: &i32| [640, 646, 647, 658, 659].contains(number);
    let open: Vec<OwnedFd> = fds
        .into_iter()
        .filter(|fd| !is_closed(&fd.as_raw_fd()))
        .collect();
    let mut told: Vec<(u32, i32)> = look(&mut poll, &[])
        .iter()
        .map(|report| (report.token.slot, report.errno))
        .collect();
    told.sort_unstable();
    let errno = |number| if is_closed(&number) { libc::EBADF } else { 0 };
    let expected = (640..660).map(|number| (number.try_into().unwrap(), errno(number)));
    assert_eq!(told, expected.collect::<Vec<_>>());
    assert_eq!(look(&mut poll, &[]).len(), open.len());
}

#[test]
fn a_change_of_a_closed_number_is_refused_once() {
    for held in [NONE, Interest::READ] {
        let mut poll = closed(670);
        let change = adding(670, A, held, Interest::WRITE);
        assert_eq!(look(&mut poll, &[change]), [BAD]);
        assert_eq!(look(&mut poll, &[]), []);
    }
}

#[test]
fn a_delete_of_a_closed_number_is_a_success() {
    let mut poll = closed(680);
    let delete = deleting(680, A, Interest::READ);
    assert_eq!(look(&mut poll, &[delete]), []);
    let mut poll = closed(680);
    poll.delete(680).unwrap();
    assert_eq!(look(&mut poll, &[]), []);
}

#[test]
fn a_file_that_lives_on_under_another_number_is_no_ghost() {
    let original = ready_eventfd();
    let twin = dup_to(690, &original);
    let mut poll = holding(&original, B, Interest::READ);
    poll.add(690, A, Interest::READ, Trigger::Level).unwrap();
    drop(twin);
    let mut reports = look(&mut poll, &[]);
    reports.sort_unstable_by_key(|report| report.errno);
    assert_eq!(reports, [report(B, Ready::READ, 0), BAD]);
}

#[test]
fn a_number_that_is_used_again_is_taken_over_by_the_next_add() {
    let mut poll = closed(700);
    let (near, far) = sockets();
    let _again = dup_to(700, &near);
    assert_eq!(look(&mut poll, &[]), [], "it is another file");
    poll.add(700, B, Interest::READ, Trigger::Level).unwrap();
    write(&far, b"x").unwrap();
    assert_eq!(look(&mut poll, &[]), [report(B, Ready::READ, 0)]);
}

#[test]
fn a_number_that_comes_back_can_be_added_again() {
    let mut poll = closed(710);
    assert_eq!(look(&mut poll, &[]), [BAD]);
    let _again = dup_to(710, &ready_eventfd());
    let add = adding(710, B, NONE, Interest::READ);
    assert_eq!(look(&mut poll, &[add]), [report(B, Ready::READ, 0)]);
}
