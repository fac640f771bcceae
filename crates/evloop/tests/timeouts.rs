//! What the timeout of an event costs.

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
