//! A long life: a million steps, and hours of virtual time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use evloop_changelist::{Interest, RawFd, Ready, Trigger};
use evloop_core::{EventId, Kind, Mode, Ownership, Spec, Step};
use evloop_sim::{Disorder, Sim};

use crate::front::Front;

const STEPS: u64 = 1_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// A client writes every second, from its first on, until it falls silent.
const CLIENTS: u64 = 5;
/// A server gives up a client that was silent for so long.
const IDLE: Duration = Duration::from_secs(10);
/// A client that was given up comes back: the time from one to the next.
const LIFE: Duration = Duration::from_secs(60);

/// A server with its clients and a clock that ticks.
struct Server {
    sim: Sim,
    front: Front<Option<RawFd>>,
    ticks: EventId,
    ticked: u64,
    heard: u64,
    given_up: u64,
    said: Rc<Cell<u64>>,
}

impl Server {
    /// A client connects. It says something every second for most of its life, then nothing.
    fn connect(&mut self) {
        let (fd, client) = self.sim.socketpair();
        let kind = Kind::Io {
            fd,
            interest: Interest::READ,
            trigger: Trigger::Level,
            ownership: Ownership::Owned,
        };
        let spec = Spec {
            persistent: true,
            timeout: Some(IDLE),
            ..Spec::new(kind)
        };
        let id = self.front.core.insert(spec, Some(fd)).unwrap();
        self.front.add(id).unwrap();
        let until_ns = self.sim.now_ns() + u64::try_from((LIFE - IDLE).as_nanos()).unwrap();
        talk(&self.sim, client, until_ns, Rc::clone(&self.said));
    }

    fn call(&mut self, id: EventId, ready: Ready) {
        let Some(fd) = *self.front.core.payload(id).unwrap() else {
            self.ticked += 1;
            return;
        };
        if ready == Ready::READ {
            self.sim.read(fd, &mut [0; 1]).unwrap();
            self.heard += 1;
            return;
        }
        assert_eq!(ready, Ready::TIMEOUT);
        self.given_up += 1;
        let leaving = self.front.core.remove(id).unwrap();
        self.front.release(leaving.release);
        self.sim.close(fd).unwrap();
        self.connect();
    }
}

/// Says one byte every second.
fn talk(sim: &Sim, client: RawFd, until_ns: u64, said: Rc<Cell<u64>>) {
    let next = Duration::from_nanos(sim.now_ns()) + SECOND;
    if sim.now_ns() >= until_ns {
        // What it leaves open is closed when the server is gone for sure.
        return sim.at(next + 2 * IDLE, move |sim| sim.close(client).unwrap());
    }
    sim.at(next, move |sim| {
        sim.write(client, b"x").unwrap();
        said.set(said.get() + 1);
        talk(sim, client, until_ns, said);
    });
}

#[test]
fn million_steps_and_hours_of_time() {
    let sim = Sim::new(5);
    sim.set_disorder(Disorder {
        partial_percent: 1,
        interrupted_percent: 1,
        ..Disorder::none()
    });
    let mut front = Front::new(&sim);
    let tick = Spec {
        persistent: true,
        timeout: Some(SECOND),
        ..Spec::new(Kind::Plain)
    };
    let ticks = front.core.insert(tick, None).unwrap();
    front.add(ticks).unwrap();
    let mut server = Server {
        sim: sim.clone(),
        front,
        ticks,
        ticked: 0,
        heard: 0,
        given_up: 0,
        said: Rc::default(),
    };
    (0..CLIENTS).for_each(|_| server.connect());

    server.front.core.begin(Mode::UntilEmpty).unwrap();
    for _ in 0..STEPS {
        match server.front.step() {
            Step::Wait(timeout) => assert!(!server.front.wait(timeout).is_stuck),
            Step::Run(why) => {
                server.call(why.id, why.ready);
                let _ = server.front.core.finish();
            }
            Step::Done(outcome) => panic!("{outcome:?}"),
        }
    }
    server.front.core.check_invariants();

    let now = Duration::from_nanos(sim.now_ns());
    assert!(now > 2 * 3600 * SECOND, "{now:?}");
    // No tick was missed or early,
    let ticks = server.front.core.info(server.ticks).unwrap();
    let ticked = server.ticked + u64::from(ticks.active.is_some());
    assert_eq!(ticks.deadline_ns, Some((ticked + 1) * 1_000_000_000));
    // nothing said was lost (but what the last turn has not come to),
    assert!(server.said.get() - server.heard <= CLIENTS);
    // each client was given up each time it fell silent,
    let lives = now.as_secs() / LIFE.as_secs();
    assert!(server.given_up.abs_diff(lives * CLIENTS) <= CLIENTS);
    // and nothing was kept of those who are gone.
    assert_eq!(
        server.front.core.len(),
        usize::try_from(CLIENTS).unwrap() + 1
    );
    assert_eq!(sim.interest_set().len(), usize::try_from(CLIENTS).unwrap());
}
