//! A flood of work that can wait, and beside it what cannot: how long that waits.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::{Batch, Loop, Payload, Urgency, accept, now_ns};
use crate::wake::{Processors, pin};
use crate::work::{self, Link, Work, timed};

/// How long a callback of the flood works, besides its read and its write.
const WORK_NS: u64 = 10_000;

/// Callbacks of the flood between two looks at the kernel, where a contender can be told.
pub(crate) const LIMIT: u32 = 8;

const ONE_THREAD: &str = "one thread does all of it";

/// A pipe with a byte in it: what is read is written again, so it is always readable.
struct Low {
    pipe: Link,
    runs: Arc<AtomicU64>,
}

impl AsFd for Low {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.reader.as_fd()
    }
}

impl Payload for Low {
    fn run(&self) -> u64 {
        self.pipe.pass_on();
        let start = now_ns();
        while now_ns() - start < WORK_NS {}
        self.runs.store(self.runs.load(Relaxed) + 1, Relaxed);
        0
    }
}

/// A connection that brings the times at which it was written to.
struct Urgent {
    stream: TcpStream,
    latencies: Arc<Mutex<Vec<u64>>>,
}

impl AsFd for Urgent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Payload for Urgent {
    /// Takes all that has come, as an edge says it once. A stamp is written at once, so none is cut in two.
    fn run(&self) -> u64 {
        let mut bytes = [0; 512];
        let mut count = 0;
        loop {
            let length = match (&self.stream).read(&mut bytes) {
                Ok(0) => panic!("the load generator is gone"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
                Err(error) => panic!("a stamp cannot be read: {error}"),
            };
            let (stamps, _) = bytes[..length].as_chunks();
            let now = now_ns();
            let latencies = stamps.iter().map(|&stamp| now - u64::from_ne_bytes(stamp));
            self.latencies.lock().expect(ONE_THREAD).extend(latencies);
            count += stamps.len() as u64;
            if length < bytes.len() {
                return count;
            }
        }
    }
}

/// Answers with the median, p99 and p99.9 of the latencies, and the time a callback of the flood, in µs.
pub(crate) fn batch<L: Loop>(work: &Work) -> Batch {
    let own = Processors::usable().own;
    pin(own);
    let mut shares = accept(&[own], 1);
    let stream = shares.remove(0).remove(0);
    let mut starter = stream.try_clone().expect("a socket can be");
    let latencies = Arc::new(Mutex::new(Vec::new()));
    let runs = Arc::new(AtomicU64::new(0));
    let mut events = L::open();
    events.prioritize();
    let urgent = Urgent {
        stream,
        latencies: Arc::clone(&latencies),
    };
    events.add(urgent, Urgency::Urgent);
    for _ in 0..work.n {
        let pipe = work::ring(1).pop().expect("one");
        work::write_byte(&pipe.writer);
        let runs = Arc::clone(&runs);
        events.add(Low { pipe, runs }, Urgency::Low);
    }
    let stop = Arc::new(AtomicBool::new(false));
    Box::new(move |ops| {
        latencies.lock().expect(ONE_THREAD).clear();
        runs.store(0, Relaxed);
        let time = timed(|| {
            let sent = starter.write_all(&ops.to_ne_bytes());
            sent.expect("there is room");
            events.run(ops, &stop);
        });
        let each = time / runs.load(Relaxed).max(1) as f64 / 1e3;
        let mut latencies = latencies.lock().expect(ONE_THREAD);
        latencies.sort_unstable();
        let last = (latencies.len() - 1) as f64;
        let at = |part: f64| latencies[(last * part).round() as usize] as f64 / 1e3;
        vec![at(0.5), at(0.99), at(0.999), each]
    })
}
