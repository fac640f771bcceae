//! What a callback is told beside readiness: deliveries of its signal, and why the kernel refused a change.

use evloop_changelist::Ready;

use crate::Core;
use crate::event::State;

/// What the callback that runs is told beside readiness: nothing, mostly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// How often its signal was caught since it ran last. No more than 1 if it runs for
    /// [each](crate::Spec::each) delivery.
    pub count: u64,
    /// Deliveries for which it is still to run, each in its turn: its event is active for them
    /// already.
    pub left: u64,
    /// Where the kernel refused a change of interest in its file descriptor: why. Else 0.
    pub errno: i32,
}

impl<T> Core<T> {
    /// What the callback that runs is told beside readiness.
    ///
    /// # Compared with libevent
    ///
    /// `ev_ncalls`, which is counted down while the callback is called so often.
    #[must_use]
    pub const fn news(&self) -> News {
        self.news
    }

    /// The callback that was to be told is over.
    #[inline]
    pub(crate) fn forget_news(&mut self) {
        self.settles = false;
        self.news = News::default();
    }

    /// For an event that is told more than readiness, or that does not count.
    pub(crate) fn take_news(&mut self, slot: u32, ready: Ready) {
        let event = &mut self.events[slot];
        if event.state.contains(State::INTERNAL) {
            self.ran.take_back(ready);
        }
        let errno = event.take_errno();
        let deliveries = event.count();
        let count = if event.state.contains(State::EACH) {
            deliveries.min(1)
        } else {
            deliveries
        };
        let left = deliveries - count;
        event.set_count(left);
        event.state.remove(State::NEWS);
        if left > 0 {
            // As if the others came now. The callback may still delete them.
            event.state.insert(State::NEWS);
            self.make_active(slot, Ready::SIGNAL);
        }
        self.news = News { count, left, errno };
        self.settles = true;
    }
}
