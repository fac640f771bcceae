//! Files, and whoever is at their other end.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use evloop_changelist::{RawFd, Ready};
use evloop_sim::Sim;

/// What a conversation goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    Pipe,
    Socket,
    /// No conversation: a regular file, which the kernel refuses to wait for.
    File,
}

/// What the other end does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Write(usize),
    /// Reads all that we wrote.
    Read,
    ShutdownWrite,
    Close,
}

/// The other end of a conversation, and what was said.
#[derive(Debug)]
pub(crate) struct Talk {
    peer: Cell<Option<RawFd>>,
    /// How many bytes the peer has written.
    pub(crate) written: Cell<usize>,
    /// What we have read.
    pub(crate) read: RefCell<Vec<u8>>,
    /// The peer has said that there is no more to come.
    pub(crate) is_over: Cell<bool>,
}

/// A file of ours. Closed when nobody has it any more.
#[derive(Debug)]
pub(crate) struct Source {
    sim: Sim,
    pub(crate) fd: RawFd,
    /// Which of all the sources there ever were. Numbers of files are used again, this is not.
    pub(crate) birth: usize,
    pub(crate) medium: Medium,
    pub(crate) talk: Rc<Talk>,
}

/// What a read finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Bytes,
    Nothing,
    End,
}

impl Source {
    /// Opens a file; its peer does these deeds, each so many microseconds from now.
    pub(crate) fn open(sim: &Sim, birth: usize, medium: Medium, deeds: &[(u64, Deed)]) -> Self {
        let (fd, peer) = match medium {
            Medium::Pipe => sim.pipe(),
            Medium::Socket => sim.socketpair(),
            Medium::File => (sim.file(), sim.eventfd()),
        };
        let talk = Rc::new(Talk {
            peer: Cell::new(Some(peer)),
            written: Cell::new(0),
            read: RefCell::default(),
            is_over: Cell::new(false),
        });
        let deeds = if medium == Medium::File { &[] } else { deeds };
        for &(after_us, deed) in deeds {
            let talk = Rc::clone(&talk);
            let at = Duration::from_nanos(sim.now_ns()) + Duration::from_micros(after_us);
            sim.at(at, move |sim| talk.go_on(sim, deed));
        }
        let sim = sim.clone();
        Self {
            sim,
            fd,
            birth,
            medium,
            talk,
        }
    }

    /// Another number for the same open file, with the same peer.
    pub(crate) fn duplicate(&self, birth: usize) -> Self {
        Self {
            sim: self.sim.clone(),
            fd: self.sim.dup(self.fd).unwrap(),
            birth,
            medium: self.medium,
            talk: Rc::clone(&self.talk),
        }
    }

    /// Reads `len` bytes at the most.
    pub(crate) fn read(&self, len: usize) -> Found {
        let mut buf = vec![0; len];
        loop {
            match self.sim.read(self.fd, &mut buf) {
                Ok(0) => return Found::End,
                Ok(read) => {
                    self.talk.read.borrow_mut().extend(&buf[..read]);
                    return Found::Bytes;
                }
                // Told once; what comes next is the end.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return Found::Nothing;
                }
            }
        }
    }

    /// Reads until there is nothing more, a little at a time.
    pub(crate) fn drain(&self) -> Found {
        loop {
            match self.read(7) {
                Found::Bytes => {}
                found => return found,
            }
        }
    }

    /// Writes something where that can be done, and does not care whether it is heard.
    pub(crate) fn write(&self) {
        if self.medium == Medium::Socket {
            let _ = self.sim.write(self.fd, b"hello");
        }
    }

    pub(crate) fn ready(&self) -> Ready {
        self.sim.ready(self.fd).unwrap()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.sim.close(self.fd).expect("it is closed once");
    }
}

impl Talk {
    /// The bytes that the peer has written.
    pub(crate) fn said(&self) -> Vec<u8> {
        (0..self.written.get()).map(nth_byte).collect()
    }

    fn go_on(&self, sim: &Sim, deed: Deed) {
        let Some(peer) = self.peer.get() else { return };
        match deed {
            Deed::Write(len) => {
                let from = self.written.get();
                let bytes: Vec<_> = (from..from + len).map(nth_byte).collect();
                // Fails where nobody listens any more, or the peer has shut its own mouth.
                let written = sim.write(peer, &bytes).unwrap_or(0);
                self.written.set(from + written);
            }
            Deed::Read => while sim.read(peer, &mut [0; 512]).is_ok_and(|read| read > 0) {},
            // A pipe can only be closed.
            Deed::ShutdownWrite => {
                let shut = sim.shutdown(peer, Shutdown::Write).is_ok();
                self.is_over.set(self.is_over.get() || shut);
            }
            Deed::Close => {
                self.peer.set(None);
                self.is_over.set(true);
                sim.close(peer).unwrap();
            }
        }
    }
}

/// Every byte of a conversation tells its place, so that one lost or said twice is seen.
fn nth_byte(place: usize) -> u8 {
    u8::try_from(place % 251).unwrap()
}
