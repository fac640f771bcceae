//! The steady state allocates nothing.

use std::time::Duration;

use allocation_counter::measure;
use evloop_changelist::{Interest, Ready, Token, Trigger};
use evloop_core::{Core, Demand, Kind, Mode, Ownership, Spec, Step};
use evloop_signals::Signal;

fn granted(_: Demand) -> Result<(), ()> {
    Ok(())
}

#[test]
fn steady_state_allocates_nothing() {
    let mut core = Core::new();
    let mut added = |spec| {
        let id = core.insert(spec, ()).unwrap();
        core.add(id, || 0, granted).unwrap();
        id
    };
    let io = Kind::Io {
        fd: 4,
        interest: Interest::READ,
        trigger: Trigger::Level,
        ownership: Ownership::Owned,
    };
    let token = Token {
        slot: 4,
        generation: 1,
    };
    let timeout = Some(Duration::from_secs(1));
    let one_shot = added(Spec {
        timeout,
        keep: true,
        ..Spec::new(io)
    });
    let signal = added(Spec {
        persistent: true,
        ..Spec::new(Kind::Signal(Signal::USR1))
    });
    let user = added(Spec {
        persistent: true,
        ..Spec::new(Kind::Plain)
    });
    let mut runs = 0;
    let mut turn = || {
        core.begin(Mode::NonBlocking).unwrap();
        loop {
            match core.step(|| 0) {
                Step::Wait(_) => {
                    core.waited();
                    core.report(token, Ready::READ);
                    core.catch(Signal::USR1, 3);
                    core.activate(user, Ready::WRITE).unwrap();
                }
                Step::Run(_) => {
                    runs += 1;
                    assert_eq!(core.finish(), None);
                }
                Step::Done(_) => break,
            }
        }
        core.add(one_shot, || 0, granted).unwrap();
        core.set_interest(one_shot, Interest::WRITE, granted)
            .unwrap();
        core.set_interest(one_shot, Interest::READ, granted)
            .unwrap();
        core.activate_later(signal, Ready::SIGNAL).unwrap();
    };
    turn();
    let counts = measure(|| (0..1000).for_each(|_| turn()));
    assert_eq!(counts.count_total, 0);
    assert_eq!(runs, 3 * 1001);
}

#[test]
fn events_for_which_there_is_room_allocate_nothing() {
    let mut core = Core::new();
    let one = core.insert(Spec::new(Kind::Plain), ()).unwrap();
    let reserved = measure(|| core.reserve(1000));
    let made = measure(|| {
        for fd in 3..1003 {
            let spec = Spec {
                persistent: true,
                timeout: Some(Duration::from_secs(60)),
                ..Spec::new(Kind::Io {
                    fd,
                    interest: Interest::READ,
                    trigger: Trigger::Level,
                    ownership: Ownership::Owned,
                })
            };
            let id = core.insert(spec, ()).unwrap();
            core.add(id, || 0, granted).unwrap();
        }
    });
    assert_eq!(made.count_total, 0);
    assert!(reserved.bytes_current < 1000 * (64 + 16 + 20 + 16) + 1000);
    let _ = core.remove(one);
    core.check_invariants();
}
