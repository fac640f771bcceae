//! What every contender is given: the work's name and size, pipes, and a stopwatch.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// One measured batch: so many operations, answered by nanoseconds an operation.
pub(crate) type Batch = Box<dyn FnMut(u64) -> f64>;

/// A contender's batch for a work, or why it has none.
pub(crate) type Offer = Result<Batch, &'static str>;

/// A work load and its size.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) name: String,
    /// Sources or timers.
    pub(crate) n: usize,
    /// How many of them are active at a time.
    pub(crate) active: usize,
}

/// A pipe's reading end, and the writing end of the pipe after it.
pub(crate) struct Link {
    pub(crate) reader: OwnedFd,
    pub(crate) writer: OwnedFd,
}

/// The answer of a contender that cannot do a work at all.
pub(crate) const NO_TIMERS: &str = "it has no timers";
pub(crate) const NO_SIGNALS: &str = "it has no signals";
pub(crate) const NO_LEVEL: &str = "its sources are edge-triggered only";
pub(crate) const NO_SUCH: &str = "it is not in this program";

/// So long a source is idle at most, in the works with a timeout.
pub(crate) const IDLE: Duration = Duration::from_secs(60);

/// A ring of pipes that all can be read without blocking; no byte is in it yet.
pub(crate) fn ring(n: usize) -> Vec<Link> {
    raise_fd_limit();
    let pipes = (0..n).map(|_| {
        pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).expect("a pipe; see `ulimit -n`")
    });
    let (readers, mut writers): (Vec<_>, Vec<_>) = pipes.unzip();
    writers.rotate_left(1);
    let links = readers.into_iter().zip(writers);
    links
        .map(|(reader, writer)| Link { reader, writer })
        .collect()
}

/// Puts `active` bytes into the ring, evenly.
pub(crate) fn prime(ring: &[Link], active: usize) {
    for at in 0..active {
        write_byte(&ring[at * ring.len() / active].writer);
    }
}

impl Link {
    /// The payload: one read, one write.
    pub(crate) fn pass_on(&self) {
        pass_on(&self.reader, &self.writer);
    }
}

/// By the C library, as the programs in C do: where to return from a function that has made a system call costs
/// much, it costs all of them the same.
#[inline]
pub(crate) fn pass_on(reader: &OwnedFd, writer: &OwnedFd) {
    read_byte(reader);
    write_byte(writer);
}

#[inline]
pub(crate) fn read_byte(reader: &OwnedFd) {
    let mut byte = [0_u8; 1];
    // SAFETY: there is room for the byte.
    let count = unsafe { libc::read(reader.as_raw_fd(), byte.as_mut_ptr().cast(), 1) };
    assert_eq!(count, 1, "it was reported ready");
}

#[inline]
pub(crate) fn write_byte(writer: &OwnedFd) {
    // SAFETY: it is a byte long.
    let count = unsafe { libc::write(writer.as_raw_fd(), b"e".as_ptr().cast(), 1) };
    assert_eq!(count, 1, "a pipe has room for a byte");
}

/// Sends the signal that the signal work is about to this process.
pub(crate) fn sender() -> impl Fn() + Copy {
    let own = rustix::process::getpid().as_raw_pid();
    move || {
        // SAFETY: it takes two numbers, and this program catches the signal.
        let result = unsafe { libc::kill(own, libc::SIGUSR1) };
        assert_eq!(result, 0, "it was sent");
    }
}

/// A source that nobody has seen before.
pub(crate) fn new_source() -> OwnedFd {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).expect("an eventfd")
}

/// Nanoseconds that `run` takes. Never inlined: callgrind counts what runs below it.
#[inline(never)]
pub(crate) fn timed(run: impl FnOnce()) -> f64 {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64() * 1e9
}

/// The timeouts of the timer works, made before any time is taken.
pub(crate) struct Timeouts {
    /// From one second to an hour in no order. Where they are to expire there is a microsecond for each: that
    /// is longer than adding them takes, which would bring them into the order in which they are added where a
    /// timeout counts from its own start.
    pub(crate) first: Vec<Duration>,
    /// What they are moved to.
    pub(crate) moved: Vec<Duration>,
    /// The longest of all.
    pub(crate) longest: Duration,
}

impl Timeouts {
    pub(crate) fn of(work: &Work) -> Self {
        let mixed = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let timeout = |at| match work.name.as_str() {
            "timer-expire" | "timer-moved" => Duration::from_micros(mixed(at) % work.n as u64),
            _ => Duration::from_millis(1_000 + mixed(at) % 3_600_000),
        };
        let moved = |timeout: &Duration| match work.name.as_str() {
            "timer-later" | "timer-moved" => *timeout * 2,
            _ => *timeout / 2,
        };
        let first: Vec<_> = (0..work.n).map(timeout).collect();
        let moved: Vec<_> = first.iter().map(moved).collect();
        let longest = first.iter().chain(&moved).max();
        Self {
            longest: *longest.expect("there are timers"),
            first,
            moved,
        }
    }
}

/// Waits until all timers are due, and some ticks of the kernel for those who count in these.
pub(crate) fn until_due(longest: Duration) {
    std::thread::sleep(longest + Duration::from_millis(20));
}

pub(crate) fn raise_fd_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where it is refused, making the pipes says so.
    let _ = setrlimit(Resource::Nofile, raised);
}
