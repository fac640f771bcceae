//! More posts than a turn takes, from many threads.

use std::thread;
use std::time::Duration;

use evloop::{Limits, Mode, Outcome, Priority, Remote};

use super::beside::run_beside;
use crate::support::clock::{busy, deadline, loop_now, ms};
use crate::support::setting::make;

/// Posts from many threads at a time; returns when all is posted.
fn from_threads<S>(remote: &Remote<S>, threads: usize, post: impl Fn(&Remote<S>, usize) + Sync) {
    thread::scope(|scope| {
        for thread in 0..threads {
            let post = &post;
            scope.spawn(move || post(remote, thread));
        }
    });
}

#[test]
fn posts_of_eight_threads_come_in_order_and_none_is_lost() {
    const THREADS: usize = 8;
    const POSTS: u32 = 1000;
    let mut events = make::<[Vec<u32>; THREADS]>();
    let mut taken = Default::default();
    let (outcome, ()) = run_beside(&mut events, Mode::StayOnEmpty, &mut taken, |remote, _| {
        from_threads(remote, THREADS, |remote, at| {
            for n in 0..POSTS {
                remote.post(move |cx| cx.state[at].push(n)).unwrap();
            }
        });
        remote.post(|cx| cx.events.exit()).unwrap();
    });
    assert_eq!(outcome, Outcome::Exit);
    for numbers in taken {
        assert!(numbers.into_iter().eq(0..POSTS));
    }
}

/// An exit does not wait for closures that were posted before it, but none of them is lost.
#[test]
fn closures_that_an_exit_has_overtaken_are_for_the_next_run() {
    let mut events = make::<Vec<u32>>();
    let remote = events.remote();
    for n in 0..100 {
        remote.post(move |cx| cx.state.push(n)).unwrap();
    }
    remote.exit().unwrap();
    let mut taken = Vec::new();
    assert_eq!(events.run(&mut taken).unwrap(), Outcome::Exit);
    assert!(taken.len() < 100);
    assert_eq!(events.run(&mut taken).unwrap(), Outcome::Empty);
    assert!(taken.into_iter().eq(0..100));
}

#[derive(Default)]
struct Flood {
    /// When the timer has to fire, by the loop's clock.
    due: Duration,
    /// How many closures have begun since it was due.
    late: u32,
    all: usize,
}

/// Closures that take their time, from more threads than the loop can keep up with; a timer that is
/// due meanwhile waits for no more of them than a turn may run.
#[test]
fn urgent_timer_is_on_time_in_a_flood_of_posts() {
    const SHARE: u32 = 4;
    let mut events = make::<Flood>();
    events.set_limits(Limits {
        callbacks: Some(SHARE),
        ..Limits::NONE
    });
    let timer = events.timer(ms(5)).persist();
    let timer = timer.priority(Priority::MOST_URGENT);
    let id = timer
        .add(|cx| {
            let late = cx.state.late;
            assert!(late <= SHARE, "{late} closures have run before the timer");
            cx.state.late = 0;
            cx.state.due = deadline(cx.events, cx.id());
        })
        .unwrap();
    let mut flood = Flood {
        due: deadline(&events, id),
        ..Flood::default()
    };
    let (outcome, ()) = run_beside(&mut events, Mode::UntilEmpty, &mut flood, |remote, _| {
        from_threads(remote, 8, |remote, _| {
            for _ in 0..50 {
                let closure = remote.post(|cx| {
                    cx.state.late += u32::from(loop_now(cx.events) >= cx.state.due);
                    cx.state.all += 1;
                    busy(Duration::from_micros(200));
                });
                closure.unwrap();
            }
        });
        remote.post(|cx| cx.events.exit()).unwrap();
    });
    assert_eq!(outcome, Outcome::Exit);
    assert_eq!(flood.all, 400);
}
