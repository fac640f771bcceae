//! The floor: epoll by hand.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::{Loop, Payload, READY, Urgency};

pub(crate) type Level = Raw<false>;
pub(crate) type Edge = Raw<true>;

pub(crate) struct Raw<const IS_EDGE: bool> {
    epoll: OwnedFd,
    sources: Vec<Box<dyn Payload>>,
    ready: Vec<epoll::Event>,
}

impl<const IS_EDGE: bool> Loop for Raw<IS_EDGE> {
    fn open() -> Self {
        Self {
            epoll: epoll::create(CreateFlags::CLOEXEC).expect("an epoll"),
            sources: Vec::new(),
            ready: Vec::with_capacity(READY),
        }
    }

    fn add<P: Payload>(&mut self, payload: P, _: Urgency) {
        let data = EventData::new_u64(self.sources.len() as u64);
        let mut flags = EventFlags::IN;
        flags.set(EventFlags::ET, IS_EDGE);
        epoll::add(&self.epoll, &payload, data, flags).expect("added");
        self.sources.push(Box::new(payload));
    }

    fn run(&mut self, wanted: u64, stop: &Arc<AtomicBool>) -> u64 {
        let mut done = 0;
        while done < wanted && !stop.load(Ordering::Relaxed) {
            self.ready.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut self.ready), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("epoll_wait: {error}"),
            }
            for event in &self.ready {
                done += self.sources[event.data.u64() as usize].run();
            }
        }
        done
    }
}
