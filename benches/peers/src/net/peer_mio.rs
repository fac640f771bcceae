//! mio.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::{Loop, Payload, READY, Urgency};

pub(crate) struct Mio {
    poll: Poll,
    ready: Events,
    sources: Vec<Box<dyn Payload>>,
}

impl Loop for Mio {
    fn open() -> Self {
        Self {
            poll: Poll::new().expect("a poll"),
            ready: Events::with_capacity(READY),
            sources: Vec::new(),
        }
    }

    fn add<P: Payload>(&mut self, payload: P, _: Urgency) {
        let token = Token(self.sources.len());
        let fd = payload.as_fd().as_raw_fd();
        let registry = self.poll.registry();
        let registered = registry.register(&mut SourceFd(&fd), token, Interest::READABLE);
        registered.expect("it can be waited for");
        self.sources.push(Box::new(payload));
    }

    fn run(&mut self, wanted: u64, stop: &Arc<AtomicBool>) -> u64 {
        let mut done = 0;
        while done < wanted && !stop.load(Ordering::Relaxed) {
            self.poll.poll(&mut self.ready, None).expect("it waits");
            for event in &self.ready {
                done += self.sources[event.token().0].run();
            }
        }
        done
    }
}
