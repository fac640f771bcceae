//! A pipe: a ring of pages, with one file that reads and one that writes.
//!
//! Linux counts room in pages, not in bytes: a pipe is full when all its pages are in use,
//! however little they hold, and a short write shares the last page only if it fits as a whole.

use std::collections::VecDeque;
use std::io;

use evloop_changelist::Ready;

use super::{FileId, Sets};
use crate::errno::{EAGAIN, EPIPE, fail};

#[derive(Debug)]
pub(crate) struct Pipe {
    reader: FileId,
    writer: FileId,
    reader_open: bool,
    writer_open: bool,
    /// Oldest first; none is empty.
    pages: VecDeque<Page>,
}

#[derive(Debug, Default)]
struct Page {
    bytes: Vec<u8>,
    /// How many of them were read already. Their room is not used again.
    read: usize,
}

impl Pipe {
    pub(crate) fn new(reader: FileId, writer: FileId) -> Self {
        Self {
            reader,
            writer,
            reader_open: true,
            writer_open: true,
            pages: VecDeque::new(),
        }
    }

    /// What is ready at the end that reads.
    pub(crate) fn reader_ready(&self) -> Ready {
        let mut ready = Ready::empty();
        ready.set(Ready::READ, !self.pages.is_empty());
        ready.set(Ready::HANGUP, !self.writer_open);
        ready
    }

    /// What is ready at the end that writes.
    pub(crate) fn writer_ready(&self) -> Ready {
        let mut ready = Ready::empty();
        ready.set(Ready::WRITE, !self.is_full());
        ready.set(Ready::ERROR, !self.reader_open);
        ready
    }

    pub(crate) fn read(&mut self, buf: &mut [u8], sets: &mut Sets) -> io::Result<usize> {
        if self.pages.is_empty() && !buf.is_empty() {
            return if self.writer_open {
                fail(EAGAIN)
            } else {
                Ok(0)
            };
        }
        let was_full = self.is_full();
        let mut copied = 0;
        while copied < buf.len()
            && let Some(page) = self.pages.front_mut()
        {
            let rest = &page.bytes[page.read..];
            let n = rest.len().min(buf.len() - copied);
            buf[copied..copied + n].copy_from_slice(&rest[..n]);
            copied += n;
            page.read += n;
            if page.read == page.bytes.len() {
                self.pages.pop_front();
            }
        }
        if was_full && !self.is_full() {
            sets.wake(self.writer, Ready::WRITE);
        }
        Ok(copied)
    }

    pub(crate) fn write(&mut self, bytes: &[u8], sets: &mut Sets) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if !self.reader_open {
            return fail(EPIPE);
        }
        // What does not fill whole pages goes first, if it fits behind what is there.
        let odd = bytes.len() % PAGE;
        let mut written = 0;
        if let Some(last) = self.pages.back_mut()
            && odd > 0
            && last.bytes.len() + odd <= PAGE
        {
            last.bytes.extend_from_slice(&bytes[..odd]);
            written = odd;
        }
        while written < bytes.len() && !self.is_full() {
            let end = bytes.len().min(written + PAGE);
            self.pages.push_back(Page {
                bytes: bytes[written..end].to_vec(),
                read: 0,
            });
            written = end;
        }
        // Even a write that found no room wakes the reader: epoll's users came to rely on it.
        sets.wake(self.reader, Ready::READ);
        if written > 0 {
            Ok(written)
        } else {
            fail(EAGAIN)
        }
    }

    /// The last number of the end that reads was closed.
    pub(crate) fn close_reader(&mut self, sets: &mut Sets) {
        self.reader_open = false;
        sets.wake(self.writer, Ready::all());
    }

    /// The last number of the end that writes was closed.
    pub(crate) fn close_writer(&mut self, sets: &mut Sets) {
        self.writer_open = false;
        sets.wake(self.reader, Ready::all());
    }

    fn is_full(&self) -> bool {
        self.pages.len() >= PAGES
    }
}

/// Bytes in a page, on most of Linux' machines.
const PAGE: usize = 4096;
/// Pages in a pipe, by Linux' default.
const PAGES: usize = 16;
