//! A listening socket: connections that were made and wait to be accepted.

use std::collections::VecDeque;
use std::io;

use evloop_changelist::Ready;

use super::{FileId, Sets};
use crate::errno::{EAGAIN, fail};

#[derive(Debug)]
pub(crate) struct Listener {
    /// Our ends, oldest first. They are open, though under no number.
    waiting: VecDeque<FileId>,
    backlog: usize,
}

impl Listener {
    pub(crate) fn new(backlog: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            backlog,
        }
    }

    pub(crate) fn ready(&self) -> Ready {
        if self.waiting.is_empty() {
            Ready::empty()
        } else {
            Ready::READ
        }
    }

    /// Whether another connection would have to wait for room. Linux takes one more than it was told.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() > self.backlog
    }

    /// A peer has connected: `ours` is to be accepted.
    pub(crate) fn push(&mut self, listener: FileId, ours: FileId, sets: &mut Sets) {
        self.waiting.push_back(ours);
        sets.wake(listener, Ready::READ);
    }

    pub(crate) fn accept(&mut self) -> io::Result<FileId> {
        self.waiting.pop_front().map_or_else(|| fail(EAGAIN), Ok)
    }

    /// Those that nobody will accept any more.
    pub(crate) fn into_waiting(self) -> VecDeque<FileId> {
        self.waiting
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = FileId> {
        self.waiting.iter().copied()
    }
}
