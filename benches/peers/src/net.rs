//! The works whose other end is another process: `echo`, `loops`, `flood` and `idle`.
//!
//! A contender brings a [`Loop`]; the works are written once, on top of it. The other end is the load
//! generator in [`load`], the same program for all contenders, the C programs among them. It is started by
//! the driver when the contender has said which port it listens on. Connections are accepted here, by hand,
//! before anything is measured.

pub(crate) mod load;

mod flood;
mod memory;
pub(crate) mod own;
pub(crate) mod peer_calloop;
pub(crate) mod peer_mio;
pub(crate) mod peer_polling;
pub(crate) mod peer_tokio;
pub(crate) mod raw;

use std::io::{ErrorKind, Read, Write};
use std::iter;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use rustix::process::{Resource, getrlimit};

use crate::wake::{ONE_PROCESSOR, Processors, pin};
use crate::work::{NO_TIMERS, Work, raise_fd_limit, timed};

/// The works that are done here.
pub(crate) const WORKS: &[&str] = &["echo", "loops", "flood", "idle"];

/// How many ready sources a contender takes from the kernel at a time, where it is asked.
const READY: usize = 1024;

const IDLE: Duration = Duration::from_secs(60);

/// One measured batch: so many operations, answered by one number for each of the work's readings.
pub(crate) type Batch = Box<dyn FnMut(u64) -> Vec<f64>>;

/// A contender's batch for a work, or why it has none.
pub(crate) type Offer = Result<Batch, String>;

/// What is done when a source is readable; how much of it counts as done. tokio wants to be able to share it.
pub(crate) trait Payload: AsFd + Send + Sync + 'static {
    fn run(&self) -> u64;
}

/// Where the less urgent sources have to stand back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    Urgent,
    Low,
}

/// A contender's loop. It is made on the thread that runs it, and stays there.
pub(crate) trait Loop: Sized + 'static {
    fn open() -> Self;

    /// Runs the payload whenever it is readable, from now on.
    fn add<P: Payload>(&mut self, payload: P, urgency: Urgency);

    /// Tells it that what is urgent overtakes what is not, if it has a way to.
    fn prioritize(&mut self) {}

    /// Runs until so much is done, or it is told to stop; how much was done.
    fn run(&mut self, wanted: u64, stop: &Arc<AtomicBool>) -> u64;
}

/// A loop that has timeouts.
pub(crate) trait IdleLoop: Loop {
    /// [`Loop::add`], with an idle timeout of [`IDLE`].
    fn add_idle<P: Payload>(&mut self, payload: P);

    /// Does what it left for later when sources were added.
    fn settle(&mut self);
}

/// The loops of a work; each has a load generator.
pub(crate) fn loops(work: &Work) -> usize {
    match work.name.as_str() {
        "loops" => work.active,
        _ => 1,
    }
}

/// The load generators of a work: what [`load::run`] is told of the connections and the processor of each.
///
/// With several loops each has its generator on its own processor, so that a pair has what another has.
/// Otherwise the generator has a processor to itself.
pub(crate) fn generators(work: &Work) -> Vec<[String; 2]> {
    let loops = loops(work);
    let connections = match work.name.as_str() {
        "flood" => 1,
        _ => work.n / loops,
    };
    let Processors { own, other } = Processors::usable();
    let other = other.unwrap_or(own);
    let cpu = |at: usize| match work.name.as_str() {
        "loops" => [own, other][at],
        _ => other,
    };
    let generator = |at| [connections.to_string(), cpu(at).to_string()];
    (0..loops).map(generator).collect()
}

/// A contender's batch for one of [`WORKS`], if it has no timeouts.
pub(crate) fn offer<L: Loop>(work: &Work) -> Offer {
    can_be_done(work)?;
    match work.name.as_str() {
        "idle" => Err(NO_TIMERS.to_owned()),
        "flood" => Ok(flood::batch::<L>(work)),
        _ => Ok(echo::<L>(work)),
    }
}

/// The same, if it has timeouts.
pub(crate) fn offer_idle<L: IdleLoop>(work: &Work) -> Offer {
    match work.name.as_str() {
        "idle" => can_be_done(work).map(|()| memory::batch(work, L::open)),
        _ => offer::<L>(work),
    }
}

/// Whether there are the files and the processors for it. A flood has two files a source, the others one; and some more.
fn can_be_done(work: &Work) -> Result<(), String> {
    raise_fd_limit();
    let a_source = if work.name == "flood" { 2 } else { 1 };
    let needed = work.n as u64 * a_source + 64;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < needed => {
            return Err(format!(
                "it needs {needed} open files, and `ulimit -Hn` is {limit}"
            ));
        }
        _ => {}
    }
    if loops(work) > 1 && Processors::usable().other.is_none() {
        return Err(ONE_PROCESSOR.to_owned());
    }
    Ok(())
}

/// A connection whose requests are sent back.
struct Connection(TcpStream);

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Payload for Connection {
    /// One read and one write. A read that is shorter than the buffer has taken all there was, so edges
    /// need no second one.
    fn run(&self) -> u64 {
        let mut stream = &self.0;
        let mut bytes = [0; 256];
        let length = match stream.read(&mut bytes) {
            Ok(0) => panic!("the load generator is gone"),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return 0,
            Err(error) => panic!("a request cannot be read: {error}"),
        };
        stream.write_all(&bytes[..length]).expect("there is room");
        1
    }
}

/// Each connection has one request under way at all times, so a batch begins where the last one ended.
fn echo<L: Loop>(work: &Work) -> Batch {
    let Processors { own, other } = Processors::usable();
    pin(own);
    let loops = loops(work);
    let cpus: Vec<usize> = iter::once(own).chain(other).take(loops).collect();
    let mut shares = accept(&cpus, work.n).into_iter();
    let mut first = serve::<L>(shares.next().expect("one loop at least"));
    let stop = Arc::new(AtomicBool::new(false));
    let other = shares.next().zip(other);
    let other = other.map(|(share, cpu)| Other::start::<L>(cpu, share, &stop));
    Box::new(move |ops| {
        let cpu = cpu_ns();
        let mut done = 0;
        let time = timed(|| {
            stop.store(false, Ordering::Relaxed);
            if let Some(other) = &other {
                other.begin.send(()).expect("it lives as long as this");
            }
            // The loops share nothing: when the first has done its part the other ends, too.
            done = first.run(ops / loops as u64, &stop);
            stop.store(true, Ordering::Relaxed);
            if let Some(other) = &other {
                done += other.done.recv().expect("it lives as long as this");
            }
        });
        vec![time / done as f64, (cpu_ns() - cpu) as f64 / done as f64]
    })
}

fn serve<L: Loop>(connections: Vec<TcpStream>) -> L {
    let mut events = L::open();
    for connection in connections {
        events.add(Connection(connection), Urgency::Urgent);
    }
    events
}

/// Another loop, on a thread and a processor of its own.
struct Other {
    begin: Sender<()>,
    done: Receiver<u64>,
}

impl Other {
    fn start<L: Loop>(cpu: usize, share: Vec<TcpStream>, stop: &Arc<AtomicBool>) -> Self {
        let (begin, begun) = mpsc::channel();
        let (answer, done) = mpsc::channel();
        let stop = Arc::clone(stop);
        thread::spawn(move || {
            pin(cpu);
            let mut events = serve::<L>(share);
            for () in begun {
                let _ = answer.send(events.run(u64::MAX, &stop));
            }
        });
        Self { begin, done }
    }
}

/// Listens once for each loop's processor, on one port, says which, and waits for `n` connections in all: those
/// of each loop.
fn accept(cpus: &[usize], n: usize) -> Vec<Vec<TcpStream>> {
    let mut port = 0;
    let mut listeners = Vec::new();
    for &cpu in cpus {
        let listener = listen(port, cpu).expect("a listener");
        port = listener.local_addr().expect("it is bound").port();
        listeners.push(listener);
    }
    println!("port {port}");
    let mut shares: Vec<Vec<TcpStream>> = cpus.iter().map(|_| Vec::new()).collect();
    while shares.iter().map(Vec::len).sum::<usize>() < n {
        let mut fds: Vec<_> = listeners
            .iter()
            .map(|listener| PollFd::new(listener, PollFlags::IN))
            .collect();
        let patience = Timespec {
            tv_sec: 60,
            tv_nsec: 0,
        };
        let ready = poll(&mut fds, Some(&patience)).expect("a poll");
        assert!(ready > 0, "the load generator does not connect");
        for (listener, share) in listeners.iter().zip(&mut shares) {
            while let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(true).expect("a socket can be");
                stream.set_nodelay(true).expect("a socket can be");
                share.push(stream);
            }
        }
    }
    shares
}

/// Of several listeners, one gets the connections that arrive on its processor.
fn listen(port: u16, cpu: usize) -> rustix::io::Result<TcpListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    let cpu = u32::try_from(cpu).expect("there are not so many");
    sockopt::set_socket_incoming_cpu(&socket, cpu)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&socket, 4096)?;
    Ok(TcpListener::from(socket))
}

/// The time, by a clock that all processes share.
fn now_ns() -> u64 {
    ns(libc::CLOCK_MONOTONIC)
}

/// What this process has used of the processors, in itself and in the kernel.
fn cpu_ns() -> u64 {
    ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// By libc, as rustix finds no clock in a process that valgrind runs.
fn ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it writes to the time, which is there.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(result, 0, "Linux has the clock");
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).cast_unsigned()
}
