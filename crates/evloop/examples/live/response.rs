//! Responses: what is said, written to a buffer as HTTP/1.1.

use std::io::Write;

use crate::http::{Method, Persistence};

/// The status codes that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok = 200,
    BadRequest = 400,
    NotFound = 404,
    MethodNotAllowed = 405,
    RequestTimeout = 408,
    ContentTooLarge = 413,
    HeaderFieldsTooLarge = 431,
    InternalServerError = 500,
    NotImplemented = 501,
    ServiceUnavailable = 503,
}

impl Status {
    pub(crate) const fn code(self) -> u16 {
        self as u16
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::BadRequest => "Bad Request",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::RequestTimeout => "Request Timeout",
            Self::ContentTooLarge => "Content Too Large",
            Self::HeaderFieldsTooLarge => "Request Header Fields Too Large",
            Self::InternalServerError => "Internal Server Error",
            Self::NotImplemented => "Not Implemented",
            Self::ServiceUnavailable => "Service Unavailable",
        }
    }

    /// Header fields that go with this status wherever it is used.
    const fn fields(self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            Self::ServiceUnavailable => "Retry-After: 1\r\n",
            _ => "",
        }
    }
}

/// What is sent as the body, and as what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content<'a> {
    pub(crate) media_type: &'static str,
    /// More header fields, each with its end of line.
    pub(crate) fields: &'static str,
    /// `None`: it follows without an announced length, up to the end of the connection.
    pub(crate) body: Option<&'a [u8]>,
}

impl<'a> Content<'a> {
    pub(crate) const fn new(media_type: &'static str, body: &'a [u8]) -> Self {
        Self {
            media_type,
            fields: "",
            body: Some(body),
        }
    }
}

/// Writes a response to the end of `output`.
pub(crate) fn write(
    output: &mut Vec<u8>,
    status: Status,
    method: Method,
    persistence: Persistence,
    content: Content<'_>,
) {
    append(
        output,
        format_args!(
            "HTTP/1.1 {} {}\r\n\
             Content-Type: {}\r\n\
             Cache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\n\
             {}{}{}",
            status.code(),
            status.reason(),
            content.media_type,
            status.fields(),
            content.fields,
            match persistence {
                Persistence::Open => "",
                Persistence::KeepAlive => "Connection: keep-alive\r\n",
                Persistence::Close => "Connection: close\r\n",
            },
        ),
    );
    if let Some(body) = content.body {
        append(output, format_args!("Content-Length: {}\r\n", body.len()));
    }
    output.extend_from_slice(b"\r\n");
    if method != Method::Head {
        output.extend_from_slice(content.body.unwrap_or_default());
    }
}

/// Writes the response that says no more than its status, after which the connection is closed
/// or not.
pub(crate) fn write_status(
    output: &mut Vec<u8>,
    status: Status,
    method: Method,
    persistence: Persistence,
) {
    let body = format!("{} {}\n", status.code(), status.reason());
    write(
        output,
        status,
        method,
        persistence,
        Content::new(PLAIN, body.as_bytes()),
    );
}

fn append(output: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    output
        .write_fmt(text)
        .expect("a vector takes all that is written to it");
}

pub(crate) const PLAIN: &str = "text/plain; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    fn written(status: Status, method: Method, persistence: Persistence) -> String {
        let mut output = Vec::new();
        let content = Content::new(PLAIN, b"body");
        write(&mut output, status, method, persistence, content);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn response_has_status_length_and_body() {
        let text = written(Status::Ok, Method::Get, Persistence::Open);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\nContent-Length: 4\r\n"), "{text}");
        assert!(!text.contains("\r\nConnection:"), "{text}");
        assert!(text.ends_with("\r\n\r\nbody"), "{text}");
    }

    #[test]
    fn head_is_answered_by_the_same_head_without_a_body() {
        let get = written(Status::Ok, Method::Get, Persistence::Open);
        let head = written(Status::Ok, Method::Head, Persistence::Open);
        assert_eq!(head, get.strip_suffix("body").unwrap());
    }

    #[test]
    fn connection_is_said_where_it_is_not_usual() {
        let close = written(Status::Ok, Method::Get, Persistence::Close);
        assert!(close.contains("\r\nConnection: close\r\n"), "{close}");
        let kept = written(Status::Ok, Method::Get, Persistence::KeepAlive);
        assert!(kept.contains("\r\nConnection: keep-alive\r\n"), "{kept}");
    }

    #[test]
    fn method_not_allowed_names_those_that_are() {
        let text = written(Status::MethodNotAllowed, Method::Other, Persistence::Open);
        assert!(text.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
        assert!(text.contains("\r\nAllow: GET, HEAD\r\n"), "{text}");
    }

    #[test]
    fn unavailable_says_when_to_come_back() {
        let text = written(Status::ServiceUnavailable, Method::Get, Persistence::Close);
        assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
        assert!(text.contains("\r\nRetry-After: 1\r\n"), "{text}");
    }

    #[test]
    fn status_alone_is_its_own_body() {
        let mut output = Vec::new();
        write_status(
            &mut output,
            Status::NotFound,
            Method::Get,
            Persistence::Open,
        );
        assert!(output.ends_with(b"\r\n\r\n404 Not Found\n"));
    }

    #[test]
    fn stream_has_no_length() {
        let mut output = Vec::new();
        let content = Content {
            body: None,
            ..Content::new("text/event-stream", b"")
        };
        write(
            &mut output,
            Status::Ok,
            Method::Get,
            Persistence::Close,
            content,
        );
        let text = String::from_utf8(output).unwrap();
        assert!(!text.contains("Content-Length"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
    }
}
