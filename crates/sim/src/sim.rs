//! The handle on a simulated world: its files, its time, and what happens in it.

use std::cell::{RefCell, RefMut};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use evloop_changelist::{Interest, RawFd, Ready};

use crate::clock::{Timeline, nanos};
use crate::faults::{Call, FaultPlan, Faults};
use crate::kernel::{Held, Kernel, SetId};
use crate::schedule::{Disorder, Random};
use crate::world::Signals;
use crate::{SimBackend, SimClock};

/// A simulated world: a kernel with open files, a clock, and what is planned to happen.
///
/// Clones are handles on the same world. A test keeps one and gives a loop the [`backend`] and the
/// [`clock`]; what the test does through its handle, the loop sees.
///
/// The calls on files are Linux' system calls on non-blocking files: what would block fails with
/// `EAGAIN`. New files get the lowest free number, from 3.
///
/// The calls here are the rest of the world's: those of the test and of the peers. The program under
/// test can make them too; a [`SimFile`](crate::SimFile) is more like what it has elsewhere, and can fail.
///
/// [`backend`]: Self::backend
/// [`clock`]: Self::clock
#[derive(Clone, Debug)]
pub struct Sim {
    state: Rc<RefCell<State>>,
}

/// What all handles share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) kernel: Kernel,
    pub(crate) timeline: Timeline,
    pub(crate) random: Random,
    pub(crate) disorder: Disorder,
    pub(crate) counts: Counts,
    /// Whether the wait in progress was interrupted.
    pub(crate) is_interrupted: bool,
    /// Whether the loop had been woken before that wait.
    pub(crate) was_woken: bool,
    /// When the last wait began, and how many have begun then.
    pub(crate) standstill: (u64, u32),
    pub(crate) faults: FaultPlan,
    pub(crate) signals: Signals,
    /// The set of the backends that are made.
    set: Rc<SetId>,
}

impl State {
    /// What a call of the program fails with, if it is to fail.
    pub(crate) fn draw_fault(&mut self, call: Call) -> Option<i32> {
        self.faults.draw(call, &mut self.random)
    }

    /// How much of a transfer of `len` bytes of the program is done.
    pub(crate) fn shorten(&mut self, len: usize) -> usize {
        self.faults.shorten(len, &mut self.random)
    }

    /// Closes a set if this is the last to have it.
    pub(crate) fn close_unused(&mut self, set: &Rc<SetId>) {
        if Rc::strong_count(set) == 1 {
            self.kernel.close_set(**set);
        }
    }
}

/// How often a loop asked for something: what it would cost on a real kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waits.
    pub waits: u64,
    /// Changes of interest: calls of `add`, calls of `delete`, and entries of a wait that edit or mend
    /// something.
    pub controls: u64,
    /// Readings of the clock.
    pub clock_reads: u64,
}

impl Sim {
    /// A world with no file, at time 0, without disorder. The seed decides what disorder does
    /// once there is some.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut kernel = Kernel::default();
        let state = State {
            set: Rc::new(kernel.make_set()),
            kernel,
            timeline: Timeline::default(),
            random: Random::new(seed),
            disorder: Disorder::none(),
            counts: Counts::default(),
            is_interrupted: false,
            was_woken: false,
            standstill: (0, 0),
            faults: FaultPlan::default(),
            signals: Signals::default(),
        };
        Self {
            state: Rc::new(RefCell::new(state)),
        }
    }

    /// The kernel mechanism for a loop. All that are made share one set of interest, as the duplicates
    /// of an epoll's file descriptor do, until there is a [new one](Self::new_backend).
    #[must_use]
    pub fn backend(&self) -> SimBackend {
        let set = Rc::clone(&self.state().set);
        SimBackend {
            sim: self.clone(),
            set,
        }
    }

    /// A kernel mechanism that holds nothing yet. What others hold they hold until they are dropped;
    /// [`Sim::held`] and [`Sim::interest_set`] show the newest.
    #[must_use]
    pub fn new_backend(&self) -> SimBackend {
        let mut state = self.state();
        let new = Rc::new(state.kernel.make_set());
        let old = std::mem::replace(&mut state.set, new);
        state.close_unused(&old);
        drop(state);
        self.backend()
    }

    /// The clock for a loop.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        SimClock { sim: self.clone() }
    }

    /// Changes how the kernel uses its liberties from now on.
    pub fn set_disorder(&self, disorder: Disorder) {
        self.state().disorder = disorder;
    }

    /// Makes the program's calls fail at these rates from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults.rates = faults;
    }

    /// Makes a call of the program fail with an error number: the next of its kind but `after`.
    pub fn fail(&self, call: Call, after: u64, errno: i32) {
        self.state().faults.plan(call, after, errno);
    }

    /// The world, to look at or to change; not to be held while an action runs.
    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }
}

/// Files.
impl Sim {
    /// A pipe of 16 pages of 4096 bytes: the number to read from and the number to write to.
    #[must_use]
    pub fn pipe(&self) -> (RawFd, RawFd) {
        self.state().kernel.pipe()
    }

    /// Two connected stream sockets, with the rules of Unix-domain sockets and a send buffer of
    /// 208 KiB each.
    #[must_use]
    pub fn socketpair(&self) -> (RawFd, RawFd) {
        self.state().kernel.socketpair()
    }

    /// A stream socket that listens, and has room for `backlog` connections that were not accepted.
    #[must_use]
    pub fn listen(&self, backlog: usize) -> RawFd {
        self.state().kernel.listen(backlog)
    }

    /// A connection to a socket that listens, as a client makes it: it can be written to at once. The
    /// listener is given by its number, as there are no addresses here.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when the listener has no room, `ECONNREFUSED` for what does not listen, `EBADF` for a
    /// number that is not open.
    pub fn connect(&self, listener: RawFd) -> io::Result<RawFd> {
        self.state().kernel.connect(listener)
    }

    /// Accepts the connection that waits longest.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when none waits, `EINVAL` for a connected socket, `ENOTSOCK` for what is no socket,
    /// `EBADF` for a number that is not open.
    pub fn accept(&self, listener: RawFd) -> io::Result<RawFd> {
        self.state().kernel.accept(listener)
    }

    /// An eventfd with a count of 0.
    #[must_use]
    pub fn eventfd(&self) -> RawFd {
        self.state().kernel.eventfd()
    }

    /// An empty regular file, which refuses to be waited for.
    #[must_use]
    pub fn file(&self) -> RawFd {
        self.state().kernel.file()
    }

    /// Another number for the same open file.
    ///
    /// # Errors
    ///
    /// `EBADF` for a number that is not open.
    pub fn dup(&self, fd: RawFd) -> io::Result<RawFd> {
        self.state().kernel.dup(fd)
    }

    /// Gives up a number; the file is closed with its last one. Interest held for the number goes
    /// with the file, not with the number.
    ///
    /// # Errors
    ///
    /// `EBADF` for a number that is not open.
    pub fn close(&self, fd: RawFd) -> io::Result<()> {
        self.state().kernel.close(fd)
    }

    /// Reads what is there, up to the length of `buf`; 0 is the end of the input.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when there is nothing yet, `ECONNRESET` once when the peer was closed with our
    /// bytes unread, `EBADF` for a number that is not open or cannot be read from, `EINVAL` for an
    /// eventfd and less than 8 bytes.
    pub fn read(&self, fd: RawFd, buf: &mut [u8]) -> io::Result<usize> {
        self.state().kernel.read(fd, buf)
    }

    /// Writes as much as there is room for.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when there is no room, `EPIPE` when nobody can ever read it (no signal is sent),
    /// `EBADF` for a number that is not open or cannot be written to, `EINVAL` for an eventfd and
    /// other than 8 bytes or the largest number.
    pub fn write(&self, fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
        self.state().kernel.write(fd, bytes)
    }

    /// Ends one direction of a stream socket, or both.
    ///
    /// # Errors
    ///
    /// `EBADF` for a number that is not open, `ENOTSOCK` for what is not a socket.
    pub fn shutdown(&self, fd: RawFd, how: Shutdown) -> io::Result<()> {
        self.state().kernel.shutdown(fd, how)
    }
}

/// Time.
impl Sim {
    /// Nanoseconds since the world was made. Not counted as a reading of the clock.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.state().timeline.now_ns()
    }

    /// Lets time pass, as a callback that takes long does. What was planned for it happens.
    pub fn advance(&self, duration: Duration) {
        let until_ns = self.now_ns().saturating_add(nanos(duration));
        self.pass_until(until_ns);
    }

    /// Plans what is to happen at a time since the world was made: the peer writes, closes, a
    /// signal comes. A time that has passed means at the next wait.
    ///
    /// Actions run in the order of their times, among equals in the order of planning, and may
    /// plan further ones.
    ///
    /// An action that keeps a clone of the handle keeps the world alive; use the one it is given.
    pub fn at(&self, time: Duration, action: impl FnOnce(&Self) + 'static) {
        self.state().timeline.plan(nanos(time), Box::new(action));
    }

    /// Interrupts the wait in progress, as a signal handler does that runs on the loop's thread;
    /// without one it does nothing. For an action of [`Sim::at`].
    pub fn interrupt(&self) {
        self.state().is_interrupted = true;
    }

    pub(crate) fn pass_until(&self, until_ns: u64) {
        loop {
            // Bound by `let` so that the world is free again while the action runs.
            let due = self.state().timeline.take_due(until_ns);
            let Some(action) = due else { break };
            action(self);
        }
        self.state().timeline.move_to(until_ns);
    }
}

/// What a test compares with.
impl Sim {
    /// What the kernel holds for a number and the file that it refers to now; nothing for a number
    /// that is not open.
    #[must_use]
    pub fn held(&self, fd: RawFd) -> Interest {
        let state = self.state();
        let held = state.kernel.held(*state.set, fd);
        held.map_or_else(Interest::empty, |held| held.interest)
    }

    /// Everything that the kernel holds, ghosts included, by number; among equals the file that
    /// was opened first comes first.
    ///
    /// What `/proc/self/fdinfo` shows of a real epoll.
    #[must_use]
    pub fn interest_set(&self) -> Vec<Held> {
        let state = self.state();
        state.kernel.sorted_items(*state.set)
    }

    /// What the file is ready for at this moment, whether or not anybody asked for it.
    ///
    /// # Errors
    ///
    /// `EBADF` for a number that is not open.
    pub fn ready(&self, fd: RawFd) -> io::Result<Ready> {
        self.state().kernel.ready(fd)
    }

    /// How often the loop asked for something, so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Checks what the model kernel relies on.
    ///
    /// # Panics
    ///
    /// When it does not hold, which is a bug of this crate.
    pub fn check_invariants(&self) {
        self.state().kernel.check_invariants();
    }
}
