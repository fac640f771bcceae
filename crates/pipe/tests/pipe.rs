//! A pipe, by each method, on the real kernel.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};

use evloop_pipe::{Method, Pipe};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{FdFlags, fcntl_getfd};

#[test]
fn both_ends_are_non_blocking_and_close_on_exec() {
    for method in Method::ALL {
        let pipe = Pipe::with_method(method).unwrap();
        assert_eq!(pipe.method(), method);
        for end in [pipe.reader(), pipe.writer()] {
            assert!(
                fcntl_getfl(end).unwrap().contains(OFlags::NONBLOCK),
                "{method:?}"
            );
            assert_eq!(fcntl_getfd(end).unwrap(), FdFlags::CLOEXEC, "{method:?}");
        }
    }
}

#[test]
fn what_is_written_can_be_read() {
    for method in Method::ALL {
        let (reader, writer) = Pipe::with_method(method).unwrap().into_parts();
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
        assert_eq!(
            reader.read(&mut text).unwrap(),
            0,
            "{method:?}: the writer is closed"
        );
    }
}

#[test]
fn a_full_pipe_refuses_instead_of_blocking() {
    for method in Method::ALL {
        let (_reader, writer) = Pipe::with_method(method).unwrap().into_parts();
        let mut writer = File::from(writer);
        let error = loop {
            if let Err(error) = writer.write(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{method:?}");
    }
}

#[test]
fn the_methods_are_tried_from_the_cheapest_on() {
    assert_eq!(
        Method::ALL,
        [Method::Pipe2, Method::Pipe, Method::Socketpair]
    );
    assert_eq!(Pipe::new().unwrap().method(), Method::Pipe2);
    assert_eq!(
        Method::ALL
            .map(|method| format!("{method:?}"))
            .iter()
            .collect::<BTreeSet<_>>()
            .len(),
        3
    );
}
