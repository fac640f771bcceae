//! Random programs on numbers that are somebody else's, who closes their files and opens others as he
//! likes: held after each look against a model of what epoll keeps of every file.
//!
//! The model knows which file the kernel has under a number, and which *ghosts* it has besides: files
//! that it was told to hold under a number that is not theirs any more.
#![expect(unsafe_code, reason = "the door for raw numbers is unsafe")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use evloop::{AddError, EventId, EventLoop, Interest, Mode, Ready};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rustix::io::{dup, fcntl_dupfd_cloexec};

use crate::support::files::{number, sockets};
use crate::support::process::in_own_process;
use crate::support::setting::{Setting, setting};

/// The numbers, which nothing else takes; and of which of them each event is.
const NUMBERS: [RawFd; 2] = [200, 210];
const EVENTS: [usize; 3] = [0, 0, 1];

/// What is done. A number is an index into [`NUMBERS`], an event one into [`EVENTS`].
#[derive(Clone, Debug)]
enum Op {
    Add(usize),
    Delete(usize),
    SetInterest(usize, Interest),
    /// A new file under a number.
    Open(usize),
    /// The file that was kept last comes under a number, which may be its old one.
    Bring(usize),
    /// The file of a number lives on under another.
    Keep(usize),
    Close(usize),
    /// Nobody has this file any more, but for those of the numbers that do.
    Drop(Index),
    Put(Index),
    Take(Index),
    Look,
}

fn op() -> impl Strategy<Value = Op> {
    let number = || 0..NUMBERS.len();
    let event = || 0..EVENTS.len();
    let index = any::<Index>;
    let interests = [
        Interest::READ,
        Interest::READ,
        Interest::WRITE,
        Interest::READ.union(Interest::WRITE),
        Interest::empty(),
    ];
    prop_oneof![
        4 => event().prop_map(Op::Add),
        3 => event().prop_map(Op::Delete),
        2 => (event(), select(interests.to_vec())).prop_map(|(e, i)| Op::SetInterest(e, i)),
        3 => number().prop_map(Op::Open),
        4 => number().prop_map(Op::Bring),
        2 => number().prop_map(Op::Keep),
        4 => number().prop_map(Op::Close),
        1 => index().prop_map(Op::Drop),
        3 => index().prop_map(Op::Put),
        1 => index().prop_map(Op::Take),
        6 => Just(Op::Look),
    ]
}

/// A file, one end of a pair. To write to it is always possible.
struct File {
    far: UnixStream,
    has_input: bool,
    /// Under other numbers.
    kept: Vec<OwnedFd>,
}

/// What is known of a number.
struct Number {
    /// The file that has it, by its index.
    current: Option<(usize, OwnedFd)>,
    /// What the kernel has under the token that the loop knows.
    registered: Option<(usize, Interest)>,
    /// What the loop believes to be registered.
    held: Interest,
    /// What the kernel is told before the next wait: to hold this, whether it does or not, and to hold
    /// that no more.
    added: Interest,
    deleted: Interest,
}

struct Event {
    id: EventId,
    interest: Interest,
    is_pending: bool,
}

type Trace = Vec<(usize, Ready)>;

struct World {
    events: EventLoop<Trace>,
    all: Vec<Event>,
    numbers: [Number; NUMBERS.len()],
    files: Vec<File>,
    last_kept: Option<usize>,
    /// File, number, and the interest in it.
    ghosts: Vec<(usize, usize, Interest)>,
}

impl World {
    fn new() -> Self {
        let mut events = EventLoop::new().unwrap();
        // So that there is always something to wait for.
        events.user().add(|_, _| ()).unwrap();
        let mut world = Self {
            events,
            all: Vec::new(),
            numbers: NUMBERS.map(|_| Number {
                current: None,
                registered: None,
                held: Interest::empty(),
                added: Interest::empty(),
                deleted: Interest::empty(),
            }),
            files: Vec::new(),
            last_kept: None,
            ghosts: Vec::new(),
        };
        for n in 0..NUMBERS.len() {
            world.run(&Op::Open(n));
        }
        for (e, n) in EVENTS.into_iter().enumerate() {
            // SAFETY: all files that get one of the numbers are of this world, and this process is of
            // this test alone.
            let event = unsafe { world.events.io_raw(NUMBERS[n], Interest::READ) };
            let event = event.persist();
            let id = event.add(move |cx, _, ready| cx.state.push((e, ready)));
            world.all.push(Event {
                id: id.unwrap(),
                interest: Interest::READ,
                is_pending: false,
            });
            world.events.delete(world.all[e].id).unwrap();
        }
        // The kernel forgets them all.
        world.look();
        world
    }

    fn wanted(&self, n: usize) -> Interest {
        self.listed(n).map(|e| self.all[e].interest).collect()
    }

    /// The events that ask for something of a number.
    fn listed(&self, n: usize) -> impl Iterator<Item = usize> {
        (0..self.all.len()).filter(move |e| {
            let event = &self.all[*e];
            EVENTS[*e] == n && event.is_pending && !event.interest.is_empty()
        })
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Add(e) => {
                let result = self.events.add(self.all[e].id);
                self.asked(e, self.all[e].interest, result, |event| {
                    event.is_pending = true;
                });
            }
            Op::SetInterest(e, interest) => {
                let result = self.events.set_interest(self.all[e].id, interest);
                let event = &self.all[e];
                if !event.is_pending || interest == event.interest {
                    result.unwrap();
                    self.all[e].interest = interest;
                } else if interest.is_empty() {
                    result.unwrap();
                    self.withdrawn(e, |event| event.interest = interest);
                } else {
                    self.asked(e, interest, result, |event| event.interest = interest);
                }
            }
            Op::Delete(e) => {
                self.events.delete(self.all[e].id).unwrap();
                self.withdrawn(e, |event| event.is_pending = false);
            }
            Op::Open(n) => {
                if self.numbers[n].current.is_none() {
                    let (near, far) = sockets();
                    near.set_nonblocking(true).unwrap();
                    self.files.push(File {
                        far,
                        has_input: false,
                        kept: Vec::new(),
                    });
                    self.put_under(n, self.files.len() - 1, &near);
                }
            }
            Op::Bring(n) => {
                let kept = |f: &usize| !self.files[*f].kept.is_empty();
                if self.numbers[n].current.is_none()
                    && let Some(f) = self.last_kept.filter(kept)
                {
                    let file = dup(&self.files[f].kept[0]).unwrap();
                    self.put_under(n, f, &file);
                }
            }
            Op::Keep(n) => {
                if let Some((f, file)) = &self.numbers[n].current {
                    self.files[*f].kept.push(dup(file).unwrap());
                    self.last_kept = Some(*f);
                }
            }
            Op::Close(n) => {
                self.numbers[n].current = None;
                self.bury();
            }
            Op::Drop(which) => {
                let f = which.index(self.files.len());
                self.files[f].kept.clear();
                self.bury();
            }
            Op::Put(which) => {
                let f = which.index(self.files.len());
                // Nobody may be there to read it.
                if self.files[f].far.write(b"x").is_ok() {
                    self.files[f].has_input = true;
                }
            }
            Op::Take(which) => {
                let f = which.index(self.files.len());
                let kept = self.files[f].kept.first();
                let current = self
                    .numbers
                    .iter()
                    .filter_map(|number| number.current.as_ref());
                let current = current.filter(|(file, _)| *file == f).map(|(_, file)| file);
                if let Some(file) = current.chain(kept).next() {
                    let mut near = UnixStream::from(dup(file).unwrap());
                    while near.read(&mut [0; 64]).is_ok() {}
                    self.files[f].has_input = false;
                }
            }
            Op::Look => self.look(),
        }
    }

    fn put_under(&mut self, n: usize, f: usize, file: &impl AsFd) {
        let file = fcntl_dupfd_cloexec(file, NUMBERS[n]).unwrap();
        assert_eq!(number(&file), NUMBERS[n]);
        self.numbers[n].current = Some((f, file));
    }

    /// The kernel forgets a file that nobody has any more.
    fn bury(&mut self) {
        let current = self
            .numbers
            .iter()
            .filter_map(|number| number.current.as_ref());
        let current: Vec<_> = current.map(|(f, _)| *f).collect();
        let lives = |f: usize| current.contains(&f) || !self.files[f].kept.is_empty();
        for number in &mut self.numbers {
            number.registered = number.registered.filter(|(f, _)| lives(*f));
        }
        self.ghosts.retain(|(f, ..)| lives(*f));
    }

    /// An event came to ask for something; `result` is what the loop said.
    fn asked(
        &mut self,
        e: usize,
        interest: Interest,
        result: Result<(), AddError>,
        then: impl FnOnce(&mut Event),
    ) {
        let n = EVENTS[e];
        let is_open = self.numbers[n].current.is_some();
        let is_held = !self.numbers[n].held.is_empty();
        if interest.is_empty() || is_held {
            result.unwrap();
            then(&mut self.all[e]);
            self.change(n, interest);
        } else if is_open {
            result.unwrap();
            then(&mut self.all[e]);
            self.register(n);
        } else {
            assert!(matches!(result, Err(AddError::Control(_))), "{result:?}");
        }
    }

    /// An event asks for nothing any more.
    fn withdrawn(&mut self, e: usize, then: impl FnOnce(&mut Event)) {
        then(&mut self.all[e]);
        self.change(EVENTS[e], Interest::empty());
    }

    /// The kernel is to be told what has changed, before the next wait.
    fn change(&mut self, n: usize, added: Interest) {
        let wanted = self.wanted(n);
        let number = &mut self.numbers[n];
        if number.held.is_empty() {
            return;
        }
        number.added |= added;
        number.deleted -= added;
        let too_much = (number.held | number.added) - number.deleted - wanted;
        number.added -= too_much;
        number.deleted |= too_much & number.held;
    }

    /// The kernel is told what is wanted of a number, and has heard of its file then; whether it could
    /// be.
    fn register(&mut self, n: usize) -> bool {
        let wanted = self.wanted(n);
        let number = &mut self.numbers[n];
        let current = number.current.as_ref().map(|(f, _)| *f);
        (number.added, number.deleted) = (Interest::empty(), Interest::empty());
        number.held = Interest::empty();
        if current.is_some() {
            number.held = wanted;
        }
        let told = current.filter(|_| !wanted.is_empty());
        let before = std::mem::replace(&mut number.registered, told.map(|f| (f, wanted)));
        if let Some((f, interest)) = before.filter(|(f, _)| Some(*f) != current) {
            self.ghosts.push((f, n, interest));
        }
        self.ghosts
            .retain(|(f, at, _)| (Some(*f), *at) != (current, n));
        wanted.is_empty() || current.is_some()
    }

    fn ready(&self, f: usize, interest: Interest) -> Ready {
        let mut ready = Ready::from(interest) & (Ready::READ | Ready::WRITE);
        ready.set(
            Ready::READ,
            ready.contains(Ready::READ) && self.files[f].has_input,
        );
        ready
    }

    fn look(&mut self) {
        let mut expected = BTreeMap::<usize, Ready>::new();
        let mut owe = |e: usize, ready: Ready| {
            if !ready.is_empty() {
                *expected.entry(e).or_insert(Ready::empty()) |= ready;
            }
        };
        for n in 0..NUMBERS.len() {
            let Number { added, deleted, .. } = self.numbers[n];
            let is_changed = !(added | deleted).is_empty();
            if is_changed && !self.register(n) {
                self.listed(n).for_each(|e| owe(e, Ready::ERROR));
            }
            if let Some((f, _)) = self.numbers[n].registered {
                self.listed(n)
                    .for_each(|e| owe(e, self.ready(f, self.all[e].interest)));
            }
        }
        // A ghost that says something is got rid of, with all others: the loop begins anew.
        let speaks =
            |(f, _, interest): &(usize, usize, Interest)| !self.ready(*f, *interest).is_empty();
        let speaking = self.ghosts.iter().filter(|ghost| speaks(ghost)).count();
        if speaking > 0 {
            for n in 0..NUMBERS.len() {
                self.numbers[n].registered = None;
                if !self.register(n) {
                    self.listed(n).for_each(|e| owe(e, Ready::ERROR));
                }
            }
            self.ghosts.clear();
        }
        let ghosts = self.events.stats().ghosts;
        let mut seen = Vec::new();
        _ = self.events.run_mode(Mode::NonBlocking, &mut seen).unwrap();
        seen.sort_by_key(|(e, _)| *e);
        assert_eq!(seen, Vec::from_iter(expected));
        assert_eq!(self.events.stats().ghosts - ghosts, speaking as u64);
        self.events.check_invariants();
        // What the kernel has of ghosts is what is out of order then.
        assert_eq!(self.events.verify().is_ok(), self.ghosts.is_empty());
    }
}

/// Of epoll with coalesced changes: poll has no ghosts, and at once there is nothing to come too late.
#[test]
fn files_that_come_and_go_under_lent_numbers_reach_their_events_and_no_other() {
    if setting() != Setting::Epoll {
        return;
    }
    in_own_process(
        "raw_programs::files_that_come_and_go_under_lent_numbers_reach_their_events_and_no_other",
        || {
            proptest!(|(program in vec(op(), 0..100))| {
                let mut world = World::new();
                for op in &program {
                    world.run(op);
                }
            });
        },
    );
}
