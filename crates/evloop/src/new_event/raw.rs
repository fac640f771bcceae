//! The way in for a file descriptor that is not the loop's: for what bridges to a C library that opens
//! and closes its files itself, and gives out their numbers.
#![expect(
    unsafe_code,
    reason = "who names a file descriptor by its number has to know whose it is"
)]

use std::panic::Location;

use evloop_changelist::{Interest, RawFd, Ready};
use evloop_core::{EventId, Kind, Ownership};

use super::{Io, NewEvent};
use crate::context::Cx;
use crate::error::AddError;
use crate::event_loop::EventLoop;
use crate::origin::Origin;
use crate::record::record;

/// The source of an event of [`EventLoop::io_raw`]: a number, and nothing that is owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSource(RawFd);

impl RawSource {
    /// The number.
    #[must_use]
    pub const fn number(self) -> RawFd {
        self.0
    }
}

impl<S> EventLoop<S> {
    /// An event for readiness of a file descriptor that is somebody else's, such as the socket of a C
    /// library. See [`NewEvent`]. Where the owner can be given to the loop, or lent by an
    /// [`Rc`](std::rc::Rc), [`EventLoop::io`] is the better choice.
    ///
    /// The loop does with the number what waiting takes, and nothing else: it does not read or write,
    /// does not close it, and does not make it non-blocking.
    ///
    /// The owner may close the file when it likes, before it tells of it or after:
    ///
    /// - If the number was **closed**, the event hears of nothing more; on poll, which is asked anew at
    ///   each wait, of that: [`Ready::ERROR`], with [`Cx::refusal`]. [`EventLoop::delete`] and
    ///   [`EventLoop::remove`] are no error. To [add](EventLoop::add) it is one: of that call, or, where
    ///   the loop believes that the kernel knows the file, of the next wait, as [`Ready::ERROR`].
    /// - If it was **closed and opened again**, the next call that adds the event or changes its
    ///   interest is for the new file, whether or not the event was deleted in between. So that this is
    ///   noticed the loop tells the kernel of each such call, also where it changes nothing: one system
    ///   call each, which a source of its own does not cost.
    /// - If the file that was closed **lives on** under another number, epoll goes on reporting it under
    ///   this one. The event hears of it until it is added, deleted or removed, and from then on nobody
    ///   does ([`Stats::ghosts`](crate::Stats::ghosts)).
    ///
    /// # Safety
    ///
    /// Until the event is removed, or the loop dropped, the number is that of a file which the caller
    /// owns or was lent; or it is closed. It does not become that of a file which is another's: the loop
    /// would go on waiting for that file in the name of this event. See
    /// [I/O safety](std::io#io-safety).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    ///
    /// use evloop::{EventLoop, Interest};
    ///
    /// let (near, mut far) = UnixStream::pair()?;
    /// far.write_all(b"ready")?;
    ///
    /// let mut events = EventLoop::<i32>::new()?;
    /// // SAFETY: `near` is open for as long as the loop is.
    /// let event = unsafe { events.io_raw(near.as_raw_fd(), Interest::READ) };
    /// event.add(|cx, number, _ready| *cx.state = number)?;
    ///
    /// let mut called_for = -1;
    /// let _outcome = events.run(&mut called_for)?;
    /// assert_eq!(called_for, near.as_raw_fd());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Compared with libevent
    ///
    /// `event_new`, for which every file descriptor is somebody else's. There, what the kernel goes on
    /// reporting of a file that lives on is taken for the file that has the number now.
    pub unsafe fn io_raw(
        &mut self,
        number: RawFd,
        interest: Interest,
    ) -> NewEvent<'_, S, Io<RawSource>> {
        NewEvent::io(self, RawSource(number), interest)
    }
}

impl<S> NewEvent<'_, S, Io<RawSource>> {
    /// Adds the event. The callback gets the number, and what is ready: at least one of the interest,
    /// [`Ready::HANGUP`] and [`Ready::ERROR`], which need not be asked for, and [`Ready::TIMEOUT`].
    ///
    /// # Errors
    ///
    /// See [`AddError`]. Nothing has changed then.
    ///
    /// # Compared with libevent
    ///
    /// `event_new` and `event_add`.
    #[track_caller]
    pub fn add<C>(self, mut callback: C) -> Result<EventId, AddError>
    where
        C: FnMut(&mut Cx<'_, S>, RawFd, Ready) + 'static,
    {
        let place = Location::caller();
        let Self {
            events,
            mut spec,
            label,
            waits_for,
        } = self;
        let Io {
            source,
            interest,
            trigger,
            files,
            ..
        } = waits_for;
        events.require(interest, trigger)?;
        spec.kind = Kind::Io {
            fd: source.number(),
            interest,
            trigger,
            ownership: Ownership::Borrowed,
        };
        let origin = events.origins.number(Origin { label, place });
        let record = record(source, origin, move |cx, source| {
            let ready = cx.ready;
            callback(cx, source.number(), ready);
        });
        Self::insert_io(events, spec, files, record).map_err(|(error, _)| error)
    }
}
