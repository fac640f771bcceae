//! The waker against a model of a few lines: whatever is called in whatever order, both answer
//! the same and have made the same number of system calls.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/writes.rs"]
mod writes;

use evloop_pipe::{Method, Pipe, Waker, WakerKind};
use proptest::collection::vec;
use proptest::prelude::*;
use rustix::event::{PollFd, PollFlags, poll};

#[derive(Clone, Copy, Debug)]
enum Op {
    Wake,
    Sleep,
    Awake,
    Drain,
}

/// A waker as one would write it for a single thread.
#[derive(Default)]
struct Model {
    asleep: bool,
    woken: bool,
    /// Written and not yet drained.
    writes: usize,
}

impl Model {
    fn wake(&mut self) {
        if self.asleep && !self.woken {
            self.writes += 1;
        }
        self.woken = true;
    }

    fn sleep(&mut self) -> bool {
        self.asleep = !self.woken;
        self.asleep
    }

    fn awake(&mut self) -> bool {
        let was_woken = self.woken;
        *self = Self {
            writes: self.writes,
            ..Self::default()
        };
        was_woken
    }
}

fn is_readable(waker: &Waker) -> bool {
    let mut fds = [PollFd::new(waker, PollFlags::IN)];
    poll(
        &mut fds,
        Some(&rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )
    .unwrap()
        == 1
}

fn wakers() -> impl Strategy<Value = Option<Method>> {
    prop_oneof![
        Just(None),
        prop::sample::select(&Method::ALL[..]).prop_map(Some)
    ]
}

proptest! {
    #[test]
    fn behaves_like_the_model(
        method in wakers(),
        ops in vec(
            prop::sample::select(&[Op::Wake, Op::Sleep, Op::Awake, Op::Drain][..]),
            0..200,
        ),
    ) {
        let waker = match method {
            None => Waker::new().unwrap(),
            Some(method) => Waker::with_pipe(Pipe::with_method(method).unwrap()),
        };
        prop_assert_eq!(waker.needs_drain(), waker.kind() == WakerKind::Pipe);
        let mut model = Model::default();
        for op in ops {
            match op {
                Op::Wake => {
                    waker.wake();
                    model.wake();
                }
                Op::Sleep => prop_assert_eq!(waker.sleep(), model.sleep()),
                Op::Awake => prop_assert_eq!(waker.awake(), model.awake()),
                Op::Drain => {
                    waker.drain();
                    model.writes = 0;
                }
            }
            prop_assert_eq!(is_readable(&waker), model.writes > 0);
        }
        prop_assert_eq!(writes::take(&waker), model.writes);
    }
}
