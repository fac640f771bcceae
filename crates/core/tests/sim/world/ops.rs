//! What is done to events: by the loop, and in the same breath by the oracle.

use std::rc::Rc;
use std::time::Duration;

use evloop_changelist::Interest;
use evloop_core::{Kind, Leaving, Spec};

use super::{Payload, Role, World, io};
use crate::oracle::{Answer, Origin};
use crate::program::{Act, Op, Passer, Wish};
use crate::talk::{Medium, Source};

impl World {
    pub(super) fn apply(&mut self, op: &Op) {
        match *op {
            Op::Make(passer) => self.make_passer(passer),
            Op::TakeTime(duration) => self.sim.advance(duration),
            Op::Exit => self.front.core.exit(),
            Op::Break => self.front.core.break_loop(),
            Op::Rescan => {
                self.front.core.rescan();
                self.oracle.rescans();
            }
            Op::Panic => self.panics = self.front.core.running().is_some(),
            Op::To(..) if self.passers.is_empty() => {}
            Op::To(n, act) => self.act(self.passers[n % self.passers.len()], act),
        }
        self.oracle.check(&self.front.core);
    }

    fn act(&mut self, n: usize, act: Act) {
        let id = self.oracle.id(n);
        // I1: the handle of a freed event reaches none, however its slot is used.
        let is_freed = self.oracle.is_freed(n);
        match act {
            Act::Add => self.add(n),
            Act::Delete => self.delete(n),
            Act::Remove => self.remove(n),
            Act::SetInterest(interest) => self.set_interest(n, interest),
            Act::SetTimeout(timeout) => self.set_timeout(n, timeout),
            Act::Activate(ready) => {
                let result = self.front.core.activate(id, ready);
                assert_eq!(result.is_err(), is_freed);
                self.oracle.activated(n, ready);
            }
            Act::ActivateLater(ready) => {
                let result = self.front.core.activate_later(id, ready);
                assert_eq!(result.is_err(), is_freed);
                self.oracle.activated(n, ready);
            }
            Act::SetPriority(priority) => {
                let result = self.front.core.set_priority(id, priority);
                assert_eq!(result.is_err(), is_freed);
                self.oracle.set_priority(n, priority);
            }
        }
    }

    fn make_passer(&mut self, passer: Passer) {
        let (kind, source) = match passer.wish {
            Wish::Nothing => (Kind::Plain, None),
            Wish::Signal(signal) => (Kind::Signal(signal), None),
            Wish::Io {
                talk,
                interest,
                trigger,
                duplicate,
            } => {
                let Some(source) = self.listen(talk, duplicate) else {
                    return;
                };
                // A keeper that pauses has to find the trigger as it left it.
                let keeper = Some(talk % self.sources.len()).filter(|n| *n < self.talks.len());
                let left = keeper.and_then(|keeper| self.oracle.trigger(keeper));
                let trigger = left.unwrap_or(trigger);
                (io(&source, interest, trigger), Some(source))
            }
        };
        let spec = Spec {
            persistent: passer.persistent,
            keep: passer.keep,
            each: passer.each,
            priority: passer.priority,
            timeout: passer.timeout,
            ..Spec::new(kind)
        };
        let n = self.make(spec, source, Role::Passer(passer.manner));
        self.passers.push(n);
        self.add(n);
    }

    /// The file of a conversation; `None` where it was kept and is over.
    fn listen(&mut self, talk: usize, duplicate: bool) -> Option<Rc<Source>> {
        let talk = talk % self.sources.len();
        let source = match self.sources[talk].upgrade() {
            Some(source) => source,
            None => {
                let plan = self.others[talk.checked_sub(self.talks.len())?].clone();
                let source = self.open_source(&plan);
                self.sources[talk] = Rc::downgrade(&source);
                source
            }
        };
        if duplicate {
            self.births += 1;
            return Some(Rc::new(source.duplicate(self.births)));
        }
        Some(source)
    }

    pub(super) fn make(&mut self, spec: Spec, source: Option<Rc<Source>>, role: Role) -> usize {
        let event = self.roles.len();
        let origin = source.as_ref().map(|source| Origin {
            birth: source.birth,
            is_refused: source.medium == Medium::File,
        });
        let Ok(id) = self.front.core.insert(spec, Payload { event, source }) else {
            panic!("event {event} was refused")
        };
        self.oracle.made(id, spec, origin);
        self.roles.push(role);
        event
    }

    pub(super) fn add(&mut self, n: usize) {
        let answer = Answer::from(self.front.add(self.oracle.id(n)));
        self.oracle.added(n, answer, self.sim.now_ns());
        self.note_grants(n);
    }

    pub(super) fn set_interest(&mut self, n: usize, interest: Interest) {
        let answer = Answer::from(self.front.set_interest(self.oracle.id(n), interest));
        self.oracle.set_interest(n, interest, answer);
        self.note_grants(n);
    }

    pub(super) fn set_timeout(&mut self, n: usize, timeout: Option<Duration>) {
        let result = self.front.set_timeout(self.oracle.id(n), timeout);
        assert_eq!(result.is_err(), self.oracle.is_freed(n));
        if result.is_ok() {
            self.oracle.set_timeout(n, timeout, self.sim.now_ns());
        }
    }

    fn delete(&mut self, n: usize) {
        let result = self.front.core.delete(self.oracle.id(n));
        assert_eq!(result.is_err(), self.oracle.is_freed(n));
        if let Ok(release) = result {
            self.oracle.deleted(n);
            self.front.release(release);
        }
    }

    pub(super) fn remove(&mut self, n: usize) {
        let result = self.front.core.remove(self.oracle.id(n));
        assert_eq!(result.is_err(), self.oracle.is_freed(n));
        if let Ok(leaving) = result {
            self.oracle.removed(n);
            self.let_go(leaving);
        }
    }

    /// Tells the kernel before the source may be closed.
    pub(super) fn let_go(&mut self, leaving: Leaving<Payload>) {
        self.front.release(leaving.release);
        drop(leaving.payload);
    }

    fn note_grants(&mut self, n: usize) {
        for (_, token) in self.front.grants.drain(..) {
            self.oracle.granted(n, token);
        }
    }
}
