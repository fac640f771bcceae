//! What a wait reports, and when.

use super::*;

#[test]
fn says_what_it_is() {
    let epoll = Epoll::new().unwrap();
    assert_eq!(epoll.name(), "epoll");
    assert_eq!(
        epoll.capabilities(),
        Capabilities::EDGE | Capabilities::EARLY_CLOSE
    );
    assert_eq!(fcntl_getfd(&epoll).unwrap(), FdFlags::CLOEXEC);
}

#[test]
fn reports_what_was_asked_for_and_no_more() {
    let fd = ready_eventfd();
    assert_eq!(ready_for(&fd, Interest::READ), Ready::READ);
    assert_eq!(ready_for(&fd, Interest::WRITE), Ready::WRITE);
    assert_eq!(ready_for(&fd, READ_WRITE), Ready::READ | Ready::WRITE);
    assert_eq!(ready_for(&fd, Interest::empty()), Ready::empty());
}

#[test]
fn a_hang_up_is_a_hang_up_and_not_input() {
    let (reader, writer) = pipe().unwrap();
    drop(writer);
    assert_eq!(ready_for(&reader, Interest::READ), Ready::HANGUP);
    assert_eq!(ready_for(&reader, Interest::empty()), Ready::HANGUP);
}

#[test]
fn an_error_is_reported_with_and_without_interest() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    assert_eq!(ready_for(&writer, Interest::empty()), Ready::ERROR);
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
fn level_triggered_readiness_is_reported_again_and_edge_triggered_once() {
    let (level, edge) = (ready_eventfd(), ready_eventfd());
    let mut epoll = Epoll::new().unwrap();
    epoll
        .add(level.as_raw_fd(), A, Interest::READ, Trigger::Level)
        .unwrap();
    epoll
        .add(edge.as_raw_fd(), B, Interest::READ, Trigger::Edge)
        .unwrap();
    assert_eq!(look(&mut epoll, &[]).len(), 2);
    let again = look(&mut epoll, &[]);
    assert_eq!(again, [report(A, Ready::READ, 0)]);
    write(&edge, &1_u64.to_ne_bytes()).unwrap();
    assert_eq!(look(&mut epoll, &[]).len(), 2, "a write is an edge");
}

#[test]
fn more_than_the_array_holds_comes_with_the_next_waits() {
    let fds: Vec<OwnedFd> = (0..200).map(|_| ready_eventfd()).collect();
    let mut epoll = Epoll::new().unwrap();
    for (slot, fd) in (0..).zip(&fds) {
        let token = Token {
            slot,
            generation: 0,
        };
        epoll
            .add(fd.as_raw_fd(), token, Interest::READ, Trigger::Edge)
            .unwrap();
    }
    let waits: Vec<Vec<Report>> = (0..4).map(|_| look(&mut epoll, &[])).collect();
    assert_eq!(
        waits.iter().map(Vec::len).collect::<Vec<_>>(),
        [32, 64, 104, 0]
    );
    let mut slots: Vec<u32> = waits
        .iter()
        .flatten()
        .map(|report| report.token.slot)
        .collect();
    slots.sort_unstable();
    assert_eq!(slots, (0..200).collect::<Vec<_>>());
}

#[test]
fn reports_are_appended() {
    let fd = ready_eventfd();
    let mut epoll = Epoll::new().unwrap();
    epoll
        .add(fd.as_raw_fd(), A, Interest::READ, Trigger::Level)
        .unwrap();
    let mut reports = Vec::new();
    for waits in 1..4 {
        epoll.wait(&[], None, &mut reports).unwrap();
        assert_eq!(reports.len(), waits);
    }
}

#[test]
fn one_instance_can_be_watched_by_another() {
    let fd = ready_eventfd();
    let (mut inner, mut outer) = (Epoll::new().unwrap(), Epoll::new().unwrap());
    outer
        .add(inner.as_fd().as_raw_fd(), B, Interest::READ, Trigger::Level)
        .unwrap();
    assert_eq!(look(&mut outer, &[]), []);
    inner
        .add(fd.as_raw_fd(), A, Interest::READ, Trigger::Level)
        .unwrap();
    assert_eq!(look(&mut outer, &[]), [report(B, Ready::READ, 0)]);
    read(&fd, &mut [0; 8]).unwrap();
    look(&mut inner, &[]);
    assert_eq!(look(&mut outer, &[]), []);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures a wait")]
fn a_wait_lasts_as_long_as_its_timeout() {
    let mut epoll = Epoll::new().unwrap();
    for timeout in [1, 999, 1_000_001, 2_500_000].map(Duration::from_nanos) {
        let start = std::time::Instant::now();
        let mut reports = Vec::new();
        epoll.wait(&[], Some(timeout), &mut reports).unwrap();
        assert!(start.elapsed() >= timeout);
        assert_eq!(reports, []);
    }
}
