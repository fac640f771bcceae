//! A libevent that a plug-in brings, whose names are in no scope but the plug-in's own. In a process of its
//! own, for it is looked for once.
#![expect(unsafe_code, reason = "the functions are C's")]

use std::ffi::{c_int, c_void};
use std::mem;

use evloop_libevent::{event_base_free, event_base_new};

/// Where libevent's own tests look for what another thread wakes the loop by.
const NOTIFY_FD: usize = 500;

#[test]
fn base_of_a_plug_in_that_has_set_up_locks_has_one() {
    let how = libc::RTLD_NOW | libc::RTLD_LOCAL;
    // SAFETY: the name is a string of C; what the library runs when it is loaded has no precondition.
    let plug_in = unsafe { libc::dlopen(c"libevent_pthreads-2.1.so.7".as_ptr(), how) };
    if plug_in.is_null() {
        // There is no libevent on this machine.
        return;
    }
    // SAFETY: the handle is one, and the name a string of C.
    let function = unsafe { libc::dlsym(plug_in, c"evthread_use_pthreads".as_ptr()) };
    assert!(!function.is_null());
    // SAFETY: that is the function's type.
    let use_pthreads =
        unsafe { mem::transmute::<*mut c_void, unsafe extern "C" fn() -> c_int>(function) };
    // SAFETY: no precondition.
    assert_eq!(unsafe { use_pthreads() }, 0);
    let base = event_base_new();
    assert!(!base.is_null());
    // SAFETY: a base is longer than that.
    let at = unsafe { base.byte_add(NOTIFY_FD) };
    // SAFETY: there is a file descriptor, or -1.
    let notify_fd = unsafe { at.cast::<c_int>().read() };
    assert!(notify_fd >= 0, "{notify_fd}");
    // SAFETY: nobody uses the base any more.
    unsafe { event_base_free(base) };
}
