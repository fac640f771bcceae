//! What becomes of adds, deletes and changes, taken and refused.

use super::*;

#[test]
fn changes_take_effect_before_the_wait_blocks() {
    let fd = ready_eventfd();
    let mut poll = Poll::new();
    let mut reports = Vec::new();
    let add = adding(fd.as_raw_fd(), B, NONE, Interest::READ);
    poll.wait(&[add], None, &mut reports).unwrap();
    assert_eq!(reports, [report(B, Ready::READ, 0)]);
}

#[test]
fn an_edge_is_refused_and_changes_nothing() {
    let fd = ready_eventfd();
    let number = fd.as_raw_fd();
    let mut poll = holding(&fd, A, Interest::WRITE);
    let error = refusal(poll.add(number, B, Interest::READ, Trigger::Edge));
    assert_eq!(error, ("poll", number, Some(libc::EOPNOTSUPP)));
    assert_eq!(held(&poll), [(number, A, Interest::WRITE)]);
}

#[test]
fn a_change_to_edges_is_refused_and_leaves_nothing_held() {
    let fd = ready_eventfd();
    let mut poll = holding(&fd, A, Interest::READ);
    let mut modify = adding(fd.as_raw_fd(), A, Interest::READ, Interest::WRITE);
    modify.change.set_trigger(Trigger::Edge);
    let refused = report(A, Ready::ERROR, libc::EOPNOTSUPP);
    assert_eq!(look(&mut poll, &[modify]), [refused]);
    assert_eq!(held(&poll), []);
}

#[test]
fn an_add_of_what_is_held_takes_it_over() {
    let fd = ready_eventfd();
    let mut poll = holding(&fd, A, Interest::READ);
    poll.add(fd.as_raw_fd(), B, Interest::WRITE, Trigger::Level)
        .unwrap();
    assert_eq!(held(&poll), [(fd.as_raw_fd(), B, Interest::WRITE)]);
    assert_eq!(look(&mut poll, &[]), [report(B, Ready::WRITE, 0)]);
}

#[test]
fn a_modify_of_what_is_not_held_adds_it() {
    let fd = ready_eventfd();
    let mut poll = Poll::new();
    let modify = adding(fd.as_raw_fd(), A, Interest::READ, Interest::WRITE);
    let both = Ready::READ | Ready::WRITE;
    assert_eq!(look(&mut poll, &[modify]), [report(A, both, 0)]);
    assert_eq!(held(&poll), [(fd.as_raw_fd(), A, READ_WRITE)]);
}

#[test]
fn an_add_of_what_is_held_by_a_change_takes_it_over() {
    let fd = ready_eventfd();
    let mut poll = holding(&fd, A, Interest::READ);
    let add = adding(fd.as_raw_fd(), B, NONE, Interest::WRITE);
    assert_eq!(look(&mut poll, &[add]), [report(B, Ready::WRITE, 0)]);
    assert_eq!(held(&poll), [(fd.as_raw_fd(), B, Interest::WRITE)]);
}

#[test]
fn a_needless_delete_is_a_success() {
    let fd = ready_eventfd();
    let mut poll = Poll::new();
    for number in [fd.as_raw_fd(), -1, RawFd::MAX] {
        poll.delete(number).unwrap();
        let delete = deleting(number, A, Interest::READ);
        assert_eq!(look(&mut poll, &[delete]), []);
    }
}

#[test]
fn after_a_delete_nothing_is_reported() {
    let fd = ready_eventfd();
    let mut poll = holding(&fd, A, Interest::READ);
    poll.delete(fd.as_raw_fd()).unwrap();
    assert_eq!(look(&mut poll, &[]), []);
    let mut poll = holding(&fd, A, Interest::READ);
    let delete = deleting(fd.as_raw_fd(), A, Interest::READ);
    assert_eq!(look(&mut poll, &[delete]), []);
    assert_eq!(held(&poll), []);
}

#[test]
fn of_what_is_no_longer_wanted_the_rest_is_held() {
    let fd = ready_eventfd();
    let mut poll = holding(&fd, A, READ_WRITE);
    let mut less = adding(fd.as_raw_fd(), A, READ_WRITE, NONE);
    less.change.delete(Interest::READ);
    assert_eq!(look(&mut poll, &[less]), [report(A, Ready::WRITE, 0)]);
}

#[test]
fn a_refused_change_is_reported_and_the_others_are_told() {
    let fd = ready_eventfd();
    let mut poll = Poll::new();
    let changes = [
        adding(-1, A, NONE, Interest::READ),
        adding(fd.as_raw_fd(), B, NONE, Interest::READ),
    ];
    let expected = [
        report(A, Ready::ERROR, libc::EBADF),
        report(B, Ready::READ, 0),
    ];
    assert_eq!(look(&mut poll, &changes), expected);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures waits")]
fn a_wait_with_a_refusal_to_report_does_not_block() {
    let (near, _far) = sockets();
    let mut poll = holding(&near, B, Interest::READ);
    let minute = Duration::from_secs(60);
    for number in [-1, RawFd::MAX] {
        let (start, mut reports) = (std::time::Instant::now(), Vec::new());
        let add = adding(number, A, NONE, Interest::READ);
        poll.wait(&[add], Some(minute), &mut reports).unwrap();
        assert_eq!(reports, [report(A, Ready::ERROR, libc::EBADF)]);
        assert!(start.elapsed() < minute);
    }
}

#[test]
fn a_change_that_came_to_nothing_is_not_told() {
    let fd = ready_eventfd();
    let mut poll = Poll::new();
    let mut nothing = adding(fd.as_raw_fd(), A, NONE, Interest::READ);
    nothing.change.delete(Interest::READ);
    assert_eq!(look(&mut poll, &[nothing]), []);
    assert_eq!(held(&poll), []);
}
