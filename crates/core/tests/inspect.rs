//! What a loop counts, one fact a test.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

use std::time::Duration;

use evloop_changelist::{Interest, Ready, Token, Trigger};
use evloop_core::{
    Core, Demand, EventId, Kind, LATE, Limits, Mode, Ownership, Peak, Peaks, Priority, Spec, Step,
};
use evloop_signals::Signal;

type Loop = Core<String>;

const MS: Duration = Duration::from_millis(1);
const MS_NS: u64 = 1_000_000;

fn granted(_: Demand) -> Result<(), ()> {
    Ok(())
}

fn read(fd: i32) -> Kind {
    Kind::Io {
        fd,
        interest: Interest::READ,
        trigger: Trigger::Level,
        ownership: Ownership::Owned,
    }
}

fn persistent(kind: Kind) -> Spec {
    Spec {
        persistent: true,
        ..Spec::new(kind)
    }
}

fn timer(timeout: Duration) -> Spec {
    Spec {
        timeout: Some(timeout),
        ..Spec::new(Kind::Plain)
    }
}

/// Adds an event, at time 0.
fn added(core: &mut Loop, spec: Spec) -> EventId {
    let id = core.insert(spec, String::new()).unwrap();
    core.add(id, || 0, granted).unwrap();
    id
}

/// One look at the kernel, and what comes of it; `ran` is called while a callback runs.
fn look(core: &mut Loop, now_ns: u64, mut ran: impl FnMut(&mut Loop, EventId)) {
    core.begin(Mode::NonBlocking).unwrap();
    loop {
        match core.step(|| now_ns) {
            Step::Wait(_) => core.waited(),
            Step::Run(activation) => {
                ran(core, activation.id);
                drop(core.finish());
            }
            Step::Done(_) => {
                core.check_invariants();
                return;
            }
        }
    }
}

#[test]
fn runs_are_counted_for_each_event_as_they_begin() {
    let mut core = Loop::new();
    let often = added(&mut core, persistent(Kind::Plain));
    let once = added(&mut core, persistent(Kind::Plain));
    let watcher = added(&mut core, persistent(Kind::Prepare));
    core.activate(once, Ready::READ).unwrap();
    for run in 1..=3 {
        core.activate(often, Ready::READ).unwrap();
        core.activate(often, Ready::WRITE).unwrap();
        look(&mut core, 0, |core, id| {
            let runs = core.info(id).unwrap().runs;
            assert_eq!(runs, if id == once { 1 } else { run });
        });
    }
    let runs = [often, once, watcher].map(|id| core.info(id).unwrap().runs);
    assert_eq!(runs, [3, 1, 3]);
    // Watchers are not among the callbacks of the whole loop.
    assert_eq!(core.stats().callbacks, 4);
}

#[test]
fn callbacks_are_counted_by_their_reasons_unless_they_are_internal() {
    let mut core = Loop::new();
    let (io, timeout, signal) = (Ready::READ, Ready::TIMEOUT, Ready::SIGNAL);
    let reasons = [io, timeout, signal, io | timeout];
    let ours = reasons.map(|ready| (ready, false));
    for (ready, internal) in ours.into_iter().chain(reasons.map(|ready| (ready, true))) {
        let spec = Spec {
            internal,
            ..persistent(Kind::Plain)
        };
        let id = added(&mut core, spec);
        core.activate(id, ready).unwrap();
    }
    let mut ran = 0;
    look(&mut core, 0, |_, _| ran += 1);
    assert_eq!(ran, 8);
    let stats = core.stats();
    assert_eq!(stats.callbacks, 4);
    assert_eq!(stats.io_callbacks, 2);
    assert_eq!(stats.timer_callbacks, 2);
    assert_eq!(stats.signal_callbacks, 1);
}

#[test]
fn measured_times_add_up_and_the_longest_is_kept() {
    let mut core = Loop::new();
    let id = added(&mut core, persistent(Kind::Plain));
    let other = added(&mut core, persistent(Kind::Plain));
    for time in [3, 5, 4] {
        core.measured(id, time * MS);
    }
    let info = core.info(id).unwrap();
    assert_eq!(
        (info.callback_time, info.longest_callback),
        (12 * MS, 5 * MS)
    );
    core.measured(id, Duration::MAX);
    let longest = Duration::from_nanos(u64::MAX);
    assert_eq!(core.info(id).unwrap().callback_time, longest);
    assert_eq!(core.info(other).unwrap().callback_time, Duration::ZERO);

    drop(core.remove(id).unwrap());
    let heir = core.insert(Spec::new(Kind::Plain), String::new()).unwrap();
    core.measured(id, MS);
    assert_eq!(core.info(heir).unwrap().callback_time, Duration::ZERO);
}

/// Edits recorded, and what became of them: coalesced, told, skipped.
fn changes(core: &Loop) -> [u64; 4] {
    let stats = core.stats();
    [
        stats.changes_recorded,
        stats.changes_coalesced,
        stats.changes_told,
        stats.changes_skipped,
    ]
}

#[test]
fn edits_of_one_file_descriptor_are_coalesced() {
    let mut core = Loop::new();
    let id = added(&mut core, persistent(read(4)));
    let other = added(&mut core, persistent(read(5)));
    assert_eq!(changes(&core), [0; 4], "the first is told at once");

    core.set_interest(id, Interest::WRITE, granted).unwrap();
    core.set_interest(other, Interest::WRITE, granted).unwrap();
    core.set_interest(id, Interest::all(), granted).unwrap();
    core.set_interest(id, Interest::CLOSED, granted).unwrap();
    assert_eq!(changes(&core), [4, 2, 0, 0], "two are outstanding");
    look(&mut core, 0, |_, _| ());
    assert_eq!(changes(&core), [4, 2, 2, 0]);
}

#[test]
fn change_that_comes_to_nothing_is_skipped() {
    let mut core = Loop::new();
    let id = added(&mut core, persistent(read(4)));
    core.set_interest(id, Interest::WRITE, granted).unwrap();
    core.set_interest(id, Interest::READ, granted).unwrap();
    look(&mut core, 0, |_, _| ());
    assert_eq!(changes(&core), [2, 1, 0, 1]);
}

#[test]
fn change_of_what_is_given_up_is_skipped() {
    let mut core = Loop::new();
    let id = added(&mut core, persistent(read(4)));
    core.set_interest(id, Interest::WRITE, granted).unwrap();
    assert!(core.remove(id).unwrap().release.is_some());
    assert_eq!(changes(&core), [2, 1, 0, 1]);
    core.check_invariants();

    let id = added(&mut core, persistent(read(4)));
    core.set_interest(id, Interest::WRITE, granted).unwrap();
    core.restore_fds(|_, _, _, _| Ok(()));
    assert_eq!(changes(&core), [3, 1, 0, 2]);
    core.check_invariants();
}

#[test]
fn change_that_is_refused_was_told() {
    let mut core = Loop::new();
    let id = added(&mut core, persistent(read(4)));
    core.set_interest(id, Interest::WRITE, granted).unwrap();
    core.begin(Mode::NonBlocking).unwrap();
    assert_eq!(core.step(|| 0), Step::Wait(Some(Duration::ZERO)));
    core.waited();
    let token = Token {
        slot: 4,
        generation: 1,
    };
    core.refuse(token, 9);
    assert_eq!(changes(&core), [1, 0, 1, 0]);
    assert_eq!((core.held().count(), core.peaks().fds), (0, 1));
    core.reset_peaks(Peak::FDS);
    assert_eq!(core.peaks().fds, 0);
    core.check_invariants();
}

#[test]
fn timer_is_late_when_it_is_found_more_than_a_millisecond_after_its_deadline() {
    let mut core = Loop::new();
    for (timeout, found_ns, late) in [
        (10, 10 * MS_NS, 0),
        (20, 21 * MS_NS, 0),
        (30, 31 * MS_NS + 1, 1),
    ] {
        added(&mut core, timer(timeout * MS));
        look(&mut core, found_ns, |_, _| ());
        assert_eq!(core.stats().late_timers, late, "found at {found_ns} ns");
    }
    let lateness = LATE + Duration::from_nanos(1);
    assert_eq!(core.peaks().lateness, lateness);
    // One on time makes it no less.
    added(&mut core, timer(40 * MS));
    look(&mut core, 40 * MS_NS, |_, _| ());
    assert_eq!(core.peaks().lateness, lateness);
    core.reset_peaks(Peak::LATENESS);
    assert_eq!(core.peaks().lateness, Duration::ZERO);
    assert_eq!(core.stats().late_timers, 1);
}

#[test]
fn turns_and_waits_are_counted() {
    let mut core = Loop::new();
    added(&mut core, persistent(read(4)));
    for looks in 1..=3 {
        look(&mut core, 0, |_, _| ());
        let stats = core.stats();
        assert_eq!((stats.turns, stats.waits), (looks, looks));
    }
}

#[test]
fn timeouts_that_run_are_counted() {
    let mut core = Loop::new();
    let [first, _, _] = [1, 2, 3].map(|s| added(&mut core, timer(Duration::from_secs(s))));
    assert_eq!(core.timers(), 3);
    core.delete(first).unwrap();
    assert_eq!(core.timers(), 2);
}

#[test]
fn standing_is_the_part_of_the_info_that_it_is_said_to_be() {
    let mut core = Loop::new();
    let reading = added(&mut core, persistent(read(4)));
    let waiting = added(&mut core, timer(Duration::from_millis(7)));
    core.activate(reading, Ready::WRITE).unwrap();
    core.delete(waiting).unwrap();
    core.activate_later(waiting, Ready::READ).unwrap();
    for id in [reading, waiting] {
        let (standing, info) = (core.standing(id).unwrap(), core.info(id).unwrap());
        assert_eq!(standing.pending, info.pending);
        assert_eq!(standing.persistent, info.persistent);
        assert_eq!(standing.active, info.active);
        assert_eq!(core.kind(id), Some(info.kind));
        assert_eq!(core.timeout_of(id), info.timeout);
    }
    assert!(core.standing(reading).unwrap().pending);
    assert!(!core.standing(waiting).unwrap().pending);
    drop(core.remove(waiting));
    assert_eq!((core.standing(waiting), core.kind(waiting)), (None, None));
    assert_eq!(core.timeout_of(waiting), None);
}

#[test]
fn events_for_the_next_turn_are_among_the_active() {
    let mut core = Loop::new();
    let ids = [4, 5, 6].map(|fd| added(&mut core, persistent(read(fd))));
    assert_eq!(core.active(), 0);
    core.activate(ids[0], Ready::READ).unwrap();
    core.activate_later(ids[1], Ready::READ).unwrap();
    core.activate_later(ids[2], Ready::READ).unwrap();
    assert_eq!(core.active(), 3);
    core.delete(ids[1]).unwrap();
    assert_eq!(core.active(), 2);
    look(&mut core, 0, |_, _| ());
    assert_eq!(core.active(), 0);
}

/// Pending, active, timers and file descriptors.
fn marks(peaks: Peaks) -> [usize; 4] {
    [peaks.pending, peaks.active, peaks.timers, peaks.fds]
}

#[test]
fn peaks_are_the_most_there_was_at_a_time() {
    let mut core = Loop::new();
    assert_eq!(marks(core.peaks()), [0; 4]);
    let mut ids: Vec<EventId> = (4..9)
        .map(|fd| added(&mut core, persistent(read(fd))))
        .collect();
    ids.extend([1, 2, 3].map(|ms| added(&mut core, timer(ms * MS))));
    for &id in &ids[..6] {
        core.activate(id, Ready::READ).unwrap();
    }
    look(&mut core, 0, |_, _| ());
    assert_eq!(marks(core.peaks()), [8, 6, 3, 5]);

    // As many again, but not at a time.
    core.activate(ids[0], Ready::READ).unwrap();
    look(&mut core, 0, |_, _| ());
    assert_eq!(marks(core.peaks()), [8, 6, 3, 5]);

    // One timer ran and is gone; what is taken away and comes again was there before.
    drop(core.remove(ids[0]).unwrap());
    added(&mut core, persistent(read(4)));
    assert_eq!(marks(core.peaks()), [8, 6, 3, 5]);
    added(&mut core, persistent(read(9)));
    added(&mut core, persistent(read(10)));
    assert_eq!(marks(core.peaks()), [9, 6, 3, 7]);
}

#[test]
fn peaks_that_are_reset_begin_with_what_there_is() {
    let now = |core: &mut Loop| {
        let ids: Vec<EventId> = (4..7)
            .map(|fd| {
                added(
                    core,
                    Spec {
                        timeout: Some(MS),
                        ..persistent(read(fd))
                    },
                )
            })
            .collect();
        for &id in &ids {
            core.activate(id, Ready::READ).unwrap();
        }
        drop(core.remove(ids[0]).unwrap());
    };
    let all = [3, 3, 3, 3];
    for (which, left) in [
        (Peak::empty(), all),
        (Peak::PENDING, [2, 3, 3, 3]),
        (Peak::ACTIVE, [3, 2, 3, 3]),
        (Peak::TIMERS, [3, 3, 2, 3]),
        (Peak::FDS, [3, 3, 3, 2]),
        (Peak::LATENESS, all),
        (Peak::all(), [2, 2, 2, 2]),
    ] {
        let mut core = Loop::new();
        now(&mut core);
        assert_eq!(marks(core.peaks()), all);
        core.reset_peaks(which);
        assert_eq!(marks(core.peaks()), left, "{which:?}");
        core.check_invariants();
    }
}

#[test]
fn neither_watchers_nor_internal_events_make_a_peak_of_pending_events() {
    let mut core = Loop::new();
    added(&mut core, persistent(Kind::Check));
    let internal = Spec {
        internal: true,
        ..persistent(Kind::Plain)
    };
    added(&mut core, internal);
    assert_eq!(core.peaks().pending, 0);
}

#[test]
fn turn_that_the_limits_end_is_counted() {
    let mut core = Loop::new();
    core.set_limits(Limits {
        callbacks: Some(2),
        ..Limits::NONE
    });
    for _ in 0..5 {
        let id = core.insert(Spec::new(Kind::Plain), String::new()).unwrap();
        core.activate(id, Ready::READ).unwrap();
    }
    for throttled in [1, 2, 2, 2] {
        look(&mut core, 0, |_, _| ());
        assert_eq!(core.stats().throttled_turns, throttled);
    }
}

#[test]
fn what_the_front_counts_is_among_the_counters() {
    let mut core = Loop::new();
    core.woken();
    core.count_empty_wait();
    core.count_empty_wait();
    core.catch(Signal::USR1, 3);
    core.catch(Signal::USR2, 2);
    let stats = core.stats();
    assert_eq!((stats.wakeups, stats.empty_waits), (1, 2));
    assert_eq!(stats.signals, 5);
}

#[test]
fn payload_of_the_most_urgent_is_known() {
    let mut core = Loop::new();
    for (name, priority) in [("last", 2), ("first", 1), ("second", 1)] {
        let spec = Spec {
            priority: Priority(priority),
            ..Spec::new(Kind::Plain)
        };
        let id = core.insert(spec, name.into()).unwrap();
        core.add(id, || 0, granted).unwrap();
        core.activate(id, Ready::READ).unwrap();
    }
    assert_eq!(core.upcoming().map(String::as_str), Some("first"));
    let mut seen = Vec::new();
    look(&mut core, 0, |core, _| seen.push(core.upcoming().cloned()));
    look(&mut core, 0, |core, _| seen.push(core.upcoming().cloned()));
    assert_eq!(seen, [Some("second".into()), Some("last".into()), None]);
}
