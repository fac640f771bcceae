//! What always holds between slots, heap and lanes.

use super::Timers;

impl<T> Timers<T> {
    /// Checks that heap, lanes and slots agree with each other. For tests.
    ///
    /// Costs `O(n)`.
    ///
    /// # Panics
    ///
    /// When they do not.
    pub fn check_invariants(&self) {
        self.slots.check_invariants();
        self.heap.check_invariants();
        let mut linked = 0;
        self.lanes.check_invariants(&self.slots, |slot, is_head| {
            linked += 1;
            let is_placed = self.heap.key(slot).is_some();
            assert_eq!(is_placed, is_head, "of a lane, the heap holds the head");
        });
        let (mut placed, mut in_lanes) = (0, 0);
        for (slot, timer) in self.slots.iter() {
            let number = timer.key.sequence;
            assert!(number < self.sequence, "slot {slot} has drawn its number");
            in_lanes += usize::from(timer.lane.is_some());
            if let Some(key) = self.heap.key(slot) {
                placed += 1;
                assert!(key <= timer.key, "slot {slot} is placed too late");
            } else {
                assert!(timer.lane.is_some(), "slot {slot} has no place");
            }
        }
        assert_eq!(placed, self.heap.len(), "the heap holds timers only");
        assert_eq!(in_lanes, linked, "a timer that is in a lane is linked");
    }
}
