//! Makes a blocked wait return, at the cost of one system call or of none.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::EventfdFlags;
use rustix::io::{Errno, retry_on_intr};

use crate::pipe::{self, Kernel};
use crate::state::WakeState;
use crate::{Pipe, PipeError};

/// What a [`Waker`] writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WakerKind {
    /// An `eventfd(2)`: one file descriptor, which nobody has to read when it is registered
    /// edge-triggered.
    Eventfd,
    /// A [`Pipe`]: two file descriptors, to be drained at every wakeup.
    Pipe,
}

/// Makes a blocked wait return, from another thread or from a signal handler.
///
/// The loop registers [`Waker::as_fd`] for reading, edge-triggered where it can, and brackets each
/// wait: [`Waker::sleep`] before it, [`Waker::awake`] after it. Everybody else calls
/// [`Waker::wake`].
///
/// # Guarantees
///
/// - No wakeup is lost: the first [`awake`](Waker::awake) that comes after a
///   [`wake`](Waker::wake) returns true, and the loop does not stay blocked until then.
/// - What a thread did before `wake` is visible to the loop after the `awake` that returned true.
/// - Wakeups are not counted and have no order: any number of them before one `awake` are one.
/// - At most one `write(2)` for each time the loop has gone to sleep, and none while it is awake.
///   The thread that has to write may be held up before it does; the loop, if something else has
///   woken it by then, finds that write at a later wait, which returns with nothing to do.
///
/// # Examples
///
/// See the [crate's documentation](crate).
///
/// # Compared with libevent
///
/// `evthread_make_base_notifiable` and its `is_notify_pending`. libevent writes whenever another
/// thread runs the loop and has not been notified, also while the loop is awake.
#[derive(Debug)]
pub struct Waker {
    state: WakeState,
    channel: Channel,
}

#[derive(Debug)]
enum Channel {
    Eventfd(OwnedFd),
    Pipe(Pipe),
}

impl Waker {
    /// Makes a waker: on an eventfd where there is one, on a [`Pipe`] where there is none.
    ///
    /// # Errors
    ///
    /// The limit of file descriptors or of memory is reached; or there is no eventfd, and
    /// [`Pipe::new`] failed.
    pub fn new() -> Result<Self, PipeError> {
        Self::by(&Kernel)
    }

    fn by(calls: &(impl Calls + pipe::Calls)) -> Result<Self, PipeError> {
        match calls.eventfd() {
            Ok(fd) => Ok(Self::on(Channel::Eventfd(fd))),
            Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => {
                Err(PipeError::new("eventfd", errno))
            }
            Err(_) => Pipe::by_first(calls).map(Self::with_pipe),
        }
    }

    /// Makes a waker on this pipe.
    #[must_use]
    pub fn with_pipe(pipe: Pipe) -> Self {
        Self::on(Channel::Pipe(pipe))
    }

    fn on(channel: Channel) -> Self {
        Self {
            state: WakeState::new(),
            channel,
        }
    }

    /// What the waker writes to.
    #[must_use]
    pub const fn kind(&self) -> WakerKind {
        match self.channel {
            Channel::Eventfd(_) => WakerKind::Eventfd,
            Channel::Pipe(_) => WakerKind::Pipe,
        }
    }

    /// Makes the loop's wait, or its next one, return at once.
    ///
    /// For any thread and any signal handler: it takes no lock, never blocks, never allocates and
    /// is async-signal-safe. It keeps `errno` where rustix makes its system calls itself, which is
    /// its default on Linux; where rustix was built upon libc, a handler has to save `errno`.
    ///
    /// Costs one atomic exchange, and one `write(2)` only if the loop is asleep and nobody else has
    /// woken it.
    pub fn wake(&self) {
        self.wake_by(&Kernel);
    }

    fn wake_by(&self, calls: &impl Calls) {
        if self.state.wake() {
            self.write(calls);
        }
    }

    /// Says that the loop is about to block, and asks whether it may.
    ///
    /// False: there is a wakeup, so look with a timeout of zero. Either way [`Waker::awake`] comes
    /// after the wait. To be called by the thread that runs the loop; a wait that does not block
    /// needs no `sleep` before it.
    #[must_use = "a loop that blocks in spite of a wakeup is not woken again"]
    pub fn sleep(&self) -> bool {
        self.state.sleep()
    }

    /// Says that the loop runs again, and whether it was woken since the last call.
    ///
    /// To be called by the thread that runs the loop after each wait and before it looks for its
    /// work, whatever the wait reported. It may be called between two waits as well.
    pub fn awake(&self) -> bool {
        self.state.awake()
    }

    /// Whether there is a wakeup that no [`Waker::awake`] has taken yet. Takes none.
    ///
    /// One load. For a loop that asks, while it is busy, whether there is something new; and for a wait that is not
    /// for file descriptors and has to look for itself, a simulated one.
    #[inline]
    #[must_use]
    pub fn is_woken(&self) -> bool {
        self.state.is_woken()
    }

    /// Whether [`Waker::drain`] has to be called at every wakeup although the waker is registered
    /// edge-triggered: true of [`WakerKind::Pipe`] alone.
    ///
    /// Each write to an eventfd is an edge. Of a pipe the kernel promises one only when it was
    /// empty before.
    #[must_use]
    pub const fn needs_drain(&self) -> bool {
        matches!(self.channel, Channel::Pipe(_))
    }

    /// Empties the file descriptor, so that it is no longer readable.
    ///
    /// To be called by the thread that runs the loop each time that a wait reported the waker, be
    /// [`Waker::awake`] true or false: always where the waker is registered level-triggered, and
    /// where [`Waker::needs_drain`] says so. It takes back no wakeup: [`Waker::awake`] knows of them
    /// without it.
    pub fn drain(&self) {
        self.drain_by(&Kernel);
    }

    fn drain_by(&self, calls: &impl Calls) {
        match &self.channel {
            // One read takes the whole count.
            Channel::Eventfd(fd) => _ = retry_on_intr(|| calls.read(fd.as_fd(), &mut [0; 8])),
            // Until it would block, and not merely until a read comes back short: a byte left
            // behind would keep back the edge of every later wakeup.
            Channel::Pipe(pipe) => {
                let read = || calls.read(pipe.reader(), &mut [0; 64]);
                while retry_on_intr(read).is_ok_and(|n| n > 0) {}
            }
        }
    }

    /// The system call of a wakeup. Neither file descriptor can be closed or of the wrong kind, and
    /// neither end of the pipe is ever without the other, so the kernel's one refusal is `EAGAIN`. As
    /// nobody could be told of one, it is made once more for whatever reason it was refused.
    fn write(&self, calls: &impl Calls) {
        match &self.channel {
            Channel::Eventfd(fd) => {
                let add_one = || retry_on_intr(|| calls.write(fd.as_fd(), &1_u64.to_ne_bytes()));
                if add_one().is_err() {
                    // The count is at its maximum: 2^64 wakeups and no drain. It stays readable, but
                    // that is no edge. To make one, the count is taken and a new one begun; who
                    // took it does not matter, as only the edge has to reach the loop.
                    _ = retry_on_intr(|| calls.read(fd.as_fd(), &mut [0; 8]));
                    _ = add_one();
                }
            }
            Channel::Pipe(pipe) => {
                let add_one = || retry_on_intr(|| calls.write(pipe.writer(), &[1]));
                if add_one().is_err() {
                    // The pipe is full, so it is readable, and since it is drained at each wakeup
                    // the loop has not yet been told of these bytes.
                    _ = add_one();
                }
            }
        }
    }
}

impl AsFd for Waker {
    /// The file descriptor to register for reading.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.channel {
            Channel::Eventfd(fd) => fd.as_fd(),
            Channel::Pipe(pipe) => pipe.reader(),
        }
    }
}

/// The system calls of a waker; a test makes them fail.
trait Calls {
    fn eventfd(&self) -> Result<OwnedFd, Errno>;
    fn read(&self, fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno>;
    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno>;
}

impl Calls for Kernel {
    fn eventfd(&self) -> Result<OwnedFd, Errno> {
        rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
    }

    fn read(&self, fd: BorrowedFd<'_>, buf: &mut [u8]) -> Result<usize, Errno> {
        rustix::io::read(fd, buf)
    }

    fn write(&self, fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
        rustix::io::write(fd, bytes)
    }
}

#[cfg(test)]
mod tests;
