//! Activating an event from another thread, by one atomic operation.
//!
//! Events that can be activated so have a bit each, 64 of them on a [`Board`]. Who activates one sets
//! its bit; and if it found none set, wakes the loop, which takes all bits of the board at once.
//!
//! # Why no activation is lost
//!
//! All that is done to the bits of a board are read-modify-writes of one atomic, so they stand in one
//! order. Take one that sets a bit. Somebody has found the board without a bit since it was last taken,
//! this one or one before it, and wakes the loop after that; the take that this wakeup leads to, or an
//! earlier one, takes the bit.
//!
//! What a thread did before it set a bit is visible to the callback: the setting releases, the take
//! acquires, and a setting in between hides nothing, because a read-modify-write carries on the release
//! sequence of the one before. It must therefore be made every time, also where the bit is seen to be
//! set. The tests under loom fail with any weaker memory order.

use std::fmt;
use std::sync::{Arc, PoisonError};

use evloop_changelist::Ready;
use evloop_core::{Core, EventId, NoSuchEvent};

use crate::current_waker::CurrentWaker;
use crate::event_loop::EventLoop;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};

/// Activates one event, from any thread: the cheapest way to have a loop run a callback. Made by
/// [`EventLoop::activator`]; can be cloned and sent.
///
/// The thread leaves its work where the callback finds it, and activates. Any number of activations
/// before the callback runs are one, so the callback takes all the work that there is. A
/// [`Remote`](crate::Remote) carries the work itself, and answers.
///
/// # Guarantees
///
/// - No activation is lost, also if the handle is dropped after it: the callback of an event that stays
///   pending begins once more at least.
/// - What a thread did before it activated is visible to the callback.
/// - An event that is not pending when the loop takes the activation is not activated by it: once an
///   event was deleted, its callback does not run before the event is added again.
/// - It takes no lock and allocates nothing, and never blocks.
/// - At most one system call for each time that the loop has gone to sleep. The thread that has to make
///   it may be held up before it does; what others activate meanwhile comes with it.
///
/// # Order
///
/// The loop takes activations after the wait of each turn, and between two of its callbacks. Those that it
/// takes at the same time become active in no particular order, behind what the wait reported and before what was
/// posted.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::thread;
///
/// use evloop::{EventLoop, Outcome, Ready};
///
/// let done = Arc::new(AtomicU64::new(0));
/// let mut events = EventLoop::<u64>::new()?;
/// let work = Arc::clone(&done);
/// let event = events.user().persist().add(move |cx, _| {
///     *cx.state = work.load(Ordering::Relaxed);
///     if *cx.state == 1000 {
///         cx.events.exit();
///     }
/// })?;
///
/// let activator = events.activator(event, Ready::empty())?;
/// let worker = thread::spawn(move || {
///     for _ in 0..1000 {
///         done.fetch_add(1, Ordering::Relaxed);
///         activator.activate().expect("the event is there until all is done");
///     }
/// });
///
/// let mut seen = 0;
/// assert_eq!(events.run(&mut seen)?, Outcome::Exit);
/// assert_eq!(seen, 1000);
/// worker.join().expect("it does not panic");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Compared with libevent
///
/// `event_active` from another thread, which takes the base's lock, and makes a system call although
/// the loop is awake. libuv's `uv_async_t` and libev's `ev_async` are such handles.
#[derive(Clone)]
pub struct Activator {
    seat: Arc<Seat>,
}

impl Activator {
    /// Has the loop run the event's callback, if the event is pending.
    ///
    /// Costs one atomic operation if an activation is under way already; else a few more, and a system
    /// call only if the loop is asleep and nobody else has woken it.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if the event was freed with its loop, or if the loop has found that it was, when it
    /// took an activation. No callback runs.
    ///
    /// # Compared with libevent
    ///
    /// `event_active` from another thread, which runs the callback of an event that is not pending too,
    /// as [`Remote::activate`](crate::Remote::activate) does.
    pub fn activate(&self) -> Result<(), NoSuchEvent> {
        self.seat.board.set(self.seat.bit())
    }
}

impl fmt::Debug for Activator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activator").finish_non_exhaustive()
    }
}

impl<S> EventLoop<S> {
    /// A handle to activate an event from other threads: its callback is told `ready`, together with
    /// what else happened.
    ///
    /// Allocates; what it takes is used again when all clones of the handle are gone. Several for one
    /// event are independent of each other.
    ///
    /// # Errors
    ///
    /// [`NoSuchEvent`] if the event was freed.
    ///
    /// # Compared with libevent
    ///
    /// `evthread_make_base_notifiable`, for all events of a base.
    pub fn activator(&mut self, id: EventId, ready: Ready) -> Result<Activator, NoSuchEvent> {
        let Self {
            core,
            activators,
            current_waker,
            ..
        } = self;
        core.standing(id).ok_or(NoSuchEvent)?;
        let seat = activators.seat(core, current_waker, Place { id, ready });
        Ok(Activator { seat })
    }
}

/// The loop's end of its activators.
#[derive(Default)]
pub(crate) struct Activators {
    boards: Vec<Arc<Board>>,
    /// What each bit is for: those of the first board, then of the second.
    places: Vec<Place>,
    vacant: Arc<Vacant>,
}

/// The places in [`Activators::places`] whose seats are gone.
type Vacant = Mutex<Vec<usize>>;

#[derive(Clone, Copy)]
struct Place {
    id: EventId,
    ready: Ready,
}

impl Activators {
    fn seat<T>(
        &mut self,
        core: &mut Core<T>,
        waker: &Arc<CurrentWaker>,
        place: Place,
    ) -> Arc<Seat> {
        let vacant = lock(&self.vacant).pop();
        let at = vacant.unwrap_or(self.places.len());
        if let Some(before) = self.places.get_mut(at) {
            let before = std::mem::replace(before, place);
            if self.boards[at / BITS].vacate(bit(at)) {
                before.activate(core);
            }
        } else {
            if at.is_multiple_of(BITS) {
                self.boards.push(Arc::new(Board::new(Arc::clone(waker))));
            }
            self.places.push(place);
        }
        Arc::new(Seat {
            board: Arc::clone(&self.boards[at / BITS]),
            vacant: Arc::clone(&self.vacant),
            at,
        })
    }

    /// Activates the events that are to be, if they are pending. Costs a load for each 64, and
    /// `O(1)` for each event.
    pub(crate) fn take<T>(&self, core: &mut Core<T>) {
        for (n, board) in self.boards.iter().enumerate() {
            let mut bits = board.take();
            while bits != 0 {
                let at = n * BITS + bits.trailing_zeros() as usize;
                if !self.places[at].activate(core) {
                    board.close(bit(at));
                }
                bits &= bits - 1;
            }
        }
    }

    /// Says that the loop is gone.
    pub(crate) fn close(&self) {
        for board in &self.boards {
            board.close(u64::MAX);
        }
    }
}

impl Place {
    /// Activates the event if it is pending. False: it was freed.
    fn activate<T>(self, core: &mut Core<T>) -> bool {
        let standing = core.standing(self.id);
        if standing.is_some_and(|standing| standing.pending) {
            let activated = core.activate(self.id, self.ready);
            debug_assert!(activated.is_ok(), "it is there");
        }
        standing.is_some()
    }
}

/// 64 events that can be activated.
struct Board {
    /// Those that are to be.
    set: AtomicU64,
    /// Those that are gone.
    gone: AtomicU64,
    waker: Arc<CurrentWaker>,
}

impl Board {
    fn new(waker: Arc<CurrentWaker>) -> Self {
        Self {
            set: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            waker,
        }
    }

    fn set(&self, bit: u64) -> Result<(), NoSuchEvent> {
        if self.gone.load(Ordering::Relaxed) & bit != 0 {
            return Err(NoSuchEvent);
        }
        if self.set.fetch_or(bit, Ordering::Release) == 0 {
            self.waker.wake();
        }
        Ok(())
    }

    fn take(&self) -> u64 {
        // If it is 0 still for who was woken, the bits that it was woken for were taken before.
        if self.set.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.set.swap(0, Ordering::Acquire)
    }

    fn close(&self, bits: u64) {
        self.gone.fetch_or(bits, Ordering::Relaxed);
    }

    /// Takes a bit that nobody sets any more, for somebody else.
    fn vacate(&self, bit: u64) -> bool {
        // All that was done with it came before, by the lock that has told that its seat is gone.
        self.gone.fetch_and(!bit, Ordering::Relaxed);
        self.set.fetch_and(!bit, Ordering::Relaxed) & bit != 0
    }
}

/// One bit of a [`Board`], for as long as anybody may set it.
struct Seat {
    board: Arc<Board>,
    vacant: Arc<Vacant>,
    /// Its place.
    at: usize,
}

impl Seat {
    const fn bit(&self) -> u64 {
        bit(self.at)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.vacant).push(self.at);
    }
}

fn lock(vacant: &Vacant) -> MutexGuard<'_, Vec<usize>> {
    // Nothing that panics runs under it.
    vacant.lock().unwrap_or_else(PoisonError::into_inner)
}

const BITS: usize = 64;

/// The bit of a place, on its board.
const fn bit(at: usize) -> u64 {
    1 << (at % BITS)
}

#[cfg(all(test, loom))]
mod interleavings;
