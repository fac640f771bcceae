//! A pipe, by each method, on the real kernel.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};

use evloop_pipe::{Method, Pipe};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{FdFlags, fcntl_getfd};

/// Pipes by each method. What they promise is looked at first, so that no test blocks for ever.
fn pipes() -> impl Iterator<Item = Pipe> {
    Method::ALL.into_iter().map(|method| {
        let pipe = Pipe::with_method(method).unwrap();
        assert_eq!(pipe.method(), method);
        for end in [pipe.reader(), pipe.writer()] {
            assert!(
                fcntl_getfl(end).unwrap().contains(OFlags::NONBLOCK),
                "{method:?}"
            );
            assert_eq!(fcntl_getfd(end).unwrap(), FdFlags::CLOEXEC, "{method:?}");
        }
        pipe
    })
}

#[test]
fn both_ends_are_non_blocking_and_close_on_exec() {
    assert_eq!(pipes().count(), Method::ALL.len());
}

#[test]
fn what_is_written_can_be_read() {
    for pipe in pipes() {
        let (reader, writer) = pipe.into_parts();
        let (mut reader, mut writer) = (File::from(reader), File::from(writer));
        let mut text = [0; 8];
        assert_eq!(
            reader.read(&mut text).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        writer.write_all(b"ping").unwrap();
        assert_eq!(reader.read(&mut text).unwrap(), 4);
        assert_eq!(&text[..4], b"ping");
        drop(writer);
        assert_eq!(reader.read(&mut text).unwrap(), 0, "the writer is closed");
    }
}

#[test]
fn a_full_pipe_refuses_instead_of_blocking() {
    for pipe in pipes() {
        let (_reader, writer) = pipe.into_parts();
        let mut writer = File::from(writer);
        let error = loop {
            if let Err(error) = writer.write(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn the_methods_are_tried_from_the_cheapest_on() {
    assert_eq!(
        Method::ALL,
        [Method::Pipe2, Method::Pipe, Method::Socketpair]
    );
    assert_eq!(Pipe::new().unwrap().method(), Method::Pipe2);
}
