//! The events of a loop as a table to read.

use std::fmt;
use std::time::Duration;

use evloop_changelist::Trigger;
use evloop_core::{Kind, Ownership};

use crate::event_loop::EventLoop;
use crate::inspect::Snapshot;

/// The events of a loop, to be printed: [`EventLoop::table`].
///
/// # Compared with libevent
///
/// What `event_base_dump_events` writes to a `FILE`.
#[derive(Debug)]
pub struct Table<'a, S> {
    pub(crate) events: &'a EventLoop<S>,
}

impl<S> fmt::Display for Table<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14} {:<24} {:>4} {:<7} {:>9} {:>7} {:>7}  added at",
            "event", "waits for", "prio", "state", "timeout", "runs", "longest"
        )?;
        let running = self.events.core.running();
        for snapshot in self.events.iter() {
            let is_running = running == Some(snapshot.event.id);
            write_line(f, &snapshot, is_running)?;
        }
        Ok(())
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, snapshot: &Snapshot, is_running: bool) -> fmt::Result {
    let Snapshot {
        event,
        label,
        place,
        left,
    } = snapshot;
    let state = match (event.pending, event.active) {
        _ if is_running => "running",
        (_, Some(_)) => "active",
        (true, None) => "pending",
        (false, None) => "idle",
    };
    let what = WaitsFor(event.kind).to_string();
    let (priority, runs) = (event.priority.0, event.runs);
    let left = time(*left);
    let longest = time(Some(event.longest_callback).filter(|time| !time.is_zero()));
    let (file, line) = (short(place.file()), place.line());
    write!(f, "{label:<14} {what:<24} {priority:>4} {state:<7} ")?;
    writeln!(f, "{left:>9} {runs:>7} {longest:>7}  {file}:{line}")
}

fn time(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{time:.1?}"))
}

/// The file and the folder that it is in: what is before is mostly the same on all lines.
fn short(path: &str) -> &str {
    let mut slashes = path.rmatch_indices('/');
    slashes.nth(1).map_or(path, |(at, _)| &path[at + 1..])
}

struct WaitsFor(Kind);

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Io {
                fd,
                interest,
                trigger,
                ownership,
            } => {
                let edge = match trigger {
                    Trigger::Level => "",
                    Trigger::Edge => " edge",
                };
                let lent = match ownership {
                    Ownership::Owned => "",
                    Ownership::Borrowed => " lent",
                };
                write!(f, "fd {fd} {interest}{edge}{lent}")
            }
            Kind::Signal(signal) => signal.fmt(f),
            Kind::Plain => f.write_str("-"),
            Kind::Always(interest) => write!(f, "always ready {interest}"),
            Kind::Prepare => f.write_str("before the wait"),
            Kind::Check => f.write_str("after the wait"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_cut_down_to_file_and_folder() {
        for (path, expected) in [
            ("main.rs", "main.rs"),
            ("src/main.rs", "src/main.rs"),
            ("/srv/server/src/main.rs", "src/main.rs"),
        ] {
            assert_eq!(short(path), expected);
        }
    }
}
