//! A file of the program under test: what a `TcpStream`, a `UnixListener` or a pipe is elsewhere.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;

use evloop_backend::{Descriptor, RawFd, Source};

use crate::Sim;
use crate::errno::fail;
use crate::faults::Call;

/// A file of a [`Sim`] that the program under test owns, made by [`Sim::own`].
///
/// It reads and writes by `&` as the files of the standard library do, it is a [`Source`] that a loop
/// can wait for, and its number is closed when its last clone is dropped. A clone is another handle on
/// the same number, as an `Rc` of a file would be; [`SimFile::dup`] makes another number.
///
/// Unlike the calls of [`Sim`], which are the rest of the world's, its calls can be made to fail:
/// [`Sim::fail`], [`Sim::set_faults`].
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// use evloop_sim::Sim;
///
/// let sim = Sim::new(1);
/// let listener = sim.own(sim.listen(16))?;
/// let client = sim.connect(listener.number())?;
/// sim.write(client, b"hello")?;
///
/// let accepted = listener.accept()?;
/// let mut heard = [0; 5];
/// (&accepted).read_exact(&mut heard)?;
/// (&accepted).write_all(&heard)?;
/// assert_eq!(sim.read(client, &mut heard)?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SimFile {
    number: Rc<Number>,
}

/// A number that somebody owns.
struct Number {
    sim: Sim,
    fd: RawFd,
}

impl SimFile {
    pub(crate) fn new(sim: &Sim, fd: RawFd) -> Self {
        let sim = sim.clone();
        Self {
            number: Rc::new(Number { sim, fd }),
        }
    }

    /// The number by which [`Sim`] knows it.
    #[must_use]
    pub fn number(&self) -> RawFd {
        self.number.fd
    }

    /// Accepts the connection that waits longest.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when none waits, `EINVAL` and `ENOTSOCK` for what does not listen; what
    /// [`Call::Accept`] is made to fail with, and then the connection waits on.
    pub fn accept(&self) -> io::Result<Self> {
        let sim = &self.number.sim;
        sim.draw_fault(Call::Accept)?;
        Ok(Self::new(sim, sim.accept(self.number.fd)?))
    }

    /// Another number for the same open file.
    ///
    /// # Errors
    ///
    /// What [`Call::Dup`] is made to fail with.
    pub fn dup(&self) -> io::Result<Self> {
        let sim = &self.number.sim;
        sim.draw_fault(Call::Dup)?;
        Ok(Self::new(sim, sim.dup(self.number.fd)?))
    }

    /// Ends one direction of a stream socket, or both.
    ///
    /// # Errors
    ///
    /// See [`Sim::shutdown`].
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.number.sim.shutdown(self.number.fd, how)
    }
}

impl Sim {
    /// Gives a number to the program under test, which closes it.
    ///
    /// # Errors
    ///
    /// `EBADF` for a number that is not open.
    pub fn own(&self, fd: RawFd) -> io::Result<SimFile> {
        self.ready(fd)?;
        Ok(SimFile::new(self, fd))
    }

    fn draw_fault(&self, call: Call) -> io::Result<()> {
        let errno = self.state().draw_fault(call);
        errno.map_or(Ok(()), fail)
    }
}

impl Read for &SimFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Number { sim, fd } = &*self.number;
        sim.draw_fault(Call::Read)?;
        let len = sim.state().shorten(buf.len());
        sim.read(*fd, &mut buf[..len])
    }
}

impl Write for &SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Number { sim, fd } = &*self.number;
        sim.draw_fault(Call::Write)?;
        let len = sim.state().shorten(bytes.len());
        sim.write(*fd, &bytes[..len])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for SimFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl Write for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for SimFile {
    fn descriptor(&self) -> Descriptor<'_> {
        Descriptor::World(self.number.fd)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // A number that somebody else has closed is not there to be closed, as close(2) would say.
        _ = self.sim.close(self.fd);
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimFile").field(&self.number.fd).finish()
    }
}
