//! When memory is given back after a burst.

use alloc::vec::Vec;

/// So few elements are never worth giving back.
pub(crate) const FLOOR: usize = 64;

/// Gives memory back once so little is used that it has room for the elements `spare` times over, twice;
/// and keeps room for `spare` times what there is.
///
/// The vector must double or halve before the next reallocation, so one that swings about any
/// length does not thrash, and the cost is `O(1)` amortised over the calls that emptied it.
pub(crate) fn shrink_if_sparse<E>(elements: &mut Vec<E>, spare: usize) {
    if elements.capacity() > FLOOR && elements.len() <= elements.capacity() / (spare * 2) {
        // Not `shrink_to`: what is long has pages of its own, and the C library would leave it there, and get new
        // ones from the kernel when it grows again.
        let mut fewer = Vec::with_capacity(FLOOR.max(elements.len() * spare));
        fewer.append(elements);
        *elements = fewer;
    }
}
