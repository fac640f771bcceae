//! A one-shot that its own callback deletes.

use std::time::Duration;

use evloop_changelist::{Interest, Ready, Trigger};
use evloop_core::{EventId, Kind, Mode, Ownership, Release, Spec, Step};
use evloop_signals::Signal;

use super::{FIRST, Loop, READ, added, refused};

/// A kept one-shot with a timeout, and the loop as its callback runs.
fn running(kind: Kind) -> (Loop, EventId) {
    let mut core = Loop::new();
    let spec = Spec {
        keep: true,
        timeout: Some(Duration::from_secs(1)),
        ..Spec::new(kind)
    };
    let id = added(&mut core, spec);
    core.activate(id, Ready::READ).unwrap();
    core.begin(Mode::UntilEmpty).unwrap();
    while !matches!(core.step(|| 0), Step::Run(_)) {
        core.waited();
    }
    (core, id)
}

#[test]
fn it_is_taken_off_when_the_callback_is_over() {
    for kind in [READ, Kind::Plain] {
        let (mut core, id) = running(kind);
        assert_eq!(core.delete(id), Ok(None));
        let info = core.info(id).unwrap();
        assert_eq!((info.pending, info.deadline_ns), (false, None));
        assert_eq!(core.verify(), Ok(()));
        assert_eq!(core.timers(), 1, "not yet");
        assert!(core.finish().is_none());
        assert_eq!(core.timers(), 0);
        assert!(core.is_empty());
        assert_eq!(core.verify(), Ok(()));
    }
}

#[test]
fn added_again_it_never_was_away() {
    let (mut core, id) = running(READ);
    assert_eq!(core.delete(id), Ok(None));
    core.add(id, || 500, refused).unwrap();
    assert!(core.finish().is_none());
    assert_eq!(core.changes(), [], "not even recorded");
    let info = core.info(id).unwrap();
    assert_eq!(
        (info.pending, info.deadline_ns),
        (true, Some(1_000_000_500))
    );
    assert_eq!(core.verify(), Ok(()));
}

#[test]
fn what_it_was_activated_for_meanwhile_did_not_happen() {
    let (mut core, id) = running(READ);
    core.activate(id, Ready::READ).unwrap();
    assert_eq!(core.delete(id), Ok(None));
    assert_eq!(core.info(id).unwrap().active, None);
    assert_eq!(core.timers(), 0);
}

#[test]
fn a_refusal_does_not_reach_it() {
    let (mut core, id) = running(READ);
    assert_eq!(core.delete(id), Ok(None));
    core.refuse(FIRST, 5);
    assert_eq!(core.info(id).unwrap().active, None);
    // Added again, it asks the kernel again.
    assert!(core.add(id, || 0, refused).is_err());
    assert!(core.finish().is_none());
    assert_eq!(core.verify(), Ok(()));
}

#[test]
fn removed_it_is_gone_at_once() {
    let (mut core, id) = running(READ);
    assert_eq!(core.delete(id), Ok(None));
    let leaving = core.remove(id).unwrap();
    assert_eq!(leaving.release, Some(Release::Fd(4)));
    assert_eq!(core.timers(), 0);
    assert_eq!(core.verify(), Ok(()));
}

/// Its owner may close the file, and open another that gets its number, before the callback is over.
#[test]
fn a_borrowed_file_is_given_up_at_once() {
    let borrowed = Kind::Io {
        fd: 4,
        interest: Interest::READ,
        trigger: Trigger::Level,
        ownership: Ownership::Borrowed,
    };
    let (mut core, id) = running(borrowed);
    assert_eq!(core.delete(id), Ok(None));
    assert_eq!(core.timers(), 0);
    let [change] = core.changes() else {
        panic!("it is to be told")
    };
    assert!(change.change.wanted().is_empty());
}

#[test]
fn a_signal_is_released_at_once() {
    let (mut core, id) = running(Kind::Signal(Signal::USR1));
    let released = Some(Release::Signal(Signal::USR1));
    assert_eq!(core.delete(id), Ok(released));
    assert!(core.finish().is_none());
}
