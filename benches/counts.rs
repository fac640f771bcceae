//! Work to be counted: instructions, system calls, allocations. `cargo xtask counts` runs it twice
//! under each tool, for few operations and for many, and what counts is the difference, an operation.
//!
//! `counts WORK OPERATIONS` does the work and says how often it allocated; `counts --list` names the
//! works, `counts --path` says where this program is.
#![expect(clippy::unwrap_used, reason = "what cannot be set up has no count")]
#![expect(clippy::print_stdout, reason = "its result")]

use std::cell::{OnceCell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use evloop::{Activator, Cx, EventId, EventLoop, Interest, Ready, Remote, Signal};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};
use rustix::process::{Signal as Kill, getpid, kill_process};

/// Name, what one operation is, and how to do so many.
type Work = (&'static str, &'static str, fn(u64));

const WORKS: [Work; 15] = [
    ("by-hand", "event, by epoll without a loop", by_hand),
    ("persistent", "event of a persistent reader", |n| {
        ring(n, |events, pair| reader(events, pair, Sort::Persistent));
    }),
    ("edge", "event of an edge-triggered reader", |n| {
        ring(n, |events, pair| reader(events, pair, Sort::Edge));
    }),
    ("idle-timeout", "event that starts a timeout anew", |n| {
        ring(n, |events, pair| reader(events, pair, Sort::Idle));
    }),
    ("again", "one-shot, added again by its callback", |n| {
        ring(n, |events, pair| reader(events, pair, Sort::Again));
    }),
    ("again-timeout", "the same with a timeout", |n| {
        ring(n, |events, pair| {
            reader(events, pair, Sort::AgainWithTimeout);
        });
    }),
    ("cascade", "one-shot that adds the next", cascade),
    (
        "delete-add",
        "deleted and added, no wait between",
        delete_add,
    ),
    ("toggle", "event that asks to write, and no more", |n| {
        ring(n, |events, pair| reader(events, pair, Sort::Toggle));
    }),
    ("timer", "timer among 1000, deleted and added", timers),
    ("tick", "turn with one tick of a timer", tick),
    ("signal", "signal raised and told", signal),
    ("activate", "event that activates itself", activate),
    ("activator", "the same as another thread does", activator),
    ("post", "closure that posts the next", post),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|arg| *arg != "--bench")
        .collect();
    match args[..] {
        ["--path"] => println!("{}", std::env::current_exe().unwrap().display()),
        [name, operations] => {
            let (_, _, work) = WORKS.iter().find(|(work, ..)| *work == name).unwrap();
            let operations = operations.parse().unwrap();
            let allocated = allocation_counter::measure(|| work(operations));
            println!("{}", allocated.count_total);
        }
        _ => {
            for (name, operation, _) in WORKS {
                println!("{name} {operation}");
            }
        }
    }
}

/// How many operations have been done, and how many are to be.
struct Done {
    done: u64,
    wanted: u64,
}

/// Counts an operation, and ends the run with the last.
fn count(cx: &mut Cx<'_, Done>) {
    cx.state.done += 1;
    if cx.state.done == cx.state.wanted {
        cx.events.break_loop();
    }
}

fn run(events: &mut EventLoop<Done>, wanted: u64) {
    let mut done = Done { done: 0, wanted };
    let _outcome = events.run(&mut done).unwrap();
    assert_eq!(done.done, wanted);
}

const PAIRS: usize = 100;
const ACTIVE: usize = 10;

/// The reading ends, and for each the writing end of the pair after it. Some hold a byte.
fn pairs() -> Vec<(OwnedFd, OwnedFd)> {
    let pair = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap()
    };
    let (readers, mut writers): (Vec<_>, Vec<_>) = (0..PAIRS).map(|_| pair()).unzip();
    for active in 0..ACTIVE {
        let written = send(&writers[active * PAIRS / ACTIVE], b"e", SendFlags::empty());
        assert_eq!(written, Ok(1));
    }
    writers.rotate_left(1);
    readers.into_iter().zip(writers).collect()
}

fn pass_on(reader: &OwnedFd, writer: &OwnedFd) {
    let mut byte = [0];
    assert_eq!(recv(reader, &mut byte, RecvFlags::empty()).unwrap().0, 1);
    assert_eq!(send(writer, &byte, SendFlags::empty()), Ok(1));
}

fn by_hand(wanted: u64) {
    let pairs = pairs();
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    for (n, (reader, _)) in (0..).zip(&pairs) {
        let data = epoll::EventData::new_u64(n);
        epoll::add(&epoll, reader, data, epoll::EventFlags::IN).unwrap();
    }
    let mut ready: Vec<epoll::Event> = Vec::with_capacity(64);
    let mut done = 0;
    while done < wanted {
        ready.clear();
        epoll::wait(&epoll, spare_capacity(&mut ready), None).unwrap();
        for event in &ready {
            let (reader, writer) = &pairs[usize::try_from(event.data.u64()).unwrap()];
            pass_on(reader, writer);
            done += 1;
        }
    }
}

fn ring(wanted: u64, add: impl Fn(&mut EventLoop<Done>, (OwnedFd, OwnedFd))) {
    let mut events = EventLoop::new().unwrap();
    for pair in pairs() {
        add(&mut events, pair);
    }
    run(&mut events, wanted);
}

/// The readers of a ring.
#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Persistent,
    Edge,
    Idle,
    Again,
    AgainWithTimeout,
    Toggle,
}

fn reader(events: &mut EventLoop<Done>, (reader, writer): (OwnedFd, OwnedFd), sort: Sort) {
    let mut event = events.io(reader, Interest::READ);
    if !matches!(sort, Sort::Again | Sort::AgainWithTimeout) {
        event = event.persist();
    }
    if sort == Sort::Edge {
        event = event.edge();
    }
    if matches!(sort, Sort::Idle | Sort::AgainWithTimeout) {
        event = event.timeout(Duration::from_secs(60));
    }
    let added = match sort {
        Sort::Again | Sort::AgainWithTimeout => event.add(move |cx, reader, _| {
            pass_on(reader, &writer);
            cx.events.add(cx.id()).unwrap();
            count(cx);
        }),
        Sort::Toggle => event.add(move |cx, reader, _| {
            pass_on(reader, &writer);
            for interest in [Interest::READ | Interest::WRITE, Interest::READ] {
                cx.events.set_interest(cx.id(), interest).unwrap();
            }
            count(cx);
        }),
        _ => event.add(move |cx, reader, _| {
            pass_on(reader, &writer);
            count(cx);
        }),
    };
    added.unwrap();
}

fn cascade(wanted: u64) {
    let mut events = EventLoop::new().unwrap();
    let ids: Rc<RefCell<Vec<EventId>>> = Rc::default();
    for (n, (reader, writer)) in pairs().into_iter().enumerate() {
        let others = Rc::clone(&ids);
        let event = events.io(reader, Interest::READ).keep();
        let added = event.add(move |cx, reader, _| {
            pass_on(reader, &writer);
            let next = others.borrow()[(n + 1) % PAIRS];
            cx.events.add(next).unwrap();
            count(cx);
        });
        ids.borrow_mut().push(added.unwrap());
    }
    run(&mut events, wanted);
}

fn delete_add(wanted: u64) {
    let mut events = EventLoop::<()>::new().unwrap();
    let (reader, _writer) = pairs().pop().unwrap();
    let event = events.io(reader, Interest::READ).persist();
    let id = event.add(|_, _, _| ()).unwrap();
    for _ in 0..wanted {
        events.delete(id).unwrap();
        events.add(id).unwrap();
    }
}

fn timers(wanted: u64) {
    let mut events = EventLoop::<()>::new().unwrap();
    let ids: Vec<EventId> = (0..1000)
        .map(|n| {
            let timer = events.timer(Duration::from_secs(60 + n * 7 % 1000));
            timer.keep().add(|_| ()).unwrap()
        })
        .collect();
    for id in ids.iter().cycle().take(usize::try_from(wanted).unwrap()) {
        events.delete(*id).unwrap();
        events.add(*id).unwrap();
    }
}

fn tick(wanted: u64) {
    let mut events = EventLoop::new().unwrap();
    let timer = events.timer(Duration::ZERO).persist();
    timer.add(count).unwrap();
    run(&mut events, wanted);
}

fn signal(wanted: u64) {
    let mut events = EventLoop::new().unwrap();
    let this = getpid();
    let raise = move || kill_process(this, Kill::USR1).unwrap();
    let event = events.signal(Signal::USR1).persist();
    event
        .add(move |cx, _| {
            raise();
            count(cx);
        })
        .unwrap();
    raise();
    run(&mut events, wanted);
}

fn activate(wanted: u64) {
    let mut events = EventLoop::new().unwrap();
    let event = events.user().persist();
    let id = event
        .add(|cx, _| {
            cx.events.activate(cx.id(), Ready::READ).unwrap();
            count(cx);
        })
        .unwrap();
    events.activate(id, Ready::READ).unwrap();
    run(&mut events, wanted);
}

/// On one thread, so that the loop is awake, and each is one turn.
fn activator(wanted: u64) {
    let mut events = EventLoop::new().unwrap();
    let activator: Rc<OnceCell<Activator>> = Rc::default();
    let own = Rc::clone(&activator);
    let event = events.user().persist();
    let id = event
        .add(move |cx, _| {
            own.get().unwrap().activate().unwrap();
            count(cx);
        })
        .unwrap();
    let activator = activator.get_or_init(|| events.activator(id, Ready::READ).unwrap());
    activator.activate().unwrap();
    run(&mut events, wanted);
}

/// The same.
fn post(wanted: u64) {
    fn post_next(remote: &Remote<Done>) {
        let own = remote.clone();
        let posted = remote.post(move |cx| {
            post_next(&own);
            count(cx);
        });
        posted.unwrap();
    }
    let mut events = EventLoop::new().unwrap();
    post_next(&events.remote());
    run(&mut events, wanted);
}
