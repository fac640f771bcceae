//! The state that all callbacks share.

use std::collections::HashSet;
use std::time::Instant;

use evloop::{Caught, Cx, EventId, EventLoop, Signal};

use crate::measure::{Histogram, Rates, now};
use crate::options::Options;
use crate::response::Status;
use crate::snapshot;

/// The server's state. What belongs to one connection alone is in that connection's callback.
pub(crate) struct App {
    pub(crate) options: Options,
    /// Asked for once, as each time is a call into the kernel.
    pub(crate) process: u32,
    pub(crate) started: Instant,
    /// The event that accepts; none any more when the server stops.
    pub(crate) listener: Option<EventId>,
    /// While accepting is paused: the timer that ends the pause.
    pub(crate) pause: Option<EventId>,
    pub(crate) connections: HashSet<EventId>,
    /// Of the connections, those that are sent each frame.
    pub(crate) pages: HashSet<EventId>,
    pub(crate) is_stopping: bool,
    pub(crate) exit_code: u8,
    pub(crate) frame: Frame,
    pub(crate) rates: Rates,
    pub(crate) callback_times: Histogram,
    pub(crate) caught: Vec<(Signal, u64)>,
    pub(crate) counters: Counters,
}

/// What the pages are sent, in the form in which they are sent it.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) number: u64,
    pub(crate) text: String,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: u64,
    /// Of these, those that were one too many.
    pub(crate) refused: u64,
    pub(crate) requests: u64,
    /// Responses by the first digit of their status.
    pub(crate) responses: [u64; 6],
    /// Connections closed because nothing, or not enough, came from them.
    pub(crate) timed_out: u64,
    /// Pages closed because they did not read what they were sent.
    pub(crate) pages_dropped: u64,
    pub(crate) accept_pauses: u64,
}

impl Counters {
    pub(crate) fn count_response(&mut self, status: Status) {
        self.responses[usize::from(status.code() / 100)] += 1;
    }
}

impl App {
    pub(crate) fn new(options: Options) -> Self {
        let started = now();
        Self {
            options,
            process: std::process::id(),
            started,
            listener: None,
            pause: None,
            connections: HashSet::new(),
            pages: HashSet::new(),
            is_stopping: false,
            exit_code: 0,
            frame: Frame::default(),
            rates: Rates::new(started),
            callback_times: Histogram::default(),
            caught: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// Whether one client more can be served.
    pub(crate) fn has_room(&self) -> bool {
        self.connections.len() < self.options.max_connections
    }

    pub(crate) fn count_caught(&mut self, caught: Caught) {
        match self
            .caught
            .iter_mut()
            .find(|(signal, _)| *signal == caught.signal)
        {
            Some((_, count)) => *count += caught.count,
            None => self.caught.push((caught.signal, caught.count)),
        }
    }

    /// Makes the frame of now.
    pub(crate) fn make_frame(&mut self, events: &mut EventLoop<Self>) {
        let mut text = std::mem::take(&mut self.frame.text);
        text.clear();
        text.push_str("data: ");
        snapshot::write(&mut text, self, events);
        text.push_str("\n\n");
        self.frame.text = text;
        self.frame.number += 1;
    }
}

/// Runs the work of a callback, and counts how long it took.
pub(crate) fn measured(cx: &mut Cx<'_, App>, work: impl FnOnce(&mut Cx<'_, App>)) {
    let start = now();
    work(cx);
    let duration = now().saturating_duration_since(start);
    cx.state.callback_times.record(duration);
}
