//! The events of the server: the listener, the timers, the signals, and what they do together.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use evloop::{AddError, Caught, Cx, EventLoop, Interest, Priority, Ready, Signal};

use crate::app::{App, measured};
use crate::connection::Connection;
use crate::measure::now;
use crate::options::Options;

/// Signals come first, so that the server can be stopped however busy it is; and timers before
/// connections, so that the page moves.
const SIGNALS: Priority = Priority::MOST_URGENT;
const TIMERS: Priority = Priority(64);

/// How many clients that are refused are told so at the same time. More have to wait.
const REFUSALS: usize = 16;

/// How long not to accept when the kernel has no file descriptor or memory for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes the loop, with the events that the server has from the beginning, and the state to run it
/// with.
pub(crate) fn assemble(
    listener: TcpListener,
    options: Options,
) -> Result<(EventLoop<App>, App), Box<dyn Error>> {
    let mut events = EventLoop::new()?;
    events.start_measuring();
    let mut app = App::new(options);
    let listener = events
        .io(listener, Interest::READ)
        .persist()
        .label("listener")
        .add(|cx, listener, _ready| measured(cx, |cx| accept(cx, listener)))?;
    app.listener = Some(listener);
    events
        .timer(options.tick)
        .persist()
        .priority(TIMERS)
        .label("tick")
        .add(|cx| measured(cx, tick))?;
    app.make_frame(&mut events);
    Ok((events, app))
}

/// Adds the events of the signals that the server is told what to do by.
pub(crate) fn watch_signals(events: &mut EventLoop<App>) -> Result<(), AddError> {
    for signal in [Signal::INT, Signal::TERM] {
        events
            .signal(signal)
            .persist()
            .priority(SIGNALS)
            .label("stop")
            .add(|cx, caught| measured(cx, |cx| interrupt(cx, caught)))?;
    }
    events
        .signal(Signal::USR1)
        .persist()
        .priority(SIGNALS)
        .label("show")
        .add(|cx, caught| measured(cx, |cx| show(cx, caught)))?;
    Ok(())
}

/// Accepts all who wait to be, as long as there is room.
fn accept(cx: &mut Cx<'_, App>, listener: &TcpListener) {
    let most = cx.state.options.max_connections.saturating_add(REFUSALS);
    while cx.state.connections.len() < most {
        match listener.accept() {
            Ok((stream, _peer)) => greet(cx, stream),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return,
                // That client has gone again; the next one may be there.
                ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
                // Too many open files, most likely (EMFILE, ENFILE). The client stays in the queue,
                // and the listener ready: to go on listening would be to spin.
                _ => return pause(cx),
            },
        }
    }
    pause(cx);
}

/// Adds the event of a new connection.
fn greet(cx: &mut Cx<'_, App>, stream: TcpStream) {
    cx.state.counters.accepted += 1;
    // Each response is written by one call; there is nothing to wait for. If it cannot be set the
    // client is gone, as the first read will tell.
    let _gone = stream.set_nodelay(true);
    let mut connection = if cx.state.has_room() {
        Connection::new()
    } else {
        cx.state.counters.refused += 1;
        Connection::refused(cx.state)
    };
    let added = cx
        .events
        .io(stream, connection.interest())
        .persist()
        .timeout(cx.state.options.idle)
        .label("connection")
        .add(move |cx, stream, ready| measured(cx, |cx| connection.on_ready(cx, stream, ready)));
    match added {
        Ok(id) => {
            cx.state.connections.insert(id);
        }
        Err(error) => complain(error),
    }
}

/// Closes the connection whose callback runs. (Its file is closed when the callback returns.)
pub(crate) fn close(cx: &mut Cx<'_, App>) {
    let id = cx.id();
    cx.state.connections.remove(&id);
    cx.state.pages.remove(&id);
    if let Err(error) = cx.events.remove(id) {
        complain(error);
    }
    if !cx.state.is_stopping {
        resume(cx);
    } else if cx.state.connections.is_empty() {
        cx.events.exit();
    }
}

/// Stops accepting until a connection is closed, or for a while.
fn pause(cx: &mut Cx<'_, App>) {
    let Some(listener) = cx.state.listener else {
        return;
    };
    cx.state.counters.accept_pauses += 1;
    let timer = cx
        .events
        .timer(PAUSE)
        .priority(TIMERS)
        .label("accept again")
        .add(|cx| measured(cx, resume));
    let paused = timer.and_then(|timer| {
        cx.state.pause = Some(timer);
        cx.events.set_interest(listener, Interest::empty())
    });
    if let Err(error) = paused {
        complain(error);
    }
}

/// Ends a pause, if there is one.
fn resume(cx: &mut Cx<'_, App>) {
    let (Some(timer), Some(listener)) = (cx.state.pause.take(), cx.state.listener) else {
        return;
    };
    if let Err(error) = cx.events.remove(timer) {
        complain(error);
    }
    if let Err(error) = cx.events.set_interest(listener, Interest::READ) {
        complain(error);
    }
}

/// Each second: measures, and sends the pages what was measured.
fn tick(cx: &mut Cx<'_, App>) {
    cx.state.rates.sample(now(), cx.events.stats());
    cx.state.make_frame(cx.events);
    for &page in &cx.state.pages {
        let activated = cx.events.activate(page, Ready::empty());
        debug_assert!(activated.is_ok(), "pages are events: {activated:?}");
    }
}

/// Asked to stop: the first time in good order, the second time at once.
fn interrupt(cx: &mut Cx<'_, App>, caught: Caught) {
    cx.state.count_caught(caught);
    if cx.state.is_stopping || caught.count > 1 {
        // As a shell reports a program that a signal has ended.
        cx.state.exit_code = u8::try_from(128 + caught.signal.number()).unwrap_or(u8::MAX);
        cx.events.break_loop();
    } else {
        stop(cx);
    }
}

/// Accepts no more, lets what is in flight come to its end, and ends the run then, or when the
/// grace is over.
pub(crate) fn stop(cx: &mut Cx<'_, App>) {
    // Who had connected before is served: the last look at the queue.
    if let Some(listener) = cx.state.listener.take() {
        match cx.events.into_source::<TcpListener>(listener) {
            Ok(listener) => accept(cx, &listener),
            Err(error) => complain(error),
        }
    }
    cx.state.is_stopping = true;
    let grace = cx.events.timer(cx.state.options.grace).priority(TIMERS);
    if let Err(error) = grace.label("grace").add(|cx| cx.events.exit()) {
        complain(error);
    }
    // Each knows best whether it is done.
    for &connection in &cx.state.connections {
        let activated = cx.events.activate(connection, Ready::empty());
        debug_assert!(activated.is_ok(), "connections are events: {activated:?}");
    }
    if cx.state.connections.is_empty() {
        cx.events.exit();
    }
}

/// Writes the table of events to standard error.
fn show(cx: &mut Cx<'_, App>, caught: Caught) {
    cx.state.count_caught(caught);
    let table = cx.events.table().to_string();
    // If nobody reads it there is nobody to tell.
    let _unread = io::stderr().write_all(table.as_bytes());
}

/// Says on standard error what went wrong; the server goes on.
fn complain(error: impl fmt::Display) {
    let _unread = writeln!(io::stderr(), "live: {error}");
}
