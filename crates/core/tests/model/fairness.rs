//! The quota: whose turn it is, written down without a thought for cost.

use std::collections::BTreeSet;

use evloop_core::Priority;

#[derive(Default)]
pub(crate) struct Fairness {
    pub(crate) quota: Option<u32>,
    /// How many callbacks in a row went ahead of something less urgent.
    overtakes: u32,
    /// Whose turn it was when the quota was reached last.
    yielded_to: Option<Priority>,
}

impl Fairness {
    /// The priority that goes ahead of the most urgent of those that are active, if it is time for
    /// one.
    pub(crate) fn yields_to(
        &mut self,
        urgent: Priority,
        active: BTreeSet<Priority>,
    ) -> Option<Priority> {
        let quota = self.quota?;
        let mut waiting: Vec<_> = active.into_iter().filter(|p| *p > urgent).collect();
        if waiting.is_empty() {
            self.overtakes = 0;
            return None;
        }
        if self.overtakes < quota.max(1) {
            self.overtakes += 1;
            return None;
        }
        // Each in its turn: those after the last first.
        waiting.sort_by_key(|p| (Some(*p) <= self.yielded_to, *p));
        self.overtakes = 0;
        self.yielded_to = Some(waiting[0]);
        Some(waiting[0])
    }
}
