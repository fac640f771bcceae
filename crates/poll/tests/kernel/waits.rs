//! What a wait reports, and when.

use super::*;

#[test]
fn says_what_it_is() {
    let poll = Poll::new();
    assert_eq!(poll.name(), "poll");
    assert_eq!(poll.capabilities(), Capabilities::EARLY_CLOSE);
}

#[test]
fn reports_what_was_asked_for_and_no_more() {
    let fd = ready_eventfd();
    assert_eq!(ready_for(&fd, Interest::READ), Ready::READ);
    assert_eq!(ready_for(&fd, Interest::WRITE), Ready::WRITE);
    assert_eq!(ready_for(&fd, READ_WRITE), Ready::READ | Ready::WRITE);
    assert_eq!(ready_for(&fd, NONE), Ready::empty());
}

#[test]
fn a_hang_up_is_a_hang_up_and_not_input() {
    let (reader, writer) = pipe().unwrap();
    drop(writer);
    assert_eq!(ready_for(&reader, Interest::READ), Ready::HANGUP);
    assert_eq!(ready_for(&reader, NONE), Ready::HANGUP);
}

#[test]
fn an_error_is_reported_with_and_without_interest() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    assert_eq!(ready_for(&writer, NONE), Ready::ERROR);
    assert_eq!(
        ready_for(&writer, Interest::WRITE),
        Ready::WRITE | Ready::ERROR
    );
}

#[test]
fn a_half_close_is_reported_to_whom_it_concerns() {
    let (near, far) = sockets();
    assert_eq!(ready_for(&near, Interest::CLOSED), Ready::empty());
    write(&far, b"unread").unwrap();
    shutdown(&far, Shutdown::Write).unwrap();
    assert_eq!(ready_for(&near, Interest::CLOSED), Ready::CLOSED);
    assert_eq!(ready_for(&near, Interest::READ), Ready::READ);
    drop(far);
    let all = Ready::READ | Ready::WRITE | Ready::CLOSED | Ready::HANGUP;
    assert_eq!(ready_for(&near, Interest::all()), all);
}

#[test]
fn readiness_is_reported_until_it_is_used_up() {
    let fd = ready_eventfd();
    let mut poll = holding(&fd, A, Interest::READ);
    for _ in 0..3 {
        assert_eq!(look(&mut poll, &[]), [report(A, Ready::READ, 0)]);
    }
    read(&fd, &mut [0; 8]).unwrap();
    assert_eq!(look(&mut poll, &[]), []);
}

#[test]
fn all_that_is_ready_is_reported_in_the_order_in_which_it_was_added() {
    let fds: Vec<OwnedFd> = (0..200).map(|_| ready_eventfd()).collect();
    let mut poll = Poll::new();
    for (slot, fd) in (0..).zip(&fds) {
        let token = Token {
            slot,
            generation: 0,
        };
        poll.add(fd.as_raw_fd(), token, Interest::READ, Trigger::Level)
            .unwrap();
    }
    let slots = |reports: Vec<Report>| -> Vec<u32> {
        reports.iter().map(|report| report.token.slot).collect()
    };
    assert_eq!(slots(look(&mut poll, &[])), (0..200).collect::<Vec<_>>());
    poll.delete(fds[0].as_raw_fd()).unwrap();
    let the_last_in_its_place: Vec<u32> = [199].into_iter().chain(1..199).collect();
    assert_eq!(slots(look(&mut poll, &[])), the_last_in_its_place);
}

#[test]
fn reports_are_appended() {
    let fd = ready_eventfd();
    let mut poll = holding(&fd, A, Interest::READ);
    let mut reports = Vec::new();
    for waits in 1..4 {
        poll.wait(&[], None, &mut reports).unwrap();
        assert_eq!(reports.len(), waits);
    }
}

#[test]
fn a_wait_without_timeout_ends_when_something_is_ready() {
    let (near, far) = sockets();
    let mut poll = holding(&near, A, Interest::READ);
    let writer = std::thread::spawn(move || write(&far, b"x").map(|_| far).unwrap());
    let mut reports = Vec::new();
    while reports.is_empty() {
        poll.wait(&[], None, &mut reports).unwrap(); // a signal may interrupt it
    }
    assert_eq!(reports, [report(A, Ready::READ, 0)]);
    drop(writer.join().unwrap());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures a wait")]
fn a_wait_lasts_as_long_as_its_timeout() {
    let (near, _far) = sockets();
    for mut poll in [Poll::new(), holding(&near, A, Interest::READ)] {
        for timeout in [1, 999, 1_000_001, 2_500_000].map(Duration::from_nanos) {
            let start = std::time::Instant::now();
            let mut reports = Vec::new();
            poll.wait(&[], Some(timeout), &mut reports).unwrap();
            assert!(start.elapsed() >= timeout);
            assert_eq!(reports, []);
        }
    }
}
