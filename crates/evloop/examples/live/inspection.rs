//! What the loop says of itself: its counters, its high-water marks, its events, and whether all is
//! in order.

use std::cmp::Reverse;
use std::error::Error;
use std::time::Duration;

use evloop::{EventLoop, Kind, Snapshot};

use crate::json::Object;
use crate::measure::{nanoseconds, now};
use crate::response::Status;

/// Of the events that were added at one place, so many are shown one by one: those that took most of
/// the loop's time.
const SHOWN: usize = 5;

/// Everything that the loop counts.
pub(crate) fn write_counters<S>(o: &mut Object<'_>, events: &EventLoop<S>) {
    let stats = events.stats();
    o.object("counters", |o| {
        for (name, count) in [
            ("turns", stats.turns),
            ("throttled_turns", stats.throttled_turns),
            ("waits", stats.waits),
            ("empty_waits", stats.empty_waits),
            ("wakeups", stats.wakeups),
            ("callbacks", stats.callbacks),
            ("yields", stats.yields),
            ("late_timers", stats.late_timers),
            ("signals", stats.signals),
            ("changes_recorded", stats.changes_recorded),
            ("changes_coalesced", stats.changes_coalesced),
            ("changes_skipped", stats.changes_skipped),
            ("changes_told", stats.changes_told),
            ("quenched", stats.quenched),
            ("ghosts", stats.ghosts),
        ] {
            o.number(name, count);
        }
    });
}

/// The most there was of everything.
pub(crate) fn write_peaks<S>(o: &mut Object<'_>, events: &EventLoop<S>) {
    let peaks = events.peaks();
    o.object("peaks", |o| {
        o.count("pending", peaks.pending);
        o.count("active", peaks.active);
        o.count("timers", peaks.timers);
        o.count("fds", peaks.fds);
        o.number("lateness_ns", nanoseconds(peaks.lateness));
    });
}

/// The events by where in the program they were added, the most urgent first. Of each place all are
/// counted, and the busiest are shown.
pub(crate) fn write_places<S>(o: &mut Object<'_>, events: &EventLoop<S>) {
    let mut all: Vec<Snapshot> = events.iter().collect();
    all.sort_by_key(|snapshot| (place_of(snapshot), Reverse(snapshot.event.callback_time)));
    let places = all.chunk_by(|one, next| place_of(one) == place_of(next));
    o.objects("places", places, write_place);
}

fn write_place(o: &mut Object<'_>, events: &[Snapshot]) {
    let Some(Snapshot { label, place, .. }) = events.first() else {
        return;
    };
    let file = place.file().rsplit('/').next().unwrap_or_default();
    o.text("label", label);
    o.text("place", &format!("{file}:{}", place.line()));
    o.count("count", events.len());
    o.number("runs", events.iter().map(|one| one.event.runs).sum::<u64>());
    let time: Duration = events.iter().map(|one| one.event.callback_time).sum();
    o.number("time_ns", nanoseconds(time));
    let longest = events.iter().map(|one| one.event.longest_callback).max();
    o.number("longest_ns", nanoseconds(longest.unwrap_or_default()));
    o.objects("busiest", events.iter().take(SHOWN), write_event);
}

fn write_event(o: &mut Object<'_>, snapshot: &Snapshot) {
    let event = &snapshot.event;
    o.text("waits_for", &waits_for(event.kind));
    o.number("priority", event.priority.0);
    o.text(
        "state",
        match (event.pending, event.active) {
            (_, Some(_)) => "active",
            (true, None) => "pending",
            (false, None) => "idle",
        },
    );
    o.optional("left_ns", snapshot.left.map(nanoseconds));
    o.number("runs", event.runs);
    o.number("time_ns", nanoseconds(event.callback_time));
    o.number("longest_ns", nanoseconds(event.longest_callback));
}

/// By what events are put together, and in which order.
fn place_of(snapshot: &Snapshot) -> impl Ord + use<> {
    let Snapshot {
        event,
        label,
        place,
        ..
    } = *snapshot;
    (event.priority, place.file(), place.line(), label)
}

fn waits_for(kind: Kind) -> String {
    match kind {
        Kind::Io { fd, interest, .. } if interest.is_empty() => format!("fd {fd}, paused"),
        Kind::Io { fd, interest, .. } => format!("fd {fd} {interest}"),
        Kind::Signal(signal) => signal.to_string(),
        _ => "time".to_owned(),
    }
}

/// Holds the loop's records against each other and against the kernel, and says what came of it.
pub(crate) fn verify<S>(events: &EventLoop<S>) -> (Status, String) {
    let start = now();
    let verified = events.verify();
    let took_us = start.elapsed().as_micros();
    match verified {
        Ok(()) => {
            let count = events.len();
            let text = format!(
                "in order: {count} events and what the kernel holds of them, checked in {took_us} µs\n"
            );
            (Status::Ok, text)
        }
        Err(error) => {
            let mut text = format!("out of order: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                text += &format!(": {error}");
                cause = error.source();
            }
            text.push('\n');
            (Status::InternalServerError, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::stdin;
    use std::os::unix::net::UnixStream;

    use evloop::Interest;
    use rustix::io::dup;
    use rustix::stdio::dup2_stdin;

    use super::*;

    /// Standard input can be replaced by safe code, and the kernel forgets the file that it was.
    #[test]
    fn what_is_out_of_order_is_named() {
        let before = dup(stdin()).unwrap();
        let mut events = EventLoop::<()>::new().unwrap();
        let (near, _far) = UnixStream::pair().unwrap();
        dup2_stdin(&near).unwrap();
        drop(near);
        let event = events.io(stdin(), Interest::READ);
        event.add(|_, _, _| ()).unwrap();
        let (status, text) = verify(&events);
        assert_eq!(status, Status::Ok);
        assert!(text.starts_with("in order: 1 events"), "{text}");
        dup2_stdin(File::open("/dev/null").unwrap()).unwrap();
        let (status, text) = verify(&events);
        assert_eq!(status, Status::InternalServerError);
        assert!(
            text.starts_with("out of order: told to hold read of file descriptor 0"),
            "{text}"
        );
        dup2_stdin(before).unwrap();
    }
}
