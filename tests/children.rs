//! A storm of small child processes: the end of each is seen, as it was, while signals that come
//! together are counted once for each run of the handler, the same by every loop.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use evloop::{EventLoop, Mode, Outcome, Signal};

use crate::support::process::in_own_process;
use crate::support::trace::{look, new_loop};

/// So many at a time.
const AT_A_TIME: usize = 32;
/// So many in all, unless `EVLOOP_CHILDREN` says another number.
const IN_ALL: usize = 200;

/// The children that run, and what became of those that ran.
#[derive(Default)]
struct Nursery {
    running: Vec<(usize, Child)>,
    /// How many are still to be started, the last of them first.
    to_start: Vec<usize>,
    /// The number of each child that has ended.
    ended: Vec<usize>,
    signals: u64,
}

impl Nursery {
    fn start(&mut self) {
        while self.running.len() < AT_A_TIME
            && let Some(number) = self.to_start.pop()
        {
            // Each third is killed, the others say who they are.
            let script = match number % 3 {
                0 => "kill -KILL $$".to_owned(),
                _ => format!("exit {}", number % 200),
            };
            let mut command = Command::new("sh");
            command.args(["-c", &script]).stdin(Stdio::null());
            self.running.push((number, command.spawn().unwrap()));
        }
    }

    /// Takes all that have ended: one signal may stand for several.
    fn reap(&mut self) {
        let ended = &mut self.ended;
        self.running.retain_mut(|(number, child)| {
            let Some(status) = child.try_wait().unwrap() else {
                return true;
            };
            match *number % 3 {
                0 => assert_eq!(status.signal(), Some(9)),
                _ => assert_eq!(status.code(), i32::try_from(*number % 200).ok()),
            }
            ended.push(*number);
            false
        });
    }
}

#[test]
fn every_child_of_a_storm_is_seen_to_end() {
    in_own_process("children::every_child_of_a_storm_is_seen_to_end", || {
        let in_all = env::var("EVLOOP_CHILDREN").map_or(IN_ALL, |count| count.parse().unwrap());
        // It counts what the other counts.
        let mut witness = new_loop();
        let event = witness.signal(Signal::CHLD).persist();
        event
            .add(|cx, caught| cx.state.push(caught.count.to_string()))
            .unwrap();

        let mut events = EventLoop::<Nursery>::new().unwrap();
        let event = events.signal(Signal::CHLD).persist();
        event
            .add(|cx, caught| {
                cx.state.signals += caught.count;
                cx.state.reap();
                cx.state.start();
                if cx.state.running.is_empty() {
                    cx.events.exit();
                }
            })
            .unwrap();
        let mut nursery = Nursery {
            to_start: (0..in_all).rev().collect(),
            ..Nursery::default()
        };
        nursery.start();
        assert_eq!(events.run(&mut nursery).unwrap(), Outcome::Exit);

        nursery.ended.sort_unstable();
        assert!(
            nursery.ended.iter().copied().eq(0..in_all),
            "each of them once"
        );
        // A handler may still be at work in another thread; what it has counted for one loop, it
        // soon has for the other.
        let mut counted = 0;
        loop {
            let _done = events.run_mode(Mode::NonBlocking, &mut nursery).unwrap();
            let counts = look(&mut witness);
            counted += counts
                .iter()
                .map(|n| n.parse::<u64>().unwrap())
                .sum::<u64>();
            if nursery.signals == counted {
                break;
            }
            thread::yield_now();
        }
        assert!((1..=in_all as u64).contains(&counted));
    });
}
