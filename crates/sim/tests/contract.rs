//! What the contract of `Backend` and `Clock` promises, and what the sim adds to it, one by one.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use evloop_sim::{
    Backend, Capabilities, Change, Clock, Entry, Interest, RawFd, Ready, Report, Sim, Token,
    Trigger,
};

const EBADF: i32 = 9;
const EPERM: i32 = 1;

const MS: Duration = Duration::from_millis(1);

fn token(slot: u32) -> Token {
    Token {
        slot,
        generation: 0,
    }
}

/// A world in which `slot` waits to read from a pipe: its reader and its writer.
fn with_pipe(sim: &Sim, slot: u32, trigger: Trigger) -> (RawFd, RawFd) {
    let (reader, writer) = sim.pipe();
    sim.backend()
        .add(reader, token(slot), Interest::READ, trigger)
        .expect("a pipe");
    (reader, writer)
}

fn wait_with(sim: &Sim, changes: &[Entry], timeout: Option<Duration>) -> Vec<Report> {
    let mut reports = Vec::new();
    sim.backend()
        .wait(changes, timeout, &mut reports)
        .expect("it ends");
    reports
}

fn wait(sim: &Sim, timeout: Option<Duration>) -> Vec<Report> {
    wait_with(sim, &[], timeout)
}

fn report(slot: u32, ready: Ready) -> Report {
    Report::ready(token(slot), ready)
}

/// An action that writes a byte.
fn write_to(fd: RawFd) -> impl FnOnce(&Sim) {
    move |sim| assert_eq!(sim.write(fd, b"x").expect("there is room"), 1)
}

/// An entry that adds to what the kernel holds.
fn adding(sim: &Sim, fd: RawFd, slot: u32, interest: Interest) -> Entry {
    let mut change = Change::new(sim.held(fd), Trigger::Level);
    change.add(interest);
    Entry {
        fd,
        token: token(slot),
        change,
    }
}

#[test]
fn the_capabilities_are_those_of_epoll() {
    let backend = Sim::new(0).backend();
    assert_eq!(backend.name(), "sim");
    assert_eq!(
        backend.capabilities(),
        Capabilities::EDGE | Capabilities::EARLY_CLOSE
    );
}

#[test]
fn a_wait_jumps_to_the_end_of_its_timeout() {
    let sim = Sim::new(0);
    with_pipe(&sim, 1, Trigger::Level);
    let clock = sim.clock();
    assert_eq!(clock.now_ns(), 0);
    assert_eq!(wait(&sim, Some(7 * MS)), []);
    assert_eq!(clock.now_ns(), 7_000_000);
    assert_eq!(wait(&sim, Some(Duration::ZERO)), []);
    assert_eq!(clock.now_ns(), 7_000_000);
}

#[test]
fn a_wait_jumps_to_what_makes_something_ready() {
    let sim = Sim::new(0);
    let (_, writer) = with_pipe(&sim, 1, Trigger::Level);
    let (_, other_writer) = sim.pipe();
    sim.at(2 * MS, write_to(other_writer)); // ends no wait: nobody waits for that pipe
    sim.at(3 * MS, write_to(writer));
    assert_eq!(wait(&sim, Some(10 * MS)), [report(1, Ready::READ)]);
    assert_eq!(sim.now_ns(), 3_000_000);
}

#[test]
fn a_wait_with_something_ready_takes_no_time() {
    let sim = Sim::new(0);
    let (_, writer) = with_pipe(&sim, 1, Trigger::Level);
    sim.write(writer, b"x").unwrap();
    assert_eq!(wait(&sim, None), [report(1, Ready::READ)]);
    assert_eq!(sim.now_ns(), 0);
}

#[test]
fn what_happens_at_the_very_end_of_the_timeout_is_reported() {
    let sim = Sim::new(0);
    let (_, writer) = with_pipe(&sim, 1, Trigger::Level);
    sim.at(5 * MS, write_to(writer));
    assert_eq!(wait(&sim, Some(5 * MS)), [report(1, Ready::READ)]);
}

#[test]
fn a_wait_that_can_never_end_is_an_error() {
    let sim = Sim::new(0);
    let (_, writer) = with_pipe(&sim, 1, Trigger::Level);
    let mut reports = Vec::new();
    let error = sim.backend().wait(&[], None, &mut reports).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::Deadlock);

    // It is no longer one when something is planned.
    sim.at(MS, write_to(writer));
    assert_eq!(wait(&sim, None), [report(1, Ready::READ)]);
}

#[test]
fn a_loop_that_spins_is_an_error() {
    let sim = Sim::new(0);
    let (_, writer) = with_pipe(&sim, 1, Trigger::Level);
    let (mut backend, mut reports) = (sim.backend(), Vec::new());
    sim.write(writer, b"x").unwrap();
    let spun = (0..=100_000).find_map(|_| {
        reports.clear();
        backend.wait(&[], None, &mut reports).err()
    });
    assert_eq!(spun.unwrap().source.kind(), ErrorKind::Deadlock);

    // It is none when time passes.
    for _ in 0..=100_000 {
        sim.advance(Duration::from_nanos(1));
        reports.clear();
        backend.wait(&[], None, &mut reports).unwrap();
    }
}

#[test]
fn level_is_reported_until_it_is_gone_and_edge_once() {
    let sim = Sim::new(0);
    let (reader, writer) = with_pipe(&sim, 1, Trigger::Level);
    let (_, edge_writer) = with_pipe(&sim, 2, Trigger::Edge);
    sim.write(writer, b"x").unwrap();
    sim.write(edge_writer, b"x").unwrap();
    assert_eq!(
        wait(&sim, None),
        [report(1, Ready::READ), report(2, Ready::READ)]
    );
    assert_eq!(wait(&sim, None), [report(1, Ready::READ)]);
    assert_eq!(sim.read(reader, &mut [0; 8]).unwrap(), 1);
    assert_eq!(wait(&sim, Some(MS)), []);
}

#[test]
fn setting_an_edge_triggered_interest_again_reports_it_again() {
    let sim = Sim::new(0);
    let (reader, writer) = with_pipe(&sim, 1, Trigger::Edge);
    sim.write(writer, b"x").unwrap();
    assert_eq!(wait(&sim, None).len(), 1);

    let mut change = Change::new(Interest::READ, Trigger::Edge);
    change.add(Interest::READ);
    let again = Entry {
        fd: reader,
        token: token(2),
        change,
    };
    assert_eq!(wait_with(&sim, &[again], None), [report(2, Ready::READ)]);
}

#[test]
fn changes_take_effect_before_the_wait_and_in_their_order() {
    let sim = Sim::new(0);
    let (reader, writer) = sim.pipe();
    let changes = [
        adding(&sim, reader, 1, Interest::READ),
        adding(&sim, writer, 2, Interest::WRITE),
        adding(&sim, reader, 3, Interest::CLOSED),
    ];
    assert_eq!(wait_with(&sim, &changes, None), [report(2, Ready::WRITE)]);
    assert_eq!(sim.held(reader), Interest::CLOSED, "the last one wins");
    assert_eq!(sim.interest_set()[0].token, token(3));
}

#[test]
fn a_refused_change_is_reported_at_once_beside_what_is_ready() {
    let sim = Sim::new(0);
    let (_, writer) = with_pipe(&sim, 1, Trigger::Level);
    let changes = [
        adding(&sim, sim.file(), 2, Interest::READ),
        adding(&sim, 1000, 3, Interest::READ),
    ];
    let refused = |slot, errno| Report::refused(token(slot), errno);
    let refusals = [refused(2, EPERM), refused(3, EBADF)];
    assert_eq!(wait_with(&sim, &changes, None), refusals);
    assert_eq!(sim.now_ns(), 0);

    sim.write(writer, b"x").unwrap();
    let reports = wait_with(&sim, &changes, None);
    assert_eq!(reports[..2], refusals);
    assert_eq!(reports[2..], [report(1, Ready::READ)]);
}

#[test]
fn a_refused_add_changes_nothing() {
    let sim = Sim::new(0);
    let mut backend = sim.backend();
    for (fd, errno) in [(sim.file(), EPERM), (1000, EBADF)] {
        let refusal = backend
            .add(fd, token(1), Interest::READ, Trigger::Level)
            .unwrap_err();
        assert_eq!(
            (refusal.fd, refusal.source.raw_os_error()),
            (fd, Some(errno))
        );
    }
    assert_eq!(sim.interest_set(), []);
}

#[test]
fn an_add_takes_over_what_is_held_for_the_same_file() {
    let sim = Sim::new(0);
    let (reader, writer) = with_pipe(&sim, 1, Trigger::Level);
    sim.backend()
        .add(reader, token(2), Interest::READ, Trigger::Level)
        .unwrap();
    sim.write(writer, b"x").unwrap();
    assert_eq!(wait(&sim, None), [report(2, Ready::READ)]);
    assert_eq!(sim.interest_set().len(), 1);
}

#[test]
fn after_a_delete_nothing_is_reported() {
    let sim = Sim::new(0);
    let (reader, writer) = with_pipe(&sim, 1, Trigger::Level);
    sim.write(writer, b"x").unwrap();
    sim.backend().delete(reader).unwrap();
    assert_eq!(wait(&sim, Some(MS)), []);
    sim.backend().delete(reader).unwrap();
    sim.close(reader).unwrap();
    sim.backend().delete(reader).unwrap();
}

#[test]
fn a_ghost_is_reported_under_a_number_that_belongs_to_another() {
    let sim = Sim::new(0);
    let (reader, writer) = with_pipe(&sim, 1, Trigger::Level);
    let dup = sim.dup(reader).unwrap();
    sim.close(reader).unwrap();
    let (new_owner, _) = with_pipe(&sim, 2, Trigger::Level);
    assert_eq!(new_owner, reader, "the lowest free number");

    let ghosts: Vec<_> = sim
        .interest_set()
        .iter()
        .map(|held| (held.fd, held.is_ghost))
        .collect();
    assert_eq!(ghosts, [(reader, true), (reader, false)]);
    assert_eq!(sim.held(reader), Interest::READ);

    sim.write(writer, b"x").unwrap();
    sim.backend().delete(reader).unwrap(); // reaches the new owner only
    assert_eq!(wait(&sim, None), [report(1, Ready::READ)]);
    sim.close(dup).unwrap();
    assert_eq!(sim.interest_set(), []);
}

#[test]
fn an_action_can_interrupt_the_wait_as_a_signal_does() {
    let sim = Sim::new(0);
    with_pipe(&sim, 1, Trigger::Level);
    sim.interrupt(); // nobody waits
    sim.at(4 * MS, Sim::interrupt);
    assert_eq!(wait(&sim, None), []);
    assert_eq!(sim.now_ns(), 4_000_000);
    assert_eq!(wait(&sim, Some(MS)), []);
    assert_eq!(sim.now_ns(), 5_000_000);
}

#[test]
fn an_interrupted_wait_leaves_what_is_ready_to_the_next() {
    let sim = Sim::new(0);
    let (_, writer) = with_pipe(&sim, 1, Trigger::Edge);
    sim.at(MS, write_to(writer));
    sim.at(MS, Sim::interrupt);
    assert_eq!(wait(&sim, None), []);
    assert_eq!(wait(&sim, None), [report(1, Ready::READ)]);
}

#[test]
fn actions_run_by_time_then_by_planning() {
    let sim = Sim::new(0);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let note = |name: &'static str| {
        let seen = Rc::clone(&seen);
        move |sim: &Sim| seen.borrow_mut().push((name, sim.now_ns() / 1_000_000))
    };
    sim.at(2 * MS, note("second"));
    sim.at(2 * MS, note("third"));
    sim.at(MS, note("first"));
    let (late, planned_late) = (note("fifth"), note("fourth"));
    sim.at(3 * MS, move |sim| {
        planned_late(sim);
        sim.at(MS, late); // has passed: as soon as possible
    });
    sim.at(9 * MS, note("never"));

    sim.advance(2 * MS);
    assert_eq!(*seen.borrow(), [("first", 1), ("second", 2), ("third", 2)]);
    assert_eq!(wait(&sim, Some(2 * MS)), []);
    assert_eq!(seen.borrow()[3..], [("fourth", 3), ("fifth", 3)]);
    assert_eq!(sim.now_ns(), 4_000_000);
}

#[test]
fn the_counts_tell_what_a_loop_asked_for() {
    let sim = Sim::new(0);
    let (reader, _) = with_pipe(&sim, 1, Trigger::Level);
    let nothing_new = Entry {
        fd: reader,
        token: token(1),
        change: Change::new(Interest::READ, Trigger::Level),
    };
    let changes = [nothing_new, adding(&sim, reader, 1, Interest::READ)];
    wait_with(&sim, &changes, Some(MS));
    sim.backend().delete(reader).unwrap();
    sim.clock().now_ns();
    let counts = sim.counts();
    assert_eq!(
        (counts.waits, counts.controls, counts.clock_reads),
        (1, 3, 1)
    );
}

#[test]
fn an_entry_without_an_edit_brings_back_what_it_says_is_held() {
    let sim = Sim::new(0);
    let (reader, writer) = sim.pipe();
    sim.write(writer, b"x").unwrap();
    let held = Change::new(Interest::READ, Trigger::Level);
    let entry = Entry {
        fd: reader,
        token: token(1),
        change: held,
    };
    assert_eq!(wait_with(&sim, &[entry], None), [report(1, Ready::READ)]);
    assert_eq!(sim.held(reader), Interest::READ);
}
