//! Files that are closed behind the loop's back, while another number keeps them open.

use evloop_changelist::{Interest, RawFd, Ready, Trigger};
use evloop_core::{EventId, Kind, Mode, Ownership, Spec, Step};
use evloop_sim::Sim;

use crate::front::Front;

fn added(front: &mut Front<()>, fd: RawFd, trigger: Trigger) -> EventId {
    let kind = Kind::Io {
        fd,
        interest: Interest::READ,
        trigger,
        ownership: Ownership::Borrowed,
    };
    let persistent = Spec {
        persistent: true,
        ..Spec::new(kind)
    };
    let id = front.core.insert(persistent, ()).unwrap();
    front.add(id).unwrap();
    id
}

/// One look at the kernel: whose callbacks run.
fn look(front: &mut Front<()>) -> Vec<EventId> {
    let mut called = Vec::new();
    front.core.begin(Mode::NonBlocking).unwrap();
    loop {
        match front.step() {
            Step::Wait(timeout) => drop(front.wait(timeout)),
            Step::Run(why) => {
                assert_eq!(why.ready, Ready::READ);
                called.push(why.id);
                let _ = front.core.finish();
            }
            Step::Done(_) => return called,
        }
    }
}

/// I5.
#[test]
fn ghost_never_reaches_the_next_owner_of_its_number() {
    for trigger in [Trigger::Level, Trigger::Edge] {
        let sim = Sim::new(0);
        let mut front = Front::new(&sim);
        let mut writers = Vec::new();
        let (number, writer) = sim.pipe();
        writers.push(writer);
        let mut owner = added(&mut front, number, trigger);
        for ghosts in 1..4 {
            // A child keeps the file, say. The loop comes too late to make the kernel forget it.
            sim.dup(number).unwrap();
            sim.close(number).unwrap();
            let leaving = front.core.remove(owner).unwrap();
            front.release(leaving.release);
            let (reused, writer) = sim.pipe();
            assert_eq!(reused, number);
            owner = added(&mut front, number, trigger);

            let ghosts_before = front.core.stats().ghosts;
            for writer in &writers {
                sim.write(*writer, b"to the dead").unwrap();
            }
            assert_eq!(look(&mut front), [], "{ghosts} ghosts");
            assert_eq!(front.core.stats().ghosts - ghosts_before, ghosts);
            sim.write(writer, b"to the living").unwrap();
            assert_eq!(look(&mut front), [owner]);
            sim.read(number, &mut [0; 64]).unwrap();
            writers.push(writer);
        }
    }
}

/// The loop is never told that the number changed hands. The add that follows is enough.
#[test]
fn ghost_never_reaches_an_event_that_goes_on_under_its_number() {
    for trigger in [Trigger::Level, Trigger::Edge] {
        let sim = Sim::new(0);
        let mut front = Front::new(&sim);
        let (number, mut before) = sim.pipe();
        let id = added(&mut front, number, trigger);
        assert_eq!(look(&mut front), []);
        for ghosts in 1..4 {
            sim.dup(number).unwrap();
            sim.close(number).unwrap();
            let (reused, writer) = sim.pipe();
            assert_eq!(reused, number);
            front.add(id).unwrap();
            sim.write(before, b"to the dead").unwrap();
            assert_eq!(look(&mut front), [], "{trigger:?}");
            assert!(front.core.stats().ghosts >= ghosts);
            sim.write(writer, b"to the living").unwrap();
            assert_eq!(look(&mut front), [id], "{trigger:?}");
            sim.read(number, &mut [0; 64]).unwrap();
            before = writer;
        }
    }
}

#[test]
fn file_under_a_number_that_was_used_again_is_registered_by_the_next_add() {
    let sim = Sim::new(0);
    let mut front = Front::new(&sim);
    let (number, _) = sim.pipe();
    let id = added(&mut front, number, Trigger::Level);
    assert_eq!(look(&mut front), []);
    sim.close(number).unwrap();
    let (reused, writer) = sim.pipe();
    assert_eq!(reused, number);
    // To the loop it comes to nothing. The kernel forgot the file with its last number.
    let _ = front.core.delete(id).unwrap();
    front.add(id).unwrap();
    sim.write(writer, b"hello").unwrap();
    assert_eq!(look(&mut front), [id]);
    let kernel: Vec<_> = sim
        .interest_set()
        .iter()
        .map(|held| (held.fd, held.interest))
        .collect();
    assert_eq!(kernel, [(number, Interest::READ)]);
}
