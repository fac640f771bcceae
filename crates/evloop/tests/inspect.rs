//! What a loop tells of itself: its events, its counts, and whether all is in order.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    unsafe_code,
    reason = "what is checked is that things done behind the loop's back are found"
)]

use std::cell::Cell;
use std::error::Error;
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use evloop::{
    Builder, Cx, EventId, EventLoop, Held, Interest, LATE, Mechanism, Mode, Peak, Priority, Ready,
    Signal, Trigger, VerifyError,
};
use rustix::event::epoll;
use rustix::process::{Pid, WaitOptions, waitpid};

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

/// A source that the loop does not close, so that a test can.
fn leaked() -> (&'static UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (Box::leak(Box::new(near)), far)
}

/// Closes a file descriptor that is the loop's, by its number.
fn close_behind_its_back(source: &'static UnixStream) {
    // SAFETY: it was leaked, so that nobody else closes it; nobody reads or writes it again.
    unsafe { rustix::io::close(source.as_raw_fd()) };
}

/// The epoll instance of a loop, whose number only its `Debug` output tells.
fn epoll_of(events: &Loop) -> BorrowedFd<'_> {
    let told = format!("{events:?}");
    let (_, number) = told.split_once("fd: ").unwrap();
    let number = number.split_once(' ').unwrap().0.parse().unwrap();
    // SAFETY: the loop is borrowed for as long, and with it its epoll instance.
    unsafe { BorrowedFd::borrow_raw(number) }
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

mod verify {
    use super::*;

    #[test]
    fn loop_is_in_order_whatever_is_outstanding() {
        for mechanism in [Mechanism::Epoll, Mechanism::Poll] {
            let mut events: Loop = Builder::new().mechanism(mechanism).build().unwrap();
            events.verify().unwrap();
            let (id, near, mut far) = added(&mut events, Interest::READ);
            let shared = events.io(near, Interest::WRITE);
            shared.add(|cx, _, _| cx.events.verify().unwrap()).unwrap();
            events.verify().unwrap();
            far.write_all(b"x").unwrap();
            look(&mut events, &mut ());
            events.verify().unwrap();
            events.set_interest(id, Interest::CLOSED).unwrap();
            events.verify().unwrap();
            events.delete(id).unwrap();
            look(&mut events, &mut ());
            events.verify().unwrap();
            events.remove(id).unwrap();
            events.verify().unwrap();
        }
    }

    /// What is said of a loop for what was done to it.
    fn said(break_it: impl FnOnce(&mut Loop)) -> VerifyError {
        let mut events: Loop = Builder::new().mechanism(Mechanism::Epoll).build().unwrap();
        let _near = added(&mut events, Interest::READ);
        events.verify().unwrap();
        break_it(&mut events);
        events.verify().unwrap_err()
    }

    /// The one thing that does not match: what was told, and what is held.
    fn mismatch(error: &VerifyError) -> (Option<Held>, Option<Held>) {
        let VerifyError::Kernel(mismatches) = error else {
            panic!("{error}")
        };
        let [mismatch] = mismatches[..] else {
            panic!("{error}")
        };
        (mismatch.told, mismatch.held)
    }

    #[test]
    fn source_that_was_closed_behind_the_loop_s_back_is_found() {
        let (near, _far) = leaked();
        let fd = near.as_raw_fd();
        let error = said(|events| {
            let event = events.io(near, Interest::READ | Interest::CLOSED).edge();
            event.add(|_, _, _| ()).unwrap();
            events.verify().unwrap();
            close_behind_its_back(near);
        });
        let (Some(told), None) = mismatch(&error) else {
            panic!("{error}")
        };
        assert_eq!(told.fd, fd);
        assert_eq!(told.interest, Interest::READ | Interest::CLOSED);
        assert_eq!(told.trigger, Trigger::Edge);
        let expected = format!("told to hold read+closed of file descriptor {fd} (edge-triggered");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.to_string().ends_with("the kernel holds nothing"));
    }

    #[test]
    fn interest_that_the_loop_did_not_tell_is_found() {
        let (near, _far) = leaked();
        let fd = near.as_raw_fd();
        let error = said(|events| {
            let data = epoll::EventData::new_u64(5);
            epoll::add(epoll_of(events), near, data, epoll::EventFlags::OUT).unwrap();
        });
        let (None, Some(held)) = mismatch(&error) else {
            panic!("{error}")
        };
        assert_eq!((held.fd, held.interest), (fd, Interest::WRITE));
        let expected = format!("not told to, the kernel holds write of file descriptor {fd}");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }

    #[test]
    fn interest_that_is_another_than_was_told_is_found() {
        let (near, _far) = leaked();
        let error = said(|events| {
            let event = events.io(near, Interest::READ);
            event.add(|_, _, _| ()).unwrap();
            // The token of the first registration under this number.
            let fd = u64::try_from(near.as_raw_fd()).unwrap();
            let data = epoll::EventData::new_u64(1 << 32 | fd);
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::modify(epoll_of(events), near, data, flags).unwrap();
        });
        let (Some(told), Some(held)) = mismatch(&error) else {
            panic!("{error}")
        };
        assert_eq!((told.fd, told.token), (held.fd, held.token));
        assert_eq!(
            (told.trigger, held.trigger),
            (Trigger::Level, Trigger::Edge)
        );
    }

    #[test]
    fn all_that_does_not_match_is_said_by_number() {
        let sources = [leaked(), leaked()];
        let mut fds = sources.each_ref().map(|(near, _)| near.as_raw_fd());
        let error = said(|events| {
            for (near, _) in sources.iter().rev() {
                let event = events.io(*near, Interest::READ);
                event.add(|_, _, _| ()).unwrap();
            }
            for (near, _) in &sources {
                close_behind_its_back(near);
            }
        });
        let VerifyError::Kernel(mismatches) = &error else {
            panic!("{error}")
        };
        fds.sort_unstable();
        let said: Vec<_> = mismatches.iter().map(|one| one.told.unwrap().fd).collect();
        assert_eq!(said, fds);
        assert_eq!(error.to_string().matches("; ").count(), 1);
    }

    #[test]
    fn loop_that_nothing_can_wake_is_found() {
        let error = said(|events| {
            let epoll = epoll_of(events);
            let info = format!("/proc/self/fdinfo/{}", epoll.as_raw_fd());
            let info = std::fs::read_to_string(info).unwrap();
            let own = info.lines().find(|line| line.contains("ffffffffffffffff"));
            let number = own.unwrap().split_whitespace().nth(1).unwrap();
            // SAFETY: it is the loop's own, and the loop is borrowed.
            let own = unsafe { BorrowedFd::borrow_raw(number.parse().unwrap()) };
            epoll::delete(epoll, own).unwrap();
            added(events, Interest::READ);
        });
        assert!(matches!(error, VerifyError::InternalPipe), "{error}");
    }

    #[test]
    fn child_is_told_that_the_kernel_s_side_is_the_parent_s() {
        let mut events = Loop::new().unwrap();
        added(&mut events, Interest::READ);
        // SAFETY: the child does nothing that another thread of the parent could hold a lock of,
        // but to allocate, which the C library allows.
        let pid = unsafe { libc::fork() };
        let Some(child) = Pid::from_raw(pid) else {
            let is_told = matches!(events.verify(), Err(VerifyError::Forked));
            let is_mended = events.after_fork().is_ok() && events.verify().is_ok();
            // SAFETY: no precondition.
            unsafe { libc::_exit(i32::from(!(is_told && is_mended))) };
        };
        let (_, status) = waitpid(Some(child), WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(0));
        events.verify().unwrap();
    }

    #[test]
    fn errors_have_the_reason_as_their_source() {
        let error = VerifyError::Unanswered(std::io::Error::from_raw_os_error(libc::EMFILE));
        assert!(error.source().unwrap().is::<std::io::Error>());
        assert!(VerifyError::InternalPipe.source().is_none());
    }
}
