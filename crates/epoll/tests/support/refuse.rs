//! A kernel that refuses what we ask, made with a seccomp filter: it answers one system call of one
//! thread with an errno, and cannot be taken off again, so each refusal has a thread of its own.
#![expect(unsafe_code, reason = "prctl(2) has no safe wrapper for a filter")]

use std::io;

use libc::{c_long, c_ulong, sock_filter, sock_fprog};

/// From now on the kernel answers this system call of this thread with this errno.
pub(crate) fn refuse(call: c_long, errno: i32) {
    refuse_of(call, &[], errno);
}

/// The same, but only if these arguments of it, by their index, are these numbers of 32 bits.
pub(crate) fn refuse_of(call: c_long, arguments: &[(u32, i32)], errno: i32) {
    // `struct seccomp_data`: the number of the call at 0, the six arguments from 16 on. Of each the
    // low half is looked at, which comes first on the machines that have our system calls' numbers.
    const ARGUMENTS: u32 = 16;
    let number = u32::try_from(call).unwrap();
    let mut tests = vec![(0, number)];
    tests.extend(
        arguments
            .iter()
            .map(|(index, value)| (ARGUMENTS + 8 * index, value.cast_unsigned())),
    );
    let mut program = Vec::new();
    for (done, (offset, value)) in tests.iter().enumerate() {
        program.push(filter(
            libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
            *offset,
            0,
        ));
        // If it is another, on to the last line: past the answer and all tests that are left.
        let skipped = 2 * (tests.len() - done - 1) + 1;
        let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        program.push(filter(equal, *value, skipped.try_into().unwrap()));
    }
    let errno = u32::try_from(errno).unwrap();
    let answer = libc::BPF_RET | libc::BPF_K;
    program.push(filter(answer, libc::SECCOMP_RET_ERRNO | errno, 0));
    program.push(filter(answer, libc::SECCOMP_RET_ALLOW, 0));
    install(&mut program);
}

fn install(program: &mut [sock_filter]) {
    let program = sock_fprog {
        len: program.len().try_into().unwrap(),
        filter: program.as_mut_ptr(),
    };
    let (on, none): (c_ulong, c_ulong) = (1, 0);
    // SAFETY: it takes numbers only. The thread gives up gaining privileges, for the filter's sake.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, on, none, none, none) };
    assert_eq!(result, 0, "no new privileges");
    let mode = c_ulong::from(libc::SECCOMP_MODE_FILTER);
    // SAFETY: the kernel copies the program, which is alive for the call and as long as it says.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
    assert_eq!(result, 0, "seccomp: {}", io::Error::last_os_error());
}

fn filter(code: u32, k: u32, jf: u8) -> sock_filter {
    sock_filter {
        code: code.try_into().unwrap(),
        jt: 0,
        jf,
        k,
    }
}

/// Runs `scenario` in a thread that has its file descriptors to itself, and looks that it leaves none
/// open. In a sandbox that forbids to have them so nothing is counted.
pub(crate) fn in_own_thread(scenario: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        // SAFETY: the call has no precondition. What others open or close from now on is not
        // seen here, nor is what is opened here seen by others; nobody waits for that.
        let is_alone = unsafe { libc::unshare(libc::CLONE_FILES) } == 0;
        let before = open_fds();
        scenario();
        let are_closed = !is_alone || open_fds() == before;
        assert!(are_closed, "file descriptors are left open");
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn open_fds() -> usize {
    std::fs::read_dir("/proc/thread-self/fd").unwrap().count()
}
