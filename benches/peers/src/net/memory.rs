//! What connections that say nothing cost in memory, each with an idle timeout.

use std::fs;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use super::{Batch, IdleLoop, Payload, accept};
use crate::wake::Processors;
use crate::work::Work;

/// A connection that is not expected to say anything.
struct Quiet(TcpStream);

impl AsFd for Quiet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Payload for Quiet {
    fn run(&self) -> u64 {
        panic!("it has nothing to say");
    }
}

/// Answers with the bytes a connection that `malloc` gave out, and those that became resident.
///
/// The connections are accepted before the first look. The loop is made, takes them over, and is run once,
/// between the looks.
pub(crate) fn batch<L: IdleLoop>(work: &Work, open: impl FnOnce() -> L) -> Batch {
    let own = Processors::usable().own;
    let connections = accept(&[own], work.n).remove(0);
    let mut connections: Vec<_> = connections.into_iter().map(Some).collect();
    let before = Memory::now();
    let mut events = open();
    for connection in &mut connections {
        let connection = connection.take().expect("it is taken once");
        events.add_idle(Quiet(connection));
    }
    events.settle();
    let after = Memory::now();
    let n = work.n as f64;
    let each = vec![
        (after.allocated - before.allocated) / n,
        (after.resident - before.resident) / n,
    ];
    Box::new(move |_| {
        let _alive = &events;
        each.clone()
    })
}

struct Memory {
    allocated: f64,
    resident: f64,
}

impl Memory {
    fn now() -> Self {
        // SAFETY: it takes nothing, and returns numbers.
        let info = unsafe { libc::mallinfo2() };
        let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
        let mut words = status.split_whitespace();
        let kilobytes: Option<f64> = words
            .find(|&word| word == "VmRSS:")
            .and_then(|_| words.next()?.parse().ok());
        Self {
            allocated: (info.uordblks + info.hblkhd) as f64,
            resident: kilobytes.expect("Linux tells it") * 1024.0,
        }
    }
}
