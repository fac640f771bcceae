//! Which calls are made to fail, and how: the errors that their manual pages name and that are no
//! mistake of the caller's.

/// A call that fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) call: &'static str,
    pub(super) errno: &'static str,
    /// So many of these calls are let be at first.
    pub(super) after: u64,
}

const fn fault(call: &'static str, errno: &'static str) -> Fault {
    let after = 0;
    Fault { call, errno, after }
}

const fn fault_after(call: &'static str, errno: &'static str, after: u64) -> Fault {
    Fault { call, errno, after }
}

/// Actions that std sets and looks at before `main`; if it cannot, it aborts.
const OF_STD: u64 = 5;
/// The server writes its greeting, by which its address is known.
const GREETING: u64 = 1;

/// All of them.
pub(super) const FAULTS: &[Fault] = &[
    fault("epoll_create1", "EMFILE"),
    fault("epoll_create1", "ENFILE"),
    fault("epoll_create1", "ENOMEM"),
    // A sandbox, or a kernel without.
    fault("epoll_create1", "EPERM"),
    fault("epoll_create1", "ENOSYS"),
    fault("epoll_ctl", "EEXIST"),
    fault("epoll_ctl", "ENOENT"),
    fault("epoll_ctl", "ENOMEM"),
    fault("epoll_ctl", "ENOSPC"),
    fault("epoll_ctl", "EPERM"),
    fault("epoll_pwait2", "EINTR"),
    fault("epoll_pwait2", "EPERM"),
    fault("epoll_pwait2", "ENOSYS"),
    fault("epoll_wait", "EINTR"),
    fault("eventfd2", "EMFILE"),
    fault("eventfd2", "ENFILE"),
    fault("eventfd2", "ENOMEM"),
    fault("eventfd2", "ENOSYS"),
    fault_after("rt_sigaction", "EINVAL", OF_STD),
    fault_after("rt_sigaction", "ENOSYS", OF_STD),
    fault("fcntl", "EPERM"),
    fault("ioctl", "ENOTTY"),
    fault("ioctl", "ENOMEM"),
    fault("accept4", "EAGAIN"),
    fault("accept4", "ECONNABORTED"),
    fault("accept4", "EINTR"),
    fault("accept4", "EMFILE"),
    fault("accept4", "ENFILE"),
    fault("accept4", "ENOBUFS"),
    fault("accept4", "EPROTO"),
    fault("recvfrom", "EAGAIN"),
    fault("recvfrom", "ECONNRESET"),
    fault("recvfrom", "EINTR"),
    fault("recvfrom", "ENOMEM"),
    fault("sendto", "EAGAIN"),
    fault("sendto", "ECONNRESET"),
    fault("sendto", "EINTR"),
    fault("sendto", "ENOBUFS"),
    fault("sendto", "EPIPE"),
    fault_after("write", "EAGAIN", GREETING),
    fault_after("write", "EINTR", GREETING),
];
