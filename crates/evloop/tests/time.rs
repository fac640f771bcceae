//! The time that a loop tells, and what a timeout costs.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use evloop::{EventLoop, Interest, Mode, Outcome, Ready};

#[test]
fn callbacks_of_a_turn_agree_on_the_time() {
    let mut events = EventLoop::<Vec<Duration>>::new().unwrap();
    for _ in 0..2 {
        let timer = events.timer(Duration::ZERO);
        let added = timer.add(|cx| {
            cx.state.push(cx.events.now());
            // Time passes, by the clock of another loop.
            let mut other = EventLoop::<()>::new().unwrap();
            let before = other.update_now();
            while other.update_now() == before {}
        });
        added.unwrap();
    }
    let mut told = Vec::new();
    let _outcome = events.run(&mut told).unwrap();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], told[1]);
}

#[test]
fn time_goes_on_when_it_is_read_anew_and_in_the_next_turn() {
    let mut events = EventLoop::<Vec<Duration>>::new().unwrap();
    let timer = events.timer(Duration::ZERO).persist();
    let added = timer.add(|cx| {
        let before = cx.events.now();
        let mut after = cx.events.update_now();
        while after == before {
            after = cx.events.update_now();
        }
        assert!(after > before);
        assert_eq!(cx.events.now(), after, "it is the time of the turn now");
        cx.state.extend([before, after]);
        if cx.state.len() == 4 {
            cx.events.exit();
        }
    });
    added.unwrap();
    let mut told = Vec::new();
    assert_eq!(events.run(&mut told).unwrap(), Outcome::Exit);
    assert!(told.is_sorted());
    assert_ne!(told[1], told[2], "the clock was read in the second turn");
}

#[test]
fn timeout_of_a_persistent_event_tells_the_kernel_nothing() {
    let mut events = EventLoop::<u32>::new().unwrap();
    let (near, _far) = UnixStream::pair().unwrap();
    let reader = events.io(near, Interest::READ).persist();
    let added = reader
        .timeout(Duration::from_micros(100))
        .add(|cx, _, ready| {
            assert_eq!(ready, Ready::TIMEOUT);
            *cx.state += 1;
        });
    added.unwrap();
    let mut timeouts = 0;
    while timeouts < 3 {
        let _outcome = events.run_mode(Mode::Once, &mut timeouts).unwrap();
    }
    let stats = events.stats();
    assert_eq!((stats.changes_told, stats.changes_skipped), (0, 0));
    events.verify().unwrap();
}
