//! One connection: the callback of its event, and what it keeps from one call to the next.
//!
//! It reads only when there is nothing left to write, and asks the loop for the one or the other:
//! a client that does not take its responses is not given more. At most one read is made in a
//! call, so no client keeps the loop from the others.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use evloop::{AddError, Cx, Interest, Ready};
use rustix::net::sockopt;

use crate::app::App;
use crate::buffer::{Filled, Input, Output};
use crate::http::{self, HEAD_LIMIT, Method, Parsed, Persistence};
use crate::measure::now;
use crate::response::{self, Status};
use crate::routes::{self, After};
use crate::server;

/// The state of one connection; its callback owns it.
pub(crate) struct Connection {
    phase: Phase,
    input: Input,
    output: Output,
    /// Bytes that are still to come of the last request's body.
    skip: usize,
    patience: Patience,
    /// What the event's timeout was last set for.
    told: Patience,
    /// The number of the frame that was sent last.
    frame: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Requests are read and answered.
    Requests,
    /// It is a page's, and sent frames.
    Page,
    /// The last response is being written.
    LastWords,
    /// All is written. What the client still sends is read away until it closes: if the
    /// connection were closed with bytes unread, the kernel would reset it, and the last response
    /// might be lost.
    Lingering,
}

/// For how long nothing need happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// For the idle time, counted from the last input or output: the event's own timeout does so.
    Idle,
    /// Until then, whatever arrives in between.
    Until(Instant),
    Endless,
}

/// Whether the connection is still needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Closes,
}

/// No more responses are prepared when this many bytes wait to be written.
const OUTPUT_LIMIT: usize = 64 * 1024;

/// A page that is so many bytes behind, beside what the kernel keeps for it, is given up.
const PAGE_LIMIT: usize = 64 * 1024;

/// How long to wait for the client to close after the last response.
const LINGER: Duration = Duration::from_secs(1);

impl Connection {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Requests,
            input: Input::with_room_for(HEAD_LIMIT),
            output: Output::default(),
            skip: 0,
            patience: Patience::Idle,
            told: Patience::Idle,
            frame: 0,
        }
    }

    /// A connection that is told that it is one too many, and nothing else.
    pub(crate) fn refused(app: &mut App) -> Self {
        let mut connection = Self::new();
        connection.refuse(app, Status::ServiceUnavailable);
        connection
    }

    /// The readiness that is needed to go on.
    pub(crate) const fn interest(&self) -> Interest {
        if self.output.is_empty() {
            Interest::READ
        } else {
            Interest::WRITE
        }
    }

    /// The event's callback. It runs with nothing ready as well: when there is a new frame, and
    /// when the server stops.
    pub(crate) fn on_ready(&mut self, cx: &mut Cx<'_, App>, stream: &TcpStream, ready: Ready) {
        let fate = self.advance(cx, stream, ready);
        // An error means that the client is gone: there is nobody to tell.
        if !matches!(fate, Ok(Fate::Stays)) || self.settle(cx).is_err() {
            server::close(cx);
        }
    }

    fn advance(
        &mut self,
        cx: &mut Cx<'_, App>,
        stream: &TcpStream,
        ready: Ready,
    ) -> io::Result<Fate> {
        if ready == Ready::TIMEOUT && self.time_out(cx.state) == Fate::Closes {
            return Ok(Fate::Closes);
        }
        if self.phase == Phase::Page && self.take_frame(cx.state) == Fate::Closes {
            return Ok(Fate::Closes);
        }
        // Who has just sent a request as the server stops is answered.
        let mut may_read = ready.is_readable() || cx.state.is_stopping;
        loop {
            self.output.flush(stream)?;
            if !self.output.is_empty() {
                return Ok(Fate::Stays);
            }
            match self.phase {
                Phase::Requests => {
                    if self.answer_requests(cx, stream)? {
                        continue;
                    }
                }
                Phase::LastWords => {
                    stream.shutdown(Shutdown::Write)?;
                    self.phase = Phase::Lingering;
                    self.patience = Patience::Until(now() + LINGER);
                    continue;
                }
                Phase::Page | Phase::Lingering => {
                    self.input.consume(usize::MAX);
                }
            }
            if !may_read {
                return Ok(Fate::Stays);
            }
            may_read = false;
            match self.input.fill(stream)? {
                Filled::Some => {}
                Filled::End => return Ok(Fate::Closes),
                Filled::Nothing if cx.state.is_stopping && self.is_idle() => {
                    return Ok(Fate::Closes);
                }
                Filled::Nothing => return Ok(Fate::Stays),
            }
        }
    }

    /// Answers the requests that have arrived, one after the other, as far as there is room for
    /// the responses. Whether there is anything to write now.
    fn answer_requests(&mut self, cx: &mut Cx<'_, App>, stream: &TcpStream) -> io::Result<bool> {
        while self.phase == Phase::Requests && self.output.len() < OUTPUT_LIMIT {
            self.skip -= self.input.consume(self.skip);
            if self.input.is_empty() {
                break;
            }
            match http::parse(self.input.bytes()) {
                Parsed::Partial => break,
                Parsed::Refused(status) => self.refuse(cx.state, status),
                Parsed::Request(request) => {
                    cx.state.counters.requests += 1;
                    self.skip = request.body_len;
                    let head_len = request.head_len;
                    let after = routes::answer(cx, &request, self.output.bytes());
                    self.input.consume(head_len);
                    self.patience = Patience::Idle;
                    match after {
                        After::Request => {}
                        After::Nothing => self.phase = Phase::LastWords,
                        After::Frames => self.become_page(cx, stream)?,
                    }
                }
            }
        }
        Ok(!self.output.is_empty())
    }

    /// Answers what cannot be answered well, and no more after it.
    fn refuse(&mut self, app: &mut App, status: Status) {
        response::write_status(
            self.output.bytes(),
            status,
            Method::Other,
            Persistence::Close,
        );
        app.counters.count_response(status);
        self.phase = Phase::LastWords;
        self.patience = Patience::Idle;
    }

    fn become_page(&mut self, cx: &mut Cx<'_, App>, stream: &TcpStream) -> io::Result<()> {
        // The kernel would keep megabytes for a page that does not read.
        sockopt::set_socket_send_buffer_size(stream, PAGE_LIMIT)?;
        self.phase = Phase::Page;
        self.patience = Patience::Endless;
        cx.state.pages.insert(cx.id());
        let Fate::Stays = self.take_frame(cx.state) else {
            unreachable!("there is room for the first frame");
        };
        Ok(())
    }

    /// Sends the page the newest frame, if it does not have that already.
    fn take_frame(&mut self, app: &mut App) -> Fate {
        if app.is_stopping {
            self.phase = Phase::LastWords;
            self.patience = Patience::Idle;
            return Fate::Stays;
        }
        if self.frame == app.frame.number {
            return Fate::Stays;
        }
        if self.output.len() > PAGE_LIMIT {
            app.counters.pages_dropped += 1;
            return Fate::Closes;
        }
        let text = app.frame.text.as_bytes();
        self.output.bytes().extend_from_slice(text);
        self.frame = app.frame.number;
        Fate::Stays
    }

    /// The event's timeout expired.
    fn time_out(&mut self, app: &mut App) -> Fate {
        app.counters.timed_out += u64::from(self.phase != Phase::Lingering);
        let is_waiting_for_head = self.phase == Phase::Requests
            && self.output.is_empty()
            && self.skip == 0
            && !self.input.is_empty();
        if is_waiting_for_head {
            self.refuse(app, Status::RequestTimeout);
            Fate::Stays
        } else {
            Fate::Closes
        }
    }

    /// Whether it is between two requests.
    const fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Requests) && self.input.is_empty() && self.skip == 0
    }

    /// Tells the loop what the connection waits for now, and for how long. Costs nothing while
    /// that does not change.
    fn settle(&mut self, cx: &mut Cx<'_, App>) -> Result<(), AddError> {
        let id = cx.id();
        cx.events.set_interest(id, self.interest())?;
        if self.phase == Phase::Requests {
            self.patience = match self.patience {
                _ if self.is_idle() || !self.output.is_empty() => Patience::Idle,
                Patience::Until(deadline) => Patience::Until(deadline),
                _ => Patience::Until(now() + cx.state.options.request),
            };
        }
        let timeout = match self.patience {
            // It began anew when the callback was called, as each event's timeout does; so each
            // time it has to be set to what is left.
            Patience::Until(deadline) => Some(deadline.saturating_duration_since(now())),
            unchanged if unchanged == self.told => return Ok(()),
            Patience::Idle => Some(cx.state.options.idle),
            Patience::Endless => None,
        };
        self.told = self.patience;
        cx.events.set_timeout(id, timeout)?;
        Ok(())
    }
}
