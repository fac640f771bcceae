//! What events ask of their file descriptors: admitted, changed, restored, refused.

use evloop_changelist::{Interest, RawFd, Ready, Token, Trigger};

use crate::Core;
use crate::error::AddError;
use crate::event::{Kind, State};
use crate::fd_map::Admission;
use crate::life::Demand;
use crate::slab::{EventId, NONE};

impl<T> Core<T> {
    /// Changes the readiness that an event asks for; empty pauses it. What it is active for
    /// already stays. `grant` is as for [`Core::add`].
    ///
    /// # Errors
    ///
    /// See [`AddError`]. Nothing has changed then. An event that is not for a file descriptor
    /// keeps asking for nothing: no error.
    #[inline]
    pub fn set_interest<E>(
        &mut self,
        id: EventId,
        wanted: Interest,
        grant: impl FnOnce(Demand) -> Result<(), E>,
    ) -> Result<(), AddError<E>> {
        let event = self.events.get_mut(id).ok_or(AddError::NoSuchEvent)?;
        match &mut event.kind {
            // Mostly the kernel holds something for it already, and is told of the change at the next wait.
            Kind::Io { fd, interest, .. }
                if event.state.contains(State::LISTED.union(State::PENDING))
                    && !wanted.is_empty()
                    && self.fds.is_held(*fd) =>
            {
                let (fd, before) = (*fd, core::mem::replace(interest, wanted));
                if before != wanted {
                    self.fds.update(&self.events, fd, wanted);
                }
                Ok(())
            }
            _ => self.replace_interest(id.slot, wanted, grant),
        }
    }

    /// Changes the interest of an event where the list of its file descriptor changes, or the kernel holds
    /// nothing. Not inlined, so that the short way of [`Core::set_interest`] stays short.
    #[inline(never)]
    fn replace_interest<E>(
        &mut self,
        slot: u32,
        wanted: Interest,
        grant: impl FnOnce(Demand) -> Result<(), E>,
    ) -> Result<(), AddError<E>> {
        let event = &mut self.events[slot];
        let (fd, old, trigger) = match &mut event.kind {
            Kind::Io {
                fd,
                interest,
                trigger,
                ..
            } => (*fd, *interest, *trigger),
            Kind::Always(interest) => {
                *interest = wanted;
                return Ok(());
            }
            _ => return Ok(()),
        };
        if old == wanted {
            return Ok(());
        }
        if event.state.contains(State::LINGERING) {
            self.withdraw(slot);
        }
        let pending = self.events[slot].state.contains(State::PENDING);
        let first =
            pending && !wanted.is_empty() && self.admit(slot, fd, wanted, trigger, grant)?;
        if wanted.is_empty() && self.events[slot].state.contains(State::LISTED) {
            self.fds.remove(&mut self.events, slot, fd);
        }
        if let Kind::Io { interest, .. } = &mut self.events[slot].kind {
            *interest = wanted;
        }
        if pending && !wanted.is_empty() {
            self.fds.insert(&mut self.events, slot, first);
        }
        Ok(())
    }

    /// Registers everything anew, with a kernel that holds nothing: after a fork, or to be rid of
    /// what cannot be deleted. `grant` begins to hold interest in a file descriptor; where it
    /// refuses, with an errno, the events become active with [`Ready::ERROR`]. `O(n)`.
    ///
    /// # Compared with libevent
    ///
    /// `event_reinit`.
    pub fn restore_fds(
        &mut self,
        mut grant: impl FnMut(RawFd, Token, Interest, Trigger) -> Result<(), i32>,
    ) {
        self.fds.forget();
        for (fd, interest, trigger, token) in self.fds.wanted(&self.events) {
            match grant(fd, token, interest, trigger) {
                Ok(()) => self.fds.registered(fd, interest, trigger),
                Err(errno) => self.fail(fd, errno),
            }
        }
    }

    /// Makes the pending events of a file descriptor active with an error.
    pub(crate) fn fail(&mut self, fd: RawFd, errno: i32) {
        let mut slot = self.fds.first_on(fd);
        while slot != NONE {
            let event = &mut self.events[slot];
            let next = event.next_on_fd();
            if event.state.contains(State::PENDING) {
                event.set_errno(errno);
                event.state.insert(State::NEWS);
                self.make_active(slot, Ready::ERROR);
            }
            slot = next;
        }
    }

    /// Sees to it that the kernel holds interest in `fd`; whether it was told so just now.
    pub(crate) fn admit<E>(
        &mut self,
        slot: u32,
        fd: RawFd,
        interest: Interest,
        trigger: Trigger,
        grant: impl FnOnce(Demand) -> Result<(), E>,
    ) -> Result<bool, AddError<E>> {
        let mut admission = self.fds.admit(&self.events, fd, interest, trigger, slot);
        if admission == Admission::MixedTrigger && self.withdraw_running(slot) {
            admission = self.fds.admit(&self.events, fd, interest, trigger, slot);
        }
        match admission {
            Admission::Known => Ok(false),
            Admission::MixedTrigger => Err(AddError::MixedTrigger(fd)),
            Admission::First(token, interest) => {
                grant(Demand::Fd {
                    fd,
                    token,
                    interest,
                    trigger,
                })
                .map_err(AddError::Refused)?;
                self.fds.registered(fd, interest, trigger);
                Ok(true)
            }
        }
    }

    /// A one-shot whose callback runs is not in the way of one of the other trigger. Whether there is
    /// such a one-shot, `but` apart.
    fn withdraw_running(&mut self, but: u32) -> bool {
        let running = self.running.filter(|running| running.slot != but);
        let lingers = running.and_then(|running| self.events.get(running));
        match running {
            Some(running)
                if lingers.is_some_and(|event| event.state.contains(State::LINGERING)) =>
            {
                self.withdraw(running.slot);
                true
            }
            _ => false,
        }
    }
}
