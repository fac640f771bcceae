//! Asks the processor for memory that will be needed soon: [`prefetch`].
//!
//! # Compared with libevent
//!
//! There is nothing like it.
#![no_std]
#![expect(
    unsafe_code,
    reason = "one block, which calls the processor's instruction"
)]

/// Asks the processor to bring the memory at `soon`, a cache line, near. Goes on at once.
///
/// Any address will do, a reference or a pointer that may dangle: it changes nothing but how long it takes to
/// read there soon after. Costs an instruction; nothing where the processor is not an x86-64.
///
/// # Examples
///
/// ```
/// use evloop_prefetch::prefetch;
///
/// let names = [String::from("first"), String::from("second")];
/// let mut names = names.iter().peekable();
/// let mut letters = 0;
/// while let Some(name) = names.next() {
///     if let Some(next) = names.peek() {
///         prefetch(next.as_str());
///     }
///     letters += name.chars().count();
/// }
/// assert_eq!(letters, 11);
/// ```
#[inline(always)]
pub fn prefetch<T: ?Sized>(soon: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        // SAFETY: every x86-64 has the instruction, and it does nothing that a program can see, whatever
        // the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(soon.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = soon;
}
