//! What the timeout of an event costs.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use evloop::{EventLoop, Interest, Mode, Ready};

#[test]
fn timeout_of_a_persistent_event_tells_the_kernel_nothing() {
    let mut events = EventLoop::<u32>::new().unwrap();
    let (near, _far) = UnixStream::pair().unwrap();
    let timeout = Duration::from_micros(100);
    let reader = events.io(near, Interest::READ).persist().timeout(timeout);
    let added = reader.add(|cx, _, ready| {
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

/// With a timeout that runs, and two sources that are ready in each turn, the kernel is asked for no
/// more than what is ready; when they are not, once in vain.
#[test]
fn loop_that_is_busy_looks_before_it_waits() {
    let mut events = EventLoop::<u32>::new().unwrap();
    let mut far = Vec::new();
    for _ in 0..2 {
        let (near, other) = UnixStream::pair().unwrap();
        let reader = events.io(near, Interest::READ).persist();
        let added = reader.add(|_, mut near, _| assert_eq!(near.read(&mut [0; 8]).unwrap(), 1));
        added.unwrap();
        far.push(other);
    }
    let hour = events.timer(Duration::from_secs(3600)).persist();
    hour.add(|_| ()).unwrap();
    let turn = |events: &mut EventLoop<u32>| {
        let _outcome = events.run_mode(Mode::Once, &mut 0).unwrap();
        events.stats().vain_looks
    };
    let busy_turn = |events: &mut EventLoop<u32>| {
        for mut far in &far {
            far.write_all(b"x").unwrap();
        }
        turn(events)
    };
    let add_timer = |events: &mut EventLoop<u32>| {
        let timer = events.timer(Duration::from_millis(2));
        timer.add(|_| ()).unwrap();
    };
    let looks_in_vain = |events: &mut EventLoop<u32>| {
        for _ in 0..10 {
            assert_eq!(busy_turn(events), 0);
        }
        add_timer(events);
        turn(events) == 1
    };
    // On a machine that is busy itself the timer may be due before the turn has begun.
    let found = (0..1000).any(|_| looks_in_vain(&mut events));
    assert!(found, "it never looks");
    for _ in 0..3 {
        add_timer(&mut events);
        assert_eq!(turn(&mut events), 1, "it is not busy any more");
    }
    events.verify().unwrap();
}
