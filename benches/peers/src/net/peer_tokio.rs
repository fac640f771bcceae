//! tokio, on one thread: a task for each source.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::{IDLE, IdleLoop, Loop, Payload, Urgency};

pub(crate) struct Tokio {
    runtime: Runtime,
    goal: Arc<Goal>,
}

/// What the tasks share, all on one thread: atomic because the runtime's own tasks have to be `Send`, and those of a
/// `LocalSet` take longer.
#[derive(Default)]
struct Goal {
    added: AtomicU64,
    started: AtomicU64,
    done: AtomicU64,
    wanted: AtomicU64,
    /// The same in every run.
    stop: OnceLock<Arc<AtomicBool>>,
    reached: Notify,
}

impl Goal {
    fn count(&self, done: u64) {
        self.done.store(self.done.load(Relaxed) + done, Relaxed);
        if self.is_reached() {
            self.reached.notify_one();
        }
    }

    fn is_reached(&self) -> bool {
        let is_stopped = || self.stop.get().is_some_and(|stop| stop.load(Relaxed));
        self.done.load(Relaxed) >= self.wanted.load(Relaxed) || is_stopped()
    }
}

/// A payload, as `AsyncFd` wants it.
struct Source<P>(P);

impl<P: Payload> AsRawFd for Source<P> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// The source, once its task runs.
fn register<P: Payload>(payload: P, goal: &Goal) -> AsyncFd<Source<P>> {
    goal.started.fetch_add(1, Relaxed);
    // SAFETY: a payload keeps its file descriptor open, and the same, for as long as the `AsyncFd` owns it.
    let source = unsafe { AsyncFd::register(Source(payload)) };
    source.expect("it can be waited for")
}

impl Tokio {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.goal.added.fetch_add(1, Relaxed);
        self.runtime.spawn(task);
    }
}

impl Loop for Tokio {
    fn open() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        Self {
            runtime: runtime.expect("a runtime"),
            goal: Arc::default(),
        }
    }

    fn add<P: Payload>(&mut self, payload: P, _: Urgency) {
        let goal = Arc::clone(&self.goal);
        self.spawn(async move {
            let source = register(payload, &goal);
            loop {
                let mut guard = source.readable().await.expect("the runtime is there");
                // The payload takes all there is: what comes next is a new edge.
                guard.clear_ready();
                goal.count(source.get_ref().0.run());
            }
        });
    }

    fn run(&mut self, wanted: u64, stop: &Arc<AtomicBool>) -> u64 {
        let goal = &self.goal;
        goal.done.store(0, Relaxed);
        goal.wanted.store(wanted, Relaxed);
        goal.stop.get_or_init(|| Arc::clone(stop));
        self.runtime.block_on(async {
            // A notification may be left from the time before.
            while !goal.is_reached() {
                goal.reached.notified().await;
            }
        });
        goal.done.load(Relaxed)
    }
}

impl IdleLoop for Tokio {
    fn add_idle<P: Payload>(&mut self, payload: P) {
        let goal = Arc::clone(&self.goal);
        self.spawn(async move {
            let source = register(payload, &goal);
            while let Ok(guard) = timeout(IDLE, source.readable()).await {
                guard.expect("the runtime is there").clear_ready();
                goal.count(source.get_ref().0.run());
            }
        });
    }

    fn settle(&mut self) {
        let goal = &self.goal;
        self.runtime.block_on(async {
            while goal.started.load(Relaxed) < goal.added.load(Relaxed) {
                yield_now().await;
            }
        });
    }
}
