//! What the callback of a signal is told of the last delivery, and how often it is called.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    unsafe_code,
    reason = "no safe wrappers of raise and sigqueue are at hand"
)]

#[path = "signals/process.rs"]
mod process;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command};
use std::time::Duration;

use evloop::{
    Caught, ChildState, Cx, EventId, EventLoop, Limits, Mode, Origin, Outcome, Ready, Signal,
    SignalInfo,
};
use rustix::process::{getpid, getuid};

use crate::process::in_own_process;

/// What the callback was told, each time.
type Told = Vec<(u64, Option<SignalInfo>)>;
type Loop = EventLoop<Told>;

/// A loop that ends with a panic if it waits for something that does not come.
fn new_loop() -> Loop {
    let mut events = Loop::new().unwrap();
    let patience = Duration::from_secs(30);
    events
        .timer(patience)
        .add(|_| panic!("it did not come"))
        .unwrap();
    events
}

fn note(cx: &mut Cx<'_, Told>, caught: Caught) {
    assert_eq!(caught.signal, Signal::USR1);
    cx.state.push((caught.count, caught.last));
}

fn run(events: &mut Loop, mode: Mode) -> (Outcome, Told) {
    let mut told = Told::new();
    let outcome = events.run_mode(mode, &mut told).unwrap();
    events.check_invariants();
    (outcome, told)
}

/// The counts of what the callback was told in one look, `true` with those that say who sent it.
fn look(events: &mut Loop) -> Vec<(u64, bool)> {
    let (_, told) = run(events, Mode::NonBlocking);
    told.iter()
        .map(|(count, last)| (*count, last.is_some()))
        .collect()
}

/// Waits for a delivery, and says what was told of it.
fn wait(events: &mut Loop) -> SignalInfo {
    let (_, told) = run(events, Mode::Once);
    let [(1, Some(info))] = told[..] else {
        panic!("{told:?}");
    };
    info
}

fn persistent(events: &mut Loop) -> EventId {
    events.signal(Signal::USR1).persist().add(note).unwrap()
}

fn persistent_each(events: &mut Loop) -> EventId {
    let event = events.signal(Signal::USR1).persist().each();
    event.add(note).unwrap()
}

/// Sends SIGUSR1 to this thread, so many times. The handler has run on return.
fn raise(times: usize) {
    for _ in 0..times {
        // SAFETY: no precondition but that what it makes run is sound, which the loop's handler is.
        let result = unsafe { libc::raise(libc::SIGUSR1) };
        assert_eq!(result, 0);
    }
}

fn shell(script: &str) -> Child {
    Command::new("sh").args(["-c", script]).spawn().unwrap()
}

fn my_uid() -> u32 {
    getuid().as_raw()
}

#[test]
fn sender_is_told_of() {
    in_own_process("sender_is_told_of", || {
        let mut events = new_loop();
        persistent(&mut events);
        let mut sender = shell("kill -s USR1 $PPID");
        let info = wait(&mut events);
        let (pid, uid) = (sender.id().try_into().unwrap(), my_uid());
        assert_eq!(info.origin, Origin::Sent { pid, uid });
        assert_eq!(info.code, libc::SI_USER);
        sender.wait().unwrap();
    });
}

#[test]
fn queued_value_is_told_of() {
    in_own_process("queued_value_is_told_of", || {
        let mut events = new_loop();
        persistent(&mut events);
        let me = getpid().as_raw_pid();
        let value = libc::sigval {
            sival_ptr: std::ptr::without_provenance_mut(1234),
        };
        // SAFETY: no precondition but that what it makes run is sound, which the loop's handler is.
        let result = unsafe { libc::sigqueue(me, libc::SIGUSR1, value) };
        assert_eq!(result, 0);
        let info = wait(&mut events);
        assert_eq!((info.pid(), info.uid()), (Some(me), Some(my_uid())));
        assert!(
            matches!(info.origin, Origin::Queued { value, .. } if value.int() == 1234),
            "{info:?}"
        );
    });
}

#[test]
fn child_is_told_of_with_its_status() {
    in_own_process("child_is_told_of_with_its_status", || {
        let mut events = new_loop();
        events
            .signal(Signal::CHLD)
            .persist()
            .add(|cx, caught| cx.state.push((caught.count, caught.last)))
            .unwrap();
        let uid = my_uid();
        for (script, state) in [
            ("exit 7", ChildState::Exited(7)),
            ("kill -s KILL $$", ChildState::Killed(libc::SIGKILL)),
        ] {
            let mut child = shell(script);
            let pid = child.id().try_into().unwrap();
            let origin = Origin::Child { pid, uid, state };
            assert_eq!(wait(&mut events).origin, origin, "{script}");
            child.wait().unwrap();
        }
    });
}

#[test]
fn both_loops_are_told_of_the_same_delivery() {
    in_own_process("both_loops_are_told_of_the_same_delivery", || {
        let mut loops = [new_loop(), new_loop()];
        for events in &mut loops {
            persistent(events);
        }
        raise(1);
        for events in &mut loops {
            assert_eq!(wait(events).pid(), Some(getpid().as_raw_pid()));
        }
    });
}

#[test]
fn callback_runs_once_for_all_that_came() {
    in_own_process("callback_runs_once_for_all_that_came", || {
        let mut events = new_loop();
        persistent(&mut events);
        raise(3);
        assert_eq!(look(&mut events), [(3, true)]);
        assert_eq!(look(&mut events), []);
    });
}

#[test]
fn callback_runs_once_for_each_and_the_last_is_told_of() {
    let test = "callback_runs_once_for_each_and_the_last_is_told_of";
    in_own_process(test, || {
        let mut events = new_loop();
        persistent_each(&mut events);
        raise(3);
        assert_eq!(look(&mut events), [(1, false), (1, false), (1, true)]);
        raise(1);
        assert_eq!(look(&mut events), [(1, true)]);
        assert_eq!(look(&mut events), []);
    });
}

#[test]
fn one_shot_runs_for_each_that_came_and_is_over() {
    in_own_process("one_shot_runs_for_each_that_came_and_is_over", || {
        let mut events = new_loop();
        let id = events.signal(Signal::USR1).each().add(note).unwrap();
        raise(2);
        assert_eq!(look(&mut events), [(1, false), (1, true)]);
        assert!(events.info(id).is_none());
    });
}

#[test]
fn break_leaves_the_other_deliveries_to_the_next_run() {
    in_own_process("break_leaves_the_other_deliveries_to_the_next_run", || {
        let mut events = new_loop();
        let event = events.signal(Signal::USR1).persist().each();
        event
            .add(|cx, caught| {
                note(cx, caught);
                cx.events.break_loop();
            })
            .unwrap();
        raise(3);
        for is_told in [false, false, true] {
            let (outcome, told) = run(&mut events, Mode::UntilEmpty);
            assert_eq!((outcome, told.len()), (Outcome::Break, 1));
            assert_eq!(told[0].1.is_some(), is_told);
        }
        assert_eq!(look(&mut events), []);
    });
}

#[test]
fn exit_comes_behind_the_other_deliveries() {
    in_own_process("exit_comes_behind_the_other_deliveries", || {
        let mut events = new_loop();
        let event = events.signal(Signal::USR1).persist().each();
        event
            .add(|cx, caught| {
                note(cx, caught);
                cx.events.exit();
            })
            .unwrap();
        raise(3);
        let (outcome, told) = run(&mut events, Mode::UntilEmpty);
        assert_eq!((outcome, told.len()), (Outcome::Exit, 3));
    });
}

#[test]
fn delete_and_remove_in_the_callback_forget_the_other_deliveries() {
    let test = "delete_and_remove_in_the_callback_forget_the_other_deliveries";
    in_own_process(test, || {
        type End = fn(&mut Loop, EventId);
        let ends: [End; 2] = [
            |events, id| events.delete(id).unwrap(),
            |events, id| events.remove(id).unwrap(),
        ];
        for end in ends {
            let mut events = new_loop();
            let event = events.signal(Signal::USR1).persist().each();
            event
                .add(move |cx, caught| {
                    note(cx, caught);
                    end(cx.events, cx.id());
                })
                .unwrap();
            raise(3);
            assert_eq!(look(&mut events), [(1, false)]);
            assert_eq!(look(&mut events), []);
        }
    });
}

#[test]
fn panic_in_the_callback_keeps_the_other_deliveries() {
    in_own_process("panic_in_the_callback_keeps_the_other_deliveries", || {
        let mut events = new_loop();
        let event = events.signal(Signal::USR1).persist().each();
        event
            .add(|cx, caught| {
                note(cx, caught);
                assert!(caught.last.is_some(), "on purpose");
            })
            .unwrap();
        raise(3);
        for _ in 0..2 {
            let panicked = catch_unwind(AssertUnwindSafe(|| look(&mut events)));
            assert!(panicked.is_err());
        }
        assert_eq!(look(&mut events), [(1, true)]);
    });
}

#[test]
fn limit_counts_each_delivery() {
    in_own_process("limit_counts_each_delivery", || {
        let mut events = new_loop();
        persistent_each(&mut events);
        events.set_limits(Limits {
            callbacks: Some(2),
            ..Limits::NONE
        });
        raise(3);
        assert_eq!(look(&mut events).len(), 2);
        // What came since is the last now.
        raise(1);
        assert_eq!(look(&mut events), [(1, false), (1, true)]);
    });
}

#[test]
fn timeout_tells_of_no_delivery() {
    in_own_process("timeout_tells_of_no_delivery", || {
        let mut events = new_loop();
        let event = events.signal(Signal::USR1).persist();
        let id = event.timeout(Duration::from_nanos(1)).add(note).unwrap();
        raise(1);
        let (_, told) = run(&mut events, Mode::Once);
        assert_eq!((told.len(), told[0].0), (1, 1), "{told:?}");
        assert!(told[0].1.is_some());
        let (_, told) = run(&mut events, Mode::Once);
        assert_eq!(told, [(0, None)]);
        events.delete(id).unwrap();
    });
}

#[test]
fn activation_by_hand_tells_of_no_delivery() {
    in_own_process("activation_by_hand_tells_of_no_delivery", || {
        let mut events = new_loop();
        let id = persistent(&mut events);
        raise(2);
        assert_eq!(look(&mut events), [(2, true)]);
        events.activate(id, Ready::SIGNAL).unwrap();
        assert_eq!(look(&mut events), [(0, false)]);
        events.activate_signal(Signal::USR1);
        assert_eq!(look(&mut events), [(1, false)]);
        // The one by hand is earlier: what has come is taken after it.
        raise(1);
        events.activate_signal(Signal::USR1);
        assert_eq!(look(&mut events), [(2, true)]);
    });
}
