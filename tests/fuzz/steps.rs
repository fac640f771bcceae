//! The single things that a program does: to connections and what listens to them, and to events.

use evloop::{AddError, Interest, Priority, Ready, Signal};
use evloop_sim::Call;

use crate::outside::{Found, Outside};
use crate::program::{Loop, Program, Talk, go_on};
use crate::spec::{asked, owned};

impl<O: Outside> Program<O> {
    /// A connection, with somebody who hears all that is said.
    pub(crate) fn open(&mut self, events: &mut Loop<O>) {
        if self.talks.iter().filter(|talk| talk.file.is_some()).count() >= 4 {
            return;
        }
        let (file, peer) = self.outside.pair();
        let (owned, drops) = owned();
        let (n, talk) = (self.spec.events.len(), self.talks.len());
        let io = events.io(file.clone(), Interest::READ).persist();
        let chunk = 1 + self.bytes.below(8);
        let added = io.add(move |cx, file, ready| {
            let _owned = &owned;
            cx.state.begin(n, ready);
            if cx.refusal().is_some() {
                cx.state.insist(cx.events, n);
            }
            if cx.state.hear(talk, file, chunk) == Found::End {
                cx.state.hang_up(cx.events, talk);
            }
            go_on(cx);
        });
        let Ok(id) = added else {
            return self.was_refused();
        };
        self.spec
            .made(id, asked(Interest::READ), true, [true, false], drops);
        self.talks.push(Talk {
            file: Some(file),
            keeper: n,
            peer: Some(peer),
            said: 0,
            heard: 0,
            answers: 0,
        });
    }

    /// The kernel holds no interest any more, as it has no room: until it has.
    fn insist(&mut self, events: &mut Loop<O>, n: usize) {
        while events.add(self.spec.events[n].id).is_err() {
            self.was_refused();
        }
    }

    /// A refusal is one that was planned, and nothing has changed.
    fn was_refused(&mut self) {
        self.detail("refused");
        assert!(self.refusals > 0, "nobody asked for a refusal");
        self.refusals -= 1;
    }

    /// The next registration has no room in the kernel, or the next change of one.
    pub(crate) fn refuse(&mut self) {
        let is_add = self.bytes.flag();
        if let Some(sim) = self.outside.sim() {
            let call = if is_add { Call::Add } else { Call::Change };
            sim.fail(call, 0, ENOSPC);
            self.refusals += 1;
        }
    }

    /// Another event on a connection, or on a duplicate of it.
    pub(crate) fn listen(&mut self, events: &mut Loop<O>) {
        let Some(talk) = self.any_talk() else { return };
        let Some(file) = &self.talks[talk].file else {
            return;
        };
        let shape = self.bytes.byte();
        let file = if shape & 1 == 1 {
            self.outside.dup(file)
        } else {
            file.clone()
        };
        let (persistent, kept, reads) = (shape & 2 != 0, shape & 4 != 0, shape & 8 != 0);
        let interest = Interest::from_bits_truncate(self.bytes.byte());
        self.detail((talk, shape & 31, interest));
        let (owned, drops) = owned();
        let n = self.spec.events.len();
        let mut io = events.io(file, interest).priority(Priority(shape >> 5 & 3));
        if persistent {
            io = io.persist();
        }
        if kept {
            io = io.keep();
        }
        if shape & 16 != 0 && shape & 1 == 1 {
            io = io.edge();
        }
        let added = io.add(move |cx, file, ready| {
            let _owned = &owned;
            cx.state.begin(n, ready);
            if reads && ready.is_readable() {
                let _ = cx.state.hear(talk, file, 3);
            }
            if ready.is_writable() {
                cx.state.answer(talk, file);
            }
            go_on(cx);
        });
        let Ok(id) = added else {
            return self.was_refused();
        };
        self.spec
            .made(id, asked(interest), true, [persistent, kept], drops);
    }

    /// An event for nothing, or for a time.
    pub(crate) fn plain(&mut self, events: &mut Loop<O>) {
        let shape = self.bytes.byte();
        let (persistent, kept) = (shape & 1 == 1, shape & 2 == 2);
        let (owned, drops) = owned();
        let n = self.spec.events.len();
        let mut asks = Ready::empty();
        let mut user = events.user().priority(self.bytes.priority());
        if persistent {
            user = user.persist();
        }
        if kept {
            user = user.keep();
        }
        if shape & 4 == 4 {
            user = user.timeout(self.time());
            asks = Ready::TIMEOUT;
        }
        let added = user.add(move |cx, ready| {
            let _owned = &owned;
            cx.state.begin(n, ready);
            go_on(cx);
        });
        let id = added.expect("it needs nothing of the kernel");
        self.spec.made(id, asks, false, [persistent, kept], drops);
    }

    pub(crate) fn listen_to_signals(&mut self, events: &mut Loop<O>) {
        let signal = events.signal(Signal::USR1).persist();
        let added = signal.add(|cx, caught| {
            cx.state.note("caught");
            cx.state.detail(caught.count);
            cx.state.caught += caught.count;
        });
        added.expect("it can be caught");
    }

    /// The peer does something.
    pub(crate) fn talk(&mut self) {
        let Some(n) = self.any_talk() else { return };
        let what = self.bytes.byte();
        self.detail((n, what % 12));
        let talk = &mut self.talks[n];
        let Some(peer) = &talk.peer else { return };
        match what % 12 {
            0 => self.outside.peer_shuts_down(peer),
            1 => talk
                .peer
                .take()
                .into_iter()
                .for_each(|peer| self.outside.peer_closes(peer)),
            2 => self.outside.peer_reads(peer),
            _ => {
                let bytes = &[b'x'; 5][..1 + usize::from(what % 5)];
                talk.said += self.outside.peer_writes(peer, bytes);
            }
        }
    }

    pub(crate) fn hear(&mut self, talk: usize, file: &O::File, chunk: usize) -> Found {
        let found = self.outside.read(file, &mut [0; 8][..chunk]);
        if let Found::Bytes(count) = found {
            self.talks[talk].heard += count;
        }
        found
    }

    pub(crate) fn answer(&mut self, talk: usize, file: &O::File) {
        // The model guesses what the kernel adds to each message, so nothing comes near the limit.
        let talk = &mut self.talks[talk];
        if talk.answers < 30 {
            talk.answers += 1;
            self.outside.write(file, b"hello");
        }
    }

    /// We are done with a connection. Events on it may have it open still.
    pub(crate) fn close(&mut self, events: &mut Loop<O>) {
        if let Some(talk) = self.any_talk() {
            self.hang_up(events, talk);
        }
    }

    pub(crate) fn hang_up(&mut self, events: &mut Loop<O>, talk: usize) {
        self.talks[talk].file = None;
        let keeper = self.talks[talk].keeper;
        if self.spec.is_alive(keeper) {
            self.remove(events, keeper);
        }
    }

    pub(crate) fn any_talk(&self) -> Option<usize> {
        (!self.talks.is_empty()).then(|| self.bytes.one_of(self.talks.len()))
    }

    /// Does something to an event that is no keeper.
    pub(crate) fn on_event(
        &mut self,
        events: &mut Loop<O>,
        act: fn(&mut Self, &mut Loop<O>, usize),
    ) {
        if self.spec.events.is_empty() {
            return;
        }
        let n = self.bytes.one_of(self.spec.events.len());
        if !self.talks.iter().any(|talk| talk.keeper == n) {
            self.detail(n);
            act(self, events, n);
        }
    }

    pub(crate) fn add(&mut self, events: &mut Loop<O>, n: usize) {
        match events.add(self.spec.events[n].id) {
            Ok(()) => self.spec.added(n),
            Err(AddError::NoSuchEvent) => assert!(!self.spec.is_alive(n)),
            Err(AddError::Control(_)) => self.was_refused(),
            Err(error) => panic!("event {n}: {error}"),
        }
    }

    pub(crate) fn delete(&mut self, events: &mut Loop<O>, n: usize) {
        let deleted = events.delete(self.spec.events[n].id);
        assert_eq!(
            deleted.is_ok(),
            self.spec.is_alive(n),
            "a delete of event {n}"
        );
        self.spec.deleted(n);
    }

    pub(crate) fn remove(&mut self, events: &mut Loop<O>, n: usize) {
        let removed = events.remove(self.spec.events[n].id);
        assert_eq!(
            removed.is_ok(),
            self.spec.is_alive(n),
            "a remove of event {n}"
        );
        self.spec.removed(n);
    }

    pub(crate) fn finalize(&mut self, events: &mut Loop<O>, n: usize) {
        let id = self.spec.events[n].id;
        let finalized = events.finalize(id, move |cx| {
            cx.state.done += 1;
            assert!(cx.events.info(id).is_none(), "event {n} is gone");
            cx.state.spec.check(cx.events);
        });
        assert_eq!(
            finalized.is_ok(),
            self.spec.is_alive(n),
            "a finalizer of event {n}"
        );
        self.asked += usize::from(finalized.is_ok());
        self.spec.removed(n);
    }

    pub(crate) fn activate(&mut self, events: &mut Loop<O>, n: usize) {
        let ready = [Ready::READ, Ready::WRITE, Ready::empty()];
        let ready = ready[usize::from(self.bytes.byte() % 3)];
        let id = self.spec.events[n].id;
        let activated = match self.bytes.flag() {
            true => events.activate(id, ready),
            false => events.activate_later(id, ready),
        };
        assert_eq!(
            activated.is_ok(),
            self.spec.is_alive(n),
            "an activation of event {n}"
        );
        if activated.is_ok() {
            self.spec.activated(n, ready);
        }
    }

    pub(crate) fn set_interest(&mut self, events: &mut Loop<O>, n: usize) {
        let interest = Interest::from_bits_truncate(self.bytes.byte());
        let set = events.set_interest(self.spec.events[n].id, interest);
        if matches!(set, Err(AddError::Control(_))) {
            return self.was_refused();
        }
        assert_eq!(
            set.is_ok(),
            self.spec.is_alive(n),
            "an interest of event {n}: {set:?}"
        );
        if set.is_ok() {
            self.spec.asks(n, interest);
        }
    }

    pub(crate) fn set_priority(&mut self, events: &mut Loop<O>, n: usize) {
        let set = events.set_priority(self.spec.events[n].id, self.bytes.priority());
        assert_eq!(
            set.is_ok(),
            self.spec.is_alive(n),
            "a priority of event {n}"
        );
    }

    pub(crate) fn set_timeout(&mut self, events: &mut Loop<O>, n: usize) {
        let timeout = Some(self.time()).filter(|_| self.bytes.flag());
        let set = events.set_timeout(self.spec.events[n].id, timeout);
        assert_eq!(set.is_ok(), self.spec.is_alive(n), "a timeout of event {n}");
        self.spec.asks_for_timeout(n);
    }
}

/// What a user who waits for too many files is told.
const ENOSPC: i32 = 28;
