//! The types and numbers here, held against `abi/layout.txt`: `cargo xtask libevent check layout` holds
//! libevent's headers against the same rows.

use std::mem::offset_of;

use super::*;
use crate::host::{ConditionFns, LockFns};

const TABLE: &str = include_str!("../../abi/layout.txt");

/// The rows of one kind: all but the last `numbers` words as one name, and the numbers.
fn rows(kind: &str, numbers: usize) -> Vec<(String, Vec<usize>)> {
    let rows = TABLE.lines().filter_map(|row| row.strip_prefix(kind));
    let split = |row: &str| {
        let words: Vec<_> = row.split_whitespace().collect();
        let (name, values) = words.split_at(words.len() - numbers);
        (
            name.join(" "),
            values.iter().map(|word| number(word)).collect(),
        )
    };
    rows.map(split).collect()
}

fn number(word: &str) -> usize {
    match word.strip_prefix("0x") {
        Some(digits) => usize::from_str_radix(digits, 16).unwrap(),
        None => word.parse().unwrap(),
    }
}

#[test]
fn types_have_the_sizes_of_c() {
    for (name, expected) in rows("size ", 2) {
        let ours = match name.as_str() {
            "struct event" => [size_of::<Event>(), align_of::<Event>()],
            "struct event_callback" => [size_of::<EventCallback>(), align_of::<EventCallback>()],
            "struct timeval" => [size_of::<timeval>(), align_of::<timeval>()],
            "struct evthread_lock_callbacks" => [size_of::<LockFns>(), align_of::<LockFns>()],
            "struct evthread_condition_callbacks" => {
                [size_of::<ConditionFns>(), align_of::<ConditionFns>()]
            }
            other => panic!("{other} is not known here"),
        };
        assert_eq!(ours[..], expected, "{name}");
    }
}

#[test]
fn fields_are_where_c_has_them() {
    for (name, expected) in rows("offset ", 2) {
        let ours = match name.as_str() {
            "struct event ev_evcallback" => offset_of!(Event, callback),
            "struct event ev_timeout_pos" => offset_of!(Event, unused_timeout),
            "struct event ev_fd" => offset_of!(Event, fd),
            "struct event ev_base" => offset_of!(Event, base),
            "struct event ev_" => offset_of!(Event, unused_union),
            "struct event ev_events" => offset_of!(Event, events),
            "struct event ev_res" => offset_of!(Event, result),
            "struct event ev_timeout" => offset_of!(Event, unused_deadline),
            // Nobody looks into the union but libevent's own core.
            inner if inner.starts_with("struct event ev_.") => continue,
            "struct event_callback evcb_active_next" => offset_of!(EventCallback, id),
            "struct event_callback evcb_flags" => offset_of!(EventCallback, flags),
            "struct event_callback evcb_pri" => offset_of!(EventCallback, priority),
            "struct event_callback evcb_closure" => offset_of!(EventCallback, closure),
            "struct event_callback evcb_cb_union" => offset_of!(EventCallback, function),
            "struct event_callback evcb_arg" => offset_of!(EventCallback, argument),
            "struct evthread_lock_callbacks alloc" => offset_of!(LockFns, alloc),
            "struct evthread_lock_callbacks free" => offset_of!(LockFns, free),
            "struct evthread_lock_callbacks lock" => offset_of!(LockFns, lock),
            "struct evthread_lock_callbacks unlock" => offset_of!(LockFns, unlock),
            "struct evthread_condition_callbacks alloc_condition" => {
                offset_of!(ConditionFns, alloc)
            }
            "struct evthread_condition_callbacks free_condition" => offset_of!(ConditionFns, free),
            "struct evthread_condition_callbacks signal_condition" => {
                offset_of!(ConditionFns, signal)
            }
            "struct evthread_condition_callbacks wait_condition" => offset_of!(ConditionFns, wait),
            // They are in front of the functions, and not read.
            versions if versions.ends_with("_version") => continue,
            "struct evthread_lock_callbacks supported_locktypes" => continue,
            other => panic!("{other} is not known here"),
        };
        assert_eq!(ours, expected[0], "{name}");
    }
}

#[test]
fn numbers_are_those_of_c() {
    let mut compared = 0;
    for (name, expected) in rows("value ", 1) {
        let Some(ours) = value(&name) else { continue };
        assert_eq!(usize::try_from(ours), Ok(expected[0]), "{name}");
        compared += 1;
    }
    assert_eq!(
        compared, 29,
        "a row is gone, or a number has come without one"
    );
}

/// The number that a name of C has here; `None` where this library has no use for it.
fn value(name: &str) -> Option<i64> {
    let short = match name {
        "EV_TIMEOUT" => EV_TIMEOUT,
        "EV_READ" => EV_READ,
        "EV_WRITE" => EV_WRITE,
        "EV_SIGNAL" => EV_SIGNAL,
        "EV_PERSIST" => EV_PERSIST,
        "EV_ET" => EV_ET,
        "EV_FINALIZE" => EV_FINALIZE,
        "EV_CLOSED" => EV_CLOSED,
        "EVLIST_TIMEOUT" => EVLIST_TIMEOUT,
        "EVLIST_INSERTED" => EVLIST_INSERTED,
        "EVLIST_ACTIVE" => EVLIST_ACTIVE,
        "EVLIST_INTERNAL" => EVLIST_INTERNAL,
        "EVLIST_ACTIVE_LATER" => EVLIST_ACTIVE_LATER,
        "EVLIST_FINALIZING" => EVLIST_FINALIZING,
        "EVLIST_INIT" => EVLIST_INIT,
        _ => return long(name),
    };
    Some(short.into())
}

fn long(name: &str) -> Option<i64> {
    let number = match name {
        "EVLOOP_ONCE" => EVLOOP_ONCE,
        "EVLOOP_NONBLOCK" => EVLOOP_NONBLOCK,
        "EVLOOP_NO_EXIT_ON_EMPTY" => EVLOOP_NO_EXIT_ON_EMPTY,
        "EVENT_BASE_FLAG_NOLOCK" => BASE_NOLOCK,
        "EVENT_BASE_FLAG_IGNORE_ENV" => BASE_IGNORE_ENV,
        "EVENT_BASE_FLAG_NO_CACHE_TIME" => BASE_NO_CACHE_TIME,
        "EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST" => BASE_USE_CHANGELIST,
        "EV_FEATURE_ET" => FEATURE_ET,
        "EV_FEATURE_O1" => FEATURE_O1,
        "EV_FEATURE_FDS" => FEATURE_FDS,
        "EV_FEATURE_EARLY_CLOSE" => FEATURE_EARLY_CLOSE,
        "EVENT_BASE_COUNT_ACTIVE" => return Some(COUNT_ACTIVE.into()),
        "EVENT_BASE_COUNT_VIRTUAL" => return Some(COUNT_VIRTUAL.into()),
        "EVENT_BASE_COUNT_ADDED" => return Some(COUNT_ADDED.into()),
        _ => return None,
    };
    Some(number.into())
}
