//! What a program under test has of the world: files of its own, calls that fail, signals, a parent.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use evloop_sim::{
    Backend, Bell, Call, Change, Entry, Faults, Interest, Ready, Report, Signal, Sim, SimFile,
    Token, Trigger, World,
};

const EINTR: i32 = 4;
const EBADF: i32 = 9;
const EAGAIN: i32 = 11;
const ENOMEM: i32 = 12;
const EMFILE: i32 = 24;
const ENOSYS: i32 = 38;
const EIO: i32 = 5;

const MS: Duration = Duration::from_millis(1);

fn token(slot: u32) -> Token {
    Token {
        slot,
        generation: 0,
    }
}

fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

#[test]
fn file_is_closed_with_its_last_handle() {
    let sim = Sim::new(0);
    let (reader, writer) = sim.pipe();
    let file = sim.own(writer).unwrap();
    let shared = file.clone();
    drop(file);
    (&shared).write_all(b"x").unwrap();
    let duplicate = shared.dup().unwrap();
    drop(shared);
    assert_eq!(errno(sim.ready(writer)), Some(EBADF));
    assert_eq!(sim.ready(reader).unwrap(), Ready::READ);
    drop(duplicate);
    assert_eq!(sim.ready(reader).unwrap(), Ready::READ | Ready::HANGUP);
    assert_eq!(errno(sim.own(writer)), Some(EBADF));
    sim.check_invariants();
}

#[test]
fn listener_hands_out_connections_in_order_and_refuses_them_when_it_goes() {
    let sim = Sim::new(0);
    let listener = sim.own(sim.listen(16)).unwrap();
    assert_eq!(errno(listener.accept()), Some(EAGAIN));
    let clients = [(); 3].map(|()| sim.connect(listener.number()).unwrap());
    for (byte, client) in (b'a'..).zip(clients) {
        sim.write(client, &[byte]).unwrap();
    }
    let mut accepted = [listener.accept().unwrap(), listener.accept().unwrap()];
    let mut heard = [0; 2];
    for (accepted, heard) in accepted.iter_mut().zip(&mut heard) {
        accepted.read_exact(std::slice::from_mut(heard)).unwrap();
    }
    assert_eq!(&heard, b"ab");
    drop(listener);
    assert!(
        sim.ready(clients[2])
            .unwrap()
            .contains(Ready::ERROR | Ready::HANGUP)
    );
    assert!(!sim.ready(clients[0]).unwrap().contains(Ready::HANGUP));
    sim.check_invariants();
}

#[test]
fn call_that_is_named_fails_and_no_other() {
    let sim = Sim::new(0);
    let listener = sim.own(sim.listen(16)).unwrap();
    let client = sim.connect(listener.number()).unwrap();
    sim.fail(Call::Accept, 0, EMFILE);
    assert_eq!(errno(listener.accept()), Some(EMFILE));
    // It waits on.
    let mut accepted = listener.accept().unwrap();

    sim.write(client, b"hello").unwrap();
    sim.fail(Call::Read, 1, EIO);
    let mut one = [0];
    let read = [(); 3].map(|()| errno(accepted.read(&mut one)));
    assert_eq!(read, [None, Some(EIO), None]);
    sim.fail(Call::Write, 0, EINTR);
    assert_eq!(errno(accepted.write(b"x")), Some(EINTR));
    assert_eq!(accepted.write(b"x").unwrap(), 1);
    sim.fail(Call::Dup, 0, EMFILE);
    assert_eq!(errno(accepted.dup()), Some(EMFILE));
    sim.fail(Call::Backend, 0, ENOSYS);
    assert_eq!(errno(World::backend(&sim)), Some(ENOSYS));

    let mut backend = sim.backend();
    sim.fail(Call::Add, 0, ENOMEM);
    let fd = accepted.number();
    let added = backend.add(fd, token(1), Interest::READ, Trigger::Level);
    assert_eq!(added.unwrap_err().source.raw_os_error(), Some(ENOMEM));
    assert_eq!(sim.interest_set(), []);
    backend
        .add(fd, token(1), Interest::READ, Trigger::Level)
        .unwrap();

    let mut change = Change::new(Interest::READ, Trigger::Level);
    change.add(Interest::CLOSED);
    let entry = Entry {
        fd,
        token: token(1),
        change,
    };
    sim.fail(Call::Change, 0, ENOMEM);
    let mut reports = Vec::new();
    backend.wait(&[entry], None, &mut reports).unwrap();
    let refused = Report::refused(token(1), ENOMEM);
    assert_eq!(reports, [refused]);
    assert_eq!(sim.interest_set(), [], "what was refused is not held");

    sim.fail(Call::Wait, 0, EIO);
    let error = backend.wait(&[entry], None, &mut reports).unwrap_err();
    assert_eq!(error.source.raw_os_error(), Some(EIO));
    assert_eq!(
        sim.held(fd),
        Interest::READ | Interest::CLOSED,
        "it was told before"
    );
}

/// What a thousand reads of four bytes, and as many accepts, come to.
fn calls(seed: u64, faults: Faults) -> (Vec<Result<usize, i32>>, Vec<Option<i32>>) {
    let sim = Sim::new(seed);
    sim.set_faults(faults);
    let (reader, writer) = sim.pipe();
    let mut reader = sim.own(reader).unwrap();
    let listener = sim.own(sim.listen(16)).unwrap();
    let reads = (0..1000).map(|_| {
        // The other end is not the program's: nothing of it fails.
        assert_eq!(sim.write(writer, b"four").unwrap(), 4);
        let read = reader.read(&mut [0; 4]);
        while sim.read(reader.number(), &mut [0; 4]).is_ok() {}
        read.map_err(|error| error.raw_os_error().unwrap())
    });
    let reads = reads.collect();
    let accepts = (0..1000).map(|_| {
        let _client = sim.own(sim.connect(listener.number()).unwrap()).unwrap();
        let accepted = errno(listener.accept());
        drop(sim.accept(listener.number()).map(|fd| sim.close(fd)));
        accepted
    });
    (reads, accepts.collect())
}

#[test]
fn faults_come_at_their_rate_and_from_the_seed() {
    let (reads, accepts) = calls(7, Faults::some());
    assert_eq!((reads.clone(), accepts.clone()), calls(7, Faults::some()));
    assert_ne!((reads.clone(), accepts.clone()), calls(8, Faults::some()));
    let count =
        |wanted: fn(&Result<usize, i32>) -> bool| reads.iter().filter(|r| wanted(r)).count();
    assert!(count(|read| *read == Err(EINTR)).abs_diff(100) < 50);
    // A quarter of them is short, and of those some by nothing.
    assert!(count(|read| matches!(read, Ok(1..4))).abs_diff(170) < 60);
    assert!(count(|read| *read == Ok(4)) > 600);
    let refused: std::collections::BTreeSet<i32> = accepts.iter().flatten().copied().collect();
    assert_eq!(refused.len(), 4, "each reason comes: {refused:?}");

    let (reads, accepts) = calls(7, Faults::none());
    assert!(reads.iter().all(|read| *read == Ok(4)));
    assert!(accepts.iter().all(Option::is_none));
}

#[derive(Clone, Debug, Default)]
struct CountingBell(Rc<Cell<u32>>);

impl Bell for CountingBell {
    fn wake(&self) {
        self.0.set(self.0.get() + 1);
    }

    fn is_woken(&self) -> bool {
        self.0.get() > 0
    }
}

#[test]
fn signal_is_counted_where_it_is_watched_and_ends_the_wait() {
    let sim = Sim::new(0);
    let bell = CountingBell::default();
    sim.attach(Box::new(bell.clone()));
    sim.watch(Signal::USR1).unwrap();
    sim.at(MS, |sim| sim.raise(Signal::USR2));
    sim.at(2 * MS, |sim| {
        sim.raise(Signal::USR1);
        sim.raise(Signal::USR1);
    });
    let mut backend = sim.backend();
    backend.wait(&[], None, &mut Vec::new()).unwrap();
    assert_eq!((sim.now_ns(), bell.0.take()), (2_000_000, 2));
    assert!(sim.has_caught());
    let mut taken = Vec::new();
    sim.take(&mut |signal, count| taken.push((signal, count)));
    assert_eq!(taken, [(Signal::USR1, 2)]);
    sim.take(&mut |_, _| panic!("it was taken"));
    sim.unwatch(Signal::USR1);
    sim.raise(Signal::USR1);
    assert_eq!((sim.has_caught(), bell.0.get()), (false, 0));
}

#[test]
fn bell_ends_a_wait_and_what_is_ready_comes_with_it() {
    let sim = Sim::new(0);
    let bell = CountingBell::default();
    sim.attach(Box::new(bell.clone()));
    let (reader, writer) = sim.pipe();
    let mut backend = sim.backend();
    backend
        .add(reader, token(1), Interest::READ, Trigger::Level)
        .unwrap();
    sim.at(MS, move |sim| {
        bell.wake();
        sim.write(writer, b"x").unwrap();
    });
    let mut reports = Vec::new();
    backend.wait(&[], Some(9 * MS), &mut reports).unwrap();
    assert_eq!((reports.len(), World::clock(&sim).now_ns()), (1, 1_000_000));
}

#[test]
fn backends_hold_each_their_own_until_they_are_dropped() {
    let sim = Sim::new(0);
    let (reader, writer) = sim.pipe();
    let mut old = sim.backend();
    old.add(reader, token(1), Interest::READ, Trigger::Edge)
        .unwrap();
    let mut new = sim.new_backend();
    assert_eq!(sim.interest_set(), []);
    new.add(reader, token(2), Interest::READ, Trigger::Level)
        .unwrap();
    sim.write(writer, b"x").unwrap();
    for (backend, slot) in [(&mut old, 1), (&mut new, 2)] {
        let mut reports = Vec::new();
        backend.wait(&[], None, &mut reports).unwrap();
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].token, token(slot));
    }
    old.delete(reader).unwrap();
    assert_eq!(old.interest_set().unwrap(), Some(vec![]));
    assert_eq!(sim.held(reader), Interest::READ);
    drop(old);
    sim.check_invariants();
}

#[test]
fn parent_keeps_open_what_its_child_closes() {
    let sim = Sim::new(0);
    let (reader, writer) = sim.pipe();
    let mut parents = sim.backend();
    parents
        .add(writer, token(1), Interest::WRITE, Trigger::Level)
        .unwrap();
    let parent = sim.fork();
    let mut childs = sim.new_backend();
    childs
        .add(writer, token(2), Interest::WRITE, Trigger::Level)
        .unwrap();
    childs.delete(writer).unwrap();
    sim.close(writer).unwrap();
    assert_eq!(
        sim.ready(reader).unwrap(),
        Ready::empty(),
        "the parent may write yet"
    );
    assert_eq!(parents.interest_set().unwrap().unwrap().len(), 1);
    sim.check_invariants();
    drop(parent);
    assert_eq!(sim.ready(reader).unwrap(), Ready::HANGUP);
    assert_eq!(parents.interest_set().unwrap(), Some(vec![]));
    sim.check_invariants();
}

#[test]
fn handle_reads_and_writes_as_files_of_the_standard_library_do() {
    fn copies<F>(file: &F) -> io::Result<u64>
    where
        for<'a> &'a F: Read + Write,
    {
        io::copy(&mut { file }, &mut { file })
    }
    let sim = Sim::new(0);
    let (ours, theirs) = sim.socketpair();
    let ours: SimFile = sim.own(ours).unwrap();
    sim.write(theirs, b"hello").unwrap();
    ours.shutdown(std::net::Shutdown::Read).unwrap();
    assert_eq!(copies(&ours).unwrap(), 5);
    assert_eq!(sim.read(theirs, &mut [0; 64]).unwrap(), 5);
}
