//! Programs that went wrong once, in their shortest form.

use std::time::Duration;

use evloop_changelist::{Interest, Ready, Trigger};
use evloop_core::{Limits, Mode, Priority};
use evloop_signals::Signal;
use evloop_sim::Disorder;

use crate::program::{Act, Manner, Op, Passer, Program, Wish};
use crate::talk::{Deed, Medium};
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
    world::run(
        &Program {
            setup: vec![
                Op::Make(passer(Wish::Nothing)),
                Op::Make(passer(Wish::Nothing)),
                Op::TakeTime(10 * MS),
                Op::To(0, Act::Activate(Ready::READ)),
                Op::To(1, Act::Activate(Ready::READ)),
            ],
            // The other is active, and is called next.
            script: vec![(vec![Op::To(1, Act::SetTimeout(Some(MS)))], vec![])],
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
            setup: vec![
                Op::Make(passer(Wish::Signal(Signal::USR1))),
                Op::To(0, Act::Delete),
            ],
            // The second comes while the callback for the first runs.
            script: vec![(vec![Op::TakeTime(MS), Op::To(0, Act::Delete)], vec![])],
            ..NOTHING
        },
        0,
        Disorder::none(),
    );
    assert_eq!(run.delivered.signals, 2);
}

#[test]
fn one_shot_whose_callback_runs_is_not_in_the_way_of_the_other_trigger() {
    let listen = |trigger| {
        passer(Wish::Io {
            talk: 0,
            interest: Interest::READ,
            trigger,
            duplicate: false,
        })
    };
    let one_shot = Passer {
        persistent: false,
        ..listen(Trigger::Level)
    };
    world::run(
        &Program {
            others: vec![(Medium::Pipe, vec![(1000, Deed::Write(1))])],
            setup: vec![Op::Make(one_shot)],
            script: vec![(vec![Op::Make(listen(Trigger::Edge))], vec![])],
            ..NOTHING
        },
        0,
        Disorder::none(),
    );
}
