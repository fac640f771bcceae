//! What is a request, what is refused and why, and that it does not matter how the bytes arrive.

use super::*;

#[track_caller]
fn request(text: &str) -> Request<'_> {
    match parse(text.as_bytes()) {
        Parsed::Request(request) => request,
        other => panic!("{text:?}: {other:?}"),
    }
}

#[track_caller]
fn refusal(text: &str) -> u16 {
    match parse(text.as_bytes()) {
        Parsed::Refused(status) => status.code(),
        other => panic!("{text:?}: {other:?}"),
    }
}

fn with_field(field: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")
}

#[test]
fn request_is_method_path_and_length() {
    let text = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let expected = Request {
        method: Method::Get,
        path: "/healthz",
        persistence: Persistence::Open,
        head_len: text.len(),
        body_len: 0,
    };
    assert_eq!(request(text), expected);
    // What follows is the next request's.
    assert_eq!(request(&format!("{text}GET / HTTP/1.1\r\n")), expected);
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    let text = "\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let request = request(text);
    assert_eq!(request.method, Method::Head);
    assert_eq!(request.head_len, text.len());
}

#[test]
fn other_methods_are_requests() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "BREW"] {
        let text = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(request(&text).method, Method::Other, "{method}");
    }
}

#[test]
fn path_is_without_query_and_authority() {
    for (target, path) in [
        ("/", "/"),
        ("/a/b?c=d", "/a/b"),
        ("/?", "/"),
        ("http://127.0.0.1:8080/healthz?x", "/healthz"),
        ("http://127.0.0.1:8080", "/"),
        ("http://127.0.0.1:8080?x", "/"),
        ("/go?to=http://elsewhere/", "/go"),
        ("*", "*"),
    ] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(request(&text).path, path, "{target}");
    }
}

#[test]
fn connection_stays_open_by_version_and_wish() {
    for (version, field, persistence) in [
        ("1.1", "X: y", Persistence::Open),
        ("1.1", "Connection: close", Persistence::Close),
        ("1.1", "Connection: Upgrade, CLOSE", Persistence::Close),
        ("1.1", "Connection: keep-alive", Persistence::Open),
        ("1.0", "X: y", Persistence::Close),
        ("1.0", "Connection: Keep-Alive", Persistence::KeepAlive),
        ("1.0", "Connection: keep-alive, close", Persistence::Close),
    ] {
        let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{field}\r\n\r\n");
        assert_eq!(request(&text).persistence, persistence, "{text:?}");
    }
}

#[test]
fn host_is_named_once() {
    assert_eq!(refusal("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(refusal(&with_field("Host: b")), 400);
    assert_eq!(request("GET / HTTP/1.0\r\n\r\n").path, "/");
}

#[test]
fn body_is_announced_by_content_length() {
    assert_eq!(request(&with_field("Content-Length: 12")).body_len, 12);
    assert_eq!(request(&with_field("content-length: 0")).body_len, 0);
}

#[test]
fn body_that_does_not_fit_is_refused() {
    let most = format!("Content-Length: {BODY_LIMIT}");
    assert_eq!(request(&with_field(&most)).body_len, BODY_LIMIT);
    let more = format!("Content-Length: {}", BODY_LIMIT + 1);
    assert_eq!(refusal(&with_field(&more)), 413);
    let digits = format!("Content-Length: {}", "9".repeat(40));
    assert_eq!(refusal(&with_field(&digits)), 413);
}

#[test]
fn length_that_can_be_misread_is_refused() {
    for field in [
        "Content-Length: ",
        "Content-Length: -1",
        "Content-Length: +1",
        "Content-Length: 1, 1",
        "Content-Length: 0x10",
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
    ] {
        assert_eq!(refusal(&with_field(field)), 400, "{field}");
    }
}

#[test]
fn transfer_coding_is_not_implemented() {
    assert_eq!(refusal(&with_field("Transfer-Encoding: chunked")), 501);
    let old = "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refusal(old), 400);
}

#[test]
fn expected_continue_closes_after_the_answer() {
    let small = "Expect: 100-continue\r\nContent-Length: 5";
    assert_eq!(request(&with_field(small)).persistence, Persistence::Close);
    let none = "Expect: 100-continue";
    assert_eq!(request(&with_field(none)).persistence, Persistence::Open);
}

#[test]
fn malformed_head_is_refused() {
    for text in [
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET / HTTQ/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "G\0T / HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
    ] {
        assert_eq!(refusal(text), 400, "{text:?}");
    }
}

/// A request whose head has this length.
fn head_of(length: usize) -> String {
    let bare = with_field("X: ");
    with_field(&format!("X: {}", "y".repeat(length - bare.len())))
}

#[test]
fn head_over_the_limit_is_refused() {
    assert_eq!(request(&head_of(HEAD_LIMIT)).head_len, HEAD_LIMIT);
    assert_eq!(refusal(&head_of(HEAD_LIMIT + 1)), 431);
    // It need not be complete to be refused.
    let unfinished = &head_of(2 * HEAD_LIMIT)[..HEAD_LIMIT];
    assert_eq!(refusal(unfinished), 431);
    assert_eq!(
        parse(&unfinished.as_bytes()[..HEAD_LIMIT - 1]),
        Parsed::Partial
    );
}

#[test]
fn too_many_fields_are_refused() {
    let fields = |count: usize| with_field(&vec!["X: y"; count].join("\r\n"));
    assert_eq!(request(&fields(FIELD_LIMIT - 1)).path, "/");
    assert_eq!(refusal(&fields(FIELD_LIMIT)), 431);
}

/// Wherever the input is cut, the front says "go on", and then what the whole says; or it says at
/// once what the whole says.
#[test]
fn answer_does_not_depend_on_how_the_bytes_arrive() {
    let long = head_of(HEAD_LIMIT + 7);
    for text in [
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nHEAD /?q HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "nonsense\r\n\r\n",
        &long,
    ] {
        let whole = parse(text.as_bytes());
        assert_ne!(whole, Parsed::Partial);
        let mut decided = false;
        // The middle of the long one is all the same.
        let near_an_end = |length: &usize| *length.min(&(text.len() - length)) < 200;
        for length in (0..=text.len()).filter(near_an_end) {
            let front = parse(&text.as_bytes()[..length]);
            decided |= front != Parsed::Partial;
            if decided {
                assert_eq!(front, whole, "{length} bytes of {text:?}");
            }
        }
    }
}
