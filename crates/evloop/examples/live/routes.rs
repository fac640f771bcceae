//! What is answered to a request.

use evloop::Cx;

use crate::app::App;
use crate::http::{Method, Persistence, Request};
use crate::inspection;
use crate::response::{self, Content, PLAIN, Status};
use crate::snapshot;

/// What follows a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// The next request.
    Request,
    /// Nothing: it was the last.
    Nothing,
    /// Frames, until the connection is closed.
    Frames,
}

/// Writes the response to a request to the end of `output`.
pub(crate) fn answer(cx: &mut Cx<'_, App>, request: &Request<'_>, output: &mut Vec<u8>) -> After {
    let persistence = if cx.state.is_stopping {
        Persistence::Close
    } else {
        request.persistence
    };
    let after = match persistence {
        Persistence::Open | Persistence::KeepAlive => After::Request,
        Persistence::Close => After::Nothing,
    };
    let method = request.method;
    let mut say = |content| response::write(output, Status::Ok, method, persistence, content);
    let mut status = Status::Ok;
    match request.path {
        _ if method == Method::Other => status = Status::MethodNotAllowed,
        "/healthz" => say(Content::new(PLAIN, b"ok\n")),
        "/" => say(PAGE),
        "/snapshot.json" => {
            let mut text = String::new();
            snapshot::write(&mut text, cx.state, cx.events);
            text.push('\n');
            say(Content::new("application/json", text.as_bytes()));
        }
        "/table" => say(Content::new(
            PLAIN,
            cx.events.table().to_string().as_bytes(),
        )),
        "/verify" => {
            let (verdict, text) = inspection::verify(cx.events);
            let content = Content::new(PLAIN, text.as_bytes());
            response::write(output, verdict, method, persistence, content);
            status = verdict;
        }
        "/events" => return stream(cx.state, method, persistence, after, output),
        _ => status = Status::NotFound,
    }
    if matches!(status, Status::MethodNotAllowed | Status::NotFound) {
        response::write_status(output, status, method, persistence);
    }
    cx.state.counters.count_response(status);
    after
}

/// Begins a stream of frames. It ends with the connection, as no length can be announced.
fn stream(
    app: &mut App,
    method: Method,
    persistence: Persistence,
    after: After,
    output: &mut Vec<u8>,
) -> After {
    app.counters.count_response(Status::Ok);
    if method == Method::Head {
        response::write(output, Status::Ok, method, persistence, STREAM);
        return after;
    }
    response::write(output, Status::Ok, method, Persistence::Close, STREAM);
    // A page whose stream ended asks for another after this many milliseconds.
    output.extend_from_slice(b"retry: 1000\n\n");
    After::Frames
}

/// The page may load nothing from elsewhere, and needs not to.
const PAGE: Content<'_> = Content {
    media_type: "text/html; charset=utf-8",
    fields: "Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; \
             script-src 'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'\r\n",
    body: Some(include_bytes!("page.html")),
};

const STREAM: Content<'_> = Content {
    media_type: "text/event-stream",
    fields: "",
    body: None,
};
