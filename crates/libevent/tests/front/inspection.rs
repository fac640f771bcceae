//! Looking at a base and its events.

use std::ffi::{CStr, c_int, c_void};

use evloop_libevent::{
    Base, Event, event_base_assert_ok_, event_base_dump_events, event_base_foreach_event,
    event_base_get_features, event_base_get_max_events, event_base_get_method,
    event_base_get_num_events, event_get_supported_methods,
};

use crate::support::{Ev, Loop, NONBLOCK, ONCE, PERSIST, READ, ms};

const ADDED: u32 = 4;
const ACTIVE: u32 = 1;

fn number(events: &Loop, which: u32) -> c_int {
    // SAFETY: the base is one.
    unsafe { event_base_get_num_events(events.base(), which) }
}

#[test]
fn event_counts_for_what_it_waits_for_for_its_timeout_and_while_it_is_active() {
    let events = Loop::new();
    let (event, _) = Ev::noting(&events, -1, READ | PERSIST);
    let counts = || {
        [
            number(&events, ADDED),
            number(&events, ACTIVE),
            number(&events, 7),
        ]
    };
    assert_eq!(counts(), [0, 0, 0]);
    event.add_for(ms(10_000));
    assert_eq!(counts(), [2, 0, 2]);
    event.activate(READ);
    assert_eq!(counts(), [3, 1, 4]);
    events.run(ONCE | NONBLOCK);
    assert_eq!(counts(), [2, 0, 2]);
    event.del();
    assert_eq!(counts(), [0, 0, 0]);
    let most = |clear| {
        // SAFETY: the base is one.
        unsafe { event_base_get_max_events(events.base(), ADDED | ACTIVE, clear) }
    };
    assert_eq!((most(0), most(1), most(0)), (4, 4, 0));
}

#[test]
fn counts_come_back_to_nothing_for_one_shots_and_for_what_was_assigned_anew() {
    let events = Loop::new();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    rustix::io::write(&writer, b"x").unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
    let (event, _) = Ev::noting(&events, fd, READ);
    event.add();
    events.run(ONCE);
    assert_eq!(number(&events, ADDED), 0);
    let (stale, _) = Ev::noting(&events, fd, READ);
    stale.add();
    stale.assign(&events, -1, 0);
    events.run(ONCE | NONBLOCK);
    assert_eq!(number(&events, ADDED), 0);
    // SAFETY: the base is one.
    unsafe { event_base_assert_ok_(events.base()) };
}

unsafe extern "C" fn visit(_: *const Base, event: *const Event, seen: *mut c_void) -> c_int {
    // SAFETY: the argument is the list of `visited`.
    let seen = unsafe { &mut *seen.cast::<Vec<*const Event>>() };
    seen.push(event);
    c_int::from(seen.len() == 3) * 42
}

#[test]
fn each_event_that_is_there_is_visited_once_until_the_visitor_has_enough() {
    let events = Loop::new();
    let all: Vec<Ev> = (0..4).map(|_| Ev::noting(&events, -1, READ).0).collect();
    all[0].add();
    all[0].add_for(ms(10_000));
    all[1].activate(READ);
    let visited = || {
        let mut seen: Vec<*const Event> = Vec::new();
        let argument = (&raw mut seen).cast();
        // SAFETY: the base is one, and the argument is what `visit` takes.
        let end = unsafe { event_base_foreach_event(events.base(), Some(visit), argument) };
        (end, seen)
    };
    let (end, mut seen) = visited();
    seen.sort();
    let mut expected = [0, 1].map(|at: usize| std::ptr::from_ref(all[at].event()));
    expected.sort();
    assert_eq!((end, &seen[..]), (0, &expected[..]));
    all[2].add();
    all[3].add();
    assert_eq!((visited().0, visited().1.len()), (42, 3));
    // SAFETY: null is allowed.
    let refused = unsafe { event_base_foreach_event(None, Some(visit), std::ptr::null_mut()) };
    assert_eq!(refused, -1);
    all.iter().for_each(Ev::del);
}

#[test]
fn dump_has_a_line_for_each_event() {
    let events = Loop::new();
    let (event, _) = Ev::noting(&events, 7, 0);
    let (active, _) = Ev::noting(&events, -1, 0);
    event.add_for(ms(10_000));
    active.activate(READ);
    let (mut text, mut length) = (std::ptr::null_mut(), 0);
    // SAFETY: the pointers are those of variables.
    let file = unsafe { libc::open_memstream(&raw mut text, &raw mut length) };
    // SAFETY: base and file are open.
    unsafe { event_base_dump_events(events.base(), file) };
    // SAFETY: the file is open.
    unsafe { libc::fclose(file) };
    // SAFETY: the file's memory is a string.
    let dump = unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned();
    // SAFETY: the memory came from the C library.
    unsafe { libc::free(text.cast()) };
    let lines: Vec<&str> = dump.lines().collect();
    assert_eq!(lines.len(), 4, "{dump}");
    assert_eq!((lines[0], lines[2]), ("Inserted events:", "Active events:"));
    assert!(
        lines[1].starts_with(&format!("  {:p} [fd  7] Timeout=", event.event())),
        "{dump}"
    );
    let expected = format!("  {:p} [fd  -1, priority=0] Read active", active.event());
    assert_eq!(lines[3], expected);
    event.del();
}

#[test]
fn base_says_what_it_waits_by() {
    let said = Loop::each().map(|events| {
        // SAFETY: the base is one.
        let name = unsafe { event_base_get_method(events.base()) };
        // SAFETY: the name is a constant.
        let name = unsafe { CStr::from_ptr(name) };
        // SAFETY: the base is one.
        let features = unsafe { event_base_get_features(events.base()) };
        (name.to_str().unwrap().to_owned(), features)
    });
    let expected = [("epoll", 11), ("epoll (with changelist)", 11), ("poll", 12)];
    assert_eq!(
        said.map(|(name, features)| (name, features)),
        expected.map(|(name, features)| (name.to_owned(), features))
    );
    let mut names = event_get_supported_methods();
    let mut known = Vec::new();
    // SAFETY: the list ends with a null.
    while let Some(name) = unsafe { names.as_ref() }.filter(|name| !name.is_null()) {
        // SAFETY: it is one of constant strings.
        known.push(unsafe { CStr::from_ptr(*name) });
        // SAFETY: it was not the last.
        names = unsafe { names.add(1) };
    }
    assert_eq!(known, [c"epoll", c"poll"]);
}
