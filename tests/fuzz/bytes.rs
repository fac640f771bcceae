//! A program as bytes: whatever they are, they mean something, so that a fuzzer can change any of them.
//!
//! They come in records of [`RECORD`], one for each step, so that a step can be left out and the others stay
//! what they are.

use std::cell::Cell;
use std::rc::Rc;

/// The bytes that were not used yet; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Bytes {
    all: Rc<[u8]>,
    /// The next byte of the record that is read, and where the record after it begins.
    rest: Rc<Cell<usize>>,
    next: Rc<Cell<usize>>,
}

/// How many bytes a step has.
pub(crate) const RECORD: usize = 4;

impl Bytes {
    pub(crate) fn new(all: &[u8]) -> Self {
        Self {
            all: all.into(),
            rest: Rc::default(),
            next: Rc::default(),
        }
    }

    /// Whether there is no further record.
    pub(crate) fn is_empty(&self) -> bool {
        self.next.get() >= self.all.len()
    }

    /// Goes on to the next record.
    pub(crate) fn begin_record(&self) {
        self.rest.set(self.next.get());
        self.next.set(self.next.get() + RECORD);
    }

    /// The next byte of the record; 0 when it is used up.
    pub(crate) fn byte(&self) -> u8 {
        let at = self.rest.get();
        if at >= self.next.get() {
            return 0;
        }
        self.rest.set(at + 1);
        self.all.get(at).copied().unwrap_or(0)
    }

    pub(crate) fn flag(&self) -> bool {
        self.byte() & 1 == 1
    }

    /// One of `len` things, which are not none, counted from the last: so it is the same if an earlier one
    /// is left out.
    pub(crate) fn one_of(&self, len: usize) -> usize {
        len - 1 - self.below(len)
    }

    /// A number below `len`, which is not 0.
    pub(crate) fn below(&self, len: usize) -> usize {
        usize::from(self.byte()) % len
    }
}
