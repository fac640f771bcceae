//! Signals that come with what the test wants them to say.
#![expect(unsafe_code, reason = "no safe wrapper of this call is at hand")]

use evloop_catcher::Signal;

/// Sends a signal to the calling thread, from `pid` of user `uid` for the reason `code`, or so it
/// says; if it is not blocked the handler has run on return.
pub(crate) fn queue(signal: Signal, code: i32, pid: i32, uid: u32, value: usize) {
    let info = Info {
        number: signal.number(),
        errno: 0,
        code,
        fields: Fields { pid, uid, value },
        rest: [0; 96],
    };
    const { assert!(size_of::<Info>() >= size_of::<libc::siginfo_t>()) };
    // SAFETY: this call has no precondition.
    let process = unsafe { libc::getpid() };
    // SAFETY: this call has no precondition.
    let thread = unsafe { libc::gettid() };
    // SAFETY: the kernel reads a siginfo_t, which is borrowed; and what it makes run is sound.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            process,
            thread,
            signal.number(),
            &raw const info,
        )
    };
    assert_eq!(result, 0);
}

/// A `siginfo_t` by which a process says something to another one.
#[repr(C)]
struct Info {
    number: i32,
    errno: i32,
    code: i32,
    fields: Fields,
    rest: [u8; 96],
}

#[repr(C)]
struct Fields {
    pid: i32,
    uid: u32,
    value: usize,
}
