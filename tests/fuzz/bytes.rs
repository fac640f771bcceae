//! A program as bytes: whatever they are, they mean something, so that a fuzzer can change any of them.

use std::cell::Cell;
use std::rc::Rc;

/// The bytes that were not used yet; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Bytes {
    all: Rc<[u8]>,
    next: Rc<Cell<usize>>,
}

impl Bytes {
    pub(crate) fn new(all: &[u8]) -> Self {
        Self {
            all: all.into(),
            next: Rc::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.next.get() >= self.all.len()
    }

    /// The next byte; 0 when they are used up.
    pub(crate) fn byte(&self) -> u8 {
        let at = self.next.get();
        self.next.set(at + 1);
        self.all.get(at).copied().unwrap_or(0)
    }

    pub(crate) fn flag(&self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `len`, which is not 0.
    pub(crate) fn below(&self, len: usize) -> usize {
        usize::from(self.byte()) % len
    }
}
