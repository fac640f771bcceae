//! libevent's event core in Rust: readiness of file descriptors, signals and timers as one kind of
//! thing, an *event*, and one loop that runs them. Linux.
//!
//! An [`EventLoop`] holds events. [`EventLoop::run`] waits until something happens to one of them,
//! and calls its callback with a [`Cx`]: `cx.state`, what the program shares between its callbacks,
//! and `cx.events`, the loop itself, to add, change and delete events from within.
//!
//! The [guide] leads through all of it in eleven short chapters, from one timer to a tested server.
//!
//! # Examples
//!
//! A server that returns what it is sent, and says each second how much that was.
//!
//! ```no_run
//! use std::io::{ErrorKind, Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::time::Duration;
//!
//! use evloop::{Cx, EventLoop, Interest, Ready, Signal};
//!
//! struct App {
//!     echoed: usize,
//! }
//!
//! fn echo(cx: &mut Cx<'_, App>, mut peer: &TcpStream, ready: Ready) {
//!     let mut buffer = [0; 4096];
//!     let done = match peer.read(&mut buffer) {
//!         Ok(count @ 1..) => {
//!             cx.state.echoed += count;
//!             // Who does not read what comes back is let go. The guide has a server that waits.
//!             peer.write_all(&buffer[..count]).is_err()
//!         }
//!         Err(error) if error.kind() == ErrorKind::WouldBlock => ready.is_timeout(),
//!         Ok(0) | Err(_) => true,
//!     };
//!     if done {
//!         cx.events.remove(cx.id()).expect("it is there: this is its callback");
//!     }
//! }
//!
//! let mut events = EventLoop::<App>::new()?;
//! let listener = TcpListener::bind("127.0.0.1:7000")?;
//!
//! events.io(listener, Interest::READ).persist().add(|cx, listener, _ready| {
//!     // Where it fails for want of file descriptors it is to rest: see the example `echo`.
//!     while let Ok((peer, _)) = listener.accept() {
//!         let minute = Duration::from_secs(60);
//!         if let Err(error) = cx.events.io(peer, Interest::READ).persist().timeout(minute).add(echo) {
//!             eprintln!("{error:?}");
//!         }
//!     }
//! })?;
//! events.timer(Duration::from_secs(1)).persist().add(|cx| println!("{} echoed", cx.state.echoed))?;
//! events.signal(Signal::INT).add(|cx, _caught| cx.events.exit())?;
//!
//! events.run(&mut App { echoed: 0 })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Events
//!
//! An event waits for readiness of a source ([`EventLoop::io`]), for a signal
//! ([`EventLoop::signal`]), for time to pass ([`EventLoop::timer`]) or for nothing of the kind
//! ([`EventLoop::user`]). Any of them can have a [timeout](NewEvent::timeout) besides.
//!
//! `add` makes an event *pending* and gives an [`EventId`] for it. When what it waits for happens it
//! is *active*, and its callback runs. Then
//!
//! - a *one-shot* event, which is what every event is by itself, is over: it is freed, and its source
//!   is closed. Its callback may [`add`](EventLoop::add) it again; so may anybody later if it was
//!   told to [`keep`](NewEvent::keep);
//! - a [*persistent*](NewEvent::persist) event stays pending.
//!
//! [`EventLoop::delete`] makes an event not pending and keeps it; [`EventLoop::remove`] frees it;
//! [`EventLoop::into_source`] frees it and gives its source back. From then on its callback does not
//! run, whatever has happened before.
//!
//! # Sources
//!
//! The loop owns the sources (anything that is [`AsFd`](std::os::fd::AsFd) and `'static`, see
//! [`Source`]), so what it
//! waits for cannot be closed behind its back, and no raw file descriptor number is needed. It lends
//! the source to the event's callback as `&F`, through which the standard library's types read and
//! write. The callback of *another* event reaches it by [`EventLoop::source`], and changes what it
//! waits for by [`EventLoop::set_interest`]. Several events share a source when each is given a clone
//! of one [`Rc`](std::rc::Rc).
//!
//! Sources are made non-blocking when they are added; see [`NewEvent::leave_blocking`].
//!
//! A source is one file for as long as it is with the loop. Where safe code can put another file in its
//! place, as `dup2` does to [standard input](std::io::stdin), the event does not hear of that one: remove
//! it, and make it anew. For a file descriptor that is somebody else's, a C library's say, there is an
//! `unsafe` door, [`EventLoop::io_raw`].
//!
//! # Closures
//!
//! A closure that is written in the call of `add`, and a function, need no annotation of their
//! arguments. A closure that is bound by `let` first does: the compiler then has to be told that it
//! takes references of any lifetime.
//!
//! ```
//! # use std::time::Duration;
//! # use evloop::{Cx, EventLoop};
//! # let mut events = EventLoop::<u32>::new()?;
//! let tick = |cx: &mut Cx<'_, u32>| *cx.state += 1;
//! events.timer(Duration::ZERO).add(tick)?;
//!
//! let mut ticks = 0;
//! let _outcome = events.run(&mut ticks)?;
//! assert_eq!(ticks, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A one-shot can be added again, so its closure may be called again, and is an `FnMut`: what it is to give
//! away it takes out of an `Option`. [`EventLoop::defer`] and [`Remote::post`] take an `FnOnce`.
//!
//! # Order and cost
//!
//! A turn of the loop takes the kernel's reports, then signals, then timeouts that are due, and runs
//! the callbacks of the most urgent [`Priority`] among what is active, in the order in which they
//! became so. What signals and other threads bring meanwhile is taken between two callbacks, so it
//! waits for no callback that is less urgent. That is so up to 32 times in a turn. After that it is taken
//! once in 16 callbacks, of those that the turn began with, so that who wakes the loop on and on does not
//! keep it from the kernel.
//! The [documentation of the core](evloop_core) has the turn step by step, and what each operation
//! costs. In the steady state nothing is allocated. A turn is one system call (in a busy loop with timers at times
//! two, see [`Stats::vain_looks`]), and one more for each
//! file descriptor whose interest is not what it was when the kernel was last told.
//!
//! # Compared with libevent
//!
//! The documentation of an item ends with its counterpart, where it has one. What is different throughout: sources
//! and callbacks are owned by the loop, and events are named by handles that cannot dangle; times are
//! in nanoseconds of a precise clock; hang-up and error are readiness of their own, and reach every
//! event of a file descriptor; a signal reaches every loop that watches it; events with equal
//! deadlines run first come, first served; what the kernel refuses is never swallowed.

mod activate;
mod activator;
mod builder;
mod context;
mod current_waker;
mod error;
mod event_loop;
mod fork;
pub mod guide;
mod inspect;
mod kernel;
mod life;
mod mailbox;
mod new_event;
mod origin;
mod outside;
mod record;
mod remote;
mod reply;
mod sync;
mod table;
mod verify;

pub use evloop_backend::{Capabilities, ControlError, Held, Source, WaitError, World};
pub use evloop_catcher::{CatchError, ChildState, Origin, SignalInfo, SignalValue};
pub use evloop_changelist::{Interest, RawFd, Ready, Trigger};
pub use evloop_core::{
    DEFERRED, Defect, EventId, EventInfo, Kind, LATE, Limits, Mode, NoSuchEvent, Outcome,
    Ownership, Peak, Peaks, Priority, Stats,
};
pub use evloop_pipe::PipeError;
pub use evloop_signals::{Signal, SignalError};

pub use crate::activator::Activator;
pub use crate::builder::{Builder, Mechanism};
pub use crate::context::{Caught, Cx};
pub use crate::error::{
    AddError, DeleteAndWaitError, InsertError, IntoSourceError, LoopGone, NewError, NoAnswer,
    RemoveError, RunError,
};
pub use crate::event_loop::EventLoop;
pub use crate::inspect::Snapshot;
pub use crate::new_event::{Catch, Check, Io, NewEvent, Prepare, RawSource, Timer, User};
pub use crate::remote::Remote;
pub use crate::reply::Reply;
pub use crate::table::Table;
pub use crate::verify::{Mismatch, VerifyError};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
