//! calloop, level-triggered; an idle timeout is a timer beside the source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use calloop::generic::{Generic, NoIoDrop};
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, Interest, Mode, PostAction};

use super::{IDLE, IdleLoop, Loop, Payload, Urgency};

pub(crate) struct Calloop(EventLoop<'static, u64>);

impl Loop for Calloop {
    fn open() -> Self {
        Self(EventLoop::try_new().expect("a loop"))
    }

    fn add<P: Payload>(&mut self, payload: P, _: Urgency) {
        let source = Generic::new(payload, Interest::READ, Mode::Level);
        let callback = |_, payload: &mut NoIoDrop<P>, done: &mut u64| {
            *done += payload.run();
            Ok(PostAction::Continue)
        };
        let inserted = self.0.handle().insert_source(source, callback);
        inserted
            .map_err(|error| error.to_string())
            .expect("it can be waited for");
    }

    fn run(&mut self, wanted: u64, stop: &Arc<AtomicBool>) -> u64 {
        let mut done = 0;
        while done < wanted && !stop.load(Ordering::Relaxed) {
            let timeout = None::<Duration>;
            self.0.dispatch(timeout, &mut done).expect("it runs");
        }
        done
    }
}

impl IdleLoop for Calloop {
    fn add_idle<P: Payload>(&mut self, payload: P) {
        self.add(payload, Urgency::Urgent);
        let timer = Timer::from_duration(IDLE);
        let handle = self.0.handle();
        let inserted = handle.insert_source(timer, |_, _, _| TimeoutAction::Drop);
        inserted
            .map_err(|error| error.to_string())
            .expect("there is room for a timer");
    }

    fn settle(&mut self) {
        self.0
            .dispatch(Some(Duration::ZERO), &mut 0)
            .expect("it runs");
    }
}
