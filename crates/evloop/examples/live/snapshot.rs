//! All the numbers that are shown, as one JSON object on one line.

use std::collections::BTreeMap;
use std::time::Duration;

use evloop::{EventLoop, Kind};

use crate::app::App;
use crate::inspection;
use crate::json::{self, Object};
use crate::measure::{SECONDS, nanoseconds};

/// Writes what is to be told of the loop and of the server to the end of `out`.
pub(crate) fn write(out: &mut String, app: &App, events: &mut EventLoop<App>) {
    json::object(out, |o| {
        o.text("backend", events.backend_name());
        o.number("process", app.process);
        o.number("uptime_ms", milliseconds(app.started.elapsed()));
        write_loop(o, events);
        o.object("timers", |o| {
            o.count("running", events.timers());
            let next = events.next_timeout().map(microseconds);
            o.optional("next_us", next);
        });
        write_signals(o, app, events);
        write_server(o, app);
        write_rates(o, app);
        inspection::write_counters(o, events);
        inspection::write_peaks(o, events);
        inspection::write_places(o, events);
        o.object("callback_time", |o| {
            o.number("longest_ns", nanoseconds(app.callback_times.longest()));
            o.objects(
                "buckets",
                app.callback_times.buckets(),
                |o, (below, count)| {
                    o.optional("below_ns", below);
                    o.number("count", count);
                },
            );
        });
    });
}

fn write_loop(o: &mut Object<'_>, events: &EventLoop<App>) {
    let stats = events.stats();
    o.object("callbacks", |o| {
        o.number("all", stats.callbacks);
        o.number("io", stats.io_callbacks);
        o.number("timer", stats.timer_callbacks);
        o.number("signal", stats.signal_callbacks);
        // Neither of these: activated by hand. (Few have two reasons at once.)
        let reasons = stats.io_callbacks + stats.timer_callbacks + stats.signal_callbacks;
        o.number("user", stats.callbacks.saturating_sub(reasons));
    });
    let census = Census::take(events);
    o.object("events", |o| {
        o.count("all", events.len());
        o.count("pending", census.pending);
        o.count("active", census.active);
        o.object("by_kind", |o| {
            o.count("io", census.io);
            o.count("timer", census.timer);
            o.count("signal", census.signal);
            o.count("user", census.user);
        });
        o.objects("by_priority", census.priorities, |o, (priority, count)| {
            o.number("priority", priority);
            o.count("count", count);
        });
    });
}

fn write_signals(o: &mut Object<'_>, app: &App, events: &EventLoop<App>) {
    o.object("signals", |o| {
        o.number("delivered", events.stats().signals);
        o.objects("caught", &app.caught, |o, (signal, count)| {
            o.text("signal", &signal.to_string());
            o.number("count", *count);
        });
    });
}

fn write_server(o: &mut Object<'_>, app: &App) {
    let counters = &app.counters;
    o.object("connections", |o| {
        o.count("open", app.connections.len());
        o.count("limit", app.options.max_connections);
        o.count("pages", app.pages.len());
        o.number("accepted", counters.accepted);
        o.number("refused", counters.refused);
        o.number("timed_out", counters.timed_out);
        o.number("pages_dropped", counters.pages_dropped);
        o.number("accept_pauses", counters.accept_pauses);
    });
    o.number("requests", counters.requests);
    o.object("responses", |o| {
        o.number("2xx", counters.responses[2]);
        o.number("4xx", counters.responses[4]);
        o.number("5xx", counters.responses[5]);
    });
}

fn write_rates(o: &mut Object<'_>, app: &App) {
    o.object("per_second", |o| {
        o.count("kept", SECONDS);
        o.number("interval_ms", milliseconds(app.options.tick));
        o.numbers("turns", app.rates.iter().map(|rate| rate.turns));
        o.numbers("callbacks", app.rates.iter().map(|rate| rate.callbacks));
    });
}

/// How many events of which sort there are.
#[derive(Default)]
struct Census {
    pending: usize,
    active: usize,
    io: usize,
    timer: usize,
    signal: usize,
    user: usize,
    priorities: BTreeMap<u8, usize>,
}

impl Census {
    fn take(events: &EventLoop<App>) -> Self {
        let mut census = Self::default();
        for described in events.iter() {
            let event = described.event;
            census.pending += usize::from(event.pending);
            census.active += usize::from(event.active.is_some());
            let kind = match event.kind {
                Kind::Io { .. } => &mut census.io,
                Kind::Signal(_) => &mut census.signal,
                Kind::Plain if event.timeout.is_some() => &mut census.timer,
                _ => &mut census.user,
            };
            *kind += 1;
            *census.priorities.entry(event.priority.0).or_default() += 1;
        }
        census
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
