//! An eventfd: a count that writes add to and a read takes.

use std::io;

use evloop_changelist::Ready;

use super::{FileId, Sets};
use crate::errno::{EAGAIN, EINVAL, fail};

#[derive(Debug, Default)]
pub(crate) struct Eventfd {
    count: u64,
}

impl Eventfd {
    pub(crate) fn ready(&self) -> Ready {
        let mut ready = Ready::empty();
        ready.set(Ready::READ, self.count > 0);
        ready.set(Ready::WRITE, self.count < COUNT_MAX);
        ready
    }

    /// Takes the whole count.
    pub(crate) fn read(
        &mut self,
        file: FileId,
        buf: &mut [u8],
        sets: &mut Sets,
    ) -> io::Result<usize> {
        let Some(buf) = buf.first_chunk_mut() else {
            return fail(EINVAL);
        };
        if self.count == 0 {
            return fail(EAGAIN);
        }
        *buf = std::mem::take(&mut self.count).to_ne_bytes();
        sets.wake(file, Ready::WRITE);
        Ok(buf.len())
    }

    /// Adds to the count, if it then still fits.
    pub(crate) fn write(
        &mut self,
        file: FileId,
        bytes: &[u8],
        sets: &mut Sets,
    ) -> io::Result<usize> {
        let Ok(bytes) = <[u8; 8]>::try_from(bytes) else {
            return fail(EINVAL);
        };
        let added = u64::from_ne_bytes(bytes);
        if added > COUNT_MAX {
            return fail(EINVAL);
        }
        if added > COUNT_MAX - self.count {
            return fail(EAGAIN);
        }
        self.count += added;
        sets.wake(file, Ready::READ);
        Ok(bytes.len())
    }
}

/// From eventfd(2): the largest count is one less than the largest number.
const COUNT_MAX: u64 = u64::MAX - 1;
