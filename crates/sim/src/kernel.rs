//! The kernel's side of a loop: numbers, the open files behind them, and the interest in both.
//!
//! A number (file descriptor) refers to an open file (open file description); `dup` makes another
//! number refer to the same file, and a file lives until its last number is closed. Interest is
//! held for a number and a file together, and goes with the file: closing a number whose file
//! lives on under another leaves a *ghost*, reported under a number that may belong to
//! somebody else by then. All of it is Linux' behaviour, held against Linux by `tests/model.rs`.
//!
//! Every file is non-blocking: a call that would block fails with `EAGAIN`.

mod eventfd;
mod interest_set;
mod listener;
mod pipe;
mod sets;
mod socket_pair;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use evloop_changelist::{Interest, RawFd, Ready, Token, Trigger};

use self::eventfd::Eventfd;
use self::interest_set::{InterestSet, Item};
pub(crate) use self::interest_set::{Key, asked};
use self::listener::Listener;
use self::pipe::Pipe;
pub(crate) use self::sets::SetId;
use self::sets::Sets;
use self::socket_pair::{Side, SocketPair};
use crate::errno::{EAGAIN, EBADF, ECONNREFUSED, EINVAL, ENOTCONN, ENOTSOCK, EPERM, fail};

/// An open file. Never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId(u64);

#[derive(Debug)]
pub(crate) struct Kernel {
    numbers: BTreeMap<RawFd, FileId>,
    /// The numbers below `next_number` that are free.
    free_numbers: BTreeSet<RawFd>,
    next_number: RawFd,
    files: BTreeMap<FileId, OpenFile>,
    sets: Sets,
    files_opened: u64,
    /// What processes that were forked off from have open.
    parents: BTreeMap<ParentId, Vec<FileId>>,
    parents_made: u64,
}

/// A process that was forked off from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ParentId(u64);

#[derive(Debug)]
struct OpenFile {
    /// How many numbers refer to it, in this process and its parents; the queue of a listener counts
    /// as one. At least one.
    numbers: usize,
    object: Object,
}

#[derive(Debug)]
enum Object {
    PipeReader(Rc<RefCell<Pipe>>),
    PipeWriter(Rc<RefCell<Pipe>>),
    Socket(Rc<RefCell<SocketPair>>, Side),
    Listener(Listener),
    Eventfd(Eventfd),
    Regular,
}

/// What is held for one number and one file.
///
/// The kernel's own view, to be compared with what a loop believes that it told the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The number it was registered under.
    pub fd: RawFd,
    /// The token it is reported with.
    pub token: Token,
    /// What was asked for.
    pub interest: Interest,
    /// When it is reported again.
    pub trigger: Trigger,
    /// The number was closed, or refers to another file by now, while the file lives on under
    /// another number. It cannot be changed or deleted, and is reported none the less.
    pub is_ghost: bool,
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            numbers: BTreeMap::new(),
            free_numbers: BTreeSet::new(),
            next_number: FIRST_NUMBER,
            files: BTreeMap::new(),
            sets: Sets::default(),
            files_opened: 0,
            parents: BTreeMap::new(),
            parents_made: 0,
        }
    }
}

/// Opening, closing, reading, writing.
impl Kernel {
    /// A pipe: the number that reads, the number that writes.
    pub(crate) fn pipe(&mut self) -> (RawFd, RawFd) {
        let (reader, writer) = (self.new_file(), self.new_file());
        let pipe = Rc::new(RefCell::new(Pipe::new(reader, writer)));
        let reader = self.open(reader, Object::PipeReader(Rc::clone(&pipe)));
        (reader, self.open(writer, Object::PipeWriter(pipe)))
    }

    /// Two connected stream sockets.
    pub(crate) fn socketpair(&mut self) -> (RawFd, RawFd) {
        let (a, b) = (self.new_file(), self.new_file());
        let pair = Rc::new(RefCell::new(SocketPair::new(a, b)));
        let a = self.open(a, Object::Socket(Rc::clone(&pair), Side::A));
        (a, self.open(b, Object::Socket(pair, Side::B)))
    }

    /// A socket that listens.
    pub(crate) fn listen(&mut self, backlog: usize) -> RawFd {
        let file = self.new_file();
        self.open(file, Object::Listener(Listener::new(backlog)))
    }

    /// A connection to a listener; its other end waits to be accepted.
    pub(crate) fn connect(&mut self, listener: RawFd) -> io::Result<RawFd> {
        let listener = self.file_of(listener)?;
        let Object::Listener(asked) = &self.files[&listener].object else {
            return fail(ECONNREFUSED);
        };
        if asked.is_full() {
            return fail(EAGAIN);
        }
        let (theirs, ours) = (self.new_file(), self.new_file());
        let pair = Rc::new(RefCell::new(SocketPair::new(theirs, ours)));
        let waiting = OpenFile {
            numbers: 1,
            object: Object::Socket(Rc::clone(&pair), Side::B),
        };
        self.files.insert(ours, waiting);
        if let Object::Listener(asked) = &mut find(&mut self.files, listener).object {
            asked.push(listener, ours, &mut self.sets);
        }
        Ok(self.open(theirs, Object::Socket(pair, Side::A)))
    }

    /// Takes the oldest connection that waits.
    pub(crate) fn accept(&mut self, listener: RawFd) -> io::Result<RawFd> {
        let id = self.file_of(listener)?;
        let accepted = match &mut self.file_mut(id).object {
            Object::Listener(listener) => listener.accept()?,
            Object::Socket(..) => return fail(EINVAL),
            _ => return fail(ENOTSOCK),
        };
        Ok(self.assign_number(accepted))
    }

    /// An eventfd with a count of 0.
    pub(crate) fn eventfd(&mut self) -> RawFd {
        let file = self.new_file();
        self.open(file, Object::Eventfd(Eventfd::default()))
    }

    /// An empty regular file, which cannot be waited for.
    pub(crate) fn file(&mut self) -> RawFd {
        let file = self.new_file();
        self.open(file, Object::Regular)
    }

    pub(crate) fn dup(&mut self, fd: RawFd) -> io::Result<RawFd> {
        let file = self.file_of(fd)?;
        self.file_mut(file).numbers += 1;
        Ok(self.assign_number(file))
    }

    pub(crate) fn close(&mut self, fd: RawFd) -> io::Result<()> {
        let Some(file) = self.numbers.remove(&fd) else {
            return fail(EBADF);
        };
        self.free_numbers.insert(fd);
        self.let_go(file);
        Ok(())
    }

    /// Another process has the same files open from now on, as one that was forked off from has.
    pub(crate) fn fork(&mut self) -> ParentId {
        let files: Vec<FileId> = self.numbers.values().copied().collect();
        for file in &files {
            self.file_mut(*file).numbers += 1;
        }
        self.parents_made += 1;
        let parent = ParentId(self.parents_made);
        self.parents.insert(parent, files);
        parent
    }

    /// Such a process ends.
    pub(crate) fn end(&mut self, parent: ParentId) {
        for file in self.parents.remove(&parent).into_iter().flatten() {
            self.let_go(file);
        }
    }

    /// One number less refers to the file. It is closed with the last.
    fn let_go(&mut self, file: FileId) {
        let open = self.file_mut(file);
        open.numbers -= 1;
        if open.numbers > 0 {
            return;
        }
        match self.drop_file(file) {
            Object::PipeReader(pipe) => pipe.borrow_mut().close_reader(&mut self.sets),
            Object::PipeWriter(pipe) => pipe.borrow_mut().close_writer(&mut self.sets),
            Object::Socket(pair, side) => pair.borrow_mut().close(side, &mut self.sets),
            Object::Listener(listener) => self.refuse(listener),
            Object::Eventfd(_) | Object::Regular => {}
        }
    }

    /// Nobody will accept what waits.
    fn refuse(&mut self, listener: Listener) {
        for waiting in listener.into_waiting() {
            if let Object::Socket(pair, side) = self.drop_file(waiting) {
                pair.borrow_mut().refuse(side, &mut self.sets);
            }
        }
    }

    fn drop_file(&mut self, file: FileId) -> Object {
        self.sets.forget_file(file);
        let closed = self.files.remove(&file);
        closed.expect("a number refers to an open file").object
    }

    pub(crate) fn read(&mut self, fd: RawFd, buf: &mut [u8]) -> io::Result<usize> {
        let id = self.file_of(fd)?;
        let Self { files, sets, .. } = self;
        match &mut find(files, id).object {
            Object::PipeReader(pipe) => pipe.borrow_mut().read(buf, sets),
            Object::Socket(pair, side) => pair.borrow_mut().read(*side, buf, sets),
            Object::Eventfd(eventfd) => eventfd.read(id, buf, sets),
            Object::Listener(_) => fail(EINVAL),
            Object::Regular => Ok(0),
            Object::PipeWriter(_) => fail(EBADF),
        }
    }

    pub(crate) fn write(&mut self, fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
        let id = self.file_of(fd)?;
        let Self { files, sets, .. } = self;
        match &mut find(files, id).object {
            Object::PipeWriter(pipe) => pipe.borrow_mut().write(bytes, sets),
            Object::Socket(pair, side) => pair.borrow_mut().write(*side, bytes, sets),
            Object::Eventfd(eventfd) => eventfd.write(id, bytes, sets),
            Object::Listener(_) => fail(ENOTCONN),
            Object::Regular => Ok(bytes.len()),
            Object::PipeReader(_) => fail(EBADF),
        }
    }

    pub(crate) fn shutdown(&mut self, fd: RawFd, how: Shutdown) -> io::Result<()> {
        let file = self.file_of(fd)?;
        let Self { files, sets, .. } = self;
        match &find(files, file).object {
            Object::Socket(pair, side) => pair.borrow_mut().shutdown(*side, how, sets),
            Object::Listener(_) => return fail(ENOTCONN),
            _ => return fail(ENOTSOCK),
        }
        Ok(())
    }

    fn new_file(&mut self) -> FileId {
        self.files_opened += 1;
        FileId(self.files_opened)
    }

    fn open(&mut self, file: FileId, object: Object) -> RawFd {
        self.files.insert(file, OpenFile { numbers: 1, object });
        self.assign_number(file)
    }

    /// Gives out the lowest free number, as POSIX has it.
    fn assign_number(&mut self, file: FileId) -> RawFd {
        let fd = self.free_numbers.pop_first().unwrap_or_else(|| {
            let fd = self.next_number;
            self.next_number += 1;
            fd
        });
        self.numbers.insert(fd, file);
        fd
    }

    fn file_of(&self, fd: RawFd) -> io::Result<FileId> {
        self.numbers
            .get(&fd)
            .copied()
            .map_or_else(|| fail(EBADF), Ok)
    }

    fn file_mut(&mut self, file: FileId) -> &mut OpenFile {
        find(&mut self.files, file)
    }
}

/// Interest and readiness.
impl Kernel {
    /// A set that holds nothing, for a backend.
    pub(crate) fn make_set(&mut self) -> SetId {
        self.sets.make()
    }

    /// The last backend of a set is gone.
    pub(crate) fn close_set(&mut self, set: SetId) {
        self.sets.close(set);
    }

    /// Makes the set hold exactly this for `fd`.
    pub(crate) fn hold(
        &mut self,
        set: SetId,
        fd: RawFd,
        token: Token,
        interest: Interest,
        trigger: Trigger,
    ) -> io::Result<()> {
        let file = self.file_of(fd)?;
        if matches!(self.files[&file].object, Object::Regular) {
            return fail(EPERM);
        }
        let ready = ready(&self.files, file);
        let set = self.sets.get_mut(set);
        set.hold((file, fd), token, interest, trigger, ready);
        Ok(())
    }

    /// Makes the set hold nothing for `fd`, if it refers to a file. A ghost is out of reach.
    pub(crate) fn forget(&mut self, set: SetId, fd: RawFd) {
        if let Ok(file) = self.file_of(fd) {
            self.sets.get_mut(set).forget((file, fd));
        }
    }

    /// What is to be reported, first come, first served.
    pub(crate) fn settle(&mut self, set: SetId) -> Vec<(Key, Ready)> {
        let files = &self.files;
        self.sets.get_mut(set).settle(|file| ready(files, file))
    }

    /// Takes note that an item was reported.
    pub(crate) fn reported(&mut self, set: SetId, key: Key) {
        self.sets.get_mut(set).reported(key);
    }

    /// The token of an item.
    pub(crate) fn token(&self, set: SetId, key: Key) -> Token {
        let item = self.sets.get(set).get(key);
        item.expect("the item is in the set").token
    }

    /// What `fd` is ready for at this moment, asked for or not.
    pub(crate) fn ready(&self, fd: RawFd) -> io::Result<Ready> {
        Ok(ready(&self.files, self.file_of(fd)?))
    }

    /// What is held for `fd` and the file that it refers to now.
    pub(crate) fn held(&self, set: SetId, fd: RawFd) -> Option<Held> {
        let file = self.file_of(fd).ok()?;
        Some(self.describe((file, fd), self.sets.get(set).get((file, fd))?))
    }

    /// Everything that is held, by file and number, with its key.
    pub(crate) fn items(&self, set: SetId) -> impl Iterator<Item = (Key, Held)> {
        let items = self.sets.get(set).iter();
        items.map(|(key, item)| (key, self.describe(key, item)))
    }

    /// The same in the order of numbers, then of files.
    pub(crate) fn sorted_items(&self, set: SetId) -> Vec<Held> {
        let mut held: Vec<Held> = self.items(set).map(|(_, held)| held).collect();
        held.sort_by_key(|held| held.fd);
        held
    }

    fn describe(&self, (file, fd): Key, item: &Item) -> Held {
        Held {
            fd,
            token: item.token,
            interest: item.interest,
            trigger: item.trigger,
            is_ghost: self.numbers.get(&fd) != Some(&file),
        }
    }

    /// Panics unless numbers, files and interest agree.
    pub(crate) fn check_invariants(&self) {
        self.sets.iter().for_each(InterestSet::check_invariants);
        let mut referred = BTreeMap::<FileId, usize>::new();
        let parents = self.parents.values().flatten();
        let waiting = self.files.values().filter_map(|open| match &open.object {
            Object::Listener(listener) => Some(listener.waiting()),
            _ => None,
        });
        let named = self.numbers.values().chain(parents).copied();
        for file in named.chain(waiting.flatten()) {
            *referred.entry(file).or_default() += 1;
        }
        for (id, open) in &self.files {
            assert_eq!(
                referred.remove(id),
                Some(open.numbers),
                "{id:?} miscounts its numbers"
            );
        }
        assert!(
            referred.is_empty(),
            "{referred:?} are referred to and not open"
        );
        for ((file, fd), _) in self.sets.iter().flat_map(InterestSet::iter) {
            assert!(
                self.files.contains_key(&file),
                "interest in {fd} outlived its file"
            );
        }
        for fd in self.numbers.keys() {
            assert!(
                !self.free_numbers.contains(fd),
                "{fd} is both free and in use"
            );
        }
    }
}

fn find(files: &mut BTreeMap<FileId, OpenFile>, file: FileId) -> &mut OpenFile {
    files
        .get_mut(&file)
        .expect("a number refers to an open file")
}

fn ready(files: &BTreeMap<FileId, OpenFile>, file: FileId) -> Ready {
    match &files[&file].object {
        Object::PipeReader(pipe) => pipe.borrow().reader_ready(),
        Object::PipeWriter(pipe) => pipe.borrow().writer_ready(),
        Object::Socket(pair, side) => pair.borrow().ready(*side),
        Object::Listener(listener) => listener.ready(),
        Object::Eventfd(eventfd) => eventfd.ready(),
        // poll(2): a regular file always is.
        Object::Regular => Ready::READ | Ready::WRITE,
    }
}

/// Below are the standard streams.
const FIRST_NUMBER: RawFd = 3;
