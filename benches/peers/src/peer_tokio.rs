//! tokio, on one thread: a task for each pipe, `Notify` for a wakeup, `DelayQueue` for timers.

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::time::DelayQueue;

use crate::wake;
use crate::work::{self, Batch, IDLE, Link, NO_LEVEL, NO_SUCH, Offer, Timeouts, Work, timed};

pub(crate) fn offer(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" => Err(NO_LEVEL),
        "ring-edge" | "ring-timeout" | "ring-again" | "cascade" => Ok(ring(work)),
        "toggle" => Err("it asks for both interests always"),
        "add-delete" => Err("a source is registered for as long as it lives"),
        "register" => Ok(register()),
        "signal" => Ok(send_signals()),
        "wake" | "wake-other" => wake(work),
        name if name.starts_with("timer-") => Ok(timers(work)),
        _ => Err(NO_SUCH),
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn async_fd(source: OwnedFd) -> AsyncFd<OwnedFd> {
    // SAFETY: an `OwnedFd` stays open, and the same, for as long as the `AsyncFd` owns it.
    let source = unsafe { AsyncFd::register(source) };
    source.expect("it can be waited for")
}

/// Counts up to what is wanted, and says so. One thread does all of it, by loads and stores: the numbers are atomic
/// because the runtime's own tasks have to be `Send`, and those of a `LocalSet` take longer.
#[derive(Default)]
struct Tally {
    hops: AtomicU64,
    wanted: AtomicU64,
    done: Notify,
}

impl Tally {
    fn count(&self) {
        let hops = self.hops.load(Ordering::Relaxed) + 1;
        self.hops.store(hops, Ordering::Relaxed);
        if hops == self.wanted.load(Ordering::Relaxed) {
            self.done.notify_one();
        }
    }
}

fn ring(work: &Work) -> Batch {
    let runtime = runtime();
    let ring = work::ring(work.n);
    work::prime(&ring, work.active);
    let tally = Arc::new(Tally::default());
    for link in ring {
        let tally = tally.clone();
        match work.name.as_str() {
            "ring-timeout" => runtime.spawn(refresh(link, tally)),
            "ring-again" => runtime.spawn(again(link, tally)),
            _ => runtime.spawn(plain(link, tally)),
        };
    }
    Box::new(move |ops| {
        tally.hops.store(0, Ordering::Relaxed);
        tally.wanted.store(ops, Ordering::Relaxed);
        let time = timed(|| runtime.block_on(tally.done.notified()));
        time / tally.hops.load(Ordering::Relaxed) as f64
    })
}

async fn plain(link: Link, tally: Arc<Tally>) {
    let reader = async_fd(link.reader);
    loop {
        let mut guard = reader.readable().await.expect("the runtime is there");
        // One byte is all there is: the next one is a new edge.
        guard.clear_ready();
        work::pass_on(reader.get_ref(), &link.writer);
        tally.count();
    }
}

/// Waits anew each time, with a timeout.
async fn again(link: Link, tally: Arc<Tally>) {
    let reader = async_fd(link.reader);
    while let Ok(guard) = timeout(IDLE, reader.readable()).await {
        guard.expect("the runtime is there").clear_ready();
        work::pass_on(reader.get_ref(), &link.writer);
        tally.count();
    }
}

/// Moves one timer on each time.
async fn refresh(link: Link, tally: Arc<Tally>) {
    let reader = async_fd(link.reader);
    let mut idle = pin!(sleep(IDLE));
    let until_idle = std::future::poll_fn(|cx| {
        while let Poll::Ready(guard) = reader.poll_read_ready(cx) {
            guard.expect("the runtime is there").clear_ready();
            work::pass_on(reader.get_ref(), &link.writer);
            tally.count();
            idle.as_mut().reset(Instant::now() + IDLE);
        }
        ready!(idle.as_mut().poll(cx));
        Poll::Ready(())
    });
    until_idle.await;
}

fn timers(work: &Work) -> Batch {
    let runtime = runtime();
    let Timeouts {
        first,
        moved,
        longest,
    } = Timeouts::of(work);
    let (n, name) = (work.n, work.name.clone());
    let entered = runtime.enter();
    let mut queue = DelayQueue::with_capacity(n);
    drop(entered);
    let mut keys = Vec::with_capacity(n);
    Box::new(move |_| {
        let _entered = runtime.enter();
        // Their memory is kept.
        queue.clear();
        keys.clear();
        let mut add = || {
            keys.extend(
                (0..)
                    .zip(&first)
                    .map(|(at, &after)| queue.insert(at, after)),
            )
        };
        if name == "timer-add" {
            return timed(add) / n as f64;
        }
        add();
        let set = |queue: &mut DelayQueue<_>| {
            for (key, &after) in keys.iter().zip(&moved) {
                queue.reset(key, after);
            }
        };
        let time = match name.as_str() {
            "timer-cancel" => timed(|| {
                for key in &keys {
                    let _item = queue.remove(key);
                }
            }),
            "timer-later" | "timer-earlier" => timed(|| set(&mut queue)),
            name => {
                let mut time = 0.0;
                if name == "timer-moved" {
                    time = timed(|| set(&mut queue));
                }
                work::until_due(longest);
                let all = std::future::poll_fn(|cx| {
                    while !queue.is_empty() {
                        if queue.poll_expired(cx).is_pending() {
                            return Poll::Pending;
                        }
                    }
                    Poll::Ready(())
                });
                time + timed(|| runtime.block_on(all))
            }
        };
        time / n as f64
    })
}

fn register() -> Batch {
    let runtime = runtime();
    Box::new(move |ops| {
        let all = async {
            for at in 1..=ops {
                drop(async_fd(work::new_source()));
                // What was dropped is freed when the runtime has its turn.
                if at % 64 == 0 {
                    yield_now().await;
                }
            }
        };
        timed(|| runtime.block_on(all)) / ops as f64
    })
}

fn send_signals() -> Batch {
    let runtime = runtime();
    let entered = runtime.enter();
    let mut caught = signal(SignalKind::user_defined1()).expect("it can be caught");
    drop(entered);
    let send = work::sender();
    Box::new(move |ops| {
        let all = async {
            for _ in 0..ops {
                send();
                caught.recv().await.expect("the runtime is there");
            }
        };
        timed(|| runtime.block_on(all)) / ops as f64
    })
}

fn wake(work: &Work) -> Offer {
    let runtime = runtime();
    let woken = Arc::new(Notify::new());
    let remote = Arc::clone(&woken);
    let other = wake::Other::start(work, Arc::new(move || remote.notify_one()))?;
    Ok(Box::new(move |ops| {
        let all = async {
            other.begin(ops);
            for _ in 0..ops {
                woken.notified().await;
                other.answer();
            }
        };
        timed(|| runtime.block_on(all)) / ops as f64
    }))
}
