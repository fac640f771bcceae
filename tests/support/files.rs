//! Files to wait for.

use std::fs::read_dir;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::net::sockopt::set_socket_linger;

/// Two ends of a stream; the one for the loop comes first.
pub(crate) fn sockets() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

/// As [`sockets`], the first end to be had by several events.
pub(crate) fn for_several() -> (Rc<UnixStream>, UnixStream) {
    let (near, far) = sockets();
    (Rc::new(near), far)
}

/// As [`sockets`], with input for the first end.
pub(crate) fn with_input() -> (UnixStream, UnixStream) {
    let (near, far) = sockets();
    put(&far, b"x");
    (near, far)
}

/// The reading end and the writing end.
pub(crate) fn pipes() -> (PipeReader, PipeWriter) {
    pipe().unwrap()
}

pub(crate) fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    (near, far)
}

/// Closes a connection the hard way: its peer gets a reset.
pub(crate) fn reset(stream: TcpStream) {
    set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

pub(crate) fn shut_down_writing(stream: &UnixStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}

pub(crate) fn put(mut file: impl Write, bytes: &[u8]) {
    file.write_all(bytes).unwrap();
}

/// Reads until that would block or there is nothing more to come, and returns what was read.
pub(crate) fn take(mut file: impl Read) -> Vec<u8> {
    let mut taken = Vec::new();
    match file.read_to_end(&mut taken) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
    taken
}

/// Writes until that would block, and returns how much that was.
pub(crate) fn fill(mut file: impl Write) -> usize {
    let mut filled = 0;
    loop {
        match file.write(&[0; 4096]) {
            Ok(count) => filled += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return filled;
            }
        }
    }
}

/// Whether somebody still has the other end.
pub(crate) fn is_open(mut other_end: &UnixStream) -> bool {
    other_end.set_nonblocking(true).unwrap();
    match other_end.read(&mut [0]) {
        Ok(count) => count > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

pub(crate) fn is_nonblocking(file: &impl AsFd) -> bool {
    fcntl_getfl(file).unwrap().contains(OFlags::NONBLOCK)
}

pub(crate) fn number(file: &impl AsFd) -> RawFd {
    file.as_fd().as_raw_fd()
}

/// How many file descriptors the process has open. Other threads may open some: it takes a process
/// of one's own to compare two of these.
pub(crate) fn open_fds() -> usize {
    read_dir("/proc/self/fd").unwrap().count()
}
