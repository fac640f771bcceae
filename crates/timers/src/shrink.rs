//! When memory is given back after a burst.

use alloc::vec::Vec;

/// So few elements are never worth giving back.
pub(crate) const FLOOR: usize = 64;

/// Gives memory back once a quarter of it or less is used, and keeps room for twice what there is.
///
/// The vector must double or halve before the next reallocation, so one that swings about any
/// length does not thrash, and the cost is `O(1)` amortised over the calls that emptied it.
pub(crate) fn shrink_if_sparse<E>(elements: &mut Vec<E>) {
    if elements.capacity() > FLOOR && elements.len() <= elements.capacity() / 4 {
        elements.shrink_to(FLOOR.max(elements.len() * 2));
    }
}
