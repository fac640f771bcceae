//! The quota: how long the less urgent wait, and how often the urgent do.
#![expect(clippy::unwrap_used, reason = "a failing test is the report")]

use std::collections::BTreeMap;
use std::time::Duration;

use evloop_changelist::Ready;
use evloop_core::{Core, EventId, Kind, Limits, Mode, Outcome, Priority, Spec, Step};
use proptest::collection::btree_set;
use proptest::prelude::*;

/// A loop with one active event of each of these priorities.
fn crowd(levels: &[u8]) -> (Core<u8>, BTreeMap<u8, EventId>) {
    let mut core = Core::new();
    let ids = levels.iter().map(|level| {
        let spec = Spec {
            priority: Priority(*level),
            keep: true,
            ..Spec::new(Kind::Plain)
        };
        let id = core.insert(spec, *level).unwrap();
        core.activate(id, Ready::READ).unwrap();
        (*level, id)
    });
    let ids = ids.collect();
    (core, ids)
}

/// Runs it until so many callbacks have run: the priority of each, and `-` for each wait between.
fn trace(
    core: &mut Core<u8>,
    mode: Mode,
    callbacks: usize,
    mut callback: impl FnMut(&mut Core<u8>, u8),
) -> Vec<String> {
    let mut trace = Vec::new();
    let mut ran = 0;
    core.begin(mode).unwrap();
    loop {
        match core.step(|| 0) {
            Step::Wait(timeout) => {
                assert_eq!(timeout, Some(Duration::ZERO), "there is something to run");
                trace.push("-".to_owned());
                core.waited();
            }
            Step::Run(activation) => {
                let level = activation.payload;
                trace.push(level.to_string());
                callback(core, level);
                ran += 1;
                if ran == callbacks {
                    core.break_loop();
                }
                let _ = core.finish();
            }
            Step::Done(outcome) => {
                assert_eq!(outcome, Outcome::Break);
                return trace;
            }
        }
    }
}

/// As [`trace`], where every callback makes its event active again.
fn flood(core: &mut Core<u8>, ids: &BTreeMap<u8, EventId>, mode: Mode, callbacks: usize) -> String {
    trace(core, mode, callbacks, |core, level| {
        core.activate(ids[&level], Ready::READ).unwrap();
    })
    .concat()
}

fn quota(quota: u32) -> Limits {
    Limits {
        quota: Some(quota),
        ..Limits::NONE
    }
}

#[test]
fn without_a_quota_the_less_urgent_starve() {
    let (mut core, ids) = crowd(&[1, 2]);
    assert_eq!(flood(&mut core, &ids, Mode::UntilEmpty, 6), "-111111");
    assert_eq!(core.stats().yields, 0);
}

#[test]
fn one_of_the_less_urgent_goes_first_when_the_quota_is_reached() {
    let (mut core, ids) = crowd(&[1, 2]);
    core.set_limits(quota(3));
    assert_eq!(flood(&mut core, &ids, Mode::UntilEmpty, 9), "-111211121");
    assert_eq!(core.stats().yields, 2);
}

#[test]
fn quota_of_nothing_is_a_quota_of_one() {
    let (mut core, ids) = crowd(&[1, 2]);
    core.set_limits(quota(0));
    assert_eq!(flood(&mut core, &ids, Mode::UntilEmpty, 6), "-121212");
}

#[test]
fn levels_that_wait_take_turns() {
    let (mut core, ids) = crowd(&[1, 2, 5, 9]);
    core.set_limits(quota(1));
    assert_eq!(
        flood(&mut core, &ids, Mode::UntilEmpty, 12),
        "-121519121519"
    );
}

/// The last bit of a word, the first of the next, and the last of all.
#[test]
fn levels_far_apart_take_turns() {
    let (mut core, ids) = crowd(&[0, 63, 64, 191, 255]);
    core.set_limits(quota(1));
    let ran = flood(&mut core, &ids, Mode::UntilEmpty, 10);
    assert_eq!(ran, "-0630640191025506 3".replace(' ', ""));
}

#[test]
fn quota_goes_on_from_turn_to_turn() {
    let (mut core, ids) = crowd(&[1, 2]);
    core.set_limits(Limits {
        callbacks: Some(2),
        ..quota(3)
    });
    let ran = flood(&mut core, &ids, Mode::UntilEmpty, 9);
    assert_eq!(ran, "-11-12-11-12-1");
}

#[test]
fn what_goes_first_does_not_decide_which_level_the_turn_is_for() {
    let (mut core, ids) = crowd(&[1, 2]);
    core.set_limits(Limits {
        callbacks: Some(3),
        ..quota(3)
    });
    // The second turn begins with the one that waited, and goes on with what is urgent.
    let ran = flood(&mut core, &ids, Mode::UntilEmpty, 8);
    assert_eq!(ran, "-111-211-12");
}

#[test]
fn quota_goes_on_from_run_to_run() {
    let (mut core, ids) = crowd(&[1, 2]);
    core.set_limits(quota(3));
    assert_eq!(flood(&mut core, &ids, Mode::UntilEmpty, 2), "-11");
    assert_eq!(flood(&mut core, &ids, Mode::UntilEmpty, 3), "-121");
}

/// The last to go first is remembered, so those that come later do not starve those that wait.
#[test]
fn quota_that_is_set_again_goes_on_with_the_next_level() {
    let (mut core, ids) = crowd(&[1, 2, 3]);
    let ran = trace(&mut core, Mode::UntilEmpty, 8, |core, level| {
        core.set_limits(quota(1));
        core.activate(ids[&level], Ready::READ).unwrap();
    });
    assert_eq!(ran.concat(), "-11213121");
}

#[test]
fn callbacks_that_nobody_waits_for_do_not_count() {
    let (mut core, ids) = crowd(&[1, 2]);
    core.set_limits(quota(2));
    core.delete(ids[&2]).unwrap();
    assert_eq!(flood(&mut core, &ids, Mode::UntilEmpty, 5), "-11111");
    core.activate(ids[&2], Ready::READ).unwrap();
    assert_eq!(flood(&mut core, &ids, Mode::UntilEmpty, 3), "-112");
}

#[test]
fn run_through_all_levels_keeps_the_quota() {
    for mode in [Mode::Once, Mode::NonBlocking] {
        let (mut core, ids) = crowd(&[1, 2]);
        core.set_limits(quota(2));
        assert_eq!(flood(&mut core, &ids, mode, 7), "-1121121");
    }
}

#[test]
fn limits_from_a_priority_on_do_not_bound_the_quota() {
    let (mut core, ids) = crowd(&[1, 2]);
    core.set_limits(Limits {
        callbacks: Some(1),
        from: Priority(2),
        ..quota(2)
    });
    // The second one of the limited level would be one too many for the turn.
    let ran = flood(&mut core, &ids, Mode::UntilEmpty, 8);
    assert_eq!(ran, "-11211-211");
}

#[test]
fn limits_without_a_quota_leave_its_count_alone() {
    let (mut core, ids) = crowd(&[1, 2]);
    core.set_limits(Limits {
        callbacks: Some(100),
        ..Limits::NONE
    });
    assert_eq!(flood(&mut core, &ids, Mode::UntilEmpty, 5), "-11111");
    core.set_limits(quota(3));
    assert_eq!(flood(&mut core, &ids, Mode::UntilEmpty, 4), "-1112");
}

proptest! {
    /// Where everything is active at all times, each level runs once in `n * (quota + 1)` callbacks,
    /// and between two that went ahead of something more urgent there are `quota` others.
    #[test]
    fn nobody_waits_longer_than_promised(
        levels in btree_set(any::<u8>(), 2..7),
        share in proptest::option::of(1..4_u32),
        most in 1..6_u32,
    ) {
        let levels: Vec<_> = levels.into_iter().collect();
        let (mut core, ids) = crowd(&levels);
        core.set_limits(Limits { callbacks: share, ..quota(most) });
        let ran = trace(&mut core, Mode::UntilEmpty, 400, |core, level| {
            core.activate(ids[&level], Ready::READ).unwrap();
        });
        let ran: Vec<u8> = ran.iter().filter_map(|level| level.parse().ok()).collect();
        let waiting = levels.len() - 1;
        let bound = waiting * (most as usize + 1);
        for level in &levels {
            for window in ran.windows(bound) {
                prop_assert!(window.contains(level), "{level} waits for {window:?}");
            }
        }
        for window in ran.windows(most as usize + 1) {
            let others = window.iter().filter(|level| **level != levels[0]).count();
            prop_assert!(others <= 1, "the most urgent waits in {window:?}");
        }
    }
}
