//! A world for a loop to run in that is not this process on its kernel: a model of both.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use evloop_changelist::RawFd;
use evloop_signals::Signal;

use crate::{Backend, Clock};

/// All that a loop learns from outside: readiness, time, signals, wakeups.
///
/// A loop that can be built in a `World` runs there as it is, and what it serves is [`Source`]s of
/// that world. The real one, which is this process on its kernel, needs no implementation: it is
/// what a loop is built in by itself.
///
/// One loop runs in a world.
pub trait World: fmt::Debug {
    /// A new kernel mechanism, which holds nothing. A loop asks again when it has to begin anew: after
    /// a fork, and to be rid of what cannot be deleted.
    ///
    /// # Errors
    ///
    /// There is none to be had.
    fn backend(&self) -> io::Result<Box<dyn Backend>>;

    /// The time.
    fn clock(&self) -> Box<dyn Clock>;

    /// This is how the loop is woken from now on: the world asks it whether a wait has to end, and
    /// rings it when a signal comes. It takes the place of one from before.
    fn attach(&self, bell: Box<dyn Bell>);

    /// Counts this signal from now on. If it is watched already, nothing changes.
    ///
    /// # Errors
    ///
    /// It cannot be caught.
    fn watch(&self, signal: Signal) -> io::Result<()>;

    /// Counts this signal no longer, and forgets what was not taken.
    fn unwatch(&self, signal: Signal);

    /// Takes what came: calls `f` for each signal that did since, by number, with how often.
    fn take(&self, f: &mut dyn FnMut(Signal, u64));
}

/// How a loop is woken.
///
/// No file is behind it, so a backend of a [`World`] looks at it during a wait: when it is rung the wait
/// is over, whatever there is to report. One that was rung before is the loop's to know of, which then
/// does not block.
pub trait Bell: fmt::Debug {
    /// Wakes the loop.
    fn wake(&self);

    /// Whether the loop has been woken since it last looked.
    fn is_woken(&self) -> bool;
}

/// Something that can be waited for: what is [`AsFd`], or a file of a [`World`].
///
/// Nothing has to be done for a type that is [`AsFd`]. It is a trait of its own because a file of a
/// model has a number that is not a file descriptor of this process, and must not be taken for one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that a loop can wait for",
    note = "it can for any type that implements `AsFd`, and for the files of a simulated world"
)]
pub trait Source {
    /// What to wait for. Always the same for as long as the source lives.
    fn descriptor(&self) -> Descriptor<'_>;
}

impl<F: AsFd + ?Sized> Source for F {
    fn descriptor(&self) -> Descriptor<'_> {
        Descriptor::Process(self.as_fd())
    }
}

/// Whose number it is. See [`Source`].
#[derive(Clone, Copy, Debug)]
pub enum Descriptor<'a> {
    /// A file descriptor of this process.
    Process(BorrowedFd<'a>),
    /// The number of a file in a [`World`].
    World(RawFd),
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::rc::Rc;

    use super::*;

    /// A type of another crate can be a source without being `AsFd`.
    struct Modelled;

    impl Source for Modelled {
        fn descriptor(&self) -> Descriptor<'_> {
            Descriptor::World(7)
        }
    }

    #[test]
    fn number_of_a_model_is_not_taken_for_a_file_descriptor() {
        assert!(matches!(Modelled.descriptor(), Descriptor::World(7)));
        let (ours, _theirs) = UnixStream::pair().expect("a pair");
        let number = ours.as_raw_fd();
        let shared: &dyn Source = &Rc::new(ours);
        let Descriptor::Process(fd) = shared.descriptor() else {
            panic!("it is a file descriptor");
        };
        assert_eq!(fd.as_raw_fd(), number);
    }
}
