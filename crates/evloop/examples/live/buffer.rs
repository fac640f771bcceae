//! A connection's two buffers: what has been read and not been used, and what is to be written.
//!
//! Both move as much as one call does and never wait: the source is non-blocking.

use std::io::{self, ErrorKind, Read, Write};

/// Bytes that arrived. There is room for one head of a request, and no more.
#[derive(Debug)]
pub(crate) struct Input {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Bytes.
    Some,
    /// Nothing yet.
    Nothing,
    /// Nothing ever again.
    End,
}

impl Input {
    pub(crate) fn with_room_for(length: usize) -> Self {
        Self {
            bytes: vec![0; length].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Forgets so many bytes from the front, or all if there are fewer; how many they were.
    pub(crate) fn consume(&mut self, length: usize) -> usize {
        let length = length.min(self.end - self.start);
        self.start += length;
        length
    }

    /// Reads once. There must be room.
    pub(crate) fn fill(&mut self, mut source: impl Read) -> io::Result<Filled> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        debug_assert!(self.end < self.bytes.len(), "no room to read into");
        match source.read(&mut self.bytes[self.end..]) {
            Ok(0) => Ok(Filled::End),
            Ok(length) => {
                self.end += length;
                Ok(Filled::Some)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(Filled::Nothing),
                _ => Err(error),
            },
        }
    }
}

/// Bytes to be written.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    written: usize,
}

impl Output {
    /// What was written is not kept once all was, so an empty output has all its room.
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes are left to be written.
    pub(crate) const fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Where to append.
    pub(crate) const fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes until nothing is left or no more is taken now.
    pub(crate) fn flush(&mut self, mut sink: impl Write) -> io::Result<()> {
        while self.written < self.bytes.len() {
            match sink.write(&self.bytes[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => self.written += length,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => {
                        // What was written makes room for what comes.
                        self.bytes.drain(..self.written);
                        self.written = 0;
                        return Ok(());
                    }
                    _ => return Err(error),
                },
            }
        }
        self.bytes.clear();
        self.written = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes and gives a few bytes at a time, and now and then nothing.
    struct Slow {
        bytes: Vec<u8>,
        calls: usize,
    }

    impl Slow {
        fn step(&mut self, length: usize) -> io::Result<usize> {
            self.calls += 1;
            if self.calls.is_multiple_of(3) {
                return Err(ErrorKind::WouldBlock.into());
            }
            Ok(length.min(4))
        }
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = self.step(bytes.len())?;
            self.bytes.extend_from_slice(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Read for Slow {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let length = self.step(bytes.len().min(self.bytes.len()))?;
            bytes[..length].copy_from_slice(&self.bytes[..length]);
            self.bytes.drain(..length);
            Ok(length)
        }
    }

    fn slow(bytes: &[u8]) -> Slow {
        Slow {
            bytes: bytes.to_vec(),
            calls: 0,
        }
    }

    #[test]
    fn output_is_written_in_order_however_slowly() {
        let mut sink = slow(b"");
        let mut output = Output::default();
        let mut flushes = 0;
        for part in [b"one, two, three, ".as_slice(), b"four", b""] {
            output.bytes().extend_from_slice(part);
            output.flush(&mut sink).unwrap();
            assert_eq!(output.len(), output.bytes().len());
        }
        while !output.is_empty() {
            output.flush(&mut sink).unwrap();
            flushes += 1;
            assert!(flushes < 10);
        }
        assert_eq!(sink.bytes, b"one, two, three, four");
    }

    #[test]
    fn input_is_used_from_the_front_and_its_room_is_used_again() {
        let mut source = slow(b"0123456789abcdef");
        let mut input = Input::with_room_for(5);
        let mut used = Vec::new();
        loop {
            match input.fill(&mut source).unwrap() {
                Filled::End => break,
                Filled::Nothing => {}
                Filled::Some => {
                    used.extend_from_slice(&input.bytes()[..3]);
                    assert_eq!(input.consume(3), 3);
                }
            }
            if input.bytes().len() > 2 {
                used.extend_from_slice(input.bytes());
                input.consume(usize::MAX);
            }
        }
        used.extend_from_slice(input.bytes());
        assert_eq!(used, b"0123456789abcdef");
    }

    #[test]
    fn no_more_is_consumed_than_there_is() {
        let mut input = Input::with_room_for(8);
        input.fill(b"abc".as_slice()).unwrap();
        assert_eq!(input.consume(5), 3);
        assert!(input.is_empty());
    }
}
