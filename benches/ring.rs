//! A ring of socket pairs: each event reads a byte and writes it on to the next pair. The loop, with
//! persistent events and with one-shot events that add themselves again with a timeout, beside epoll
//! used by hand, which is the floor: nothing can make the same system calls for less.
//!
//! `cargo bench -p evloop-benches`. The contenders run in turn; what is printed is the median of each
//! and, what counts on a machine that others use too, the median of the ratios to the floor.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up has nothing to say"
)]
#![expect(clippy::print_stdout, reason = "its result")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use evloop::{EventLoop, Interest, Mode};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

const PAIRS: usize = 100;
const ACTIVE: usize = 10;
const HOPS: u64 = 20_000;
const ROUNDS: usize = 21;

fn main() {
    let mut times = [const { Vec::new() }; 3];
    for round in 0..=ROUNDS {
        for (contender, times) in [by_hand, persistent, again].into_iter().zip(&mut times) {
            let time = contender();
            // The first round warms up.
            if round > 0 {
                times.push(time);
            }
        }
    }
    println!("{PAIRS} pairs, {ACTIVE} active, {HOPS} events, {ROUNDS} rounds");
    println!("{:<24} {:>12} {:>10}", "", "ns an event", "by hand");
    for (name, own) in ["epoll by hand", "persistent", "one-shot, timeout"]
        .iter()
        .zip(&times)
    {
        let ratios = own
            .iter()
            .zip(&times[0])
            .map(|(own, floor)| own / floor)
            .collect();
        println!(
            "{name:<24} {:>12.0} {:>9.2}x",
            median(own.clone()),
            median(ratios)
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds an event.
fn timed(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64() * 1e9 / HOPS as f64
}

/// The reading ends, and for each the writing end of the pair after it. Some hold a byte.
fn ring() -> Vec<(UnixStream, UnixStream)> {
    let pairs: Vec<_> = (0..PAIRS).map(|_| UnixStream::pair().unwrap()).collect();
    let (readers, mut writers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    for active in 0..ACTIVE {
        (&writers[active * PAIRS / ACTIVE]).write_all(b"e").unwrap();
    }
    writers.rotate_left(1);
    for reader in &readers {
        reader.set_nonblocking(true).unwrap();
    }
    readers.into_iter().zip(writers).collect()
}

fn pass_on(mut reader: &UnixStream, mut writer: &UnixStream) {
    let mut byte = [0];
    reader.read_exact(&mut byte).unwrap();
    writer.write_all(&byte).unwrap();
}

fn by_hand() -> f64 {
    let ring = ring();
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    for (n, (reader, _)) in (0..).zip(&ring) {
        epoll::add(
            &epoll,
            reader,
            epoll::EventData::new_u64(n),
            epoll::EventFlags::IN,
        )
        .unwrap();
    }
    let mut ready: Vec<epoll::Event> = Vec::with_capacity(64);
    let mut hops = 0;
    timed(|| {
        while hops < HOPS {
            ready.clear();
            epoll::wait(&epoll, spare_capacity(&mut ready), None).unwrap();
            for event in &ready {
                let (reader, writer) = &ring[usize::try_from(event.data.u64()).unwrap()];
                pass_on(reader, writer);
                hops += 1;
            }
        }
    })
}

fn persistent() -> f64 {
    let mut events = EventLoop::<u64>::new().unwrap();
    for (reader, writer) in ring() {
        events
            .io(reader, Interest::READ)
            .persist()
            .add(move |cx, reader, _| {
                pass_on(reader, &writer);
                *cx.state += 1;
            })
            .unwrap();
    }
    turns(&mut events)
}

fn again() -> f64 {
    let mut events = EventLoop::<u64>::new().unwrap();
    for (reader, writer) in ring() {
        events
            .io(reader, Interest::READ)
            .timeout(Duration::from_secs(60))
            .add(move |cx, reader, _| {
                pass_on(reader, &writer);
                *cx.state += 1;
                cx.events.add(cx.id()).unwrap();
            })
            .unwrap();
    }
    turns(&mut events)
}

fn turns(events: &mut EventLoop<u64>) -> f64 {
    let mut hops = 0;
    timed(|| {
        while hops < HOPS {
            let _outcome = events.run_mode(Mode::Once, &mut hops).unwrap();
        }
    })
}
