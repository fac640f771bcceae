//! tokio, on one thread: a task for each source.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::{LocalSet, yield_now};
use tokio::time::timeout;

use super::{IDLE, IdleLoop, Loop, Payload, Urgency};

pub(crate) struct Tokio {
    tasks: LocalSet,
    runtime: Runtime,
    goal: Rc<Goal>,
}

/// What the tasks share.
#[derive(Default)]
struct Goal {
    added: Cell<u64>,
    started: Cell<u64>,
    done: Cell<u64>,
    wanted: Cell<u64>,
    stop: RefCell<Arc<AtomicBool>>,
    reached: Notify,
}

impl Goal {
    fn count(&self, done: u64) {
        self.done.set(self.done.get() + done);
        if self.is_reached() {
            self.reached.notify_one();
        }
    }

    fn is_reached(&self) -> bool {
        self.done.get() >= self.wanted.get() || self.stop.borrow().load(Ordering::Relaxed)
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
    goal.started.set(goal.started.get() + 1);
    // SAFETY: a payload keeps its file descriptor open, and the same, for as long as the `AsyncFd` owns it.
    let source = unsafe { AsyncFd::register(Source(payload)) };
    source.expect("it can be waited for")
}

impl Tokio {
    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.goal.added.set(self.goal.added.get() + 1);
        self.tasks.spawn_local(task);
    }
}

impl Loop for Tokio {
    fn open() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        Self {
            tasks: LocalSet::new(),
            runtime: runtime.expect("a runtime"),
            goal: Rc::default(),
        }
    }

    fn add<P: Payload>(&mut self, payload: P, _: Urgency) {
        let goal = Rc::clone(&self.goal);
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
        goal.done.set(0);
        goal.wanted.set(wanted);
        goal.stop.replace(Arc::clone(stop));
        self.tasks.block_on(&self.runtime, async {
            // A notification may be left from the time before.
            while !goal.is_reached() {
                goal.reached.notified().await;
            }
        });
        goal.done.get()
    }
}

impl IdleLoop for Tokio {
    fn add_idle<P: Payload>(&mut self, payload: P) {
        let goal = Rc::clone(&self.goal);
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
        self.tasks.block_on(&self.runtime, async {
            while goal.started.get() < goal.added.get() {
                yield_now().await;
            }
        });
    }
}
