//! Two stream sockets connected to each other, with the rules of Linux' Unix-domain sockets.
//!
//! Each message waits in the receiver's queue and is charged to the sender until it was read as a
//! whole. A sender may send while its charge is below its buffer's size, but is reported writable
//! only while it is at most a quarter of it, so that a full socket does not flap.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;

use evloop_changelist::Ready;

use super::{FileId, Sets};
use crate::errno::{EAGAIN, ECONNRESET, EPIPE, fail};

/// Which of the two sockets is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    A,
    B,
}

#[derive(Debug)]
pub(crate) struct SocketPair {
    a: Socket,
    b: Socket,
}

#[derive(Debug)]
struct Socket {
    file: FileId,
    is_open: bool,
    /// Messages from the peer, oldest first; none is empty.
    received: VecDeque<Message>,
    /// What the messages in the peer's queue are charged.
    charged: usize,
    /// Nothing more will be received.
    receive_shut: bool,
    /// Nothing more may be sent.
    send_shut: bool,
    /// The peer was closed with messages of ours unread; reported by one read.
    was_reset: bool,
}

#[derive(Debug)]
struct Message {
    bytes: Vec<u8>,
    /// How many of them were read already.
    read: usize,
}

impl SocketPair {
    pub(crate) fn new(a: FileId, b: FileId) -> Self {
        Self {
            a: Socket::new(a),
            b: Socket::new(b),
        }
    }

    pub(crate) fn ready(&self, side: Side) -> Ready {
        match side {
            Side::A => self.a.ready(),
            Side::B => self.b.ready(),
        }
    }

    pub(crate) fn read(
        &mut self,
        side: Side,
        buf: &mut [u8],
        sets: &mut Sets,
    ) -> io::Result<usize> {
        let (own, peer) = self.split(side);
        if own.received.is_empty() && !buf.is_empty() {
            return own.read_nothing();
        }
        let mut copied = 0;
        while copied < buf.len()
            && let Some(message) = own.received.front_mut()
        {
            let rest = &message.bytes[message.read..];
            let n = rest.len().min(buf.len() - copied);
            buf[copied..copied + n].copy_from_slice(&rest[..n]);
            copied += n;
            message.read += n;
            if message.read == message.bytes.len() {
                let charge = charge(message.bytes.len());
                own.received.pop_front();
                peer.discharge(charge, sets);
            }
        }
        Ok(copied)
    }

    pub(crate) fn write(&mut self, side: Side, bytes: &[u8], sets: &mut Sets) -> io::Result<usize> {
        let (own, peer) = self.split(side);
        if own.send_shut {
            return fail(EPIPE);
        }
        let mut sent = 0;
        while sent < bytes.len() && own.charged < SEND_BUFFER {
            let end = bytes.len().min(sent + MESSAGE_MAX);
            peer.received.push_back(Message {
                bytes: bytes[sent..end].to_vec(),
                read: 0,
            });
            own.charged += charge(end - sent);
            sets.wake(peer.file, Ready::READ);
            sent = end;
        }
        if sent > 0 || bytes.is_empty() {
            Ok(sent)
        } else {
            fail(EAGAIN)
        }
    }

    /// What one side no longer receives the other may no longer send, and the reverse.
    pub(crate) fn shutdown(&mut self, side: Side, how: Shutdown, sets: &mut Sets) {
        let (own, peer) = self.split(side);
        if matches!(how, Shutdown::Read | Shutdown::Both) {
            own.receive_shut = true;
            peer.send_shut = true;
        }
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            own.send_shut = true;
            peer.receive_shut = true;
        }
        sets.wake(own.file, Ready::all());
        sets.wake(peer.file, Ready::all());
    }

    /// One side will never be accepted.
    pub(crate) fn refuse(&mut self, side: Side, sets: &mut Sets) {
        let (_, peer) = self.split(side);
        peer.was_reset |= peer.is_open;
        self.close(side, sets);
    }

    /// The last number of one side was closed.
    pub(crate) fn close(&mut self, side: Side, sets: &mut Sets) {
        let (own, peer) = self.split(side);
        own.is_open = false;
        peer.receive_shut = true;
        peer.send_shut = true;
        if peer.is_open {
            peer.was_reset |= !own.received.is_empty();
        }
        sets.wake(peer.file, Ready::all());
        for message in own.received.drain(..) {
            peer.discharge(charge(message.bytes.len()), sets);
        }
    }

    /// One side as `own`, the other as `peer`.
    fn split(&mut self, side: Side) -> (&mut Socket, &mut Socket) {
        match side {
            Side::A => (&mut self.a, &mut self.b),
            Side::B => (&mut self.b, &mut self.a),
        }
    }
}

impl Socket {
    fn new(file: FileId) -> Self {
        Self {
            file,
            is_open: true,
            received: VecDeque::new(),
            charged: 0,
            receive_shut: false,
            send_shut: false,
            was_reset: false,
        }
    }

    fn ready(&self) -> Ready {
        let mut ready = Ready::empty();
        ready.set(Ready::READ, self.receive_shut || !self.received.is_empty());
        ready.set(Ready::WRITE, self.is_writable());
        ready.set(Ready::CLOSED, self.receive_shut);
        ready.set(Ready::HANGUP, self.receive_shut && self.send_shut);
        ready.set(Ready::ERROR, self.was_reset);
        ready
    }

    fn is_writable(&self) -> bool {
        4 * self.charged <= SEND_BUFFER
    }

    /// The result of a read that finds the queue empty.
    fn read_nothing(&mut self) -> io::Result<usize> {
        if std::mem::take(&mut self.was_reset) {
            fail(ECONNRESET)
        } else if self.receive_shut {
            Ok(0)
        } else {
            fail(EAGAIN)
        }
    }

    /// A message that this socket had sent was read or thrown away.
    fn discharge(&mut self, charge: usize, sets: &mut Sets) {
        self.charged -= charge;
        if self.is_writable() {
            sets.wake(self.file, Ready::WRITE);
        }
    }
}

/// What a message of `len` bytes costs its sender.
const fn charge(len: usize) -> usize {
    len + MESSAGE_OVERHEAD
}

/// Linux' default (`net.core.wmem_default`).
const SEND_BUFFER: usize = 212_992;
/// What Linux 6 adds for its own records to a short message, about.
const MESSAGE_OVERHEAD: usize = 768;
/// The largest message that one write makes. Linux' own limit is of this size.
const MESSAGE_MAX: usize = 32_768;
