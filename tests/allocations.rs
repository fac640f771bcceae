//! In the steady state the whole loop allocates nothing, whatever goes on in it.
//!
//! Its own executable, as its allocator counts; and its own test in it, as signals are the
//! process's.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "raise")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use allocation_counter::measure;
use evloop::{Activator, Builder, EventId, EventLoop, Interest, Mode, Priority, Ready, Signal};

fn raise(signal: Signal) {
    // SAFETY: no precondition but that what it makes run is sound: it is the loop's handler.
    let result = unsafe { libc::raise(signal.number()) };
    assert_eq!(result, 0);
}

/// How often each part of the world was seen at work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    echoes: u32,
    one_shots: u32,
    ticks: u32,
    rearmed: u32,
    timeouts: u32,
    signals: u64,
    activated: u32,
    later: u32,
    watched: u32,
    elsewhere: u32,
}

struct World {
    events: EventLoop<Seen>,
    echo: UnixStream,
    one_shot: UnixStream,
    writer: EventId,
    activator: Activator,
}

fn read_one(mut from: &UnixStream) {
    from.read_exact(&mut [0]).unwrap();
}

fn write_one(mut to: &UnixStream) {
    to.write_all(b"x").unwrap();
}

impl World {
    fn new() -> Self {
        let mut events = EventLoop::<Seen>::new().unwrap();
        let (near, echo) = UnixStream::pair().unwrap();
        let near = Rc::new(near);
        // Its wish to write comes and goes.
        let writer = events.io(Rc::clone(&near), Interest::empty()).persist();
        let writer = writer
            .add(|cx, near, _| {
                write_one(near);
                cx.events.set_interest(cx.id(), Interest::empty()).unwrap();
            })
            .unwrap();
        let reader = events.io(near, Interest::READ).persist();
        reader
            .timeout(Duration::from_secs(60))
            .add(move |cx, near, _| {
                read_one(near);
                cx.events.set_interest(writer, Interest::WRITE).unwrap();
                cx.state.echoes += 1;
            })
            .unwrap();
        let (near, one_shot) = UnixStream::pair().unwrap();
        events
            .io(near, Interest::READ)
            .add(|cx, near, _| {
                read_one(near);
                cx.events.add(cx.id()).unwrap();
                cx.state.one_shots += 1;
            })
            .unwrap();
        let elsewhere = events.user().persist();
        let elsewhere = elsewhere.add(|cx, _| cx.state.elsewhere += 1).unwrap();
        let activator = events.activator(elsewhere, Ready::READ).unwrap();
        let mut world = Self {
            events,
            activator,
            echo,
            one_shot,
            writer,
        };
        world.add_the_rest();
        world
    }

    fn add_the_rest(&mut self) {
        let events = &mut self.events;
        let user = events.user().persist();
        let activated = user.add(|cx, _| cx.state.activated += 1).unwrap();
        let later = events.user().persist().priority(Priority::MOST_URGENT);
        let later = later.add(|cx, _| cx.state.later += 1).unwrap();
        let ticker = events.timer(Duration::ZERO).persist();
        ticker
            .add(move |cx| {
                cx.state.ticks += 1;
                cx.events.activate(activated, Ready::READ).unwrap();
                cx.events.activate_later(later, Ready::READ).unwrap();
            })
            .unwrap();
        let timer = events.timer(Duration::ZERO);
        timer
            .add(|cx| {
                cx.state.rearmed += 1;
                cx.events.add(cx.id()).unwrap();
                let soon = Duration::from_nanos(u64::from(cx.state.rearmed % 7));
                cx.events.set_timeout(cx.id(), Some(soon)).unwrap();
            })
            .unwrap();
        let idle = events.user().persist().timeout(Duration::ZERO);
        idle.add(|cx, _| cx.state.timeouts += 1).unwrap();
        let signal = events.signal(Signal::USR1).persist();
        let counted = signal.add(|cx, caught| cx.state.signals += caught.count);
        counted.unwrap();
        events
            .prepare()
            .persist()
            .add(|cx, _| cx.state.watched += 1)
            .unwrap();
    }

    /// Makes everything happen once, and runs what comes of it.
    fn round(&mut self, seen: &mut Seen) {
        write_one(&self.echo);
        write_one(&self.one_shot);
        raise(Signal::USR1);
        self.activator.activate().unwrap();
        for _ in 0..2 {
            let _done = self.events.run_mode(Mode::NonBlocking, seen).unwrap();
        }
        read_one(&self.echo);
        // A change that comes to nothing.
        self.events.delete(self.writer).unwrap();
        self.events.add(self.writer).unwrap();
    }
}

#[test]
fn loop_in_its_steady_state_allocates_nothing() {
    const ROUNDS: u32 = 500;
    let mut world = World::new();
    let mut seen = Seen::default();
    for _ in 0..10 {
        world.round(&mut seen);
    }
    let before = seen;
    let counts = measure(|| {
        for _ in 0..ROUNDS {
            world.round(&mut seen);
        }
    });
    assert_eq!(counts.count_total, 0);
    assert_eq!(seen.echoes - before.echoes, ROUNDS);
    assert_eq!(seen.one_shots - before.one_shots, ROUNDS);
    assert_eq!(seen.signals - before.signals, u64::from(ROUNDS));
    for (after, before) in [
        (seen.ticks, before.ticks),
        (seen.rearmed, before.rearmed),
        (seen.timeouts, before.timeouts),
        (seen.activated, before.activated),
        (seen.later, before.later),
        (seen.watched, before.watched),
        (seen.elsewhere, before.elsewhere),
    ] {
        assert!(after - before >= ROUNDS, "{seen:?}");
    }
    world.events.check_invariants();
}

/// Not the steady state, so that it is known that the allocator counts.
#[test]
fn new_event_allocates() {
    let mut events = EventLoop::<()>::new().unwrap();
    let captured = 7_u64;
    let counts = measure(|| {
        let timer = events.timer(Duration::from_secs(60));
        timer.add(move |_| assert_eq!(captured, 7)).unwrap();
    });
    assert!(counts.count_total > 0);
}

/// But for the record of each, and where it was added, which is kept once.
#[test]
fn loop_that_was_told_how_many_allocates_nothing_for_them() {
    const EVENTS: u64 = 100;
    let allocations = |builder: Builder| {
        let mut events: EventLoop<()> = builder.build().unwrap();
        let add = || {
            for _ in 0..EVENTS {
                events.timer(Duration::from_secs(60)).add(|_| ()).unwrap();
            }
        };
        measure(add).count_total
    };
    let told = allocations(Builder::new().capacity(100));
    assert!((EVENTS..EVENTS + 3).contains(&told), "{told}");
    let not_told = allocations(Builder::new());
    assert!(not_told > told + 10, "{not_told}");
}
