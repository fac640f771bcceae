//! polling, level-triggered.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use polling::{Event, Events, PollMode, Poller};

use super::{Loop, Payload, READY, Urgency};

/// The poller goes first, so it never holds a source that is closed.
pub(crate) struct Polling {
    poller: Poller,
    ready: Events,
    sources: Vec<Box<dyn Payload>>,
}

impl Loop for Polling {
    fn open() -> Self {
        Self {
            poller: Poller::new().expect("a poller"),
            ready: Events::with_capacity(NonZeroUsize::new(READY).expect("not zero")),
            sources: Vec::new(),
        }
    }

    fn add<P: Payload>(&mut self, payload: P, _: Urgency) {
        let event = Event::readable(self.sources.len());
        // SAFETY: the source must outlive its registration: the poller is dropped before the sources.
        let added = unsafe {
            self.poller
                .add_with_mode(&payload.as_fd(), event, PollMode::Level)
        };
        added.expect("it can be waited for");
        self.sources.push(Box::new(payload));
    }

    fn run(&mut self, wanted: u64, stop: &Arc<AtomicBool>) -> u64 {
        let mut done = 0;
        while done < wanted && !stop.load(Ordering::Relaxed) {
            self.ready.clear();
            self.poller.wait(&mut self.ready, None).expect("it waits");
            for event in self.ready.iter() {
                done += self.sources[event.key].run();
            }
        }
        done
    }
}
