//! How long a wait took.

use std::time::Duration;

use evloop_core::{Kind, Mode, Spec, Step};

use super::{Loop, READ, added, granted, persistent};

/// Goes on to the wait that comes next, at this time.
fn wait(core: &mut Loop, now_ns: u64) {
    let step = core.step(|| now_ns);
    assert!(matches!(step, Step::Wait(_)), "{step:?}");
    core.waited();
}

#[test]
fn it_is_known_where_timeouts_run() {
    let mut core = Loop::new();
    added(&mut core, persistent(READ));
    core.begin(Mode::UntilEmpty).unwrap();
    wait(&mut core, 100);
    wait(&mut core, 200);
    assert_eq!(core.wait_ns(), None, "nobody asked for the time");

    let timer = Spec {
        timeout: Some(Duration::from_nanos(1000)),
        ..Spec::new(Kind::Plain)
    };
    let timer = core.insert(timer, "timer").unwrap();
    core.add(timer, || 300, granted).unwrap();
    wait(&mut core, 350);
    assert_eq!(core.wait_ns(), None, "not before it");
    wait(&mut core, 400);
    assert_eq!(core.wait_ns(), Some(50));
    wait(&mut core, 470);
    assert_eq!(core.wait_ns(), Some(70));

    let _ = core.delete(timer);
    wait(&mut core, 500);
    assert_eq!(core.wait_ns(), None, "nobody asks any more");
}
