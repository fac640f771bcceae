//! What the whole suite runs on, three times over: once an executable.

use std::io::{Write, stderr};

use evloop::{AddError, Builder, EventLoop, Interest, Mechanism};

use super::files::sockets;

/// What the loops of this executable are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// As a user's are: epoll, with coalesced changes.
    Epoll,
    /// On epoll, which is told each change when it is made.
    AtOnce,
    /// On poll, which knows no edges and no early close, and holds nothing that could be asked for.
    Poll,
}

/// That of this executable, which is named after it.
pub(crate) fn setting() -> Setting {
    match env!("CARGO_CRATE_NAME") {
        "conformance" => Setting::Epoll,
        "at_once" => Setting::AtOnce,
        "poll" => Setting::Poll,
        name => panic!("{name} is no setting"),
    }
}

/// A loop under this executable's setting. A test that has more to say of its loop goes on from
/// [`builder`].
pub(crate) fn make<S>() -> EventLoop<S> {
    builder().build().unwrap()
}

pub(crate) fn builder() -> Builder {
    match setting() {
        Setting::Epoll => Builder::new(),
        Setting::AtOnce => Builder::new().apply_at_once(),
        Setting::Poll => Builder::new().mechanism(Mechanism::Poll),
    }
}

/// Whether sources can be edge-triggered. Where they cannot, an event that is to be is refused.
pub(crate) fn has_edges() -> bool {
    let (near, _far) = sockets();
    let mut events = make::<()>();
    let added = events.io(near, Interest::READ).edge().add(|_, _, _| {});
    match added {
        Ok(_) => true,
        Err(refused) => {
            assert!(matches!(refused.reason, AddError::Unsupported { .. }));
            assert_eq!(setting(), Setting::Poll);
            false
        }
    }
}

/// Whether what is told is what is left when the loop waits, and not each change by itself.
pub(crate) fn is_coalesced() -> bool {
    setting() != Setting::AtOnce
}

/// Whether the kernel holds a loop's interest from one wait to the next. Poll is told all of it with
/// each, so there is nothing to be looked at in between, and nothing can be left over.
pub(crate) fn is_held() -> bool {
    setting() != Setting::Poll
}

/// Says that a test has nothing to test here, and why.
pub(crate) fn skipped(reason: &str) {
    let line = format!("skipped: {reason}\n");
    stderr().write_all(line.as_bytes()).unwrap();
}

pub(crate) const NO_EDGES: &str = "poll knows no edges";
pub(crate) const NOTHING_HELD: &str = "poll is told everything with each wait";
