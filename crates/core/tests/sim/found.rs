//! Programs that went wrong once, in their shortest form.

use std::time::Duration;

use evloop_core::{Limits, Mode, Priority};
use evloop_signals::Signal;
use evloop_sim::Disorder;

use crate::program::{Manner, Op, Passer, Program, Wish};
use crate::world;

const MS: Duration = Duration::from_millis(1);

const NOTHING: Program = Program {
    mode: Mode::UntilEmpty,
    limits: Limits::NONE,
    common: None,
    kept: Vec::new(),
    others: Vec::new(),
    counts_persistently: false,
    counts_each: false,
    raises: Vec::new(),
    setup: Vec::new(),
    script: Vec::new(),
};

const fn passer(wish: Wish) -> Passer {
    Passer {
        wish,
        persistent: true,
        keep: true,
        each: false,
        priority: Priority::NORMAL,
        timeout: None,
        manner: Manner {
            reads: 0,
            again: false,
            runs: 2,
        },
    }
}

#[test]
fn timeout_set_in_a_callback_of_a_turn_without_timers_is_not_early() {
    let ready = evloop_changelist::Ready::READ;
    world::run(
        &Program {
            setup: vec![
                Op::Make(passer(Wish::Nothing)),
                Op::Make(passer(Wish::Nothing)),
                Op::TakeTime(10 * MS),
                Op::Activate(0, ready),
                Op::Activate(1, ready),
            ],
            // The other is active, and is called next.
            script: vec![(vec![Op::SetTimeout(1, Some(MS))], vec![])],
            ..NOTHING
        },
        0,
        Disorder::none(),
    );
}

#[test]
fn signal_stays_caught_in_the_callback_of_a_one_shot_that_adds_itself_again() {
    let run = world::run(
        &Program {
            raises: vec![(1000, Signal::USR1), (2000, Signal::USR1)],
            setup: vec![Op::Make(passer(Wish::Signal(Signal::USR1))), Op::Delete(0)],
            // The second comes while the callback for the first runs.
            script: vec![(vec![Op::TakeTime(MS), Op::Delete(0)], vec![])],
            ..NOTHING
        },
        0,
        Disorder::none(),
    );
    assert_eq!(run.delivered.signals, 2);
}
