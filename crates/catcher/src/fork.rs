//! What a forked child has to know: that it is one, and that it has one thread only.
//!
//! A child inherits the handler, and in the catchers of its parent file descriptors that it shares
//! with the parent; if a signal of the child woke those loops, they would be the parent's. So
//! whatever is bound to one process carries a [`ForkStamp`]: the number of the process that made
//! it. The number of the process that asks stands in a page of memory that the kernel clears in
//! each child (`MADV_WIPEONFORK`, Linux 4.14), so it is right from the child's first instruction
//! on, in a handler as well, and costs no system call. Where there is no such page, a function that
//! `fork(3)` calls in the child does the same a moment later.
//!
//! The child has a copy of the thread that forked, and of no other. Whatever another thread had in
//! its hands would stay there for ever. So `fork(3)` waits until it has the dispositions, and the
//! child forgets the handlers that were at work elsewhere, and what they have counted.
#![expect(
    unsafe_code,
    reason = "no safe wrapper of pthread_atfork and MADV_WIPEONFORK is at hand"
)]

use std::alloc::{Layout, handle_alloc_error};
use std::cell::Cell;
use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{MutexGuard, OnceLock};

use crate::disposition::{self, Dispositions};
use crate::handler;

/// Remembers the process that it was made in.
///
/// It tells a child from that process however the child was made; on a kernel before Linux 4.14,
/// if it was made by `fork(3)`.
///
/// # Examples
///
/// ```
/// use evloop_catcher::ForkStamp;
///
/// let stamp = ForkStamp::new();
/// assert!(!stamp.is_child());
/// ```
///
/// # Compared with libevent
///
/// There is no counterpart: libevent leaves it to the program to call `event_reinit` in a child.
#[derive(Clone, Copy, Debug)]
pub struct ForkStamp {
    /// The number of the process that runs, or 0 if it is a child that has not drawn one.
    current: &'static AtomicU64,
    /// The number of the process that made the stamp: not 0.
    process: u64,
}

impl ForkStamp {
    /// A stamp of this process.
    ///
    /// The first one of a process makes two system calls, each other none.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a stamp is taken at a moment, none is a default"
    )]
    pub fn new() -> Self {
        let current = *CURRENT.get_or_init(watch_forks);
        let mut process = current.load(Ordering::Relaxed);
        if process == 0 {
            // Not the number of any of the process' ancestors, for they had drawn theirs before
            // they forked. If another thread is faster its number counts.
            let drawn = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            process = current
                .compare_exchange(0, drawn, Ordering::Relaxed, Ordering::Relaxed)
                .map_or_else(|theirs| theirs, |_| drawn);
        }
        Self { current, process }
    }

    /// Whether this process is a child (or a child's child) of the one that made the stamp.
    ///
    /// Costs one load. Async-signal-safe.
    #[must_use]
    #[inline]
    pub fn is_child(&self) -> bool {
        // Nothing but the number itself is read on the strength of it.
        self.current.load(Ordering::Relaxed) != self.process
    }
}

/// Where the number of the process that runs stands.
static CURRENT: OnceLock<&AtomicU64> = OnceLock::new();

/// The greatest number that was drawn by this process and its ancestors.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Arranges for the next forks, and says where the number of the process is to stand.
fn watch_forks() -> &'static AtomicU64 {
    watch_forks_by(&System)
}

fn watch_forks_by(calls: &impl Calls) -> &'static AtomicU64 {
    static NO_PAGE: AtomicU64 = AtomicU64::new(0);
    if calls.pthread_atfork() != 0 {
        // ENOMEM, the only error there is.
        handle_alloc_error(Layout::new::<[usize; 4]>());
    }
    let Some(word) = calls.mmap() else {
        return &NO_PAGE;
    };
    // A kernel that does not know the advice refuses it; then `in_child` is alone to clear the word.
    calls.madvise(word);
    word
}

/// What is asked of the system; a test answers in its place.
trait Calls {
    /// Has the three functions below called at each fork. 0, or why not.
    fn pthread_atfork(&self) -> c_int;

    /// A page of memory that nobody else uses, for ever: its first word.
    fn mmap(&self) -> Option<&'static AtomicU64>;

    /// Has a page cleared in each child, if the kernel can: one that [`mmap`](Self::mmap) made.
    fn madvise(&self, word: &'static AtomicU64);
}

struct System;

impl Calls for System {
    fn pthread_atfork(&self) -> c_int {
        // SAFETY: the three functions must be safe to call in the thread that forks, before and after
        // it does. They take a lock and give it back, and store to atomics; the child's allocates
        // nothing. They are unregistered when the code is unloaded.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(in_parent), Some(in_child)) }
    }

    fn mmap(&self) -> Option<&'static AtomicU64> {
        // SAFETY: a new anonymous mapping at an address of the kernel's choosing touches no other
        // memory.
        let page = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<AtomicU64>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if page == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the pointer must be aligned, and that of a valid u64 for ever, accessed as an atomic
        // only: it is that of a page of zeroes, never unmapped, and known through this reference alone.
        Some(unsafe { AtomicU64::from_ptr(page.cast()) })
    }

    fn madvise(&self, word: &'static AtomicU64) {
        let (page, length) = (word.as_ptr().cast(), size_of::<AtomicU64>());
        // SAFETY: the range must be one that may become zero in a child: it is a mapping that `mmap`
        // has made for this word alone, and all that will use the word expects that.
        unsafe { libc::madvise(page, length, libc::MADV_WIPEONFORK) };
    }
}

thread_local! {
    /// The dispositions, from `before_fork` to `in_parent` or `in_child` in the same thread.
    static HELD: Cell<Option<MutexGuard<'static, Dispositions>>> = const { Cell::new(None) };
}

/// Not for a fork in a signal handler: that may have interrupted who has the dispositions.
extern "C" fn before_fork() {
    let held = disposition::lock();
    // In a thread that is about to end, and has no variables any more, the child does without.
    _ = HELD.try_with(|slot| slot.set(Some(held)));
}

extern "C" fn in_parent() {
    _ = HELD.try_with(Cell::take);
}

extern "C" fn in_child() {
    if let Some(current) = CURRENT.get() {
        current.store(0, Ordering::Relaxed);
    }
    handler::begin_child();
    _ = HELD.try_with(Cell::take);
}

#[cfg(test)]
mod tests;
