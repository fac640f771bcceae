//! Requests: bytes in, a request or the reason to refuse it out.
//!
//! Nothing here knows a socket or a loop. [`parse`] looks at what has arrived so far; it is called
//! again from the same place when more has, so how the bytes were cut up makes no difference.

use std::mem::MaybeUninit;

use crate::response::Status;

/// The longest head (request line and header fields) that is taken, in bytes.
pub(crate) const HEAD_LIMIT: usize = 16 * 1024;

/// The longest body that is skipped, in bytes. No resource here takes one.
const BODY_LIMIT: usize = 64 * 1024;

/// The most header fields that are taken. Browsers send about 15.
const FIELD_LIMIT: usize = 64;

/// What stands at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// The beginning of a request (or nothing).
    Partial,
    /// The whole head of a request.
    Request(Request<'a>),
    /// What will never be a request that is answered. Nothing after it can be understood.
    Refused(Status),
}

/// The head of a request, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// Without the query, and without the scheme and authority of a proxy's request.
    pub(crate) path: &'a str,
    pub(crate) persistence: Persistence,
    /// Bytes up to the end of the head.
    pub(crate) head_len: usize,
    /// Bytes after the head, which belong to the request.
    pub(crate) body_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    /// Any other. No resource here allows it.
    Other,
}

/// What becomes of the connection after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It stays open, as is usual in HTTP/1.1.
    Open,
    /// It stays open, which a client of HTTP/1.0 has asked for and is told.
    KeepAlive,
    /// It is closed.
    Close,
}

/// Looks for a request at the front of the input.
///
/// The input is looked at anew each time, but never more than [`HEAD_LIMIT`] of it.
pub(crate) fn parse(input: &[u8]) -> Parsed<'_> {
    let head = &input[..input.len().min(HEAD_LIMIT)];
    let mut fields = [const { MaybeUninit::uninit() }; FIELD_LIMIT];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, &mut fields) {
        Ok(httparse::Status::Complete(head_len)) => match understand(&request, head_len) {
            Ok(request) => Parsed::Request(request),
            Err(status) => Parsed::Refused(status),
        },
        Ok(httparse::Status::Partial) if head.len() < HEAD_LIMIT => Parsed::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Parsed::Refused(Status::HeaderFieldsTooLarge)
        }
        Err(_) => Parsed::Refused(Status::BadRequest),
    }
}

/// Takes from a complete head what matters; fails where the head contradicts itself, or asks for
/// what is not done here.
fn understand<'a>(
    request: &httparse::Request<'_, 'a>,
    head_len: usize,
) -> Result<Request<'a>, Status> {
    let (Some(method), Some(target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return Err(Status::BadRequest);
    };
    let fields = Fields::collect(request.headers)?;
    // RFC 9112, section 3.2: HTTP/1.1 names the host, and nobody names it twice.
    if fields.hosts > 1 || (version == 1 && fields.hosts == 0) {
        return Err(Status::BadRequest);
    }
    // RFC 9112, section 6: a length that is said twice is how requests are smuggled past a proxy.
    if fields.transfer_encoding {
        return Err(if version == 0 || fields.content_length.is_some() {
            Status::BadRequest
        } else {
            Status::NotImplemented
        });
    }
    let body_len = fields.content_length.unwrap_or(0);
    if body_len > BODY_LIMIT {
        return Err(Status::ContentTooLarge);
    }
    let persistence = match (version, fields.close, fields.keep_alive) {
        // Who expects "100 Continue" may or may not send the body after another answer.
        _ if fields.expects && body_len > 0 => Persistence::Close,
        (_, true, _) | (0, false, false) => Persistence::Close,
        (0, false, true) => Persistence::KeepAlive,
        _ => Persistence::Open,
    };
    Ok(Request {
        method: match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => Method::Other,
        },
        path: path_of(target),
        persistence,
        head_len,
        body_len,
    })
}

/// The header fields that matter.
#[derive(Default)]
struct Fields {
    hosts: usize,
    content_length: Option<usize>,
    transfer_encoding: bool,
    close: bool,
    keep_alive: bool,
    expects: bool,
}

impl Fields {
    fn collect(headers: &[httparse::Header<'_>]) -> Result<Self, Status> {
        let mut fields = Self::default();
        for field in headers {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("host") {
                fields.hosts += 1;
            } else if is("content-length") {
                let length = content_length(field.value)?;
                if fields.content_length.replace(length).is_some() {
                    return Err(Status::BadRequest);
                }
            } else if is("transfer-encoding") {
                fields.transfer_encoding = true;
            } else if is("expect") {
                fields.expects = true;
            } else if is("connection") {
                for option in field.value.split(|byte| *byte == b',') {
                    let option = option.trim_ascii();
                    fields.close |= option.eq_ignore_ascii_case(b"close");
                    fields.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        Ok(fields)
    }
}

fn content_length(value: &[u8]) -> Result<usize, Status> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Status::BadRequest);
    }
    // Digits only: what does not fit is too large.
    let parsed = str::from_utf8(value).map(str::parse);
    match parsed {
        Ok(Ok(length)) => Ok(length),
        _ => Err(Status::ContentTooLarge),
    }
}

/// The path in a request's target: of `/path?query`, and of the `http://authority/path?query` that
/// RFC 9112, section 3.2.2 makes every server take.
fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            rest.find(['/', '?']).map_or("/", |start| &rest[start..])
        }
        _ => target,
    };
    match path.split_once('?') {
        Some(("", _)) => "/",
        Some((path, _)) => path,
        None => path,
    }
}

#[cfg(test)]
mod tests;
