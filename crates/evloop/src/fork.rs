//! The kernel's side of a loop, made anew: in a forked child, and to be rid of what cannot be
//! deleted.

use std::sync::Arc;

use evloop_backend::ControlError;
use evloop_catcher::ForkStamp;
use evloop_pipe::Waker;
use rustix::io::Errno;

use crate::error::NewError;
use crate::event_loop::EventLoop;

impl<S> EventLoop<S> {
    /// Makes the loop this process's own, in a child that was forked off with it. Until then it
    /// cannot be run there, nor can anything be added that the kernel would have to know: its
    /// kernel's side is the parent's. Dropping it there changes nothing in the parent.
    ///
    /// The kernel's side is made anew: backend, internal pipe, signals. All events are there as they
    /// were, timeouts go on, and what is active stays active. Signals that were caught before the
    /// fork and not yet delivered are the parent's; those that the child got since are its own. Commands that were posted and not taken are done
    /// in both processes. An event whose file descriptor cannot be registered, because it was closed
    /// in the child, becomes active with [`Ready::ERROR`](evloop_changelist::Ready::ERROR);
    /// [`Cx::refusal`](crate::Cx::refusal) says why.
    ///
    /// A [`Remote`](crate::Remote) must not have been in use in another thread at the fork.
    ///
    /// # Errors
    ///
    /// See [`NewError`]. Nothing has changed then.
    ///
    /// # Compared with libevent
    ///
    /// `event_reinit`.
    pub fn after_fork(&mut self) -> Result<(), NewError> {
        let waker = Arc::new(Waker::new().map_err(NewError::Pipe)?);
        self.backend = self.outside.make_backend(&waker)?;
        self.stamp = ForkStamp::new();
        self.outside.renew(&waker, self.core.caught());
        self.current_waker.set(&waker);
        // A wakeup that was on its way is not lost, nor a signal that the child got since the fork.
        waker.wake();
        self.waker = waker;
        self.restore();
        Ok(())
    }

    /// Replaces the backend by a new one that holds what the loop wants, and nothing else. A file
    /// that was closed behind the loop's back while a duplicate of it lives is reported for ever,
    /// and its number is no longer there to be deleted.
    pub(crate) fn renew_backend(&mut self) -> Result<(), NewError> {
        self.backend = self.outside.make_backend(&self.waker)?;
        self.restore();
        Ok(())
    }

    /// Tells a new backend what the loop wants.
    fn restore(&mut self) {
        let Self {
            core,
            backend,
            outside,
            waker,
            ..
        } = self;
        let own = outside.waker_fd(waker);
        core.restore_fds(|fd, token, interest, trigger| {
            // Of a source that was closed behind the loop's back, the new waker may have the number.
            if Some(fd) == own {
                return Err(Errno::BADF.raw_os_error());
            }
            backend
                .add(fd, token, interest, trigger)
                .map_err(|error| errno(&error))
        });
    }
}

/// The kernel's reason, which is always one of its own.
fn errno(error: &ControlError) -> i32 {
    error
        .source
        .raw_os_error()
        .unwrap_or_else(|| Errno::IO.raw_os_error())
}
