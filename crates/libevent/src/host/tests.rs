//! A libevent for the unit tests: lock tables upon the C library's, as `evthread_use_pthreads` has them,
//! which also count who has a lock.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_uint, c_ulong, c_void};
use std::ptr;

use libc::{pthread_cond_t, pthread_mutex_t, timeval};

use super::{ConditionFns, Host, LockFns, Table};
use crate::mm;

/// What the unit tests find in place of what a program would have linked.
pub(super) fn host() -> Host {
    Host {
        locks: Some(&LOCKS),
        conditions: Some(&CONDITIONS),
        thread_id: Some(&THREAD_ID),
        ..Host::find()
    }
}

thread_local! {
    static HELD: Cell<i32> = const { Cell::new(0) };
}

/// How many locks this thread has.
pub(crate) fn held() -> i32 {
    HELD.get()
}

static LOCKS: Table<LockFns> = Table(UnsafeCell::new(LockFns {
    version: 1,
    types: 1,
    alloc: Some(new_lock),
    free: Some(free_lock),
    lock: Some(lock),
    unlock: Some(unlock),
}));

static CONDITIONS: Table<ConditionFns> = Table(UnsafeCell::new(ConditionFns {
    version: 1,
    alloc: Some(new_condition),
    free: Some(free_condition),
    signal: Some(signal),
    wait: Some(wait),
}));

static THREAD_ID: Table<Option<super::ThreadIdFn>> = Table(UnsafeCell::new(Some(thread_id)));

unsafe extern "C" fn new_lock(types: c_uint) -> *mut c_void {
    assert_eq!(types, 1, "the lock must be recursive");
    mm::place(libc::PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP).cast()
}

unsafe extern "C" fn free_lock(lock: *mut c_void, _: c_uint) {
    // SAFETY: the lock came from `new_lock`, and nobody has it.
    unsafe { libc::pthread_mutex_destroy(lock.cast()) };
    // SAFETY: as above.
    unsafe { mm::event_mm_free_(lock) };
}

unsafe extern "C" fn lock(_: c_uint, lock: *mut c_void) -> c_int {
    if let Some(mut does) = BEFORE_LOCK.take()
        && !does()
    {
        BEFORE_LOCK.set(Some(does));
    }
    let lock: *mut pthread_mutex_t = lock.cast();
    // SAFETY: the lock came from `new_lock`.
    let result = unsafe { libc::pthread_mutex_lock(lock) };
    HELD.set(HELD.get() + 1);
    result
}

unsafe extern "C" fn unlock(_: c_uint, lock: *mut c_void) -> c_int {
    HELD.set(HELD.get() - 1);
    // SAFETY: the lock came from `new_lock`.
    unsafe { libc::pthread_mutex_unlock(lock.cast()) }
}

unsafe extern "C" fn new_condition(_: c_uint) -> *mut c_void {
    mm::place(libc::PTHREAD_COND_INITIALIZER).cast()
}

unsafe extern "C" fn free_condition(condition: *mut c_void) {
    // SAFETY: the condition came from `new_condition`, and nobody waits for it.
    unsafe { libc::pthread_cond_destroy(condition.cast()) };
    // SAFETY: as above.
    unsafe { mm::event_mm_free_(condition) };
}

unsafe extern "C" fn signal(condition: *mut c_void, broadcast: c_int) -> c_int {
    assert_eq!(broadcast, 1);
    // SAFETY: the condition came from `new_condition`.
    unsafe { libc::pthread_cond_broadcast(condition.cast()) }
}

unsafe extern "C" fn wait(
    condition: *mut c_void,
    lock: *mut c_void,
    timeout: *const timeval,
) -> c_int {
    assert_eq!(timeout, ptr::null());
    let (condition, lock): (*mut pthread_cond_t, *mut pthread_mutex_t) =
        (condition.cast(), lock.cast());
    assert_eq!(held(), 1, "a lock that is held twice is not given up");
    // SAFETY: both came from the functions above.
    unsafe { libc::pthread_cond_wait(condition, lock) }
}

thread_local! {
    static BEFORE_LOCK: Cell<Option<Box<dyn FnMut() -> bool>>> = const { Cell::new(None) };
}

/// Does something when this thread is about to take a lock, each time until it says that it is done: as
/// another thread that is faster.
pub(crate) fn before_lock(does: impl FnMut() -> bool + 'static) {
    BEFORE_LOCK.set(Some(Box::new(does)));
}

thread_local! {
    static INTERRUPTION: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
}

/// Does something the next time that this thread is asked which it is: as a signal handler that interrupts
/// who has the state of a base.
pub(crate) fn interrupt(does: impl FnOnce() + 'static) {
    INTERRUPTION.set(Some(Box::new(does)));
}

unsafe extern "C" fn thread_id() -> c_ulong {
    if let Some(does) = INTERRUPTION.take() {
        does();
    }
    // SAFETY: no precondition.
    unsafe { libc::pthread_self() }
}
