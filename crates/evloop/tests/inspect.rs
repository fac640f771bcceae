//! What a loop tells of itself: its events, its counts, and the table of both.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use evloop::{Cx, EventId, EventLoop, Interest, LATE, Mode, Peak, Priority, Ready, Signal};

type Loop = EventLoop<()>;

const READ_WRITE: Interest = Interest::READ.union(Interest::WRITE);
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn look<S>(events: &mut EventLoop<S>, state: &mut S) {
    let _outcome = events.run_mode(Mode::NonBlocking, state).unwrap();
}

/// Lets time pass on the loop's clock.
fn spin<S>(events: &mut EventLoop<S>, time: Duration) {
    let begin = events.update_now();
    while events.update_now() - begin < time {}
}

fn added(events: &mut Loop, interest: Interest) -> (EventId, Rc<UnixStream>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    let near = Rc::new(near);
    let event = events.io(Rc::clone(&near), interest).persist();
    (event.add(|_, _, _| ()).unwrap(), near, far)
}

fn nothing_at_all(_: &mut Cx<'_, ()>) {}

mod events {
    use super::*;

    #[test]
    fn runs_are_counted_for_each_event() {
        let mut events = EventLoop::<u32>::new().unwrap();
        let timer = events.timer(Duration::ZERO).persist();
        let tick = timer.add(|cx| *cx.state += 1).unwrap();
        let idle = events.user().keep().add(|_, _| ()).unwrap();
        let watcher = events.prepare().persist().add(|_, _| ()).unwrap();
        let mut ticks = 0;
        while ticks < 3 {
            look(&mut events, &mut ticks);
        }
        assert_eq!(events.info(tick).unwrap().runs, 3);
        assert_eq!(events.info(idle).unwrap().runs, 0);
        assert_eq!(events.info(watcher).unwrap().runs, events.stats().turns);
    }

    #[test]
    fn callback_times_are_measured_while_that_is_asked_for() {
        let mut events = Loop::new().unwrap();
        let times = Rc::new(Cell::new(0));
        let each = Rc::clone(&times);
        let slow = events.user().keep();
        let slow = slow.add(move |cx, _| {
            each.set(each.get() + 1);
            spin(cx.events, each.get() * MS);
        });
        let slow = slow.unwrap();
        let run = |events: &mut Loop| {
            events.activate(slow, Ready::READ).unwrap();
            look(events, &mut ());
            let info = events.info(slow).unwrap();
            (info.callback_time, info.longest_callback)
        };
        assert_eq!(run(&mut events), (Duration::ZERO, Duration::ZERO));

        events.start_measuring();
        let (total, longest) = run(&mut events);
        assert!(total == longest && longest >= 2 * MS, "{total:?}");
        let (total, longest) = run(&mut events);
        assert!(longest >= 3 * MS && total >= longest + 2 * MS, "{total:?}");

        events.stop_measuring();
        assert_eq!(run(&mut events), (total, longest));
        assert_eq!(events.info(slow).unwrap().runs, 4);
    }

    #[test]
    fn snapshot_has_name_and_place_also_while_the_callback_runs() {
        let mut events = EventLoop::<Vec<(&str, u32)>>::new().unwrap();
        let (first, second) = (events.user().label("first"), line!());
        let first = first.add(|cx, _| {
            let all = cx.events.iter();
            let mut all: Vec<_> = all.map(|found| (found.label, found.place.line())).collect();
            all.sort_unstable();
            let own = cx.events.snapshot(cx.id()).unwrap();
            assert_eq!(own.label, "first");
            assert!(own.place.file().ends_with(file!()));
            cx.state.extend(all);
        });
        let first = first.unwrap();
        events.timer(HOUR).label("other").add(|_| ()).unwrap();
        events.activate(first, Ready::READ).unwrap();
        let mut seen = Vec::new();
        look(&mut events, &mut seen);
        assert_eq!(seen, [("first", second + 1), ("other", second + 11)]);
        assert!(events.snapshot(first).is_none(), "it was one-shot");
    }

    #[test]
    fn source_is_at_hand_in_the_event_s_own_callback() {
        let mut events = EventLoop::<bool>::new().unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        let event = events.io(near, Interest::READ);
        let event = event.add(|cx, source: &UnixStream, _| {
            let found = cx.events.source::<UnixStream>(cx.id()).unwrap();
            *cx.state = std::ptr::eq(found, source);
        });
        event.unwrap();
        far.write_all(b"x").unwrap();
        let mut is_same = false;
        look(&mut events, &mut is_same);
        assert!(is_same);
    }
}

mod table {
    use super::*;

    #[test]
    fn lines_fit_into_a_hundred_columns_and_tell_what_counts() {
        let mut events = EventLoop::<String>::new().unwrap();
        events.start_measuring();
        let (near, _far) = UnixStream::pair().unwrap();
        let near = Rc::new(near);
        for label in ["listener", "a-connection"] {
            let event = events.io(Rc::clone(&near), READ_WRITE).label(label);
            let event = event.edge().persist().timeout(24 * HOUR);
            event.add(|_, _, _| ()).unwrap();
        }
        events.signal(Signal::WINCH).add(|_, _| ()).unwrap();
        events.prepare().persist().add(|_, _| ()).unwrap();
        let urgent = events.timer(HOUR).priority(Priority(7)).persist();
        let urgent = urgent.label("reporter").add(|cx| {
            spin(cx.events, MS);
            cx.state.clear();
            cx.state.push_str(&cx.events.table().to_string());
        });
        let urgent = urgent.unwrap();
        let mut table = String::new();
        for _ in 0..2 {
            events.activate(urgent, Ready::TIMEOUT).unwrap();
            look(&mut events, &mut table);
        }
        for line in table.lines() {
            assert!(line.chars().count() <= 100, "too long: {line}");
        }
        let words = |label: &str| -> Vec<&str> {
            let line = table.lines().find(|line| line.starts_with(label));
            line.unwrap().split_whitespace().collect()
        };
        let fd = near.as_raw_fd().to_string();
        let listener = words("listener");
        let what = ["fd", &fd, "read+write", "edge", "128", "pending"];
        assert_eq!(listener[1..7], what);
        assert!(listener[7].starts_with("86"), "a day: {listener:?}");
        assert_eq!(listener[8], "1");
        assert!(listener[10].starts_with("tests/inspect.rs:"));
        let [_, "-", "7", "running", _, "2", longest, _] = words("reporter")[..] else {
            panic!("{table}")
        };
        assert_ne!(longest, "-");
        assert_eq!(words("signal")[1], "SIGWINCH");
        assert_eq!(words("prepare")[1..4], ["before", "the", "wait"]);
    }
}

mod counters {
    use super::*;

    #[test]
    fn waits_that_reported_nothing_are_counted() {
        let mut events = Loop::new().unwrap();
        let (_, _near, mut far) = added(&mut events, Interest::READ);
        let empty = |events: &mut Loop| {
            look(events, &mut ());
            (events.stats().waits, events.stats().empty_waits)
        };
        assert_eq!(empty(&mut events), (1, 1));
        far.write_all(b"x").unwrap();
        assert_eq!(empty(&mut events), (2, 1));
        assert_eq!(empty(&mut events), (3, 1), "nobody has read it");
    }

    #[test]
    fn wakeups_on_the_way_at_one_time_are_one() {
        let mut events = Loop::new().unwrap();
        let remote = events.remote();
        let (_, _near, _far) = added(&mut events, Interest::READ);
        look(&mut events, &mut ());
        assert_eq!(events.stats().wakeups, 0);
        for _ in 0..3 {
            remote.post(|_| ()).unwrap();
        }
        look(&mut events, &mut ());
        look(&mut events, &mut ());
        assert_eq!(events.stats().wakeups, 1);
    }

    #[test]
    fn timer_that_was_kept_waiting_is_late() {
        let mut events = Loop::new().unwrap();
        events.timer(Duration::ZERO).add(nothing_at_all).unwrap();
        spin(&mut events, 3 * LATE);
        look(&mut events, &mut ());
        assert_eq!(events.stats().late_timers, 1);
        assert!(events.peaks().lateness >= 3 * LATE);
        events.reset_peaks(Peak::LATENESS);
        assert_eq!(events.peaks().lateness, Duration::ZERO);
    }

    #[test]
    fn peaks_are_reset_one_by_one_to_what_there_is() {
        let mut events = Loop::new().unwrap();
        let kept: Vec<_> = (0..3).map(|_| added(&mut events, Interest::READ)).collect();
        for _ in 0..2 {
            events.timer(HOUR).add(nothing_at_all).unwrap();
        }
        for (id, ..) in &kept[1..] {
            events.activate(*id, Ready::READ).unwrap();
        }
        look(&mut events, &mut ());
        events.remove(kept[0].0).unwrap();
        let peaks = |events: &Loop| {
            let peaks = events.peaks();
            [peaks.pending, peaks.active, peaks.timers, peaks.fds]
        };
        assert_eq!(peaks(&events), [5, 2, 2, 3]);
        events.reset_peaks(Peak::ACTIVE | Peak::PENDING);
        assert_eq!(peaks(&events), [4, 0, 2, 3]);
        events.reset_peaks(Peak::all());
        assert_eq!(peaks(&events), [4, 0, 2, 2]);
    }

    #[test]
    fn edits_are_recorded_coalesced_told_and_skipped() {
        let mut events = Loop::new().unwrap();
        let (id, ..) = added(&mut events, Interest::READ);
        for interest in [Interest::WRITE, Interest::all(), Interest::WRITE] {
            events.set_interest(id, interest).unwrap();
        }
        look(&mut events, &mut ());
        for interest in [Interest::READ, Interest::WRITE] {
            events.set_interest(id, interest).unwrap();
        }
        look(&mut events, &mut ());
        let stats = events.stats();
        assert_eq!(stats.changes_recorded, 5);
        assert_eq!(stats.changes_coalesced, 3);
        assert_eq!((stats.changes_told, stats.changes_skipped), (1, 1));
    }
}
