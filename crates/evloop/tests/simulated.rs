//! The loop in a simulated world: it is the same loop, with another outside.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use evloop::{
    AddError, Builder, Capabilities, EventLoop, Interest, Mode, NewError, Outcome, Ready, RunError,
    Signal,
};
use evloop_sim::{Call, Sim};

const SECOND: Duration = Duration::from_secs(1);
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;

/// Bytes heard, ticks, signals: what a test counts.
type Count = usize;

fn built(sim: &Sim) -> EventLoop<Count> {
    Builder::new().build_in(sim.clone()).unwrap()
}

#[test]
fn readiness_timers_and_exit_work_in_simulated_time() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let (ours, theirs) = sim.socketpair();
    let ours = sim.own(ours).unwrap();
    events
        .io(ours, Interest::READ)
        .persist()
        .add(|cx, mut ours, _| {
            let heard = ours.read(&mut [0; 64]).unwrap();
            *cx.state += heard;
            ours.write_all(b"thanks").unwrap();
        })
        .unwrap();
    sim.at(100 * SECOND, move |sim| drop(sim.write(theirs, b"hello")));
    events.exit_after(3600 * SECOND);
    let mut heard = 0;
    assert_eq!(events.run(&mut heard).unwrap(), Outcome::Exit);
    assert_eq!(heard, 5);
    assert_eq!(sim.read(theirs, &mut [0; 64]).unwrap(), 6);
    assert_eq!(events.now(), 3600 * SECOND);
    assert_eq!(events.backend_name(), "sim");
    events.verify().unwrap();
}

#[test]
fn time_goes_on_between_runs() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    for seconds in 0..3 {
        assert_eq!(events.now(), seconds * SECOND);
        sim.advance(SECOND);
        let _outcome = events.run_mode(Mode::NonBlocking, &mut 0).unwrap();
    }
    assert_eq!(events.now(), 3 * SECOND);
}

/// Its second tick would be due again and again, at the end of all time.
#[test]
fn persistent_timeout_that_is_as_long_as_time_ends_once() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let most = Duration::from_nanos(u64::MAX);
    let timer = events.timer(Duration::MAX).persist();
    timer.add(|cx| *cx.state += 1).unwrap();
    events.exit_after(most - Duration::from_nanos(1));
    let mut ticks = 0;
    assert_eq!(events.run(&mut ticks).unwrap(), Outcome::Exit);
    sim.advance(SECOND);
    for _ in 0..3 {
        let _outcome = events.run_mode(Mode::NonBlocking, &mut ticks).unwrap();
    }
    assert_eq!((ticks, events.now()), (1, most));
}

/// What was there already may well be followed by more, so a look comes before the next wait; what has been
/// slept for is not.
#[test]
fn one_event_makes_the_loop_look_if_it_was_there_already() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let (ours, theirs) = sim.socketpair();
    let ours = sim.own(ours).unwrap();
    let reader = events.io(ours, Interest::READ).persist();
    let added = reader.add(|cx, mut ours, _| *cx.state += ours.read(&mut [0; 64]).unwrap());
    added.unwrap();
    let hour = events.timer(3600 * SECOND).persist();
    hour.add(|_| ()).unwrap();
    let mut heard = 0;
    let mut vain_looks = |events: &mut EventLoop<Count>| {
        let _outcome = events.run_mode(Mode::Once, &mut heard).unwrap();
        let timer = events.timer(SECOND);
        timer.add(|_| ()).unwrap();
        let _outcome = events.run_mode(Mode::Once, &mut heard).unwrap();
        events.stats().vain_looks
    };
    sim.at(10 * SECOND, move |sim| drop(sim.write(theirs, b"x")));
    assert_eq!(vain_looks(&mut events), 0, "it slept");
    sim.write(theirs, b"x").unwrap();
    assert_eq!(vain_looks(&mut events), 1, "it did not");
    sim.at(60 * SECOND, move |sim| drop(sim.write(theirs, b"x")));
    assert_eq!(vain_looks(&mut events), 1, "it slept again");
    assert_eq!(heard, 3);
}

#[test]
fn signals_are_of_that_world() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let event = events
        .signal(Signal::USR1)
        .persist()
        .add(|cx, caught| {
            assert_eq!(caught.last, None, "a model does not say who sent it");
            *cx.state += usize::try_from(caught.count).unwrap();
        })
        .unwrap();
    assert_eq!(sim.watched(), [Signal::USR1]);
    for second in [1, 1, 5] {
        sim.at(second * SECOND, |sim| sim.raise(Signal::USR1));
    }
    sim.at(2 * SECOND, |sim| sim.raise(Signal::USR2)); // which nobody watches
    events.exit_after(10 * SECOND);
    let mut caught = 0;
    let _outcome = events.run(&mut caught).unwrap();
    assert_eq!(caught, 3);
    events.remove(event).unwrap();
    assert_eq!(sim.watched(), []);
}

#[test]
fn remote_wakes_a_simulated_wait() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let remote = events.remote();
    sim.at(7 * SECOND, move |_| {
        remote.post(|cx| *cx.state += 1).unwrap();
        remote.exit().unwrap();
    });
    let mut posted = 0;
    // Nothing else would ever end the wait.
    let outcome = events.run_mode(Mode::StayOnEmpty, &mut posted).unwrap();
    assert_eq!((outcome, events.now()), (Outcome::Exit, 7 * SECOND));
    let _outcome = events.run(&mut posted).unwrap();
    assert_eq!(posted, 1);
}

#[test]
fn activator_wakes_a_simulated_wait() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let event = events.user().persist().add(|cx, _| {
        *cx.state += 1;
        cx.events.exit();
    });
    let activator = events.activator(event.unwrap(), Ready::empty()).unwrap();
    sim.at(7 * SECOND, move |_| {
        for _ in 0..3 {
            activator.activate().unwrap();
        }
    });
    let mut activated = 0;
    assert_eq!(events.run(&mut activated).unwrap(), Outcome::Exit);
    assert_eq!((activated, events.now()), (1, 7 * SECOND));
}

#[test]
fn wakeup_that_comes_before_the_wait_is_not_lost() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let remote = events.remote();
    // The loop is awake, so nothing is written that could end the wait that follows.
    events
        .timer(SECOND)
        .add(move |_| remote.exit().unwrap())
        .unwrap();
    let outcome = events.run_mode(Mode::StayOnEmpty, &mut 0).unwrap();
    assert_eq!((outcome, sim.now_ns()), (Outcome::Exit, 1_000_000_000));
}

#[test]
fn wait_that_nothing_can_end_is_an_error() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let (reader, _writer) = sim.pipe();
    let reader = sim.own(reader).unwrap();
    events.io(reader, Interest::READ).add(|_, _, _| ()).unwrap();
    let Err(RunError::Wait(error)) = events.run(&mut 0) else {
        panic!("it is a deadlock");
    };
    assert_eq!(error.source.kind(), ErrorKind::Deadlock);
}

#[test]
fn sources_of_another_world_are_refused() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let error = events
        .io(ours, Interest::READ)
        .add(|_, _, _| ())
        .unwrap_err();
    assert!(matches!(error.reason, AddError::Control(_)), "{error:?}");

    let (reader, _) = sim.pipe();
    let reader = sim.own(reader).unwrap();
    let mut real = EventLoop::<Count>::new().unwrap();
    let error = real
        .io(reader, Interest::READ)
        .add(|_, _, _| ())
        .unwrap_err();
    assert!(matches!(error.reason, AddError::Control(_)), "{error:?}");
    // Nothing has changed, and the source came back.
    assert!(real.is_empty() && events.is_empty());
    assert_eq!(sim.interest_set(), []);
    assert!(sim.ready(error.source.number()).is_ok());
}

#[test]
fn calls_that_are_made_to_fail_are_typed_errors_that_change_nothing() {
    let sim = Sim::new(1);
    sim.fail(Call::Backend, 0, EMFILE);
    let refused = Builder::new().build_in::<Count>(sim.clone());
    assert!(matches!(refused, Err(NewError::World(error)) if error.raw_os_error() == Some(EMFILE)));
    let needed = Builder::new().require(Capabilities::EDGE);
    let mut events = needed.build_in::<Count>(sim.clone()).unwrap();

    let (reader, writer) = sim.pipe();
    let reader = sim.own(reader).unwrap();
    sim.fail(Call::Add, 0, ENOSPC);
    let error = events
        .io(reader, Interest::READ)
        .add(|_, _, _| ())
        .unwrap_err();
    let AddError::Control(refusal) = &error.reason else {
        panic!("{error:?}")
    };
    assert_eq!(refusal.source.raw_os_error(), Some(ENOSPC));

    // The change of an interest, later, reaches the event that it is of.
    let told = Rc::new(Cell::new(None));
    let tell = Rc::clone(&told);
    let event = events
        .io(error.source, Interest::READ)
        .persist()
        .add(move |cx, _, ready| {
            tell.set(Some((
                ready,
                cx.refusal().and_then(|error| error.raw_os_error()),
            )));
        })
        .unwrap();
    events
        .set_interest(event, Interest::READ | Interest::CLOSED)
        .unwrap();
    sim.fail(Call::Change, 0, ENOSPC);
    let _outcome = events.run_mode(Mode::NonBlocking, &mut 0).unwrap();
    assert_eq!(told.take(), Some((Ready::ERROR, Some(ENOSPC))));
    // The kernel holds nothing, and the loop knows.
    assert_eq!(sim.interest_set(), []);
    events.verify().unwrap();
    events.add(event).unwrap();
    sim.write(writer, b"x").unwrap();
    let _outcome = events.run_mode(Mode::NonBlocking, &mut 0).unwrap();
    assert_eq!(told.take(), Some((Ready::READ, None)));
}

#[test]
fn ghost_of_a_duplicate_makes_the_loop_renew_its_backend() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let (reader, writer) = sim.pipe();
    let ours = sim.own(reader).unwrap();
    let _kept_by_a_child = sim.dup(reader).unwrap();
    let event = events
        .io(ours, Interest::READ)
        .persist()
        .add(|cx, _, _| *cx.state += 1)
        .unwrap();
    // Behind the loop's back.
    sim.close(reader).unwrap();
    events.remove(event).unwrap();
    sim.write(writer, b"x").unwrap();
    let mut called = 0;
    let _outcome = events.run_mode(Mode::NonBlocking, &mut called).unwrap();
    let timer = events.timer(SECOND).keep().add(|_| ()).unwrap();
    let _outcome = events.run(&mut called).unwrap();
    assert_eq!(called, 0);
    assert_eq!(
        sim.interest_set(),
        [],
        "the ghost went with the old backend"
    );
    assert!(events.stats().ghosts > 0);
    events.remove(timer).unwrap();
}

#[test]
fn loop_goes_on_in_a_forked_child_and_disturbs_nothing_in_its_parent() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    let (ours, theirs) = sim.socketpair();
    let ours = sim.own(ours).unwrap();
    let io = events
        .io(ours, Interest::READ)
        .persist()
        .add(|cx, mut ours, _| *cx.state += ours.read(&mut [0; 64]).unwrap())
        .unwrap();
    events
        .signal(Signal::USR1)
        .persist()
        .add(|cx, caught| *cx.state += 100 * usize::try_from(caught.count).unwrap())
        .unwrap();
    let _outcome = events.run_mode(Mode::NonBlocking, &mut 0).unwrap();
    // What the parent's backend holds is told by a handle on it.
    let parents = sim.backend();
    let held = evloop_sim::Backend::interest_set(&parents).unwrap();
    sim.raise(Signal::USR1); // it is the parent's

    let parent = sim.fork();
    events.after_fork().unwrap();
    sim.at(SECOND, move |sim| drop(sim.write(theirs, b"child")));
    sim.at(2 * SECOND, |sim| sim.raise(Signal::USR1));
    events.exit_after(5 * SECOND);
    let mut state = 0;
    let _outcome = events.run(&mut state).unwrap();
    assert_eq!(state, 105);
    events.verify().unwrap();

    events.remove(io).unwrap();
    assert_eq!(sim.interest_set(), []);
    assert_eq!(evloop_sim::Backend::interest_set(&parents).unwrap(), held);
    // The parent has it open still.
    assert!(!sim.ready(theirs).unwrap().is_closed());
    drop(parent);
    assert!(sim.ready(theirs).unwrap().is_closed());
}

#[test]
fn panic_of_a_callback_loses_nothing() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    events.timer(SECOND).add(|_| panic!("on purpose")).unwrap();
    events.timer(SECOND).add(|cx| *cx.state += 1).unwrap();
    let mut ran = 0;
    let run = catch_unwind(AssertUnwindSafe(|| drop(events.run(&mut ran))));
    assert!(run.is_err());
    assert_eq!(events.run(&mut ran).unwrap(), Outcome::Empty);
    assert_eq!((ran, sim.now_ns()), (1, 1_000_000_000));
}

#[test]
fn kernel_forgets_a_source_before_that_is_closed() {
    let sim = Sim::new(1);
    let mut events = built(&sim);
    for is_over_by_itself in [false, true] {
        let (reader, writer) = sim.pipe();
        let ours = sim.own(reader).unwrap();
        let kept_by_a_child = sim.dup(reader).unwrap();
        let event = events.io(ours, Interest::READ).add(|_, _, _| ()).unwrap();
        if is_over_by_itself {
            sim.write(writer, b"x").unwrap();
            let _outcome = events.run_mode(Mode::NonBlocking, &mut 0).unwrap();
            assert!(events.info(event).is_none());
        } else {
            events.remove(event).unwrap();
        }
        // A ghost would be held for as long as the file lives.
        assert_eq!(sim.interest_set(), []);
        assert!(sim.ready(reader).is_err(), "it was closed");
        assert!(sim.ready(kept_by_a_child).is_ok());
    }
}
