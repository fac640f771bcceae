//! The other thread of the wake works: it wakes the loop, waits for the answer, and wakes it again.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::work::{self, Work};

/// What wakes the loop, as the contender has it.
pub(crate) trait Waker: Send + Sync + 'static {
    fn wake(&self);
}

impl<F: Fn() + Send + Sync + 'static> Waker for F {
    fn wake(&self) {
        self();
    }
}

/// The loop's hold on the other thread, which ends when this is dropped.
pub(crate) struct Other {
    batches: Sender<u64>,
    answers: OwnedFd,
}

impl Other {
    /// Starts it. The loop is pinned to one processor, the other thread to the same or another.
    ///
    /// # Errors
    ///
    /// There is no other.
    pub(crate) fn start(work: &Work, waker: Arc<impl Waker>) -> Result<Self, &'static str> {
        let (batches, wanted) = mpsc::channel::<u64>();
        let (heard, answers) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        let Processors { own, other } = Processors::usable();
        let other = match work.name.as_str() {
            "wake" => own,
            _ => other.ok_or(ONE_PROCESSOR)?,
        };
        pin(own);
        thread::spawn(move || {
            pin(other);
            for wakes in wanted {
                for _ in 0..wakes {
                    waker.wake();
                    work::read_byte(&heard);
                }
            }
        });
        Ok(Self { batches, answers })
    }

    /// Has it wake the loop so often.
    pub(crate) fn begin(&self, wakes: u64) {
        self.batches.send(wakes).expect("it lives as long as this");
    }

    /// Tells it that the loop is awake.
    pub(crate) fn answer(&self) {
        work::write_byte(&self.answers);
    }
}

pub(crate) const ONE_PROCESSOR: &str = "there is one processor only";

/// The first processor that this process may run on, and the last if that is another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processors {
    pub(crate) own: usize,
    pub(crate) other: Option<usize>,
}

impl Processors {
    /// To be asked before a thread is pinned to one of them.
    pub(crate) fn usable() -> Self {
        let usable = sched_getaffinity(None).expect("somewhere it runs");
        let mut usable = (0..CpuSet::MAX_CPU).filter(|&cpu| usable.is_set(cpu));
        let own = usable.next().expect("it runs on a processor");
        let other = usable.next_back();
        Self { own, other }
    }
}

pub(crate) fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).expect("it may run there");
}
