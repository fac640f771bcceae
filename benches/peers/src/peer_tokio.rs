//! tokio, on one thread: a task for each pipe, `Notify` for a wakeup, `DelayQueue` for timers.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio_util::time::DelayQueue;

use crate::wake;
use crate::work::{self, Batch, NO_LEVEL, NOT_WRITTEN, Offer, Work, timed};

pub(crate) fn offer(work: &Work) -> Offer {
    match work.name.as_str() {
        "ring" => Err(NO_LEVEL),
        "ring-edge" | "cascade" => Ok(ring(work)),
        "timer-add" | "timer-cancel" | "timer-later" | "timer-earlier" | "timer-expire" => {
            Ok(timers(work))
        }
        "wake" | "wake-other" => Ok(wake(work)),
        _ => Err(NOT_WRITTEN),
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn ring(work: &Work) -> Batch {
    let runtime = runtime();
    let tasks = LocalSet::new();
    let ring = work::ring(work.n);
    work::prime(&ring, work.active);
    let hops = Rc::new(Cell::new(0_u64));
    let wanted = Rc::new(Cell::new(0_u64));
    let done = Rc::new(Notify::new());
    for link in ring {
        let (hops, wanted, done) = (hops.clone(), wanted.clone(), done.clone());
        tasks.spawn_local(async move {
            // SAFETY: an `OwnedFd` stays open, and the same, for as long as the `AsyncFd` owns it.
            let reader = unsafe { AsyncFd::register(link.reader) };
            let reader = reader.expect("a pipe can be waited for");
            loop {
                let mut guard = reader.readable().await.expect("the runtime is there");
                // One byte is all there is: the next one is a new edge.
                guard.clear_ready();
                work::pass_on(reader.get_ref(), &link.writer);
                hops.set(hops.get() + 1);
                if hops.get() == wanted.get() {
                    done.notify_one();
                }
            }
        });
    }
    Box::new(move |ops| {
        hops.set(0);
        wanted.set(ops);
        let time = timed(|| tasks.block_on(&runtime, done.notified()));
        time / hops.get() as f64
    })
}

fn timers(work: &Work) -> Batch {
    let runtime = runtime();
    let (n, name) = (work.n, work.name.clone());
    Box::new(move |_| {
        let _entered = runtime.enter();
        let mut queue = DelayQueue::with_capacity(n);
        if name == "timer-add" {
            let add = |at| {
                let _key = queue.insert(at, work::timeout(at));
            };
            return timed(|| (0..n).for_each(add)) / n as f64;
        }
        let is_expire = name == "timer-expire";
        let first = if is_expire {
            work::short_timeout
        } else {
            work::timeout
        };
        let keys: Vec<_> = (0..n).map(|at| queue.insert(at, first(at))).collect();
        let mut keys = keys.iter().enumerate();
        let time = match name.as_str() {
            "timer-cancel" => timed(|| keys.for_each(|(_, key)| drop(queue.remove(key)))),
            "timer-later" => {
                timed(|| keys.for_each(|(at, key)| queue.reset(key, work::timeout(at) * 2)))
            }
            "timer-earlier" => {
                timed(|| keys.for_each(|(at, key)| queue.reset(key, work::timeout(at) / 2)))
            }
            _ => {
                let _ = keys.next();
                work::until_due();
                let all = std::future::poll_fn(|cx| {
                    while !queue.is_empty() {
                        if queue.poll_expired(cx).is_pending() {
                            return Poll::Pending;
                        }
                    }
                    Poll::Ready(())
                });
                timed(|| runtime.block_on(all))
            }
        };
        time / n as f64
    })
}

fn wake(work: &Work) -> Batch {
    let runtime = runtime();
    let woken = Arc::new(Notify::new());
    let remote = Arc::clone(&woken);
    let other = wake::Other::start(work, Arc::new(move || remote.notify_one()));
    Box::new(move |ops| {
        let all = async {
            other.begin(ops);
            for _ in 0..ops {
                woken.notified().await;
                other.answer();
            }
        };
        timed(|| runtime.block_on(all)) / ops as f64
    })
}
