//! What becomes of adds, deletes and changes, taken and refused.

use super::*;

#[test]
fn an_edge_triggered_add_asks_again() {
    let fd = ready_eventfd();
    let mut epoll = Epoll::new().unwrap();
    epoll
        .add(fd.as_raw_fd(), A, Interest::READ, Trigger::Edge)
        .unwrap();
    assert_eq!(look(&mut epoll, &[]).len(), 1);
    assert_eq!(look(&mut epoll, &[]).len(), 0);
    let mut again = adding(fd.as_raw_fd(), A, Interest::READ, Interest::READ);
    again.change.set_trigger(Trigger::Edge);
    assert_eq!(look(&mut epoll, &[again]).len(), 1);
}

#[test]
fn changes_take_effect_before_the_wait_blocks() {
    let fd = ready_eventfd();
    let mut epoll = Epoll::new().unwrap();
    let mut reports = Vec::new();
    let add = adding(fd.as_raw_fd(), B, NONE, Interest::READ);
    epoll.wait(&[add], None, &mut reports).unwrap();
    assert_eq!(reports, [report(B, Ready::READ, 0)]);
}

#[test]
fn a_bad_add_is_an_error_and_changes_nothing() {
    let mut epoll = Epoll::new().unwrap();
    let file = File::open("Cargo.toml").unwrap();
    let mut add = |fd| refusal(epoll.add(fd, A, Interest::READ, Trigger::Level));
    let call = "epoll_ctl(EPOLL_CTL_ADD)";
    assert_eq!(add(-1), (call, -1, Some(libc::EBADF)));
    assert_eq!(add(RawFd::MAX), (call, RawFd::MAX, Some(libc::EBADF)));
    let regular = file.as_raw_fd();
    assert_eq!(add(regular), (call, regular, Some(libc::EPERM)));
    let itself = epoll.as_fd().as_raw_fd();
    let error = refusal(epoll.add(itself, A, Interest::READ, Trigger::Level));
    assert_eq!(error, (call, itself, Some(libc::EINVAL)));
    assert_eq!(held(&epoll), HashMap::new());
}

#[test]
fn an_add_of_what_is_held_takes_it_over() {
    let fd = ready_eventfd();
    let mut epoll = Epoll::new().unwrap();
    epoll
        .add(fd.as_raw_fd(), A, Interest::READ, Trigger::Edge)
        .unwrap();
    epoll
        .add(fd.as_raw_fd(), B, Interest::WRITE, Trigger::Level)
        .unwrap();
    let now = (fd.as_raw_fd(), B, Interest::WRITE, Trigger::Level);
    assert_eq!(held(&epoll), HashMap::from([(now, 1)]));
}

#[test]
fn a_modify_of_what_is_not_held_adds_it() {
    let fd = ready_eventfd();
    let mut epoll = Epoll::new().unwrap();
    let modify = adding(fd.as_raw_fd(), A, Interest::READ, Interest::WRITE);
    assert!(
        look(&mut epoll, &[modify])
            .iter()
            .all(|report| report.errno == 0)
    );
    let now = (fd.as_raw_fd(), A, READ_WRITE, Trigger::Level);
    assert_eq!(held(&epoll), HashMap::from([(now, 1)]));
}

#[test]
fn an_add_of_a_file_that_came_back_modifies_it() {
    let fd = ready_eventfd();
    let number = fd.as_raw_fd();
    let mut epoll = Epoll::new().unwrap();
    epoll
        .add(number, A, Interest::READ, Trigger::Level)
        .unwrap();
    let add = adding(fd.as_raw_fd(), B, NONE, Interest::WRITE);
    assert!(
        look(&mut epoll, &[add])
            .iter()
            .all(|report| report.errno == 0)
    );
    let now = (number, B, Interest::WRITE, Trigger::Level);
    assert_eq!(held(&epoll), HashMap::from([(now, 1)]));
}

#[test]
fn a_needless_delete_is_a_success() {
    let (fd, file) = (ready_eventfd(), File::open("Cargo.toml").unwrap());
    let mut epoll = Epoll::new().unwrap();
    for number in [fd.as_raw_fd(), file.as_raw_fd(), RawFd::MAX] {
        epoll.delete(number).unwrap();
        let delete = deleting(number, A, Interest::READ);
        assert_eq!(look(&mut epoll, &[delete]), []);
    }
}

#[test]
fn after_a_delete_nothing_is_reported() {
    let fd = ready_eventfd();
    let mut epoll = Epoll::new().unwrap();
    epoll
        .add(fd.as_raw_fd(), A, Interest::READ, Trigger::Level)
        .unwrap();
    epoll.delete(fd.as_raw_fd()).unwrap();
    assert_eq!(look(&mut epoll, &[]), []);
}

#[test]
fn a_refused_change_is_reported_with_its_reason() {
    let file = File::open("Cargo.toml").unwrap();
    let fd = ready_eventfd();
    let mut epoll = Epoll::new().unwrap();
    let other = Token {
        slot: 2,
        generation: 0,
    };
    let changes = [
        adding(file.as_raw_fd(), A, NONE, Interest::READ),
        adding(fd.as_raw_fd(), other, NONE, Interest::READ),
        adding(-1, B, NONE, Interest::READ),
    ];
    let expected = [
        report(A, Ready::ERROR, libc::EPERM),
        report(B, Ready::ERROR, libc::EBADF),
        report(other, Ready::READ, 0),
    ];
    assert_eq!(
        look(&mut epoll, &changes),
        expected,
        "the others are told all the same"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures a wait")]
fn a_wait_with_a_refusal_to_report_does_not_block() {
    let mut epoll = Epoll::new().unwrap();
    let mut reports = Vec::new();
    let (start, minute) = (std::time::Instant::now(), Duration::from_secs(60));
    epoll
        .wait(
            &[adding(-1, A, NONE, Interest::READ)],
            Some(minute),
            &mut reports,
        )
        .unwrap();
    assert_eq!(reports, [report(A, Ready::ERROR, libc::EBADF)]);
    assert!(start.elapsed() < minute);
}

#[test]
fn of_a_refused_change_the_kernel_holds_nothing_any_more() {
    let fd = ready_eventfd();
    let mut epoll = Epoll::new().unwrap();
    // What was added as exclusive the kernel refuses to modify, and it holds on to it.
    let exclusive = epoll::EventFlags::IN | epoll::EventFlags::EXCLUSIVE;
    epoll::add(
        &epoll,
        &fd,
        epoll::EventData::new_u64(A.to_bits()),
        exclusive,
    )
    .unwrap();
    let modify = adding(fd.as_raw_fd(), A, Interest::READ, Interest::WRITE);
    let reports = look(&mut epoll, &[modify]);
    assert_eq!(reports, [report(A, Ready::ERROR, libc::EINVAL)]);
    assert_eq!(held(&epoll), HashMap::new());
}

#[test]
fn a_change_that_came_to_nothing_is_not_told() {
    let fd = ready_eventfd();
    let mut epoll = Epoll::new().unwrap();
    let mut nothing = adding(fd.as_raw_fd(), A, NONE, Interest::READ);
    nothing.change.delete(Interest::READ);
    assert_eq!(look(&mut epoll, &[nothing]), []);
    assert_eq!(held(&epoll), HashMap::new());
}

#[test]
fn a_renewed_instance_holds_nothing_and_keeps_its_number() {
    let fd = ready_eventfd();
    let mut epoll = Epoll::new().unwrap();
    epoll
        .add(fd.as_raw_fd(), A, Interest::READ, Trigger::Level)
        .unwrap();
    let number = epoll.as_fd().as_raw_fd();
    // The file lives on in a duplicate, and its number is free for the next to come.
    let _duplicate = fcntl_dupfd_cloexec(&fd, number + 1).unwrap();
    drop(fd);
    epoll.renew().unwrap();
    assert_eq!(epoll.as_fd().as_raw_fd(), number);
    assert_eq!(held(&epoll), HashMap::new());
    assert_eq!(look(&mut epoll, &[]), []);
    let flags = fcntl_getfd(&epoll).unwrap();
    assert!(flags.contains(FdFlags::CLOEXEC));
}
