//! The running kernel, driven like a `Sim`: the same calls, and the same numbers.
//!
//! To have numbers that no other thread takes, each file is given one from a base on.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};

use evloop_sim::{Interest, RawFd, Ready, Token, Trigger};
use rustix::event::epoll::{CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec, read, write};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect,
    getsockname, listen, socket_with, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};

/// What a number refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Pipe,
    Socket,
    /// A socket that listens.
    Listener,
    Eventfd,
    /// A file that cannot be waited for.
    File,
}

/// An epoll, and files numbered from [`FIRST`] on as in a `Sim`.
#[derive(Debug)]
pub(crate) struct Real {
    epoll: OwnedFd,
    files: BTreeMap<RawFd, (OwnedFd, Kind)>,
    /// What the kernel's numbers are more than ours.
    shift: RawFd,
}

/// An item of the interest set as /proc shows it: number, flags, data.
pub(crate) type Line = (RawFd, u32, u64);

type Result<T> = std::result::Result<T, i32>;

impl Real {
    /// Nothing else in this process may use the kernel's numbers from `base` on.
    pub(crate) fn new(base: RawFd) -> Self {
        let epoll = epoll::create(CreateFlags::CLOEXEC).expect("an epoll");
        Self {
            epoll,
            files: BTreeMap::new(),
            shift: base - FIRST,
        }
    }

    pub(crate) fn kind(&self, fd: RawFd) -> Option<Kind> {
        self.files.get(&fd).map(|(_, kind)| *kind)
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = RawFd> {
        self.files.keys().copied()
    }

    pub(crate) fn pipe(&mut self) -> (RawFd, RawFd) {
        let flags = PipeFlags::NONBLOCK | PipeFlags::CLOEXEC;
        let (reader, writer) = pipe_with(flags).expect("a pipe");
        (
            self.keep(&reader, Kind::Pipe),
            self.keep(&writer, Kind::Pipe),
        )
    }

    pub(crate) fn socketpair(&mut self) -> (RawFd, RawFd) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .expect("a pair of sockets");
        (self.keep(&a, Kind::Socket), self.keep(&b, Kind::Socket))
    }

    pub(crate) fn listen(&mut self, backlog: usize) -> RawFd {
        let listener = stream_socket();
        // The kernel finds a name for it.
        bind(&listener, &SocketAddrUnix::new_unnamed()).expect("a name");
        listen(&listener, i32::try_from(backlog).expect("it is small")).expect("it is bound");
        self.keep(&listener, Kind::Listener)
    }

    /// To what does not listen nobody can connect.
    pub(crate) fn connect(&mut self, listener: RawFd) -> Result<RawFd> {
        let (file, kind) = self.files.get(&listener).ok_or(BAD)?;
        if *kind != Kind::Listener {
            return Err(Errno::CONNREFUSED.raw_os_error());
        }
        let socket = stream_socket();
        let name = getsockname(file).expect("it has a name");
        connect(&socket, &name).map_err(Errno::raw_os_error)?;
        Ok(self.keep(&socket, Kind::Socket))
    }

    pub(crate) fn accept(&mut self, listener: RawFd) -> Result<RawFd> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (accepted, _) = self.with(listener, |file| accept_with(file, flags))?;
        Ok(self.keep(&accepted, Kind::Socket))
    }

    pub(crate) fn eventfd(&mut self) -> RawFd {
        let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
        let fd = eventfd(0, flags).expect("an eventfd");
        self.keep(&fd, Kind::Eventfd)
    }

    /// A file that is always empty, always writable, and cannot be waited for.
    pub(crate) fn file(&mut self) -> RawFd {
        let file = File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .expect("/dev/null");
        self.keep(&file.into(), Kind::File)
    }

    pub(crate) fn dup(&mut self, fd: RawFd) -> Result<RawFd> {
        let (dup, kind) = self.with(fd, |file| fcntl_dupfd_cloexec(file, FIRST + self.shift))?;
        Ok(self.insert(dup, kind))
    }

    pub(crate) fn close(&mut self, fd: RawFd) -> Result<()> {
        self.files.remove(&fd).map(drop).ok_or(BAD)
    }

    pub(crate) fn read(&self, fd: RawFd, buf: &mut [u8]) -> Result<usize> {
        self.with(fd, |file| read(file, buf)).map(|(n, _)| n)
    }

    pub(crate) fn write(&self, fd: RawFd, bytes: &[u8]) -> Result<usize> {
        self.with(fd, |file| write(file, bytes)).map(|(n, _)| n)
    }

    pub(crate) fn shutdown(&self, fd: RawFd, how: Shutdown) -> Result<()> {
        let how = match how {
            Shutdown::Read => rustix::net::Shutdown::Read,
            Shutdown::Write => rustix::net::Shutdown::Write,
            Shutdown::Both => rustix::net::Shutdown::Both,
        };
        self.with(fd, |file| rustix::net::shutdown(file, how))
            .map(drop)
    }

    /// What a number is ready for, asked of poll(2).
    pub(crate) fn ready(&self, fd: RawFd) -> Ready {
        let every = PollFlags::IN | PollFlags::OUT | PollFlags::RDHUP;
        let (file, _) = &self.files[&fd];
        let mut fds = [PollFd::new(file, every)];
        poll(&mut fds, Some(&AT_ONCE)).expect("a poll");
        ready(EventFlags::from_bits_retain(u32::from(
            fds[0].revents().bits(),
        )))
    }

    /// Makes the kernel hold this for a number.
    pub(crate) fn hold(
        &self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> Result<()> {
        let data = EventData::new_u64(token.to_bits());
        let flags = flags(interest, trigger);
        let added = self.with(fd, |file| {
            match epoll::add(&self.epoll, file, data, flags) {
                Err(Errno::EXIST) => epoll::modify(&self.epoll, file, data, flags),
                added => added,
            }
        });
        added.map(drop)
    }

    /// Makes the kernel hold nothing for a number.
    pub(crate) fn forget(&self, fd: RawFd) {
        let deleted = self
            .with(fd, |file| epoll::delete(&self.epoll, file))
            .map(drop);
        let nothing = [BAD, Errno::NOENT.raw_os_error(), Errno::PERM.raw_os_error()];
        assert!(deleted.map_or_else(|errno| nothing.contains(&errno), |()| true));
    }

    /// What is ready now, by token.
    pub(crate) fn wait(&self) -> Vec<(u64, Ready)> {
        let mut events = Vec::with_capacity(64);
        let spare = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(&self.epoll, spare, Some(&AT_ONCE)).expect("a wait");
        let report = |event: &Event| (event.data.u64(), ready(event.flags));
        events.iter().map(report).collect()
    }

    /// The interest set, sorted.
    pub(crate) fn interest_set(&self) -> Vec<Line> {
        let path = format!("/proc/self/fdinfo/{}", self.epoll.as_raw_fd());
        let text = fs::read_to_string(path).expect("/proc is mounted");
        let mut lines: Vec<Line> = text.lines().filter_map(|line| self.parse(line)).collect();
        lines.sort_unstable();
        lines
    }

    /// `tfd:        7 events:       19 data:               2a  pos:0 ino:1 sdev:2`
    fn parse(&self, line: &str) -> Option<Line> {
        let mut words = line.strip_prefix("tfd:")?.split_whitespace();
        let fd: RawFd = words.next()?.parse().ok()?;
        let events = words
            .nth(1)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())?;
        let data = words
            .nth(1)
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())?;
        Some((fd - self.shift, events, data))
    }

    /// Gives a file a number of ours; the caller gives up the one it came with.
    fn keep(&mut self, fd: &OwnedFd, kind: Kind) -> RawFd {
        let fd = fcntl_dupfd_cloexec(fd, FIRST + self.shift).expect("a number");
        self.insert(fd, kind)
    }

    fn insert(&mut self, file: OwnedFd, kind: Kind) -> RawFd {
        let fd = file.as_raw_fd() - self.shift;
        self.files.insert(fd, (file, kind));
        fd
    }

    fn with<T>(
        &self,
        fd: RawFd,
        call: impl FnOnce(&OwnedFd) -> rustix::io::Result<T>,
    ) -> Result<(T, Kind)> {
        let (file, kind) = self.files.get(&fd).ok_or(BAD)?;
        call(file)
            .map(|done| (done, *kind))
            .map_err(Errno::raw_os_error)
    }
}

fn stream_socket() -> OwnedFd {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("a socket")
}

/// What epoll is told, and shows, for an interest.
pub(crate) fn flags(interest: Interest, trigger: Trigger) -> EventFlags {
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN, interest.contains(Interest::READ));
    flags.set(EventFlags::OUT, interest.contains(Interest::WRITE));
    flags.set(EventFlags::RDHUP, interest.contains(Interest::CLOSED));
    flags.set(EventFlags::ET, trigger == Trigger::Edge);
    flags
}

fn ready(flags: EventFlags) -> Ready {
    let mut ready = Ready::empty();
    ready.set(Ready::READ, flags.contains(EventFlags::IN));
    ready.set(Ready::WRITE, flags.contains(EventFlags::OUT));
    ready.set(Ready::CLOSED, flags.contains(EventFlags::RDHUP));
    ready.set(Ready::HANGUP, flags.contains(EventFlags::HUP));
    ready.set(Ready::ERROR, flags.contains(EventFlags::ERR));
    ready
}

/// The first number that a `Sim` gives out.
pub(crate) const FIRST: RawFd = 3;

const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// The answer to a number that is not open, which safe code cannot ask the kernel about.
const BAD: i32 = Errno::BADF.raw_os_error();
