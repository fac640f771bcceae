//! evloop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evloop::{Builder, Cx, EventLoop, Interest, Limits, Mode, Priority};

use super::{IDLE, IdleLoop, Loop, Offer, Payload, Urgency, can_be_done, memory};
use crate::work::Work;

const LOW: Priority = Priority::LEAST_URGENT;

#[derive(Default)]
struct State {
    done: u64,
    wanted: u64,
    stop: Arc<AtomicBool>,
}

pub(crate) struct Own(EventLoop<State>);

pub(crate) fn offer(work: &Work) -> Offer {
    super::offer_idle::<Own>(work)
}

/// The work `idle`, where the loop is told how many connections there will be.
pub(crate) fn offer_told(work: &Work) -> Offer {
    can_be_done(work)?;
    let builder = Builder::new().capacity(work.n);
    Ok(memory::batch(work, || {
        Own(builder.build().expect("a loop"))
    }))
}

impl Loop for Own {
    fn open() -> Self {
        Self(EventLoop::new().expect("a loop"))
    }

    fn add<P: Payload>(&mut self, payload: P, urgency: Urgency) {
        let priority = match urgency {
            Urgency::Urgent => Priority::NORMAL,
            Urgency::Low => LOW,
        };
        let event = self.0.io(payload, Interest::READ).persist();
        let added = event
            .priority(priority)
            .add(|cx, payload, _| run(cx, payload));
        added.map_err(|error| error.to_string()).expect("added");
    }

    /// The kernel is asked again after so many callbacks of the flood.
    fn prioritize(&mut self) {
        self.0.set_limits(Limits {
            callbacks: Some(super::flood::LIMIT),
            from: LOW,
            ..Limits::NONE
        });
    }

    fn run(&mut self, wanted: u64, stop: &Arc<AtomicBool>) -> u64 {
        let stop = Arc::clone(stop);
        let mut state = State {
            done: 0,
            wanted,
            stop,
        };
        let _outcome = self.0.run(&mut state).expect("it runs");
        state.done
    }
}

impl IdleLoop for Own {
    fn add_idle<P: Payload>(&mut self, payload: P) {
        let event = self.0.io(payload, Interest::READ).persist();
        let event = event.timeout(IDLE);
        let added = event.add(|cx, payload, _| run(cx, payload));
        added.map_err(|error| error.to_string()).expect("added");
    }

    fn settle(&mut self) {
        let mut state = State::default();
        let ran = self.0.run_mode(Mode::NonBlocking, &mut state);
        let _outcome = ran.expect("it runs");
    }
}

fn run<P: Payload>(cx: &mut Cx<'_, State>, payload: &P) {
    let state = &mut *cx.state;
    state.done += payload.run();
    if state.done >= state.wanted || state.stop.load(Ordering::Relaxed) {
        cx.events.exit();
    }
}
