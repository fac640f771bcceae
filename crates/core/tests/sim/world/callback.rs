//! What callbacks do: what their events are for.

use evloop_changelist::{Interest, Ready};

use super::{Payload, Role, World};
use crate::program::{Keeper, Manner};
use crate::talk::{Found, Medium};

impl World {
    /// Reads all that comes, each keeper in its way.
    pub(super) fn keep(&mut self, payload: &Payload, keeper: Keeper, ready: Ready) {
        let (n, source) = (payload.event, payload.source.clone().unwrap());
        let found = match keeper {
            Keeper::Throttled(..) if ready.is_timeout() => {
                self.set_timeout(n, None);
                return self.set_interest(n, Interest::READ);
            }
            Keeper::Edge => source.drain(),
            Keeper::Level(chunk)
            | Keeper::Rearmed(chunk)
            | Keeper::OneShot(chunk, _)
            | Keeper::Throttled(chunk, _) => source.read(chunk),
        };
        match keeper {
            _ if found == Found::End => self.remove(n),
            Keeper::Level(_) | Keeper::Edge => {}
            Keeper::Rearmed(_) if found == Found::Nothing => {}
            Keeper::Rearmed(_) | Keeper::OneShot(..) => self.add(n),
            Keeper::Throttled(_, pause) => {
                self.set_interest(n, Interest::empty());
                self.set_timeout(n, Some(pause));
            }
        }
    }

    pub(super) fn count(&mut self, n: usize, count: u64) {
        self.signals += count;
        if self
            .front
            .core
            .info(self.oracle.id(n))
            .is_some_and(|info| !info.persistent)
        {
            self.add(n);
        }
    }

    /// Does something with the file, and goes when it is time to.
    pub(super) fn pass(&mut self, payload: &Payload, manner: Manner, ready: Ready) {
        let n = payload.event;
        let mut is_over = manner.runs <= 1 || ready.is_closed() || ready.contains(Ready::ERROR);
        if let Some(source) = &payload.source {
            if ready.is_readable() && manner.reads > 0 && source.medium != Medium::File {
                is_over |= source.read(manner.reads) == Found::End;
            }
            if ready.is_writable() {
                source.write();
            }
        }
        self.roles[n] = Role::Passer(Manner {
            runs: manner.runs.saturating_sub(1),
            ..manner
        });
        if is_over {
            self.remove(n);
        } else if manner.again {
            self.add(n);
        }
    }
}
