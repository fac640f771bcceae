//! What the kernel says of the process and its threads under `/proc`.

use std::fs::read_to_string;

use evloop::Signal;
use rustix::process::Pid;

/// Whether the process catches this signal.
pub(crate) fn is_caught(signal: Signal) -> bool {
    signals("self", "SigCgt:") & signal.bit() != 0
}

/// Whether the process ignores this signal.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    signals("self", "SigIgn:") & signal.bit() != 0
}

/// The signals that the calling thread blocks, a bit each.
pub(crate) fn blocked() -> u64 {
    signals("thread-self", "SigBlk:")
}

fn signals(whose: &str, which: &str) -> u64 {
    let status = read_to_string(format!("/proc/{whose}/status")).unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix(which));
    u64::from_str_radix(set.unwrap().trim(), 16).unwrap()
}

/// How many calls like `read` and like `write` `f` makes in this thread; `None` where the kernel
/// does not count them.
pub(crate) fn reads_and_writes(f: impl FnOnce()) -> Option<(u64, u64)> {
    let first = calls()?;
    let before = calls()?;
    f();
    let after = calls()?;
    // To look costs some reads itself, the same number each time.
    let looking = before.0 - first.0;
    Some((after.0 - before.0 - looking, after.1 - before.1))
}

fn calls() -> Option<(u64, u64)> {
    let io = read_to_string("/proc/thread-self/io").ok()?;
    let count = |which| {
        let count = io.lines().find_map(|line| line.strip_prefix(which));
        count.unwrap().trim().parse().unwrap()
    };
    Some((count("syscr:"), count("syscw:")))
}

/// Returns when the thread of this process with this number sleeps in a wait of its loop, after all
/// that the caller woke it for before.
///
/// Its state is looked at first: a thread that was woken and has not run yet is "running" there,
/// while its call is still the old one.
pub(crate) fn until_it_blocks(thread: Pid) {
    let of_thread = |file| read_to_string(format!("/proc/self/task/{thread}/{file}")).unwrap();
    loop {
        let stat = of_thread("stat");
        let (_, after_name) = stat.rsplit_once(") ").unwrap();
        // The number of the system call that the thread sleeps in, or `running`.
        let syscall = of_thread("syscall");
        let call = syscall.split(' ').next().unwrap_or_default();
        if after_name.starts_with('S') && call.parse().is_ok_and(|call| WAITS.contains(&call)) {
            return;
        }
        std::thread::yield_now();
    }
}

const WAITS: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
];
